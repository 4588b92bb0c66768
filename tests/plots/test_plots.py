import base64
import re
import subprocess
import sys

import numpy as np
import plotly.graph_objects as go
import pytest

from binviz import plots
from binviz.bench import records

RNG = np.random.default_rng(0)
X = RNG.normal(size=5000)
GRID = np.linspace(-2, 2, 201)
LAYERS = [f"layers.{i}.ffn_in" for i in range(6)]


def softmax_rows(n):
    scores = np.exp(RNG.normal(size=(n, n)) * 2)
    return scores / scores.sum(axis=1, keepdims=True)


MAP = softmax_rows(24)
FIGURES = {
    "curves": lambda: plots.curves(GRID, {"bnn": np.sign(GRID)}, {"bnn": (abs(GRID) <= 1) * 1.0}),
    "curves-two": lambda: plots.curves(GRID, {"a": GRID > 0, "b": GRID}, {"a": GRID * 0, "b": GRID * 0 + 1}),
    "before_after": lambda: plots.before_after(
        plots.histogram(X), plots.histogram(np.sign(X), span=(X.min(), X.max())), {-1: 2500, 1: 2500}
    ),
    "scale": lambda: plots.error_curve(plots.scale_sweep(X, np.sign(X)), of="scale"),
    "scale-far": lambda: plots.error_curve(plots.scale_sweep(X, 500 * np.sign(X)), "scale", "times its own"),
    "threshold": lambda: plots.error_curve(plots.threshold_sweep(X, 0, 1), of="threshold"),
    "threshold-used": lambda: plots.error_curve(plots.threshold_sweep(X, -1, 1, used=9.0), of="threshold"),
    "layer_errors": lambda: plots.layer_errors(LAYERS, np.arange(6.0), np.arange(6.0) * 2),
    "layer_errors-gaps": lambda: plots.layer_errors(LAYERS, None, [np.inf, np.nan, 1, 2, 3, 4], "SQNR", "dB"),
    "activations": lambda: plots.activations(
        LAYERS, [plots.histogram(X * s) for s in range(1, 7)], [plots.histogram(X)] * 6
    ),
    "attention": lambda: plots.attention([f"token {i}" for i in range(24)], MAP, (MAP > 0.1).astype(int)),
    "attention-scores": lambda: plots.attention(
        list("abcd"), MAP[:4, :4], np.where(MAP[:4, :4] > 0.1, 1, -1)
    ),
    "ones_of_heads": lambda: plots.ones_of_heads(["0", "1"], [[1.0, 2.5, 3], [4, 5, 6]], keys=8),
    "patch_attention": lambda: plots.patch_attention(
        RNG.integers(0, 17, (8, 8)),
        (1, 2),
        MAP[0, :16].reshape(4, 4),
        (MAP[0, :16] > 0.1).reshape(4, 4).astype(int),
    ),
    "patch_attention-class-token": lambda: plots.patch_attention(
        X[:64].reshape(8, 8), None, MAP[:4, :4], MAP[:4, :4] > 1
    ),
    "bit_product": lambda: plots.bit_product([0.5, -1, 0], [1, 2, -3], [1, 0, 1], [1, 1, 0]),
    "bit_product-and": lambda: plots.bit_product([0.6, 0], [1, -2], [1, 0], [1, 0], signed=False),
    "bit_words": lambda: plots.bit_words(RNG.integers(0, 2, 384), RNG.integers(0, 2, 384)),
    "bit_words-and": lambda: plots.bit_words(
        RNG.integers(0, 2, 1500), RNG.integers(0, 2, 1500), signed=False
    ),
    "bit_words-one": lambda: plots.bit_words([1], [0]),
    "roofline": lambda: plots.roofline(
        [plots.Point(kind, str(m), 1e6 * m, 1e5, 1e-4) for kind in ("1-bit", "float32") for m in (1, 8)],
        {"1-bit": 2.5e12, "float32": 1e11},
        bandwidth=2e10,
    ),
    "roofline-without-memory": lambda: plots.roofline(
        [plots.Point("1-bit", str(m), 1e6 * m, 1e5, 1e-4) for m in (1, 8)], {"1-bit": 2.5e12}, bandwidth=None
    ),
    "crossover": lambda: plots.crossover(
        [
            plots.Size(m, k, {"1 bit": 1e-6 * m, "float32": 1e-7 * k, "int8": 2e-3})
            for m in (1, 8, 128)
            for k in (64, 4096)
        ]
    ),
    "crossover-one-format": lambda: plots.crossover([plots.Size(1, 64, {"a format of one's own": 1e-3})]),
    "ratios": lambda: plots.ratios({"operations": 64.0}, {"time": (20.0, 19.0, 22.0)}),
    "costs": lambda: plots.costs(["0", "1"], {"1-bit": [1, 2], "float": [0, 3]}, "memory", "MiB", "bivit"),
    "costs-hatched": lambda: plots.costs(
        ["0", "1"],
        {"1-bit": [1, 2], "float": [0, 3]},
        "memory",
        "MiB",
        "own",
        {"1-bit": ["counted"] * 2, "float": ["counted", "fitted"]},
    ),
    "lines": lambda: plots.lines(
        [1, 10, 100], {"a": [3, 2, 1], "b": [1, np.nan, 2]}, "n (number)", "e (%)", "xy"
    ),
    "moving_histogram": lambda: plots.moving_histogram(
        [0, 10, 20], [plots.histogram(X * s, span=(-3, 3)) for s in (0.2, 0.5, 1)], "weight (value)"
    ),
    "bars": lambda: plots.bars(
        ["p", "q"], {"a": [1.0, 2.0], "b": [3.0, 0.0]}, "place (name)", "error (%)", ".1f"
    ),
    "claim": lambda: plots.claim(
        [plots.Side("a " * 30, [79.0, 77.5], 75.0, 81.0, 87.7, "a paper"), plots.Side("b", [40.0])],
        "accuracy",
        "%",
        chance=51.0,
    ),
    "claim-not-run": lambda: plots.claim([plots.Side("a", [])], "F1", "%"),
    "progress-chance": lambda: plots.progress({"a": ([1, 2], [40.0, 90.0])}, "accuracy", "%", chance=51.0),
    "progress": lambda: plots.progress({"a": ([1, 2], [0.0, np.nan]), "b": ([5], [0.9])}, "accuracy", "%"),
    "progress-log": lambda: plots.progress(
        {"a": ([1, 2, 3], [3.0, np.nan, 1.0]), "b": ([5], [0.0])}, "loss", "unit of the loss", log=True
    ),
    "progress-none": lambda: plots.progress({}, "loss", "unit of the loss", log=True),
    "courses": lambda: plots.courses(
        {
            "a": plots.Course([1, 5], LAYERS, np.arange(12.0).reshape(6, 2)),
            "b": plots.Course([1], LAYERS[:2], [[0.1], [np.nan]]),
        },
        "flips",
        "% of weights",
    ),
    "pictures": lambda: plots.pictures(
        RNG.integers(0, 17, (10, 8, 8)), [str(i) for i in range(10)], columns=5
    ),
    "answers": lambda: plots.answers(["no", "yes"], [0.2, 0.8], [0.5, 0.5]),
    "accuracy_size-labelled": lambda: plots.accuracy_size(
        ["t", "s"], [27.9, 2.1], [91.0, 85.5], [False, True], labelled=["s"]
    ),
    "accuracy_size-pile": lambda: plots.accuracy_size(
        ["t", "s", "u"], [27.9, 2.1, 2.11], [91.0, 85.5, 85.4], [False, True, True], ["t", "u"], chance=51.0
    ),
    "accuracy_size": lambda: plots.accuracy_size(["t", "s"], [27.9, 2.1], [91.0, 85.5], [False, True]),
}


