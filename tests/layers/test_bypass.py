"""The way around a layer: official numbers, and one channel after the other for many pairs of numbers of channels."""

import pytest
import torch

from binviz.layers.bypass import bypass

X = torch.arange(1.0, 9.0)


@pytest.mark.parametrize(
    ("channels", "wanted"),
    [
        (3, [2, 3, 6.5]),
        (4, [2.5, 3.5, 4.5, 7.5]),
        (5, [1, 2, 3, 4, 6.5]),
        (6, [1, 2, 3, 4, 5, 7]),
        (7, [1, 2, 3, 4, 5, 6, 7.5]),
        (12, [*range(1, 9), 2.5, 3.5, 4.5, 7.5]),
        (16, [*range(1, 9), *range(1, 9)]),
        (1, [4.5]),  # where the official code fails
        (9, [*range(1, 9), 4.5]),
    ],
)
def test_numbers_of_the_official_code(channels, wanted):
    assert bypass(X.view(1, 8, 1, 1), channels).flatten().tolist() == wanted


def one_by_one(x, channels):
    """Of a list of numbers."""
    count = len(x)
    copies, means = channels // count, channels % count
    found = x * copies
    if means:
        each = count // means
        for j in range(means - 1):
            found.append(sum(x[j + i * (means - 1)] for i in range(each)) / each)
        rest = x[each * (means - 1) :]
        found.append(sum(rest) / len(rest))
    return found


def test_every_pair_of_numbers_of_channels():
    for inputs in range(1, 12):
        x = torch.randn(2, inputs, 3, 2)
        for outputs in range(1, 40):
            found = bypass(x, outputs)
            assert found.shape == (2, outputs, 3, 2)
            wanted = one_by_one(x[1, :, 2, 1].double().tolist(), outputs)
            torch.testing.assert_close(
                found[1, :, 2, 1].double(), torch.tensor(wanted).double(), rtol=1e-5, atol=1e-6
            )


def test_every_channel_has_a_say():
    for inputs, outputs in ((104, 40), (24, 16), (7, 3), (16, 24)):
        x = torch.ones(1, inputs, requires_grad=True)
        found = bypass(x, outputs)
        assert torch.allclose(found, torch.ones(1, outputs))
        found.sum().backward()
        assert x.grad.gt(0).all()
