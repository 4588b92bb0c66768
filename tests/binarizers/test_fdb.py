"""DB-LLM's two sets of {0, 1} and ternary weights: golden vectors, ties, gradients, against rounding to levels."""

import pytest
import torch

from binviz.binarizers import InGroups, get
from binviz.errors import UserError

FIRST = [-1.6, -1.0, -0.6, -0.4, 0.2, 0.4, 0.6, 1.4]
TIES = [1.6, 2.0, -2.0, 0.5, -0.5, 1.5, 0.0, -0.3]


def gradients(w, name="fdb-weight", **options):
    """What it makes of rows, and the gradients of an incoming one of 1: to them and to both scales."""
    w = torch.tensor(w).requires_grad_()
    binarizer = get(name, features=len(w), **options)
    out = binarizer(w)
    out.sum().backward()
    return [x.detach() for x in (out, w.grad, *(p.grad for p in binarizer.parameters()))]


#: Of a third party's class (TokuyuSou/ULB-SAPR), a group of it in a row here.
GOLDEN = {
    "eight": ([FIRST], [[-0.8, -0.8, -0.8, -0.8, 0, 0.8, 0.8, 1.6]], [1.12], [-0.68], [1.52]),
    "two fours": (
        [FIRST[:4], FIRST[4:]],
        [[-0.8] * 4, [0, 0.7, 0.7, 1.4]],
        [1.12, 1.12],
        [-0.64, 0.06],
        [1.76, -0.24],
    ),
    "ties": ([TIES], [[2, 2, -1, 1, -1, 1, 0, 0]], [1], [0], None),
}


@pytest.mark.parametrize("case", GOLDEN)
def test_golden_vectors(case):
    w, values, of_w, of_first, of_second = GOLDEN[case]
    out, to_w, to_first, to_second = gradients(w, gradient="identity")
    torch.testing.assert_close(out, torch.tensor(values, dtype=out.dtype))
    torch.testing.assert_close(to_w, torch.tensor(of_w, dtype=out.dtype)[:, None].expand_as(to_w))
    torch.testing.assert_close(to_first, torch.tensor(of_first, dtype=out.dtype), atol=1e-5, rtol=1e-5)
    if of_second is not None:
        torch.testing.assert_close(to_second, torch.tensor(of_second, dtype=out.dtype))


def test_golden_vectors_in_two_groups():
    w = torch.tensor([FIRST]).requires_grad_()
    binarizer = InGroups(get("fdb-weight", features=2, gradient="identity"), 4)
    out = binarizer(w)
    out.sum().backward()
    inner, wanted = binarizer.inner, [-0.8, -0.8, -0.8, -0.8, 0, 0.7, 0.7, 1.4]
    for found, golden in (
        (out, [wanted]),
        (w.grad, [[1.12] * 8]),
        (inner.alpha_1.grad, [-0.64, 0.06]),
        (inner.alpha_2.grad, [1.76, -0.24]),
    ):
        torch.testing.assert_close(found, torch.tensor(golden), atol=1e-5, rtol=1e-5)


def test_it_starts_as_rounding_to_the_nearest_of_four_levels():
    w = torch.randn(9, 65)
    step = w.abs().amax(1, keepdim=True) / 2
    levels = step * torch.tensor([-1.0, 0.0, 1.0, 2.0])
    nearest = (w[..., None] - levels[:, None]).abs().argmin(-1)
    torch.testing.assert_close(get("fdb-weight", features=9)(w), levels.gather(1, nearest))


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_the_window_has_no_unit(size):
    """Each scale's gradient is its set of {0, 1}; a weight's is 1 up to the largest level."""
    w = size * torch.randn(3, 33)
    binarizer = get("fdb-weight", features=3)
    binarizer(w)
    binarizer.alpha_1.data.mul_(0.7)
    leaf = w.clone().requires_grad_()
    incoming = torch.randn(w.shape)
    binarizer(leaf).backward(incoming)
    a, b = (alpha.detach()[:, None] for alpha in (binarizer.alpha_1, binarizer.alpha_2))
    first = (w >= (a + b) / 2).float()
    second = (w - a * first <= b / 2).float()
    torch.testing.assert_close(binarizer(w), a * first + b * second)
    torch.testing.assert_close(leaf.grad, incoming * (w.abs() <= torch.maximum(a, -b)))
    torch.testing.assert_close(binarizer.alpha_1.grad, (incoming * first).sum(1))
    torch.testing.assert_close(binarizer.alpha_2.grad, (incoming * second).sum(1))


def test_a_gradient_is_one_of_two():
    with pytest.raises(UserError, match="gradient is 'window' or 'identity', not 'plain'"):
        get("fdb-weight", gradient="plain")


def test_ternary_weights_are_rounded_straight_through():
    w = torch.randn(5, 67)
    out, to_w = gradients(w.tolist(), "ternary-weight")
    for row, found in zip(w, out, strict=True):
        large = row.abs() > 0.7 * row.abs().mean()
        torch.testing.assert_close(found, row.sign() * large * row[large].abs().mean())
    torch.testing.assert_close(to_w, torch.ones_like(w))
