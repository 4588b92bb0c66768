"""Packed layers beside the layers they were made from: the same bits out, whatever goes in."""

import copy
import itertools
import threading

import pytest
import torch
from torch import nn

from binviz import binarizers
from binviz.errors import UserError
from binviz.layers import BinaryConv2d, BinaryEmbedding, BinaryLinear
from binviz.packed import pack

ACTIVATIONS = {
    "bnn": ("bnn", {}),
    "xnor": ("xnor-activation", {}),
    "bireal": ("bireal-activation", {}),
    "reactnet": ("reactnet-activation", {}),
    "recu": ("recu-activation", {}),
    "fda": ("fda-activation", {}),
    "elastic": ("elastic-signed", {}),
    "elastic shifted": ("elastic-signed", {"learn_shift": True}),
    "elastic 2 bits": ("elastic-signed", {"bits": 2, "learn_shift": True}),
    "elastic 4 bits": ("elastic-signed", {"bits": 4}),
    "unsigned": ("elastic-unsigned", {}),
    "unsigned shifted": ("elastic-unsigned", {"learn_shift": True}),
    "unsigned 2 bits": ("elastic-unsigned", {"bits": 2}),
    "unsigned 4 bits": ("elastic-unsigned", {"bits": 4, "learn_shift": True}),
    "row threshold": ("row-threshold", {}),
    "bibert attention": ("bibert-attention", {}),
}
WEIGHTS = ["bnn", "xnor-weight", "recu-weight", "bit-weight", "bivit-weight"]


def randomized(layer):
    """Parameters such that no shift, scale or bias is trivial."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn_like(parameter) if parameter.ndim else torch.tensor(0.75))
            if parameter.ndim == 1:
                parameter.mul_(0.3)
    for module in layer.modules():
        if hasattr(module, "initialized"):
            module.initialized.fill_(True)
    return layer.eval()


def activation(name, features, axis):
    kind, options = ACTIVATIONS[name]
    return binarizers.get(kind, features=features, channel_axis=axis, **options)


def linear(name="elastic shifted", inputs=65, outputs=3, weight="xnor-weight", **options):
    return randomized(
        BinaryLinear(
            inputs,
            outputs,
            weight=binarizers.get(weight, features=outputs, channel_axis=0),
            activation=activation(name, inputs, -1) if name else None,
            **options,
        )
    )


def conv(name="elastic shifted", weight="xnor-weight", inputs=4, outputs=6, size=3, **options):
    return randomized(
        BinaryConv2d(
            inputs,
            outputs,
            size,
            weight=binarizers.get(weight, features=outputs, channel_axis=0),
            activation=activation(name, inputs, 1) if name else None,
            **options,
        )
    )


def awkward(*shape):
    """Normal numbers, with zeros of both signs and a tie at half of the scale 0.75 among them."""
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(1))
    flat = x.view(-1)
    flat[::5], flat[1::7], flat[2::11] = 0.0, -0.0, 0.375
    return x


@torch.no_grad()
def same(layer, x):
    wanted, found = layer(x), pack(layer)(x)
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
    # nan where nan is, and every other number to the last bit
    torch.testing.assert_close(found, wanted, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_linear(name):
    for inputs in (1, 63, 64, 65, 200):
        same(linear(name, inputs), awkward(7, inputs))


@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize("name", ["xnor", "unsigned", "elastic 2 bits"])
def test_every_term_of_a_linear_layer(weight, name):
    for output_scale, bias in itertools.product([False, True], repeat=2):
        same(linear(name, weight=weight, output_scale=output_scale, bias=bias), awkward(4, 65))


@pytest.mark.parametrize("name", ["elastic shifted", "xnor", "unsigned", "unsigned 2 bits", None])
def test_leading_axes(name):
    layer = linear(name)
    for shape in ((65,), (0, 65), (1, 65), (2, 3, 65), (2, 0, 65), (1, 1, 1, 65)):
        assert pack(layer)(awkward(*shape)).shape == (*shape[:-1], 3)
        if name:
            same(layer, awkward(*shape))


@pytest.mark.parametrize("name", ["xnor", "unsigned 2 bits", "reactnet"])
def test_any_memory_order(name):
    same(linear(name), awkward(65, 9).T)
    same(linear(name), awkward(9, 130)[:, ::2])
    same(conv(name), awkward(2, 5, 6, 4).permute(0, 3, 1, 2))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_numbers_that_are_none(name):
    x, pictures = awkward(4, 65), awkward(2, 4, 5, 5)
    for value in (torch.nan, torch.inf, -torch.inf):
        x[1, 7] = pictures[1, 2, 3, 3] = value
        same(linear(name), x)
        same(conv(name, padding=1), pictures)


@pytest.mark.parametrize("name", ["bnn", "elastic shifted", "reactnet"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats(name, dtype):
    """The result has the input's type; a number that float32 would round to -0 keeps its sign."""
    layer, x = linear(name), awkward(4, 65).to(dtype)
    x[0, 0] = -torch.finfo(dtype).tiny
    layer.to(dtype)
    found = pack(layer)(x)
    assert found.dtype == dtype
    code = layer.activation_binarizer.encode(x)
    dots = code.q.double() @ layer.weight_binarizer.encode(layer.weight.float()).q.double().T
    scale = layer.weight_binarizer.encode(layer.weight.float()).scale.view(-1) * code.scale.float()
    assert torch.equal(found, (dots.float() * scale + layer.bias.float()).to(dtype))


