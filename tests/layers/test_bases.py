"""Weights of several bases: each sum against one in float64, packed to the bit, saved, counted."""

import math

import pytest
import torch

import binviz
from binviz import binarizers, costs, recipes
from binviz.binarizers import Binarizer, Code, check_binarizer, registry, sign, with_surrogate
from binviz.binarizers.base import mean_abs
from binviz.errors import UserError
from binviz.layers import BinaryConv2d, BinaryEmbedding, BinaryLinear
from binviz.layers.attention import BinaryAttention
from binviz.packed import pack
from binviz.saving.packed import packed_bytes
from binviz.training import observe

ACTIVATIONS = {
    "float": None,
    "bnn": ("bnn", {}),
    "xnor": ("xnor-activation", {}),
    "4 bits": ("elastic-signed", {"bits": 4}),
    "unsigned": ("elastic-unsigned", {}),
    "2 bits": ("elastic-unsigned", {"bits": 2}),
}


def _signs(x, latent):
    return with_surrogate(latent, sign(x), None)


class Residual(Binarizer):
    """w ~ a sign(w) + b sign(w - a sign(w)), a and b mean magnitudes of each row."""

    scale_kind, basis_count = "per_row", 2

    def bases(self, w):
        first = Code(_signs(w, w), mean_abs(w, self._row_axes(w)), w.new_zeros(()))
        rest = (w - first.decode()).detach()
        return first, Code(_signs(rest, w), mean_abs(rest, self._row_axes(w)), w.new_zeros(()))


class ZeroOne(Binarizer):
    """w ~ 0.75 [w > 0] - 0.5 [w < -1], as two signs and ones."""

    scale_kind, basis_count = "static", 3

    def bases(self, w):
        a, b = torch.tensor(0.75), torch.tensor(-0.5)
        positive, low = _signs(w, w), -_signs(w + 1, w)
        zero = w.new_zeros(())
        return (
            Code(positive, a / 2, zero),
            Code(low, b / 2, zero),
            Code(torch.ones_like(w), (a + b) / 2, zero),
        )


class ZeroOneOffset(ZeroOne):
    """The same, whose ones are not stored."""

    offset = True


class Shifted(Binarizer):
    """w ~ s sign(w - c) + c, c the mean of each row: a shift is a basis of ones."""

    scale_kind, basis_count, offset = "per_row", 2, True

    def bases(self, w):
        centre = w.detach().mean(self._row_axes(w), keepdim=True)
        scale = mean_abs(w - centre, self._row_axes(w))
        zero = w.new_zeros(())
        return Code(_signs(w - centre, w), scale, zero), Code(torch.ones_like(w), centre, zero)


SEVERAL = {"residual": Residual, "zero-one": ZeroOne, "zero-one-offset": ZeroOneOffset, "shifted": Shifted}


def activation_of(name, features, axis):
    chosen = ACTIVATIONS[name]
    return chosen and binarizers.get(chosen[0], features=features, channel_axis=axis, **chosen[1])


def linear(weight, activation, K=67, N=5):
    torch.manual_seed(0)
    made = SEVERAL[weight](features=N, channel_axis=0)
    return BinaryLinear(K, N, weight=made, activation=activation_of(activation, K, -1)), torch.randn(4, K)


def conv(weight, activation, groups=1):
    torch.manual_seed(0)
    made = SEVERAL[weight](features=6, channel_axis=0)
    layer = BinaryConv2d(
        4, 6, 3, padding=1, groups=groups, weight=made, activation=activation_of(activation, 4, 1)
    )
    return layer, torch.randn(2, 4, 5, 5)


def in_float64(layer, x):
    """The layer as one that multiplies decoded numbers."""
    with torch.no_grad():
        given = x if layer.activation_binarizer is None else layer.activation_binarizer(x)
        w = sum(code.q.double() * code.scale.double() for code in layer.weight_binarizer.bases(layer.weight))
        if isinstance(layer, BinaryLinear):
            return given.double() @ w.T + layer.bias.double()
        return torch.nn.functional.conv2d(
            given.double(), w, layer.bias.double(), layer.stride, layer.padding, layer.dilation, layer.groups
        )


@pytest.mark.parametrize("weight", SEVERAL)
def test_the_contract(weight):
    assert "weight" in check_binarizer(SEVERAL[weight](features=8, channel_axis=0))


@pytest.mark.parametrize(
    "make", [linear, conv, lambda *names: conv(*names, groups=2)], ids=["linear", "conv", "groups"]
)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("weight", SEVERAL)
def test_sums_of_bases(weight, activation, make):
    layer, x = make(weight, activation)
    y = layer(x)
    torch.testing.assert_close(y.double(), in_float64(layer, x), rtol=1e-5, atol=1e-5)
    y.sum().backward()
    assert layer.weight.grad.any() and layer.weight.grad.isfinite().all()
    packed = pack(layer.eval())
    with torch.no_grad():
        if activation == "float":
            torch.testing.assert_close(packed(x), layer(x), rtol=1e-4, atol=1e-5)
        else:
            assert torch.equal(packed(x), layer(x))


