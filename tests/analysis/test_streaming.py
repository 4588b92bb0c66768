import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from binviz import analysis
from binviz.analysis.streaming import Summary

VALUES = arrays(np.float64, st.integers(0, 30), elements=st.floats(-1e6, 1e6, allow_subnormal=False))


def same(a, b):
    assert a.count == b.count
    assert a.non_finite == b.non_finite
    if a.count:
        assert (a.low, a.high) == (b.low, b.high)
        assert a.mean == pytest.approx(b.mean, rel=1e-9, abs=1e-9)
        assert a.variance == pytest.approx(b.variance, rel=1e-9, abs=1e-9)
    for bins in (2, 7, 64, a.bins):
        for mine, others in zip(a.histogram(bins), b.histogram(bins), strict=True):
            np.testing.assert_array_equal(mine, others)


@given(st.lists(VALUES, max_size=5), st.integers(2, 40))
@settings(max_examples=200)
def test_parts_in_any_order_are_the_whole(parts, bins):
    whole = Summary(bins).add(np.concatenate([[], *parts]))
    one_by_one, merged, backwards = Summary(bins), Summary(bins), Summary(bins)
    for part in parts:
        one_by_one.add(part)
        merged.merge(Summary(bins).add(part))
    for part in parts[::-1]:
        backwards.merge(Summary(bins).add(part))
    for other in (one_by_one, merged, backwards):
        same(other, whole)


@given(VALUES.filter(len), st.integers(2, 40))
def test_the_histogram_holds_every_value_in_its_bin(values, bins):
    edges, counts = Summary(40).add(values).histogram(bins)
    assert len(counts) <= bins
    assert counts.sum() == len(values)
    np.testing.assert_array_equal(counts, np.histogram(values, np.append(edges[:-1], np.inf))[0])
    assert edges[0] <= values.min()
    assert values.max() < edges[-1]


@given(VALUES.filter(len))
def test_moments_are_numpys(values):
    summary = Summary().add(values)
    assert summary.mean == pytest.approx(values.mean(), rel=1e-12, abs=1e-12)
    assert summary.variance == pytest.approx(values.var(), rel=1e-9, abs=1e-9)
    assert summary.std == pytest.approx(values.std(), rel=1e-6, abs=1e-6)


def test_nothing_nan_and_the_very_large():
    empty = Summary()
    assert np.isnan([empty.mean, empty.variance, empty.low, empty.entropy()]).all()
    assert [part.size for part in empty.histogram()] == [1, 0]
    odd = Summary().add([np.nan, np.inf, -np.inf, 1e300, 2.0])
    assert (odd.count, odd.non_finite, odd.mean, odd.low, odd.high) == (1, 4, 2.0, 2.0, 2.0)
    assert Summary().add([-3e38, 3e38]).histogram(2)[1].tolist() == [1, 1]
    assert Summary().add([5e-324, 1e-30]).count == 2


def test_summaries_of_different_sizes_do_not_merge():
    with pytest.raises(ValueError, match="bins"):
        Summary(10).merge(Summary(20))


def test_entropy_of_codes():
    codes = np.repeat([-1, 1, 1, 1], 100)
    assert Summary().add(codes).entropy() == pytest.approx(analysis.metrics.code_entropy(codes))


def test_stream_equals_the_whole_batch(architecture, model, inputs, binary_of):
    for chosen in (model, binary_of(model)):
        chosen.eval()(**inputs) if isinstance(inputs, dict) else chosen.eval()(inputs)
        parts = [
            {k: v[i : i + 1] for k, v in inputs.items()} if isinstance(inputs, dict) else inputs[i : i + 1]
            for i in (0, 1)
        ]
        streamed = analysis.stream(chosen, parts)
        captured = analysis.capture(chosen, inputs)
        assert list(streamed) == list(captured)
        for name, summary in streamed.items():
            values = captured.flat(name)
            assert summary.count == values.size
            assert summary.mean == pytest.approx(values.mean(dtype=np.float64), rel=1e-4, abs=1e-5), name
            assert summary.variance == pytest.approx(values.var(dtype=np.float64), rel=1e-4, abs=1e-5), name


def test_stream_takes_a_generator_and_counts_repeated_runs():
    network = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    found = analysis.stream(network, (torch.randn(n, 2) for n in (1, 2, 3)), ["0", "2.in"])
    assert {name: summary.count for name, summary in found.items()} == {"0": 18, "2.in": 18}
    assert analysis.stream(network, []) == {}


def test_a_scale_that_starts_from_the_first_batch_starts_once(bert, text, binary_of):
    binary = binary_of(bert)
    once = analysis.stream(binary, [text], "layers.0.q_in.decoded")["layers.0.q_in.decoded"]
    twice = analysis.stream(binary, [text, text], "layers.0.q_in.decoded")["layers.0.q_in.decoded"]
    assert twice.count == 2 * once.count
    assert twice.variance == pytest.approx(once.variance)
