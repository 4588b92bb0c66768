"""BinaryLinear against decode-and-multiply in float64 and, bit for bit, against the kernels."""

import itertools

import numpy as np
import pytest
import torch
from binviz_kernels import linear as fast_linear
from binviz_kernels import naive, pack_rows, pack_weights

from binviz import binarizers
from binviz.layers import BinaryLinear

SIZES = [(1, 1, 1), (3, 63, 5), (2, 64, 1), (5, 65, 7)]
WEIGHTS = ["bnn", "xnor-weight", "bit-weight", "bibert-weight", "bivit-weight", "recu-weight", "fda-weight"]
ACTIVATIONS = {
    "bnn": ("bnn", {}),
    "xnor": ("xnor-activation", {}),
    "reactnet": ("reactnet-activation", {}),
    "signed-1": ("elastic-signed", {"learn_shift": True}),
    "signed-4": ("elastic-signed", {"bits": 4, "learn_shift": True}),
    "unsigned-1": ("elastic-unsigned", {"learn_shift": True}),
    "unsigned-2": ("elastic-unsigned", {"bits": 2}),
    "minimum": ("elastic-unsigned", {"bits": 2, "subtract_min": True}),
}


def make(K, N, weight="bit-weight", activation=("bnn", {}), seed=0, **options):
    """A layer in eval mode whose bias, shifts and scales are none of zero and one."""
    torch.manual_seed(seed)
    name, settings = activation or (None, {})
    layer = BinaryLinear(
        K,
        N,
        weight=binarizers.get(weight, features=N, channel_axis=0),
        activation=binarizers.get(name, features=K, **settings) if name else None,
        **options,
    )
    layer(torch.randn(16, K))  # what starts from data starts
    for parameter in (*layer.parameters(),):
        if parameter.ndim < 2:
            parameter.data += 0.1 * torch.rand_like(parameter)
    return layer.eval()


def decoded(code):
    """A code's float64 value."""
    return code.q.double() * code.scale.double() + code.shift.double()


def reference(layer, x):
    w = decoded(layer.weight_binarizer.encode(layer.weight)).reshape(layer.weight.shape)
    a = x.double() if layer.activation_binarizer is None else decoded(layer.activation_binarizer.encode(x))
    y = a @ w.T
    if layer.output_scale is not None:
        y = y * layer.output_scale.double()
    return y if layer.bias is None else y + layer.bias.double()


