"""BinaryDM's weights of one and two sets of signs, and activations of 4 and 8 bits: golden vectors of its code."""

import pytest
import torch
from torch import nn

from binviz.binarizers import get
from binviz.errors import UserError
from binviz.layers import BinaryConv2d, BinaryLinear

W, BIAS, X = [[0.9, -0.4, 0.1, -0.2], [-0.3, 0.6, 0.5, -0.7]], [0.1, -0.2], [1, -0.5, 0.25, 2]
#: bases -> weight, output, gradients to the weight, both scales and the input. Where the code has 0 for a residual of
#: 0, here it is +1: the second weight of the first row, its output, and what depends on that code.
GOLDEN = {
    1: (
        [[0.4, -0.4, 0.4, -0.4], [-0.525, 0.525, 0.525, -0.525]],
        [0, -1.90625],
        [[0.4, -0.2, 0.1, 0.8], [0.525, -0.2625, 0.13125, 1.05]],
        [[-0.25, -3.25]],
        [-0.125, 0.125, 0.925, -0.925],
    ),
    2: (
        [[0.65, -0.15, 0.15, -0.15], [-0.4, 0.65, 0.4, -0.65]],
        [0.5625, -2.125],
        [[0.55, -0.275, 0.1375, 1.1], [0.584375, -0.2921875, 0.14609375, 1.16875]],
        [[-0.1875, -2.84375], [2.25, -1.75]],
        [0.25, 0.5, 0.55, -0.8],
    ),
}


def close(found, wanted):
    torch.testing.assert_close(found, torch.tensor(wanted, dtype=torch.float32), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("bases", GOLDEN)
def test_a_linear_layer(bases):
    weight, output, to_weight, to_scales, to_x = GOLDEN[bases]
    binarizer = get("multi-basis-weight", features=2, bases=bases)
    layer = BinaryLinear(4, 2, weight=binarizer, activation=None)
    layer.load_state_dict({"weight": torch.tensor(W), "bias": torch.tensor(BIAS)}, strict=False)
    x = torch.tensor(X).requires_grad_()
    y = layer(x)
    y.sum().backward()
    close(binarizer(layer.weight), weight)
    close(y, output)
    close(layer.weight.grad, to_weight)
    close(torch.stack([scale.grad for scale in binarizer.parameters()]), to_scales)
    close(x.grad, to_x)


def test_a_convolution():
    binarizer = get("multi-basis-weight", features=1)
    layer = BinaryConv2d(1, 1, 3, padding=1, bias=False, weight=binarizer, activation=None)
    w = [[0.5, -0.25, 0.75], [-1.2, 0.1, 0.2], [-0.6, 0.3, -0.05]]
    layer.weight.data.copy_(torch.tensor(w))
    y = layer(torch.ones(1, 1, 3, 3))
    y.sum().backward()
    close(
        y[0, 0], [[0.302469, -1.150617, -1.150617], [0.877778, 0.151235, -0.575309], [0.877778, 0.877778, 0]]
    )
    # -1.2 lies outside the window of the first set
    corner, edge = 2.40118, 3.601769
    close(
        layer.weight.grad[0, 0],
        [[corner, edge, corner], [1.725926, 5.402655, edge], [corner, edge, corner]],
    )
    close(binarizer.sigma_1.grad, [6.411111])
    close(binarizer.sigma_2.grad, [-13])


@pytest.mark.parametrize(
    ("bits", "step", "last", "inside", "to_step"),
    [(4, 0.935462, 6.548234, 0, 0.878274), (8, 0.219621, 9.00445, 1, -0.025131)],
)
def test_an_activation_with_a_learned_step(bits, step, last, inside, to_step):
    x = torch.tensor([0.1, -0.1, 0.2, 0, 0.05, -0.15, 0.3, 9]).requires_grad_()
    lsq = get("elastic-signed", bits=bits)
    y = lsq(x)
    y.sum().backward()
    small = [0] * 7 if bits == 4 else [0, 0, step, 0, 0, -step, step]
    close(y, [*small, last])
    close(x.grad, [*[1] * 7, inside])
    close(lsq.alpha, step)
    close(lsq.alpha.grad, to_step)


def test_two_sets_are_nearer_than_one_and_start_again_from_nothing():
    w = torch.randn(9, 65)
    one, two = (get("multi-basis-weight", features=9, bases=bases) for bases in (1, 2))
    for row, first, both in zip(w, one(w), two(w), strict=True):
        size = row.abs().mean()
        torch.testing.assert_close(first, row.sign() * size)
        rest = row - row.sign() * size
        torch.testing.assert_close(both, first + rest.sign() * rest.abs().mean())
        assert (both - row).square().sum() < (first - row).square().sum()
    again = get("multi-basis-weight", features=9)
    again.load_state_dict(two.state_dict())
    assert torch.equal(again(2 * w), two(2 * w)) and not torch.equal(
        get("multi-basis-weight", features=9)(2 * w), two(2 * w)
    )
    with pytest.raises(UserError, match="bases is 1 or 2, not 3"):
        get("multi-basis-weight", bases=3)


def test_the_gradients_are_three_sums():
    """dw, dsigma_1 and dsigma_2 written out, with weights on both sides of both windows."""
    w = 2 * torch.randn(3, 33)
    binarizer = get("multi-basis-weight", features=3)
    binarizer(w)
    leaf, incoming = nn.Parameter(w.clone()), torch.randn(w.shape)
    binarizer(leaf).backward(incoming)
    first, second = (scale.detach()[:, None] for scale in binarizer.parameters())
    s_1 = torch.where(w >= 0, 1.0, -1.0)
    r = w - first * s_1
    s_2, m_1, m_2 = torch.where(r >= 0, 1.0, -1.0), (w.abs() <= 1).float(), (r.abs() <= 1).float()
    torch.testing.assert_close(leaf.grad, incoming * (first * m_1 + second * m_2 * (1 - first * m_1)))
    to_first, to_second = (scale.grad for scale in binarizer.parameters())
    torch.testing.assert_close(to_first, (incoming * s_1 * (1 - second * m_2)).sum(1))
    torch.testing.assert_close(to_second, (incoming * s_2).sum(1))
