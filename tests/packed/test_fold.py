"""Folding: for every integer that can occur, the range's bit is that of the model's own modules."""

import math

import numpy as np
import pytest
import torch
from binviz_kernels.encoder_layers import Range
from torch import nn
from transformers.activations import ACT2FN

from binviz import binarizers
from binviz.layers import BinaryLinear
from binviz.layers.attention import BinaryAttention
from binviz.packed.fold import Linear, least_input, require_bits, score_terms
from binviz.packed.ranges import NotFoldable, fold, products, range_and_doubts, range_of

K = 37
#: One column each: zero, negative, tiny, huge and plain scales, with biases of every kind.
SCALES = [0.0, -0.0, 0.1, -0.1, 1e-30, -3.0, 0.5, 0.5, 0.5, 1e30, 0.1, 0.0, 0.0, 1e-42]
BIASES = [0.0, -0.0, 0.0, 0.3, -0.0, 1e9, -1e9, 5.5, -5.5, -0.0, -0.3, 1.0, -1.0, -1e-43]


def inside(dots, ones: Range):
    return (dots[:, None].numpy() - ones.start.astype(np.int64)) % 2**32 < ones.width


def adversarial(signed: bool, shifts=0.0) -> BinaryLinear:
    """A linear with those scales and biases; inputs are ±1 or {0, 1}."""
    inputs = binarizers.get("bnn" if signed else "elastic-unsigned")
    inputs.initialized = torch.tensor(True)
    layer = BinaryLinear(
        K, len(SCALES), weight=binarizers.get("stored", features=len(SCALES)), activation=inputs
    )
    layer.weight_binarizer.scale.copy_(torch.tensor(SCALES))
    with torch.no_grad():
        layer.weight.copy_(torch.randint(2, layer.weight.shape) * 2.0 - 1)
        layer.bias.copy_(torch.tensor(BIASES) + shifts)
    return layer.eval()


def elastic(name: str, alpha: float, beta=None):
    binarizer = binarizers.get(name, features=len(SCALES), learn_shift=beta is not None)
    binarizer.initialized = torch.tensor(True)
    with torch.no_grad():
        binarizer.alpha.fill_(alpha)
        if beta is not None:
            binarizer.beta.copy_(torch.as_tensor(beta).expand(len(SCALES)))
    return binarizer.eval()


