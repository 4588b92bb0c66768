"""The exercises of notebook 01: what a binarizer does."""

from collections.abc import Iterator

import numpy as np

from binviz.check.exercise import Case, exercise


def _inputs() -> Iterator[np.ndarray]:
    """Floats with exact zeros, a matrix, and values far from 1."""
    rng = np.random.default_rng(0)
    yield np.array([-1.5, -0.0, 0.0, 0.2, 3.0])
    x = rng.normal(size=(4, 6))
    x[1, 2] = 0.0
    yield x
    yield 100.0 * rng.normal(size=50) + 20.0


@exercise("np.sign(0) is 0, a third value. A binarizer has two: use x >= 0.")
def ex_1_1() -> Iterator[Case]:
    """The sign with two values."""
    for x in _inputs():
        yield Case((x,), np.where(x >= 0, 1.0, -1.0))


@exercise("Set the derivative of sum((x - alpha * sign(x))**2) to zero; x * sign(x) is abs(x).")
def ex_1_2() -> Iterator[Case]:
    """The scale that brings alpha * sign(x) nearest to x."""
    for x in _inputs():
        yield Case((x,), np.abs(x).mean())


@exercise("Divide the squared error by sum(x**2). With the best scale it is 1 - mean(|x|)**2 / mean(x**2).")
def ex_1_3() -> Iterator[Case]:
    """The share of the energy of x that is lost with the best scale."""
    for x in _inputs():
        yield Case((x,), 1 - np.abs(x).mean() ** 2 / (x**2).mean())
    yield Case((np.array([2.0, -2.0, 2.0]),), 0.0, hint="nothing is lost where all magnitudes are equal")


@exercise("One scale for each row: take the mean of abs(w) along axis 1 and keep that axis.")
def ex_1_4() -> Iterator[Case]:
    """A weight matrix binarized with one scale per row."""
    rng = np.random.default_rng(1)
    for rows in (3, 1):
        w = rng.normal(size=(rows, 5)) * np.arange(1, rows + 1)[:, None]
        w[0, 0] = 0.0
        yield Case((w,), np.where(w >= 0, 1, -1) * np.abs(w).mean(axis=1, keepdims=True))


@exercise("With q = x / alpha: the code is 1 from q = 1/2 on, and the value is alpha times the code.")
def ex_1_5() -> Iterator[Case]:
    """Values that cannot be negative, binarized to {0, alpha} with the switch at alpha / 2."""
    x = np.array([0.0, 0.1, 0.34, 0.36, 0.7, 1.2])
    yield Case((x, 0.7), 0.7 * (x > 0.35))
    yield Case((x, 3.0), np.zeros(6), hint="every value is below alpha / 2 = 1.5: all codes are 0")


@exercise("grad * slope, where the slope is 2 - 2 * abs(x) for abs(x) < 1 and 0 elsewhere.")
def ex_1_6() -> Iterator[Case]:
    """Bi-Real's triangle: the gradient to x, given x and the gradient from above."""
    x = np.array([-1.5, -1.0, -0.5, -0.2, 0.2, 0.34, 0.36, 0.7, 1.2])
    slope = np.array([0, 0, 1, 1.6, 1.6, 1.32, 1.28, 0.6, 0])
    yield Case((x, np.ones(9)), slope)
    incoming = np.linspace(-2, 2, 9)
    yield Case((x, incoming), incoming * slope, hint="multiply by the gradient that comes from above")


@exercise(
    "Inside 0 <= q <= 1 the slope to alpha is code - q; above it is 1; below it is 0. Sum slope * grad."
)
def ex_1_7() -> Iterator[Case]:
    """The gradient to the learned scale of BiT's {0, alpha} binarizer, with q = x / alpha."""
    x = np.array([-1.5, -1.0, -0.5, -0.2, 0.2, 0.34, 0.36, 0.7, 1.2])
    incoming = np.linspace(-1, 2, 9)
    for alpha in (0.7, 2.0):
        q = x / alpha
        slope = np.select([q < 0, q <= 1], [0.0, np.round(q) - q], 1.0)
        yield Case((x, alpha, np.ones(9)), slope.sum())
        yield Case(
            (x, alpha, incoming), (slope * incoming).sum(), hint="weigh each slope by its own gradient"
        )
