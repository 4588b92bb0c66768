"""IR-Net's weights and activations: golden vectors of the code that CMIM trains, and a schedule."""

import pytest
import torch
from torch.nn import functional as F

from binviz.binarizers import get
from binviz.binarizers.irnet import steepness

W = [0.5, -0.25, 0.75, -1, 0.1, 0.2, -0.6, 0.3, -0.05]
#: Where k t = 1, t = 1.
MIDDLE = 2 / 3


def pair(progress):
    found = get("ir-net-weight"), get("ir-net-activation", channel_axis=1)
    for binarizer in found:
        binarizer.set_progress(progress)
    return found


def test_golden_convolution():
    """The official code has sign(0) = 0, ours is 1: the middle input adds its weight's sign to the product, and its own
    weight's gradient is there.
    """
    weight, activation = pair(MIDDLE)
    w = torch.tensor(W).view(1, 1, 3, 3).requires_grad_()
    x = torch.linspace(-1, 1, 9).view(1, 1, 3, 3).requires_grad_()
    out = F.conv2d(activation(x), weight(w))
    assert out.item() == pytest.approx(1)
    out.backward()
    to_x = [0.419974, -0.596586, 0.786448, -0.940015, 1, 0.940015, -0.786448, 0.596586, -0.419974]
    torch.testing.assert_close(x.grad.flatten(), torch.tensor(to_x), atol=1e-5, rtol=1e-5)
    zero = torch.ones(9)
    zero[4] = 0
    w.grad = None
    F.conv2d((activation(x) * zero.view(1, 1, 3, 3)).detach(), weight(w)).backward()
    to_w = [-1.151031, -1.779252, -0.706685, -0.427539, -0.280145, 1.313253, 0.410545, 1.074031, 1.546823]
    torch.testing.assert_close(w.grad.flatten(), torch.tensor(to_w), atol=1e-5, rtol=1e-5)


def test_golden_schedule():
    found = [steepness(epoch / 400) for epoch in (0, 100, 200, 300, 399)]
    wanted = [(100, 0.01), (17.782794, 0.056234), (3.162278, 0.316228), (1, 1.778279), (1, 9.828789)]
    assert found == [pytest.approx(each, rel=1e-4) for each in wanted]


@pytest.mark.parametrize("size", [1, 3, 100])
def test_a_scale_is_the_nearest_power_of_two(size):
    w = size * torch.randn(7, 3, 3, 3) + 2
    scale = get("ir-net-weight").encode(w).scale.flatten()
    for row, found in zip(w, scale, strict=True):
        mean = ((row - row.mean()) / row.std()).abs().mean()
        assert found.item() == 2.0 ** round(torch.log2(mean).item())


def test_a_row_of_equal_weights_is_no_division_by_zero():
    w = torch.full((2, 5), 0.25, requires_grad=True)
    out = get("ir-net-weight")(w)
    (out * torch.randn(2, 5)).sum().backward()
    assert out.isfinite().all() and w.grad.isfinite().all()
