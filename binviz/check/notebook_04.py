"""The exercises of notebook 04: two sets, and a scale that learns."""

from collections.abc import Iterator

import numpy as np

from binviz.check.exercise import Case, exercise


def _lost(x: np.ndarray, code: np.ndarray) -> float:
    """Share of the energy that the best multiple of a code leaves, by least squares."""
    if not code.any():
        return 1.0
    fit, *_ = np.linalg.lstsq(code.reshape(-1, 1), x.ravel(), rcond=None)
    return float(((x.ravel() - fit[0] * code.ravel()) ** 2).sum() / (x**2).sum())


@exercise(
    "Every value becomes alpha = mean(x). Divide the squared error by sum(x**2): 1 - mean**2 / mean(x**2)."
)
def ex_4_1() -> Iterator[Case]:
    """The share of the energy of non-negative values that is lost with their sign and the best scale."""
    yield Case(
        (np.array([2.0, 2.0, 2.0]),), 0.0, hint="equal values are described by their mean without loss"
    )
    yield Case((np.array([0.0, 0.0, 0.0, 1.0]),), 0.75)
    x = np.random.default_rng(0).exponential(size=(4, 10))
    yield Case((x,), _lost(x, np.ones_like(x)))


@exercise(
    "The best scale is the mean of the values above the threshold; 1 - (their sum)**2 / (their number * sum(x**2))."
)
def ex_4_2() -> Iterator[Case]:
    """The share that is lost with the code 1 above a threshold and 0 elsewhere, and the best scale."""
    x = np.array([0.0, 0.1, 0.5, 0.9, 0.9])
    yield Case((x, 0.6), _lost(x, (x > 0.6) * 1.0))
    yield Case((x, 0.5), _lost(x, (x > 0.5) * 1.0), hint="a value at the threshold has the code 0")
    yield Case(
        (x, 2.0), 1.0, hint="no value is above the threshold: all is lost, and nothing may be divided by 0"
    )
    x = np.random.default_rng(1).exponential(size=(6, 7))
    yield Case((x, 0.7), _lost(x, (x > 0.7) * 1.0))


@exercise("A row of a softmax adds up to 1, so its mean is 1 / length.")
def ex_4_3() -> Iterator[Case]:
    """4 times the mean of a softmax over so many tokens."""
    for length in (4, 7, 128):
        scores = np.exp(np.random.default_rng(length).normal(size=(5, length)))
        yield Case((length,), 4 * (scores / scores.sum(axis=1, keepdims=True)).mean())


@exercise("A row is empty where no value is above alpha / 2. Take the mean over all rows.")
def ex_4_4() -> Iterator[Case]:
    """The share of rows of attention that have no 1."""
    rows = np.array([[0.5, 0.3, 0.2], [0.8, 0.1, 0.1], [0.34, 0.33, 0.33], [0.0, 0.5, 0.5]])
    yield Case((rows, 0.8), 0.25)
    yield Case((rows, 1.0), 0.75, hint="exactly alpha / 2 is a 0: rounding is half to even")
    scores = np.exp(np.random.default_rng(0).normal(size=(3, 20, 9)))
    probs = scores / scores.sum(axis=-1, keepdims=True)
    empty = [all(value <= 0.25 for value in row) for row in probs.reshape(-1, 9)]
    yield Case((probs, 0.5), np.mean(empty), hint="the last axis is the row; all others count rows")


@exercise("The rates form a triangle of height `rate` and length `steps`.")
def ex_4_5() -> Iterator[Case]:
    """How far steps of a falling size lead."""
    for rate, steps in ((0.02, 80), (0.0001, 1500), (1.0, 10)):
        yield Case((rate, steps), float(np.trapezoid(np.linspace(rate, 0, steps + 1))))


@exercise("Where 0 <= (x + beta) / alpha <= 1 the slope is 1. Sum slope * grad over the tokens, axis 0.")
def ex_4_6() -> Iterator[Case]:
    """The gradient to BiT's shift of each channel."""
    rng = np.random.default_rng(0)
    x, beta = rng.uniform(-0.5, 1.5, size=(8, 3)), np.array([0.0, 0.3, -0.3])
    for alpha, grad in ((1.0, np.ones_like(x)), (0.5, rng.normal(size=x.shape))):
        wanted = [
            sum(g for v, g in zip(x[:, c] + beta[c], grad[:, c], strict=True) if 0 <= v <= alpha)
            for c in range(3)
        ]
        yield Case((x, alpha, beta, grad), np.array(wanted), hint="one gradient for each channel")