@pytest.mark.parametrize("make", FIGURES.values(), ids=FIGURES)
def test_a_figure_is_what_is_promised(make):
    figure = make()
    axes = [axis for axis in figure.layout if axis.startswith(("xaxis", "yaxis"))]
    titled = [figure.layout[axis].title.text for axis in axes if figure.layout[axis].title.text]
    hidden = [axis for axis in axes if figure.layout[axis].visible is False]
    assert titled or len(hidden) == len(axes)
    for title in titled:
        assert re.search(r"\(.+\)$", title), title
    assert all(np.isfinite(number) for number in numbers(figure.to_plotly_json()["data"]))
    assert len(figure.to_json()) < 40_000
    alt = figure.layout.meta["alt"]
    assert alt.endswith(".")
    assert "nan" not in alt
    # its code draws the same figure
    namespace = {}
    exec(figure.layout.meta["code"], namespace)
    drawn = namespace["figure"]
    assert drawn.layout.to_plotly_json().keys() == figure.layout.to_plotly_json().keys()
    assert [trace.name for trace in drawn.data] == [trace.name for trace in figure.data]
    ours, theirs = (list(numbers(each.to_plotly_json()["data"])) for each in (drawn, figure))
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def numbers(part):
    """All numbers in a figure's JSON, those packed in base64 too."""
    if isinstance(part, dict) and "bdata" in part:
        yield from np.frombuffer(base64.b64decode(part["bdata"]), part["dtype"]).astype(float)
    elif isinstance(part, dict):
        for value in part.values():
            yield from numbers(value)
    elif isinstance(part, list | tuple | np.ndarray):
        for value in part:
            yield from numbers(value)
    elif isinstance(part, int | float | np.number) and not isinstance(part, bool):
        yield float(part)


