"""The exercises of notebook 06: thresholds that follow a row, the scale that must follow, gradients of both."""

from collections.abc import Iterator

import numpy as np
import torch

from binviz.check.exercise import Case, exercise

ROW = np.array([0.5, 0.2, 0.12, 0.1, 0.05, 0.03])


def _softmax(shape: tuple[int, ...], seed: int) -> np.ndarray:
    return torch.softmax(2 * torch.from_numpy(np.random.default_rng(seed).normal(size=shape)), -1).numpy()


@exercise("v is the mean of the row where it has a one; the new ones are where the row is at least v / 2.")
def ex_6_1() -> Iterator[Case]:
    """One step of coordinate descent: the best factor for the code, then the best code for that factor."""
    for row, ones in (
        (ROW, np.ones(6, bool)),
        (ROW, np.array([1, 1, 1, 0, 0, 0], bool)),
        (_softmax((9,), 0), np.arange(9) % 2 == 0),
    ):
        (v,), *_ = np.linalg.lstsq(ones.reshape(-1, 1).astype(float), row, rcond=None)
        yield Case((row, ones), (v, np.abs(row - v) <= np.abs(row)))
    yield Case(
        (np.array([0.5, 0.25, 0.25]), np.array([True, False, False])),
        (0.5, np.array([True, True, True])),
        hint="a value at the threshold v / 2 is as near to v as to 0, and counts as a one",
    )


@exercise("1 where a value is at least beta times the largest of its row, the last axis (keepdims=True).")
def ex_6_2() -> Iterator[Case]:
    """Codes of a threshold at a part of each row's maximum."""
    yield Case((ROW, 0.25), np.array([1, 1, 0, 0, 0, 0]))
    yield Case(
        (np.array([[0.8, 0.1, 0.1], [0.5, 0.15, 0.35]]), 0.25),
        np.array([[1, 0, 0], [1, 1, 1]]),
        hint="each row has its own maximum",
    )
    yield Case(
        (np.array([[0.5, 0.25, 0.125, 0.125]]), 0.25),
        np.array([[1, 1, 1, 1]]),
        hint="exactly beta times the maximum is a 1",
    )
    probs = _softmax((2, 3, 5), 1)
    for beta in (0.2, 0.45):
        codes = [[[value >= beta * max(row) for value in row] for row in head] for head in probs]
        yield Case((probs, beta), np.array(codes), hint="beta is the function's second argument")


@exercise("Divide by codes.sum(axis=-1, keepdims=True), and by 1 where that is 0.")
def ex_6_3() -> Iterator[Case]:
    """Codes of attention, each row divided by its number of ones."""
    yield Case(
        (np.array([[1, 0, 0], [1, 1, 0], [1, 1, 1]]),), np.array([[6, 0, 0], [3, 3, 0], [2, 2, 2]]) / 6
    )
    yield Case(
        (np.array([[0, 0, 0], [0, 1, 1]]),),
        np.array([[0, 0, 0], [0, 0.5, 0.5]]),
        hint="a row without a one stays a row of zeros: nothing may be divided by 0",
    )
    codes = np.random.default_rng(2).integers(0, 2, (2, 3, 4))
    wanted = [[[c / max(sum(row), 1) for c in row] for row in head] for head in codes.tolist()]
    yield Case((codes,), np.array(wanted), hint="the last axis is the row, whatever stands before it")


@exercise("A score moves all probabilities of its row: probs * (grad - sum of probs * grad over the row).")
def ex_6_4() -> Iterator[Case]:
    """The gradient to the scores, from the one to the softmax's output."""
    yield Case((np.array([0.5, 0.5]), np.array([1.0, 0.0])), np.array([0.25, -0.25]))
    yield Case(
        (np.array([0.9, 0.06, 0.04]), np.array([2.0, 2.0, 2.0])),
        np.zeros(3),
        hint="a gradient that is equal everywhere asks for a larger sum of the row, and the sum is always 1",
    )
    probs, grad = _softmax((3, 2, 5), 3), np.random.default_rng(4).normal(size=(3, 2, 5))
    scores = torch.from_numpy(np.log(probs)).requires_grad_()
    torch.softmax(scores, -1).backward(torch.from_numpy(grad))
    assert scores.grad is not None
    yield Case((probs, grad), scores.grad.numpy(), hint="sum over the last axis only, with keepdims=True")


@exercise(
    "Each output is its scale times what the signs make of the input: sum grad * (inputs @ signs.T) over axis 0."
)
def ex_6_5() -> Iterator[Case]:
    """The gradient to a weight scale of each output channel."""
    rng = np.random.default_rng(5)
    for tokens, inside, outside in ((1, 3, 2), (6, 4, 3)):
        inputs, grad = rng.normal(size=(tokens, inside)), rng.normal(size=(tokens, outside))
        signs = np.where(rng.normal(size=(outside, inside)) >= 0, 1.0, -1.0)
        wanted = [
            sum(grad[t, c] * sum(inputs[t, k] * signs[c, k] for k in range(inside)) for t in range(tokens))
            for c in range(outside)
        ]
        yield Case((inputs, signs, grad), np.array(wanted), hint="one gradient for each output channel")