def test_sums_of_floats_differ_in_order_only():
    """Both sums are within K times 2^-24 times the sum of magnitudes of the true one, before scale and bias."""
    layer, x = linear(None, inputs=1000), awkward(8, 1000)
    with torch.no_grad():
        wanted, found = layer(x), pack(layer)(x)
        scale = layer.weight_binarizer.encode(layer.weight).scale.view(-1)
    bound = 2 * 1000 * 2**-24 * x.abs().sum(1, keepdim=True) * scale + 2**-22 * wanted.abs()
    assert ((found - wanted).abs() <= bound).all()
    assert not torch.equal(found, torch.zeros_like(found))
    x[3, 5] = torch.nan
    assert pack(layer)(x).isnan().any(1).tolist() == [False] * 3 + [True] + [False] * 4


CONVOLUTIONS = {
    "plain": {},
    "padded": {"padding": 1},
    "strides": {"stride": (2, 1), "padding": (0, 2)},
    "groups": {"groups": 2, "padding": 1},
    "depthwise": {"groups": 4, "outputs": 8, "padding": 2},
    "one by one": {"size": 1},
    "oblong": {"size": (1, 3), "padding": (0, 1)},
    "dilated": {"dilation": 2, "padding": 2},
    "same": {"padding": "same"},
    "no bias": {"bias": False},
    "output scale": {"output_scale": True},
}


@pytest.mark.parametrize("options", CONVOLUTIONS.values(), ids=CONVOLUTIONS)
def test_conv(options):
    for name in ("elastic shifted", "xnor", "unsigned shifted", "elastic 2 bits", "unsigned 4 bits", None):
        layer = conv(name, **options)
        same(layer, awkward(2, 4, 7, 6))
        same(layer, awkward(4, 7, 6))


def test_an_empty_batch_of_pictures():
    same(conv(padding=1), awkward(0, 4, 5, 5))


@pytest.mark.parametrize("weight", ["bibert-weight", "xnor-weight", "recu-weight"])
def test_embedding(weight):
    table = randomized(BinaryEmbedding(9, 70, weight=binarizers.get(weight, features=9, channel_axis=0)))
    for ids in (
        torch.tensor([[0, 8, 8], [3, 1, 2]]),
        torch.tensor(4, dtype=torch.int32),
        torch.zeros(2, 0).long(),
    ):
        same(table, ids)
    for ids in (torch.tensor([9]), torch.tensor([-1])):
        with pytest.raises(IndexError):
            pack(table)(ids)


def test_what_is_stored_is_one_bit_a_weight():
    packed = pack(linear(inputs=130, outputs=5, bias=False))
    assert {name: (str(value.dtype), tuple(value.shape)) for name, value in packed.state_dict().items()} == {
        "bits": ("torch.uint64", (5, 3)),
        "scale": ("torch.float32", (5,)),
        "activation_binarizer.alpha": ("torch.float32", ()),
        "activation_binarizer.beta": ("torch.float32", (130,)),
        "activation_binarizer.initialized": ("torch.bool", ()),
    }