@pytest.fixture
def registered():
    """The binarizers by name, for recipes, and gone again."""
    for name, cls in SEVERAL.items():
        registry.register(f"test-{name}")(cls)
    yield
    for name in SEVERAL:
        registry._REGISTRY.pop(f"test-{name}")


@pytest.mark.parametrize("weight", SEVERAL)
def test_a_model_is_packed_saved_and_counted(weight, registered, models, tmp_path):
    recipe = recipes.get("bit-w1a1").but("several", weight=recipes.Choice(f"test-{weight}"), embedding=None)
    model, inputs = models.tiny("bert").eval(), models.inputs("bert")
    table = binviz.binarize_(model, recipe)
    count = SEVERAL[weight]().bit_count
    assert table.bits == count * sum(math.prod(row.shape) for row in table.rows if row.kind == "BinaryLinear")
    with torch.no_grad():
        wanted = model(**inputs).logits
        assert torch.equal(binviz.pack(model)(**inputs).logits, wanted)
    size = binviz.save_packed(model, tmp_path / "packed.safetensors")
    again = binviz.load(tmp_path / "packed.safetensors")
    with torch.no_grad():
        assert torch.equal(again(**inputs).logits, wanted)
        assert torch.equal(binviz.pack(again)(**inputs).logits, wanted)
    # Packed again the file is the same, and as large as it was counted
    assert binviz.save_packed(again, tmp_path / "again.safetensors") == size
    counted = costs.of(model, tokens=8, rule="everything")
    assert counted.bytes == packed_bytes(model) == packed_bytes(again)
    with pytest.raises(UserError, match="cannot be trained on"):
        again.train()(**inputs)
    binviz.save(model, tmp_path / "folder")
    with torch.no_grad():
        assert torch.equal(binviz.load(tmp_path / "folder")(**inputs).logits, wanted)


def test_flips_are_those_of_every_basis():
    layer, _ = linear("zero-one", "bnn")
    codes = observe.weight_codes(torch.nn.Sequential(layer))["0"]
    assert codes.shape == (3, *layer.weight.shape)
    assert torch.equal(codes[1], layer.weight < -1) and codes[2].all()


# What no layer computes is refused when the layer is made.


class OfShift(Binarizer):
    shifted = True

    def encode(self, x):
        return Code(binarizers.sign(x), x.new_ones(()), x.new_full((), 0.5))


class OfChannel(Binarizer):
    """A scale for each channel, which is said to be another kind."""

    scale_kind = "per_pixel"

    def encode(self, x):
        return Code(binarizers.sign(x), x.abs().mean(0, keepdim=True), x.new_zeros(()))


class Mislabelled(OfChannel):
    scale_kind = "static"


@pytest.mark.parametrize(
    ("weight", "activation", "reason"),
    [
        (OfShift(channel_axis=0), None, "a shift is a basis of ones"),
        (binarizers.get("elastic-signed", bits=2, channel_axis=0), None, "a weight is a sum of bases"),
        (binarizers.get("elastic-unsigned", channel_axis=0), None, "a weight is a sum of bases"),
        (binarizers.get("bnn"), OfChannel(), "is one of 'none', 'static', 'per_row', 'per_channel'"),
        (binarizers.get("bnn"), SEVERAL["residual"](), "an activation has one code"),
    ],
)
def test_refused_when_made(weight, activation, reason):
    for make in (lambda **made: BinaryLinear(8, 8, **made), lambda **made: BinaryConv2d(8, 8, 3, **made)):
        with pytest.raises(UserError, match=reason):
            make(weight=weight, activation=activation)


def test_a_scale_along_the_sum_is_refused_when_it_is_seen():
    for layer, shape in (
        (BinaryLinear(8, 8, weight=binarizers.get("bnn"), activation=Mislabelled()), (4, 8)),
        (
            BinaryConv2d(8, 8, 3, weight=binarizers.get("bnn"), activation=Mislabelled(channel_axis=1)),
            (2, 8, 5, 5),
        ),
    ):
        with pytest.raises(UserError, match="differs along the axes that are summed"):
            layer(torch.randn(shape))


@pytest.mark.parametrize("role", ["query", "key", "value"])
def test_a_shift_in_attention_is_refused(role):
    shifted = binarizers.get("elastic-unsigned", bits=2, subtract_min=True)
    operands = {"query": None, "key": None, "value": None} | {role: shifted}
    with pytest.raises(UserError, match=f"the {role} has a shift"):
        BinaryAttention(**operands, attention=None)


def test_an_embedding_has_one_basis():
    with pytest.raises(UserError, match="one basis"):
        BinaryEmbedding(8, 4, weight=SEVERAL["residual"](features=8, channel_axis=0))
