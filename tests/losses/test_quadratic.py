"""Signs that fit wishes: the paper's own numbers, and definitions that try every row one by one."""

import itertools
import logging

import pytest
import torch

from binviz.binarizers import sign
from binviz.errors import UserError
from binviz.losses.quadratic import LARGEST, agreement, anneal, exact, say_large, solve

#: Inputs, wishes and the least squared distance of each output, of the official function.
GOLDEN = [
    (["++-", "+-+", "-++", "---"], [[0.3, -0.2, 0.5, -0.1]], [2.59]),
    (["+-++", "--+-", "+++-"], [[-0.4, 0.1, 0.05], [0.2, -0.3, 0.6]], [2.0725, 1.29]),
    (
        ["+++--", "+-++-", "-+-++", "++--+"],
        [[0.02, -0.03, 0.5, -0.2], [-0.5, 0.4, 0.1, -0.2]],
        [2.8713, 2.06],
    ),
]


def distance(x, y, v):
    """Of each output, by loops; a sum of exactly 0 counts as +1."""
    found = []
    for row, wishes in zip(v.tolist(), y.T.tolist(), strict=True):
        answers = [
            1 if sum(a * b for a, b in zip(row, given, strict=True)) >= 0 else -1 for given in x.tolist()
        ]
        found.append(sum((s - w) ** 2 for s, w in zip(answers, wishes, strict=True)))
    return torch.tensor(found)


@pytest.mark.parametrize(("rows", "wishes", "least"), GOLDEN)
def test_the_official_optimum(rows, wishes, least):
    x = torch.tensor([[1.0 if each == "+" else -1.0 for each in row] for row in rows])
    y = torch.tensor(wishes).T
    for v in (exact(x, y), solve(x, y), anneal(x, y, sign(y.T @ x), sweeps=200)):
        assert v.abs().eq(1).all() and v.shape == (len(wishes), len(rows[0]))
        torch.testing.assert_close(distance(x, y, v), torch.tensor(least), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("inputs", "batch", "outputs"), [(1, 1, 1), (2, 3, 5), (7, 6, 3), (10, 20, 2)])
def test_no_row_of_all_is_better(inputs, batch, outputs):
    x, y = sign(torch.randn(batch, inputs)), torch.randn(batch, outputs)
    found = exact(x, y)
    rows = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=inputs)))
    best = (sign(x @ rows.T).T @ y).amax(0)
    torch.testing.assert_close(agreement(x, y, found), best)
    torch.testing.assert_close(distance(x, y, found), (1 + y * y).sum(0) - 2 * best)


def test_rows_beyond_one_block_are_tried():
    """The one row that gives -1 on the only example is the last that is written: all of it agrees."""
    x = torch.ones(1, 17)
    assert exact(x, torch.tensor([[1.0]])).eq(1).all()
    assert exact(x, torch.tensor([[-1.0]])).eq(-1).all()


def test_the_wishes_decide_and_their_size_does_not():
    x, y = sign(torch.randn(9, 5)), torch.randn(9, 4)
    assert torch.equal(exact(x, y), exact(x, 100 * y))
    assert not torch.equal(exact(x, y), exact(x, -y))


@pytest.mark.parametrize("inputs", [6, 33])
def test_annealing_is_never_worse_than_its_start_and_comes_near_the_best(inputs):
    x, y = sign(torch.randn(12, inputs)), torch.randn(12, 8)
    for start in (sign(y.T @ x), sign(torch.randn(8, inputs))):
        value = agreement(x, y, start)
        assert torch.equal(anneal(x, y, start, sweeps=0), start)
        found = anneal(x, y, start, sweeps=30, seed=3)
        assert torch.equal(found, anneal(x, y, start, sweeps=30, seed=3)) and found.abs().eq(1).all()
        assert (agreement(x, y, found) >= value - 1e-5).all()
        assert agreement(x, y, found).sum() > value.sum()
    most = agreement(x, y, exact(x, y)) if inputs <= LARGEST else y.abs().sum(0)
    assert agreement(x, y, found).sum() > 0.9 * most.sum()


def test_what_is_too_large_to_try_all_is_said_once_and_annealed(caplog):
    x, y = sign(torch.randn(4, LARGEST + 1)), torch.randn(4, 2)
    with pytest.raises(UserError, match=r"21 inputs have 2\*\*21 rows of signs, of which at most 2\*\*20"):
        exact(x, y)
    say_large.cache_clear()
    with caplog.at_level(logging.INFO, "binviz"):
        found = [solve(x, y), solve(x, y)]
        solve(x, y, tried=0)
    assert [each.message for each in caplog.records] == [
        "21 inputs have 2**21 rows of signs, too many to try them all: annealing"
    ]
    assert torch.equal(found[0], found[1])
    assert (agreement(x, y, found[0]) >= agreement(x, y, sign(y.T @ x)) - 1e-5).all()