def test_loaded_bits_are_the_ones_that_count():
    layer, other, x = linear(), linear(), awkward(3, 65)
    with torch.no_grad():
        other.weight.neg_()
        other.weight_binarizer(other.weight)
    packed = pack(layer)
    packed.load_state_dict(pack(other).state_dict())
    assert torch.equal(packed(x), other(x))


@pytest.mark.parametrize("make", [linear, conv])
@pytest.mark.parametrize("assign", [False, True])
def test_damaged_bits_are_not_loaded(make, assign):
    packed = nn.Sequential(pack(make()))
    before = {name: value.clone() for name, value in packed.state_dict().items()}
    bits = before["0.bits"].clone()
    bits[1, -1] = 2**62
    wrong = {"padding": bits, "type": before["0.bits"].float(), "size": before["0.bits"][:, :0]}
    for damaged in wrong.values():
        with pytest.raises(RuntimeError, match=r"0\.bits"):
            packed.load_state_dict(before | {"0.bits": damaged}, assign=assign)
        assert all(torch.equal(value, before[name]) for name, value in packed.state_dict().items())
    packed.load_state_dict(before, assign=assign)


def test_copies():
    for layer, x in ((linear(), awkward(3, 65)), (conv(), awkward(2, 4, 5, 5))):
        assert torch.equal(copy.deepcopy(pack(layer))(x), layer(x))


def test_a_packed_layer_stays_where_it_is():
    layer, x = linear(), awkward(3, 65)
    packed = pack(layer).half()
    assert packed.scale.dtype == torch.float32
    assert torch.equal(packed(x), layer(x))
    assert packed.to("meta").bits.device.type == "cpu"


REFUSED = {
    "width": (lambda: (linear(), awkward(2, 64)), "65 numbers on axis -1, and got shape .2, 64"),
    "channels": (lambda: (conv(), awkward(2, 3, 5, 5)), "4 numbers on axis -3, and got shape"),
    "scalar": (lambda: (linear(), torch.tensor(1.0)), "65 numbers on axis -1"),
    "flat picture": (lambda: (conv(), awkward(4, 5)), "4 numbers on axis -3"),
    "integers": (lambda: (linear(), torch.ones(2, 65, dtype=torch.int64)), "takes floats, not torch.int64"),
    "another device": (lambda: (linear(), torch.ones(2, 65, device="meta")), "on the CPU, not on meta"),
    "gradients": (lambda: (linear(), torch.ones(2, 65, requires_grad=True)), "has no gradients"),
}


@pytest.mark.parametrize(("given", "message"), REFUSED.values(), ids=REFUSED)
def test_refusals(given, message):
    layer, x = given()
    with pytest.raises(UserError, match=message) as caught:
        pack(layer)(x)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["elastic shifted", "xnor", "unsigned 2 bits", None])
@pytest.mark.parametrize("make", [linear, conv])
def test_parameters_have_no_gradients_either(make, name):
    layer, x = make(name, output_scale=True), awkward(2, 65) if make is linear else awkward(2, 4, 5, 5)
    packed = pack(layer)
    wanted = packed(x)
    packed.requires_grad_(True)
    with pytest.raises(UserError, match="has no gradients"):
        packed(x)
    with torch.no_grad():
        assert torch.equal(packed(x), wanted)


def test_training_is_refused():
    packed = pack(linear().train()).train()
    with pytest.raises(UserError, match="for use, not for training"):
        packed(awkward(2, 65))
    packed.eval()(awkward(2, 65))


def test_an_embedding_that_changes_its_rows_is_refused():
    table = BinaryEmbedding(3, 4, weight=binarizers.get("bibert-weight"), max_norm=1.0)
    with pytest.raises(UserError, match="max_norm"):
        pack(table)


def test_two_threads_at_once():
    layer = linear(inputs=300, outputs=200)
    packed, inputs = pack(layer), [awkward(257, 300), awkward(257, 300).flip(0)]
    wanted, found = [layer(x) for x in inputs], [[], []]

    def work(i):
        found[i] = [packed(inputs[i]) for _ in range(5)]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(y, wanted[i]) for i in range(2) for y in found[i])
    assert [len(results) for results in found] == [5, 5]