def test_describe_replaces_only_what_is_given():
    figure = plots.describe(FIGURES["curves"](), code="figure = None")
    assert figure.layout.meta["code"] == "figure = None"
    assert figure.layout.meta["alt"].startswith("bnn")


def test_histogram_loses_no_value():
    part = plots.histogram(X, bins=7, span=(-0.5, 0.5))
    assert sum(part.counts) == X.size
    assert len(part.edges) == 8


def test_histogram_of_a_constant():
    assert sum(plots.histogram(np.ones(5), bins=3).counts) == 5


@pytest.mark.parametrize("scale", [1e-4, 0.3, 1, 4, 1e4, -1])
@pytest.mark.parametrize("codes", [np.sign(X), (X > 1) * 1.0], ids=["signed", "nonnegative"])
def test_scale_sweep_equals_the_definition_and_holds_both_points(codes, scale):
    sweep = plots.scale_sweep(X, scale * codes, shift=0.1)
    expected = [100 * ((X - 0.1 - f * scale * codes) ** 2).sum() / (X**2).sum() for f in sweep.values]
    np.testing.assert_allclose(sweep.errors, expected)
    assert sweep.best_error <= min(sweep.errors) + 1e-9
    for value, error in ((sweep.best, sweep.best_error), (1.0, sweep.used_error)):
        assert sweep.errors[sweep.values.index(value)] == error
    assert sweep.used == 1 and sweep.values[0] < min(1, sweep.best) and max(1, sweep.best) < sweep.values[-1]


@pytest.mark.parametrize("levels", [(-1, 1), (0, 1), (X * 0.1, X + 1)], ids=["signs", "bits", "of-each"])
@pytest.mark.parametrize("position", [None, np.cos(X)], ids=["value", "other"])
def test_threshold_sweep_equals_the_definition(levels, position):
    sweep = plots.threshold_sweep(X, *levels, position, used=7.0)
    for threshold, error in [*[*zip(sweep.values, sweep.errors, strict=True)][::20], (7.0, sweep.used_error)]:
        y = np.where(threshold <= (X if position is None else position), levels[1], levels[0])
        assert error == pytest.approx(100 * ((X - y) ** 2).sum() / (X**2).sum())
    assert sweep.values[-1] == sweep.used == 7 and sweep.best_error == min(sweep.errors)


@pytest.mark.parametrize("x", [np.zeros(9), np.ones(9)], ids=["zeros", "ones"])
def test_sweeps_of_a_constant_are_finite(x):
    for y in (np.ones(9), np.zeros(9)):
        assert np.isfinite(plots.scale_sweep(x, y).errors).all()
    assert np.isfinite(plots.threshold_sweep(x, -1, 1).errors).all()


@pytest.mark.parametrize("scale", [1e-3, 0.5, 1, 1e3])
def test_the_binarizers_own_point_is_always_drawn(scale):
    figure = plots.error_curve(plots.scale_sweep(X, scale * np.sign(X)), "scale", "times its own")
    curve, zero, _, own = figure.data
    assert zero.name == "as wrong as answering zero" and set(zero.y) == {100}
    assert own.name == "this binarizer, scale 1" and min(curve.x) < own.x[0] == 1 < max(curve.x)
    expected = 100 * ((X - scale * np.sign(X)) ** 2).sum() / (X**2).sum()
    assert own.y[0] == curve.y[list(curve.x).index(1)] == pytest.approx(expected)
    assert (figure.layout.xaxis.type == "log") is (scale in (1e-3, 1e3))


def test_no_binarizer_beside_another_has_the_colour_of_a_float_network():
    flat = dict.fromkeys("abcde", GRID)
    drawn = [trace for trace in plots.curves(GRID, flat, flat).data if trace.name in flat]
    assert plots.theme.FLOAT not in {trace.line.color for trace in drawn}
    assert len({(trace.line.color, trace.line.dash) for trace in drawn}) == 4


