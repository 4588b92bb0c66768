"""What holds for the binarizers beyond the contract."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from binviz import binarizers
from binviz.binarizers import Binarizer, get, names, register, sign
from binviz.binarizers.base import mean_abs
from binviz.binarizers.bit import bit_weight_code
from binviz.binarizers.bivit import descend, row_scale
from binviz.binarizers.row_threshold import row_threshold
from binviz.errors import UserError

numbers = arrays(
    np.float32,
    array_shapes(min_dims=2, max_dims=3, max_side=6),
    elements=st.floats(-8, 8, width=32) | st.sampled_from([0.0, -0.0, 1.0, -1.0]),
)


@settings(max_examples=40)
@given(numbers, st.sampled_from(names()))
def test_codes_lie_on_the_levels_whatever_the_input(values, name):
    x = torch.from_numpy(values)
    binarizer = get(name)
    code = binarizer.encode(x)
    assert torch.isin(code.q.detach(), torch.tensor(binarizer.levels, dtype=x.dtype)).all()
    assert torch.equal(code.decode(), binarizer(x))
    assert code.scale.isfinite().all()


@settings(max_examples=40)
@given(numbers)
def test_sign_of_everything(values):
    assert np.array_equal(sign(torch.from_numpy(values)).numpy(), np.where(values >= 0, 1, -1))


@settings(max_examples=40)
@given(numbers)
def test_mean_magnitude_is_the_best_scale_of_the_sign(values):
    """XNOR-Net: no other scale brings s * sign(W) nearer to W."""
    weight = torch.from_numpy(values)
    code = get("xnor-weight").encode(weight)
    error = (weight - code.decode()).square().sum()
    for factor in (0.9, 1.1):
        assert (weight - factor * code.decode()).square().sum() >= error - 1e-3


@settings(max_examples=40)
@given(
    arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 9)), elements=st.floats(0, 16, width=32))
)
def test_no_attention_row_is_empty_and_descent_descends(values):
    scores = torch.from_numpy(values)
    for probs in (scores, scores.softmax(-1)):
        for q in (row_threshold(probs, 0.5), row_threshold(probs, 0.25), descend(probs)):
            assert (q.sum(-1) >= 1).all()
        errors = []
        for steps in range(6):
            q = descend(probs, steps)
            errors.append((probs - row_scale(probs, q) * q).square().sum(-1))
        for before, after in pairwise(errors):
            assert (after <= before * (1 + 1e-4) + 1e-5).all()


@pytest.mark.parametrize("method", ["quarter", "descent"])
def test_padding_does_not_change_the_attention_of_the_other_tokens(method):
    probs = torch.randn(3, 9).softmax(-1)
    padded = torch.cat([probs, torch.zeros(3, 50)], 1)
    binarizer = get("bivit-attention", method=method, scale=True)
    code, with_padding = binarizer.encode(probs), binarizer.encode(padded)
    assert torch.equal(code.q, with_padding.q[:, :9])
    assert not with_padding.q[:, 9:].any()
    torch.testing.assert_close(code.scale, with_padding.scale)


def test_a_fully_masked_row_of_scores():
    scores = torch.full((1, 4), -10000.0)
    assert not get("bibert-attention")(scores).any()
    assert get("row-threshold")(scores.softmax(-1)).all()


@pytest.mark.parametrize(
    ("name", "bits", "x", "codes"),
    [
        ("elastic-unsigned", 1, [0.25, 0.2500001, 0.75, 9], [0, 1, 1, 1]),
        ("elastic-unsigned", 2, [0.25, 0.75, 1.25, 9], [0, 2, 2, 3]),
        ("elastic-signed", 2, [-9, -0.75, -0.25, 0.25, 0.75], [-2, -2, 0, 0, 1]),
        ("elastic-unsigned", 4, [0.25, 0.75, 3.75, 99], [0, 2, 8, 15]),
    ],
)
def test_rounding_is_half_to_even(name, bits, x, codes):
    binarizer = get(name, bits=bits)
    binarizer.initialize(torch.ones(1))
    binarizer.alpha.data.fill_(0.5)
    assert binarizer.encode(torch.tensor(x)).q.tolist() == codes
    assert binarizer.bits == bits


def test_an_elastic_range_waits_for_a_batch_that_says_something():
    binarizer = get("elastic-unsigned")
    for nothing in (torch.zeros(3, 4), torch.full((3, 4), torch.nan), torch.empty(0, 4)):
        assert binarizer(nothing).shape == nothing.shape
        assert not binarizer.initialized
    binarizer(torch.ones(3, 4))
    assert binarizer.alpha == 4
    binarizer.initialize(torch.full((3, 4), 2.0))
    assert binarizer.alpha == 8


def test_the_papers_start_of_a_map_without_large_entries_is_the_official_one():
    probs = torch.full((2, 10), 0.1)
    binarizer = get("elastic-unsigned", init="paper")
    binarizer(probs)
    assert binarizer.alpha.item() == pytest.approx(0.4)


def test_gathered_rows_of_a_table_are_binarized_as_in_the_whole():
    table = torch.randn(20, 6, requires_grad=True)
    tokens = torch.tensor([[3, 0, 3], [19, 7, 1]])
    whole = get("bit-weight", per_row=True)(table)[tokens]
    rows = bit_weight_code(table[tokens], table.mean())
    torch.testing.assert_close(rows.decode(), whole)
    rows.decode().sum().backward()
    wanted = torch.zeros(20, 6).index_add_(0, tokens.flatten(), torch.ones(6, 6))
    torch.testing.assert_close(table.grad, wanted)


def test_stored_weights_give_back_what_was_packed():
    latent = torch.randn(4, 6)
    code = get("xnor-weight").encode(latent)
    stored = get("stored", features=4)
    stored.scale.copy_(code.scale.flatten())
    assert torch.equal(stored(code.q), code.decode())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_keeps_scales_in_float32(dtype):
    for name in (name for name in names() if "attention" not in name):
        binarizer = get(name, features=8)
        x = torch.randn(8, 8).to(dtype).requires_grad_()
        codes = binarizer.bases(x)
        sum(code.decode() for code in codes).sum().backward()
        assert x.grad.dtype == dtype and x.grad.isfinite().all(), name
        for code in codes:
            assert code.q.dtype == dtype, name
            assert binarizer.scale_kind == "none" or code.scale.dtype == torch.float32, name


def test_nan_gets_the_lower_code():
    x = torch.tensor([[float("nan"), 0.5]])
    assert get("bnn")(x)[0, 0] == -1
    assert get("bibert-attention")(x)[0, 0] == 0
    binarizer = get("elastic-unsigned")
    binarizer.initialize(torch.ones(1))
    assert binarizer(x)[0, 0] == 0


def test_mean_abs_is_detached_and_never_zero():
    weight = torch.zeros(2, 3, requires_grad=True)
    scale = mean_abs(weight, (1,))
    assert not scale.requires_grad
    assert (scale > 0).all()


def test_names():
    assert names("bi*-attention") == ["bibert-attention", "bivit-attention"]
    assert names("nothing*") == []
    assert names() == sorted(set(names())) and {"bnn", "elastic-signed", "recu-weight"} < set(names())


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("elastic-sined", {}, "did you mean 'elastic-signed'"),
        ("qqqq", {}, "choose one of: bibert-attention, "),
        ("bnn", {"bits": 2}, "does not take these options"),
        ("elastic-signed", {"bits": 3}, "1, 2, 4 or 8 bits"),
        ("elastic-signed", {"init": "best"}, "'lsq' or 'paper'"),
        ("elastic-signed", {"init": "paper", "bits": 2}, "one bit"),
        ("elastic-unsigned", {"subtract_min": True}, "more than one bit"),
        ("bivit-attention", {"method": "half"}, "'quarter' or 'descent'"),
    ],
)
def test_errors_are_one_line(name, options, message):
    with pytest.raises(UserError, match=message) as caught:
        get(name, **options)
    assert "\n" not in str(caught.value)


def test_register():
    class Mine(Binarizer):
        pass

    class Other(Binarizer):
        pass

    try:
        assert register("mine")(Mine) is Mine
        assert "mine" in names()
        assert register("mine")(Mine) is Mine
        with pytest.raises(UserError, match="exists already"):
            register("mine")(Other)
    finally:
        binarizers.registry._REGISTRY.pop("mine", None)
    with pytest.raises(UserError, match="derive it from"):
        register("mine")(int)


def test_levels_and_bits_of_every_name():
    """As many bits as the levels need, and levels that are codes: consecutive, or two of them."""
    for name in names():
        binarizer = get(name)
        levels = binarizer.levels
        assert 2 ** (binarizer.bits - 1) < len(levels) <= 2**binarizer.bits
        assert levels == (-1, 1) or levels == tuple(range(levels[0], levels[-1] + 1))


@pytest.mark.parametrize("beta", [0.01, 0.2, 0.25, 0.45, 1.0])
def test_a_part_of_the_largest_probability_is_a_distance_below_the_largest_score(beta):
    scores = torch.randn(4, 9, 33, dtype=torch.float64) * 3
    scores[..., 20:] = -10000.0
    codes = get("bivit-attention-scores", beta=beta).encode(scores).q
    assert torch.equal(codes, get("bivit-attention", beta=beta).encode(scores.softmax(-1)).q)
    assert not codes[..., 20:].any() and codes.any(-1).all()