def outputs_of(layer: BinaryLinear, dots):
    """The layer's outputs for products dots [T] of every column, with its own forward; NaN where none is possible."""
    plus = layer.weight_binarizer.encode(layer.weight).q > 0
    if layer.activation_binarizer.levels == (-1, 1):
        agree = torch.arange(K) < ((K + dots) // 2)[:, None, None]
        x, possible = torch.where(agree == plus, 1.0, -1.0), torch.tensor(True)
    else:
        # As many ones as the product says, where the weights have its sign
        wanted = torch.where(dots[:, None, None] > 0, plus, ~plus)
        chosen = wanted & (wanted.cumsum(-1) <= dots.abs()[:, None, None])
        x, possible = 9.0 * chosen, chosen.sum(-1) == dots.abs()[:, None]
    return layer(x).diagonal(dim1=1, dim2=2).where(possible, math.nan)


@pytest.mark.parametrize(
    ("activation", "binarizer"),
    [
        pytest.param(nn.Identity(), elastic("elastic-signed", 0.7), id="sign"),
        pytest.param(nn.Identity(), elastic("elastic-signed", 0.7, 0.25), id="shift and sign"),
        pytest.param(nn.ReLU(), elastic("elastic-unsigned", 0.5, 0.0), id="relu"),
        pytest.param(nn.ReLU(), elastic("elastic-unsigned", 0.5, 0.26), id="shift above half of alpha"),
        pytest.param(nn.ReLU(), elastic("elastic-unsigned", 0.5, 0.25), id="shift of half of alpha"),
        pytest.param(nn.ReLU(), elastic("elastic-unsigned", 0.5, -0.3), id="negative shift"),
        pytest.param(ACT2FN["gelu"], binarizers.get("bnn"), id="gelu"),
        pytest.param(ACT2FN["gelu"], elastic("elastic-signed", 1.0, 0.05), id="gelu and shift"),
    ],
)
@pytest.mark.parametrize("signed", [True, False], ids=["±1", "{0, 1}"])
@torch.no_grad()
def test_ranges_are_the_codes_of_the_layers_outputs(activation, binarizer, signed):
    torch.manual_seed(0)
    layer = adversarial(signed)
    kinds = type(layer.activation_binarizer)
    folded = Linear(layer, 1, kinds)
    ones = fold(K, signed, lambda dot: binarizer.encode(activation(folded.outputs(dot))).q)
    dots = products(K, signed)
    y = outputs_of(layer, dots)
    possible = ~y.isnan().numpy()
    expected = (binarizer.encode(activation(y)).q > 0).numpy()
    np.testing.assert_array_equal(inside(dots, ones)[possible], expected[possible])
    assert possible.any(0).all()


def test_gelu_of_large_negatives_is_minus_zero():
    """Its sign is +1, so the ones are outside of a range, not on one side of a number."""
    ones = fold(40, True, lambda dot: torch.nn.functional.gelu(dot))
    assert inside(torch.tensor([-40, -2, 0, 40]), ones)[:, 0].tolist() == [False, False, False, True]
    ones = fold(40, True, lambda dot: binarizers.get("bnn").encode(torch.nn.functional.gelu(dot)).q)
    assert inside(torch.tensor([-40, -2, 0, 40]), ones)[:, 0].tolist() == [True, False, True, True]


def listed_and_ranged(dots, bits):
    """How many bits stand in the list; the list and the range together are the bits."""
    ones, doubts = range_and_doubts(dots, bits)
    if doubts is None:
        np.testing.assert_array_equal(inside(dots, ones), bits)
        return 0
    away = dots[:, None].numpy() - doubts.start.astype(np.int64)
    listed = (away >= 0) & (away < doubts.width)
    code = doubts.codes >> (away // 2).clip(0, 63).astype(np.uint64) & 1 == 1
    np.testing.assert_array_equal(np.where(listed, code, inside(dots, ones)), bits)
    return listed.sum()


def test_gelu_where_it_rounds_to_zero_or_not():
    """About −5.5 the last bits of GELU decide, and they differ between processors: whatever they are, they are kept."""
    for scale in (0.0012, 0.005, -0.005, 0.01):
        dots, bias = products(6000), torch.linspace(-0.05, 0.05, 50)
        y = torch.nn.functional.gelu(dots.float()[:, None] * scale + bias)
        assert listed_and_ranged(dots, binarizers.get("bnn").encode(y).q > 0) < 64 * 50


def test_any_bits_close_to_an_end_are_listed():
    """Ones above an integer, below one, between two or outside of two, and noise of up to 64 integers at an end."""
    random, dots, n = np.random.default_rng(0), products(300), np.arange(301)[:, None]
    listed = 0
    for length in (1, 2, 5, 33, 64):
        for end, ones in (
            (200, n >= 200),
            (100, n < 100),
            (200, (n - 100) // 100 == 0),
            (100, abs(n - 150) > 50),
        ):
            bits = ones.repeat(9, 1)
            first = end - random.integers(length + 1)
            bits[first : first + length] = random.random((length, 9)) < 0.5
            listed += listed_and_ranged(dots, torch.from_numpy(bits))
    assert listed > 0


def test_bits_at_the_very_end_are_listed_too():
    """As where the lowest product of all is one whose GELU is no zero."""
    dots = products(100)
    ones = (dots >= 0) | (dots < -60)
    for places in ([0], [0, 1, 7], [2, 9]):
        bits = ones.clone()
        bits[places] = False
        for column in (bits, bits.flip(0)):
            assert listed_and_ranged(dots, column[:, None]) > 0


def test_too_many_exceptions_are_no_range():
    column = torch.arange(200) % 2 == 0
    column[-1] = True
    with pytest.raises(NotFoldable, match="too many"):
        range_and_doubts(products(199), column[:, None])


@pytest.mark.parametrize(
    ("column", "is_range"),
    [
        ([0, 0, 0, 0], True), ([1, 1, 1, 1], True), ([0, 0, 1, 1], True), ([1, 1, 0, 0], True),
        ([0, 1, 1, 0], True), ([1, 0, 0, 1], True), ([1, 0, 1, 0], False), ([0, 1, 0, 1], False),
    ],
)  # fmt: skip
def test_what_is_a_range(column, is_range):
    dots, bits = torch.tensor([-3, -1, 1, 3]), torch.tensor(column).bool()[:, None]
    if is_range:
        np.testing.assert_array_equal(inside(dots, range_of(dots, bits)), bits)
    else:
        with pytest.raises(NotFoldable, match="no range"):
            range_of(dots, bits)


@torch.no_grad()
def test_inputs_are_compared_with_their_shift():
    """X + beta ≥ 0 where x ≥ −beta, next to the shift and at both zeros."""
    beta = torch.tensor([0.0, -0.0, 0.1, -0.1, 1e-40, 3e38])
    binarizer = binarizers.get("elastic-signed", features=6, learn_shift=True)
    binarizer.initialized = torch.tensor(True)
    binarizer.beta.copy_(beta)
    least = least_input(binarizer, 6)
    down, up = torch.tensor(-math.inf), torch.tensor(math.inf)
    for x in (least, torch.nextafter(least, down), torch.nextafter(least, up), beta, 0 * beta, -0.0 * beta):
        assert torch.equal(x >= least, binarizer.encode(x[None]).q[0] > 0)
    assert torch.equal(least_input(binarizers.get("bnn"), 3), torch.zeros(3))


@pytest.mark.parametrize("name", ["elastic-unsigned", "bivit-attention", "bibert-attention"])
@pytest.mark.parametrize("head", [16, 32, 48, 64])
@torch.no_grad()
def test_score_terms_give_the_codes_of_attention(name, head):
    attention = binarizers.get(name)
    attention.initialized = torch.tensor(True)
    if name == "elastic-unsigned":
        attention.alpha.fill_(0.05)
    on = "scores" if name == "bibert-attention" else "probs"
    binary = BinaryAttention(*[elastic("elastic-signed", alpha) for alpha in (0.7, 1.3, 1.0)], attention, on)
    terms = score_terms(binary, head, head**-0.5)
    random = np.random.default_rng(head)
    for spread in (1, 2, 8):
        dots = torch.from_numpy(random.binomial(head, 0.5, (50, 40)) - head // 2) * 2
        dots = (dots * spread).clamp(-head, head)
        scores = dots.float() * (torch.tensor(0.7) * 1.3) * head**-0.5
        expected = attention.encode(scores if on == "scores" else scores.softmax(-1)).q > 0
        best = dots.amax(-1)
        if terms["exponentials"] is None:
            bits = dots.numpy() >= terms["score_least"][(best + head) // 2][:, None]
        else:
            found = terms["exponentials"][(best + head) // 2][np.arange(50)[:, None], dots.numpy() + head + 2]
            bits = found > terms["share"] * found.sum(-1, keepdims=True)
        np.testing.assert_array_equal(bits, expected)


def test_what_is_not_folded():
    assert require_bits(binarizers.get("bnn"), 1, binarizers.bnn.BNN)
    for binarizer, reason in (
        (None, "stays float"),
        (binarizers.get("xnor-activation"), "XNOR"),
        (binarizers.get("elastic-signed", bits=2), "other than 1"),
        (binarizers.get("elastic-signed"), "no batch"),
    ):
        with pytest.raises(NotFoldable, match=reason):
            require_bits(binarizer, 1, binarizers.bnn.BNN, binarizers.elastic.ElasticSigned)
    with pytest.raises(NotFoldable, match="not binary"):
        Linear(nn.Linear(3, 3), 1, binarizers.bnn.BNN)
    layer = adversarial(True)
    layer.output_scale = nn.Parameter(torch.ones(len(SCALES)))
    with pytest.raises(NotFoldable, match="output scale"):
        Linear(layer, 1, binarizers.bnn.BNN)


@torch.no_grad()
def test_probabilities_at_the_threshold_are_not_folded():
    """A ratio of one quarter, or nearly so: on which side it falls depends on how the sum of the row rounds."""
    step = math.log(2) / 2  # e^(−step · 2 · 2) = 1/4
    query, key = elastic("elastic-signed", step), elastic("elastic-signed", 1.0)
    binary = BinaryAttention(query, key, elastic("elastic-signed", 1.0), binarizers.get("bivit-attention"))
    with pytest.raises(NotFoldable, match="at the threshold"):
        score_terms(binary, 16, 1.0)
    for away, folded in ((2e-6, False), (-2e-6, False), (1e-4, True), (-1e-4, True)):
        query.alpha.fill_(step * (1 + away))
        if folded:
            assert score_terms(binary, 16, 1.0)["share"] == 0.0
        else:
            with pytest.raises(NotFoldable, match="at the threshold"):
                score_terms(binary, 16, 1.0)
