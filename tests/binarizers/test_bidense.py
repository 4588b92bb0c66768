"""BiDense's binarizers against numbers that its official code gives, and what follows from their formulas."""

import pytest
import torch

from binviz import binarizers, recipes
from binviz.convert import binarize_
from binviz.layers import BinaryConv2d, BinaryLinear

X = torch.tensor([[[[1.0, -0.5], [0.2, 0.8]], [[-2.0, 0.3], [0.0, 0.4]]]])


def adaptive(x=X, **options):
    """The binarizer of two channels with the parameters of the official run."""
    found = binarizers.get("bidense-activation", features=x.shape[1], channel_axis=1, **options)
    for name, values in {"alpha": [0.5, -0.2], "k": [0.1, 0.3], "beta": [-0.05, 0.1]}.items():
        if getattr(found, name) is not None:
            found.get_parameter(name).data.copy_(torch.tensor(values))
    return found


def close(found, wanted):
    torch.testing.assert_close(found.flatten(), torch.tensor(wanted), rtol=0, atol=1e-5)


def test_values_and_gradients_of_the_official_code():
    binarizer, x = adaptive(), X.clone().requires_grad_()
    y = binarizer(x)
    y.sum().backward()
    close(y, [0.811091, -0.811091, 0.811091, 0.811091, -1.046289, 1.046289, 1.046289, 1.046289])
    close(x.grad, [0.141941, 0.66915, 1.439687, 0.466377, 0, 1.051521, 1.679295, 0.842263])
    close(binarizer.alpha.grad, [-0.679289, -0.473446])
    close(binarizer.k.grad, [-1.018933, 1.161251])
    close(binarizer.beta.grad, [2.717155, 3.573078])  # of -b


def test_weights_of_the_official_code():
    recipe = recipes.get("bidense")
    filters = torch.tensor([[[[0.5, -0.25, 0.75], [-1.2, 0.1, 0.2], [-0.6, 0.3, -0.05]]]])
    conv = BinaryConv2d(
        1, 1, 3, padding=1, bias=False, weight=recipe.weight.make(1, channel_axis=0), activation=None
    )
    conv.weight.data.copy_(filters)
    y = conv(torch.ones(1, 1, 3, 3))
    y.sum().backward()
    close(y, [0.877778, 0.0, 0.0, 0.877778, 0.438889, 0.0, 0.877778, 0.877778, 0.0])
    close(conv.weight.grad, [4.0, 6.0, 4.0, 0.0, 9.0, 6.0, 4.0, 6.0, 4.0])

    linear = BinaryLinear(
        3, 2, weight=recipe.weight.make(2, channel_axis=0), activation=recipe.activation.make(3)
    )
    linear.weight.data.copy_(torch.tensor([[0.5, -0.2, 0.1], [0.3, 0.4, -0.7]]))
    linear.bias.data.copy_(torch.tensor([0.1, -0.1]))
    linear.activation_binarizer.beta.data.copy_(torch.tensor([0.2, 0.0, -0.3]))
    close(linear(torch.tensor([-0.1, 0.5, 0.2])), [0.366667, 1.3])


@pytest.mark.parametrize("scale", [True, False])
def test_what_is_added_to_a_channel_is_taken_away_again(scale):
    """With k = 1, whatever a channel's mean is; and no picture sees another."""
    binarizer = adaptive(scale=scale)
    binarizer.k.data.fill_(1.0)
    moved = torch.cat([X, X + torch.tensor([8.0, -16.0]).view(1, 2, 1, 1)])
    torch.testing.assert_close(binarizer(moved), binarizer(X).expand(2, -1, -1, -1), rtol=1e-5, atol=1e-6)
    assert (binarizer.scale_kind, binarizer.alpha is None) == (
        ("per_channel", False) if scale else ("none", True)
    )


def test_a_convolution_sums_what_the_binarizer_makes():
    torch.manual_seed(0)
    conv = torch.nn.Sequential(
        torch.nn.Identity(), torch.nn.Conv2d(2, 3, 3), torch.nn.Conv2d(3, 3, 3, padding=1)
    )
    network = torch.nn.Sequential(*conv, torch.nn.Conv2d(3, 2, 1))
    binarize_(network, "bidense")
    layer = network[2]
    layer.activation_binarizer.alpha.data.normal_()
    x = torch.randn(2, 3, 5, 4)
    wanted = torch.nn.functional.conv2d(
        layer.activation_binarizer(x), layer.weight_binarizer(layer.weight), layer.bias, padding=1
    )
    torch.testing.assert_close(layer(x), wanted)
