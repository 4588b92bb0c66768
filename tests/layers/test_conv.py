"""BinaryConv2d against torch's convolution of the decoded tensors, in float64."""

import pytest
import torch
from torch.nn import functional as F

from binviz import binarizers
from binviz.errors import UserError
from binviz.layers import BinaryConv2d

SHAPES = {
    "plain": {},
    "stride": {"stride": 2},
    "strides": {"stride": (2, 1)},
    "padding": {"padding": 1},
    "paddings": {"padding": (0, 2)},
    "same": {"padding": "same"},
    "dilation": {"dilation": 2, "padding": 2},
    "groups": {"groups": 2},
    "depthwise": {"groups": 4, "padding": 1},
    "all": {"stride": 2, "padding": 2, "dilation": 2, "groups": 2},
}
ACTIVATIONS = {
    "bnn": ("bnn", {}),
    "xnor": ("xnor-activation", {}),
    "reactnet": ("reactnet-activation", {}),
    "signed": ("elastic-signed", {"learn_shift": True}),
    "unsigned": ("elastic-unsigned", {"learn_shift": True}),
    "minimum": ("elastic-unsigned", {"bits": 2, "subtract_min": True}),
}
WEIGHTS = ["bnn", "bit-weight", "xnor-weight", "bivit-weight", "recu-weight", "fda-weight"]


def make(weight="xnor-weight", activation=("bnn", {}), kernel=3, output_scale=True, **options):
    torch.manual_seed(0)
    name, settings = activation or (None, {})
    conv = BinaryConv2d(
        4,
        8,
        kernel,
        weight=binarizers.get(weight, features=8, channel_axis=0),
        activation=binarizers.get(name, features=4, channel_axis=1, **settings) if name else None,
        output_scale=output_scale,
        **options,
    )
    conv(torch.randn(2, 4, 9, 8))
    for parameter in conv.parameters():
        if parameter.ndim < 2:
            parameter.data += 0.1 * torch.rand_like(parameter)
    return conv.eval()


def reference(conv, x):
    """Zeros are padded behind the binarizer, so they are zeros of the decoded tensor."""

    def decoded(code):
        return code.q.double() * code.scale.double() + code.shift.double()

    w = decoded(conv.weight_binarizer.encode(conv.weight))
    a = x.double() if conv.activation_binarizer is None else decoded(conv.activation_binarizer.encode(x))
    y = F.conv2d(a, w, None, conv.stride, conv.padding, conv.dilation, conv.groups)
    if conv.output_scale is not None:
        y = y * conv.output_scale.double().view(-1, 1, 1)
    return y if conv.bias is None else y + conv.bias.double().view(-1, 1, 1)


@pytest.mark.parametrize("options", SHAPES.values(), ids=SHAPES)
def test_convolution_of_decoded_tensors(options):
    for activation in (*ACTIVATIONS.values(), None):
        conv = make(activation=activation, **options)
        x = torch.randn(3, 4, 9, 8)
        torch.testing.assert_close(conv(x).double(), reference(conv, x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("weight", WEIGHTS)
def test_every_weight_binarizer(weight):
    for kernel in (1, 2, (3, 1), 5):
        conv = make(weight, kernel=kernel, bias=False)
        x = torch.randn(1, 4, 9, 8)
        torch.testing.assert_close(conv(x).double(), reference(conv, x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("options", SHAPES.values(), ids=SHAPES)
def test_products_of_codes_are_exact(options):
    conv = make("bnn", bias=False, output_scale=False, **options)
    x = torch.randn(3, 4, 9, 8)
    y = conv(x)
    assert torch.equal(y, y.round())
    assert torch.equal(y.double(), reference(conv, x))


def test_one_image_without_a_batch():
    conv = make(activation=ACTIVATIONS["xnor"], padding=1)
    x = torch.randn(4, 9, 8)
    assert torch.equal(conv(x), conv(x[None])[0])


@pytest.mark.parametrize("weight", WEIGHTS)
def test_gradient_reaches_everything(weight):
    for activation in ACTIVATIONS.values():
        conv = make(weight, activation, padding=1).train()
        x = torch.randn(2, 4, 6, 6, requires_grad=True)
        conv(x).mul(torch.randn(2, 8, 6, 6)).sum().backward()
        assert x.grad.abs().sum() > 0, activation
        for name, parameter in conv.named_parameters():
            assert parameter.grad is not None and parameter.grad.abs().sum() > 0, (activation, name)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
def test_the_result_has_the_inputs_dtype(dtype):
    assert make().to(dtype)(torch.randn(1, 4, 5, 5, dtype=dtype)).dtype == dtype


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_other_padding_is_refused(mode):
    with pytest.raises(UserError, match="pads with zeros"):
        make(padding=1, padding_mode=mode)


# What the official convolutions accept and ignore.


@pytest.mark.parametrize("options", [{"dilation": 2}, {"groups": 2}], ids=["dilation", "groups"])
def test_options_are_obeyed(options):
    conv = make(output_scale=False, **options)
    assert conv.weight.shape == torch.nn.Conv2d(4, 8, 3, **options).weight.shape
    assert (
        conv(torch.randn(1, 4, 9, 9)).shape
        == torch.nn.Conv2d(4, 8, 3, **options)(torch.zeros(1, 4, 9, 9)).shape
    )


def test_bias_is_added():
    conv = make(output_scale=False)
    x = torch.randn(1, 4, 5, 5)
    before = conv(x)
    conv.bias.data += 2.0
    torch.testing.assert_close(conv(x), before + 2.0)
