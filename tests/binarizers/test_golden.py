"""Values and gradients that the official code of the papers gives, for an incoming gradient of 1."""

import pytest
import torch

from binviz.binarizers import get
from binviz.binarizers.bivit import descend, row_scale
from binviz.binarizers.fda import noise_weight, terms
from binviz.binarizers.recu import clamp_ratio, tau
from binviz.binarizers.row_threshold import row_threshold

X = [-1.5, -1.0, -0.5, -0.2, 0.2, 0.34, 0.36, 0.7, 1.2]
SIGNS = [-1.0] * 4 + [1.0] * 5
TRIANGLE = [0, 0, 1, 1.6, 1.6, 1.32, 1.28, 0.6, 0]
FDA_9 = [0, 0.5798, 1.0718, 1.2396, 1.2396, 1.1776, 1.1663, 0.8970, 0]
FDA_18 = [0, -0.3902, 1.2054, 2.1931, 2.1931, 1.8005, 1.7325, 0.4216, 0]


def close(tensor, wanted, atol=5e-5):
    torch.testing.assert_close(tensor, torch.tensor(wanted, dtype=tensor.dtype), rtol=0, atol=atol)


@pytest.mark.parametrize(
    ("name", "options", "progress", "gradient"),
    [
        ("bireal-activation", {}, 0, TRIANGLE),
        ("reactnet-activation", {}, 0, TRIANGLE),
        ("recu-activation", {}, 0, TRIANGLE),
        ("fda-activation", {}, 0, FDA_9),
        ("fda-activation", {"noise": False}, 1, FDA_18),
        ("bnn", {}, 0, [0, 1, 1, 1, 1, 1, 1, 1, 0]),
    ],
)
def test_signs(name, options, progress, gradient):
    binarizer = get(name, **options).eval()
    binarizer.set_progress(progress)
    x = torch.tensor(X).unsqueeze(1).requires_grad_()
    out = binarizer(x)
    out.sum().backward()
    close(out.squeeze(1), SIGNS)
    close(x.grad.squeeze(1), gradient)


@pytest.mark.parametrize(
    ("name", "options", "value", "gradient", "alpha"),
    [
        ("elastic-signed", {}, [-0.7] * 4 + [0.7] * 5, [0, 0, 1, 1, 1, 1, 1, 1, 0], 0.33333),
        ("elastic-unsigned", {}, [0.0] * 6 + [0.7] * 3, [0, 0, 0, 0, 1, 1, 1, 1, 0], 0.23810),
        (
            "elastic-signed",
            {"bits": 2},
            [-1.4, -0.7, -0.7, 0, 0, 0, 0.7, 0.7, 0.7],
            [0, 1, 1, 1, 1, 1, 1, 1, 0],
            -0.28571,
        ),
        (
            "elastic-unsigned",
            {"bits": 2, "subtract_min": True},
            [-1.5, -0.8, -0.8, -0.1, -0.1, 0.6, 0.6, 0.6, 0.6],
            [1, 1, 1, 1, 1, 1, 1, 0, 0],
            1.20969,
        ),
    ],
    ids=["signed-1", "unsigned-1", "signed-2", "unsigned-2"],
)
def test_elastic(name, options, value, gradient, alpha):
    binarizer = get(name, **options)
    x = torch.tensor(X, requires_grad=True)
    binarizer.initialize(x)
    binarizer.alpha.data.fill_(0.7)
    out = binarizer(x)
    out.sum().backward()
    close(out, value)
    close(x.grad, gradient)
    assert binarizer.alpha.grad.item() == pytest.approx(alpha, abs=6e-6)


@pytest.mark.parametrize(
    ("per_row", "scales"), [(False, [[0.36667] * 3] * 2), (True, [[0.26667] * 3, [0.46667] * 3])]
)
def test_bit_weight(per_row, scales):
    weight = torch.tensor([[0.5, -0.2, 0.1], [0.3, 0.4, -0.7]], requires_grad=True)
    out = get("bit-weight", per_row=per_row)(weight)
    out.sum().backward()
    close(out, (torch.tensor(scales) * torch.tensor([[1, -1, 1], [1, 1, -1]])).tolist())
    close(weight.grad, [[1.0] * 3] * 2)


def test_recu_schedule_and_clamp():
    assert [tau(t) for t in (0, 0.5, 1)] == pytest.approx([0.85, 0.9029, 0.99], abs=5e-5)
    assert [clamp_ratio(t) for t in (0.85, 0.92, 0.99)] == pytest.approx([1.2040, 1.8326, 3.9120], abs=5e-5)


def test_fda_schedule():
    assert [terms(t) for t in (0, 0.5, 1)] == [9, 13, 18]
    assert noise_weight(0) == pytest.approx(0.1)
    assert noise_weight(1) == 0


def test_softmax_aware_descent():
    row = torch.tensor([0.5, 0.2, 0.12, 0.1, 0.05, 0.03])
    start = torch.ones(6)
    assert row_scale(row, start).item() == pytest.approx(0.1667, abs=5e-5)
    for steps, ones, scale in [(1, 4, 0.23), (2, 3, 0.2733), (3, 2, 0.35), (4, 2, 0.35), (5, 2, 0.35)]:
        q = descend(row, steps)
        assert q.sum() == ones
        assert row_scale(row, q).item() == pytest.approx(scale, abs=5e-5)
    assert row_threshold(row, 0.25).tolist() == [1, 1, 0, 0, 0, 0]