def test_templates_are_registered():
    figure = go.Figure(layout={"template": "binviz_dark"})
    assert figure.layout.template.layout.plot_bgcolor == "rgba(0,0,0,0)"


def test_notebooks_cannot_upload_and_others_do_not_wait_for_notebooks():
    script = """
import importlib, sys
from binviz import plots
from binviz.bench import records
assert "nbformat" not in sys.modules
import IPython, plotly.io
importlib.reload(plots.theme)
assert plotly.io.renderers["plotly_mimetype"].config["showSendToCloud"] is False
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_colours_differ_in_lightness_or_hue_for_colour_blind_readers():
    assert len(set(plots.theme.CATEGORICAL)) == len(plots.theme.CATEGORICAL) == 8
    assert plots.theme.FLOAT != plots.theme.BINARY


def test_a_product_of_bits_says_the_dot_product():
    a, w = RNG.normal(size=(2, 16))
    bits = [(x >= 0).astype(int) for x in (a, w)]
    signs = [2 * each - 1 for each in bits]
    alt = plots.bit_product(a, w, *bits).layout.meta["alt"]
    assert alt.endswith(f"the dot product is {signs[0] @ signs[1]}.")
    alt = plots.bit_product(a, w, *bits, signed=False).layout.meta["alt"]
    assert alt.endswith(f"the dot product is {bits[0] @ signs[1]}.")


@pytest.mark.parametrize("length", [1, 63, 64, 65, 384])
def test_words_say_the_dot_product_and_count_the_ones_of_each(length):
    a, w = RNG.integers(0, 2, (2, length))
    figure = plots.bit_words(a, w)
    assert figure.layout.meta["alt"].endswith(f"the dot product is {(2 * a - 1) @ (2 * w - 1)}.")
    counted = [trace.text for trace in figure.data if trace.type == "scatter"]
    assert [sum(map(int, texts)) for texts in counted] == [a.sum(), w.sum(), (a ^ w).sum()]
    assert len(counted[0]) == -(-length // 64)
    figure = plots.bit_words(a, w, signed=False)
    assert figure.layout.meta["alt"].endswith(f"the dot product is {a @ (2 * w - 1)}.")


def test_the_roof_is_memory_first_and_the_limit_then():
    point = plots.Point("1-bit", "1", operations=1e9, bytes=1e6, seconds=1e-3)
    roof, _ = plots.roofline([point], {"1-bit": 2e12}, bandwidth=1e10).data
    np.testing.assert_allclose(roof.y, np.minimum(np.array(roof.x) * 1e10, 2e12) / 1e12)
    assert roof.x[1] == 200
    assert roof.y[-1] == 2


def test_the_map_names_the_fastest_and_how_far_it_is_ahead():
    cells = [
        plots.Size(8, 64, {"1 bit": 2e-6, "int8": 5e-6, "float32": 1e-6}),
        plots.Size(1, 128, {"1 bit": 1e-3, "float32": 4e-3}),
    ]
    figure = plots.crossover(cells)
    map_, *legend = figure.data
    assert [trace.name for trace in legend] == ["1 bit", "int8", "float32"]
    assert (list(map_.x), list(map_.y)) == (["64", "128"], ["1", "8"])
    assert [list(line) for line in map_.z] == [[None, 0], [2, None]]
    assert [list(line) for line in map_.text] == [["", "1 bit<br>4 ×"], ["float32<br>2 ×", ""]]
    assert map_.customdata[1][0].split("<br>") == [
        "float32: 1 µs", "1 bit: 2 µs, 2 times as long", "int8: 5 µs, 5 times as long",
    ]  # fmt: skip
    # Each winner has the colour that the legend gives it.
    colours = [colour for _, colour in map_.colorscale][::2]
    assert colours == [trace.marker.color for trace in legend]
    assert "1 bit at 1; float32 at 1" in figure.layout.meta["alt"]


@pytest.mark.parametrize("name", records.shipped())
def test_the_map_of_every_stored_record_is_drawn(name):
    found = records.shipped()[name].get("crossover")
    if found is None:
        pytest.skip("the record is older than the map")
    figure = plots.crossover([plots.Size(**cell) for cell in found["cells"]])
    assert len(figure.data[0].y) * len(figure.data[0].x) == len(found["cells"])
    assert {trace.name for trace in figure.data[1:]} == set(found["formats"])