@pytest.mark.parametrize("activation", [*ACTIVATIONS.values(), None], ids=[*ACTIVATIONS, "float"])
def test_decode_and_multiply(activation):
    for M, K, N in SIZES:
        layer = make(K, N, activation=activation, output_scale=True)
        x = torch.randn(M, K)
        torch.testing.assert_close(layer(x).double(), reference(layer, x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("weight", WEIGHTS)
def test_every_weight_binarizer(weight):
    layer = make(65, 7, weight=weight)
    x = torch.randn(2, 3, 65)
    y = layer(x)
    assert y.shape == (2, 3, 7)
    torch.testing.assert_close(y.double(), reference(layer, x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "activation", [("bnn", {}), ("elastic-unsigned", {}), ("elastic-signed", {"bits": 4})], ids=str
)
def test_products_of_codes_are_exact(activation):
    layer = make(5001, 3, weight="bnn", activation=activation, bias=False)
    x = torch.randn(4, 5001)
    code = layer.activation_binarizer.encode(x)
    q_w = layer.weight_binarizer.encode(layer.weight).q.long()
    exact = code.q.long() @ q_w.T
    assert torch.equal(layer(x), exact.float() * code.scale)


@pytest.mark.parametrize("weight", ["bnn", "bit-weight", "xnor-weight"])
@pytest.mark.parametrize("activation", ["bnn", "xnor", "reactnet", "signed-1", "unsigned-1"])
def test_kernels_compute_the_same_bits(activation, weight):
    for size, bias in itertools.product(SIZES, [True, False]):
        assert_same_bits(*size, activation, weight, bias)


def assert_same_bits(M, K, N, activation, weight, bias):
    layer = make(K, N, weight, ACTIVATIONS[activation], bias=bias)
    x = torch.randn(M, K)
    with torch.no_grad():
        y = layer(x).numpy()
        a, w = layer.activation_binarizer.encode(x), layer.weight_binarizer.encode(layer.weight)
    signed = min(layer.activation_binarizer.levels) < 0
    rows = pack_rows(a.q.numpy() if signed else a.q.numpy().astype(bool))
    per_row = layer.activation_binarizer.scale_kind == "per_row"
    # (integers * scale) * row_scale + bias; one scale for all rows is multiplied into `scale` first.
    scale = w.scale.reshape(-1).expand(N) * (1.0 if per_row else a.scale)
    arguments = (
        rows,
        pack_weights(w.q.numpy()),
        scale.contiguous().numpy(),
        layer.bias.detach().numpy() if bias else None,
    )
    row_scale = a.scale.reshape(-1).contiguous().numpy() if per_row else None
    for linear in (fast_linear, naive.linear):
        np.testing.assert_array_equal(linear(*arguments, row_scale=row_scale), y, strict=True)


def test_xnorpp_is_one_scale_for_the_kernels():
    layer = make(65, 7, weight="bnn", output_scale=True)
    x = torch.randn(3, 65)
    packed = pack_weights(layer.weight.detach().numpy())
    y = fast_linear(x.numpy(), packed, layer.output_scale.detach().numpy(), layer.bias.detach().numpy())
    np.testing.assert_array_equal(y, layer(x).detach().numpy())


def test_shift_is_the_kernels_shift():
    layer = make(65, 7, activation=ACTIVATIONS["minimum"])
    x = torch.randn(3, 65)
    code = layer.activation_binarizer.encode(x)
    assert code.shift != 0
    torch.testing.assert_close(layer(x).double(), reference(layer, x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("weight", WEIGHTS)
def test_gradient_reaches_everything(weight):
    for activation in (*ACTIVATIONS.values(), None):
        layer = make(20, 6, weight, activation, output_scale=True).train()
        x = torch.randn(9, 20, requires_grad=True)
        layer(x).mul(torch.randn(9, 6)).sum().backward()
        assert x.grad.abs().sum() > 0, activation
        for name, parameter in layer.named_parameters():
            assert parameter.grad is not None and parameter.grad.abs().sum() > 0, (activation, name)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16], ids=str)
def test_the_result_has_the_inputs_dtype(dtype):
    layer = make(20, 6, activation=ACTIVATIONS["signed-1"]).to(dtype)
    assert layer(torch.randn(3, 20, dtype=dtype)).dtype == dtype


def test_a_single_vector():
    layer = make(20, 6, activation=ACTIVATIONS["xnor"])
    x = torch.randn(20)
    assert torch.equal(layer(x), layer(x[None])[0])


def test_eval_is_training():
    layer = make(20, 6, weight="fda-weight", activation=("fda-activation", {}))
    x = torch.randn(3, 20)
    assert torch.equal(layer(x), layer.train()(x))


# What the official linear layers get wrong.


def test_reactnets_threshold_moves_the_code():
    layer = make(20, 6, weight="bireal-weight", activation=ACTIVATIONS["reactnet"])
    x = torch.randn(5, 20)
    before = layer(x)
    layer.activation_binarizer.threshold.data.fill_(10.0)
    assert not torch.equal(layer(x), before)
    # x + t is positive everywhere: the layer sees ones
    w = layer.weight_binarizer(layer.weight)
    torch.testing.assert_close(layer(x), (w.sum(1) + layer.bias).expand(5, 6))


@pytest.mark.parametrize("activation", ["bireal-activation", "reactnet-activation"])
def test_bias_is_added(activation):
    layer = make(20, 6, weight="bireal-weight", activation=(activation, {}))
    x = torch.randn(5, 20)
    with_bias = layer(x)
    layer.bias.data += 2.0
    torch.testing.assert_close(layer(x), with_bias + 2.0)
