import numpy as np
import pytest

from binviz import plots


def test_a_gap_where_a_value_is_missing():
    (line,) = plots.lines([0, 1, 2], {"loss": [1.0, np.inf, 2.0]}, "step (number)", "loss (nats)").data
    assert list(line.y) == [1.0, None, 2.0]


def test_logarithmic_axes_are_those_named():
    figure = plots.lines([1, 2], {"a": [1, 2]}, "n (number)", "e (%)", log="y")
    assert (figure.layout.xaxis.type, figure.layout.yaxis.type) == (None, "log")


@pytest.mark.parametrize(
    ("x", "shown"),
    [
        ([0.2, 3.0], ["0.1", "0.2", "0.5", "1", "2", "5", "10", "20", "50"]),
        ([1, 1e4], ["1", "10", "100", "1000", "10000"]),
    ],
    ids=["narrow", "wide"],
)
def test_a_logarithmic_axis_has_names_to_read(x, shown):
    axis = plots.lines(x, {"a": [1, 2]}, "n (number)", "e (%)", log="x").layout.xaxis
    assert list(axis.ticktext) == shown
    assert list(axis.tickvals) == pytest.approx([float(text) for text in shown])


def test_a_column_holds_the_shares_of_its_histogram():
    parts = [plots.Histogram([-1.0, 0.0, 1.0], counts) for counts in ([1, 99], [0, 7])]
    (heatmap,) = plots.moving_histogram([0, 5], parts, "weight (value)").data
    assert list(heatmap.z[0]) == [0.0, None]  # 1 % and nothing
    np.testing.assert_allclose(heatmap.z[1], np.log10([99, 100]), atol=0.005)


def test_a_single_series_of_bars_needs_no_legend():
    one = plots.bars(["a"], {"error": [1.0]}, "place (name)", "error (%)")
    two = plots.bars(["a"], {"x": [1.0], "y": [2.0]}, "place (name)", "error (%)")
    assert (one.layout.showlegend, two.layout.showlegend) == (False, True)
