"""The exercises of notebook 04: two sets, and a scale that learns."""

from collections.abc import Iterator

import numpy as np
from numpy.random import Generator

from binviz.check.exercise import Case, exercise


def _lost(x: np.ndarray, code: np.ndarray) -> float:
    """Share of the energy that the best multiple of a code leaves, by least squares."""
    if not code.any():
        return 1.0
    fit, *_ = np.linalg.lstsq(code.reshape(-1, 1), x.ravel(), rcond=None)
    return float(((x.ravel() - fit[0] * code.ravel()) ** 2).sum() / (x**2).sum())


def _energy(x: np.ndarray) -> float:
    return float((x**2).sum())


@exercise(
    idea="All signs are +1, so every value becomes the same alpha. Which one is best, and how far is x from it?",
    step="alpha is the mean of x. The squared error, divided by sum(x**2).",
    mistakes={
        "That is the share that is kept. What is lost is the rest.": lambda x: x.mean() ** 2 / (x**2).mean(),
        "This is the mean squared error. A share is divided by the energy.": np.var,
        "This is the squared error. A share is divided by the energy.": lambda x: ((x - x.mean()) ** 2).sum(),
        "The scale is the best one, not 1.": lambda x: ((x - 1) ** 2).sum() / (x**2).sum(),
        "Energy is made of squares: square the mean, and do not take a root.": (
            lambda x: 1 - x.mean() / np.sqrt((x**2).mean())
        ),
        "The median makes absolute errors small. For squares it is the mean.": (
            lambda x: ((x - np.median(x)) ** 2).sum() / (x**2).sum()
        ),
    },
)
def ex_4_1(rng: Generator) -> Iterator[Case]:
    """The share of the energy of non-negative values that is lost with their sign and the best scale."""
    yield Case((np.array([0.0, 0.0, 0.0, 1.0]),), 0.75)
    yield Case((np.array([2.0, 2.0, 2.0]),), 0.0)
    x = rng.exponential(size=(2, 5)).round(2)
    yield Case((x,), _lost(x, np.ones_like(x)))


def _kept(x: np.ndarray, threshold: float) -> np.ndarray:
    return x[x > threshold]


@exercise(
    idea="The best alpha looks only at the values whose code is 1. What is lost of those, and what of the others?",
    step="alpha is the mean of the values above. The others are lost whole. And if none is above?",
    mistakes={
        "A value at the threshold has the code 0: the text says x > threshold.": (
            lambda x, threshold: (
                1 - x[x >= threshold].sum() ** 2 / max((x >= threshold).sum(), 1) / _energy(x)
            )
        ),
        "Where no value is above the threshold, nothing may be divided by 0: everything is lost, so 1.": (
            lambda x, threshold: (
                1 - _kept(x, threshold).sum() ** 2 / np.float64(_kept(x, threshold).size) / _energy(x)
            )
        ),
        "The best alpha is the mean of the values above the threshold, not of all.": (
            lambda x, threshold: _energy(x - x.mean() * (x > threshold)) / _energy(x)
        ),
        "The values below the threshold become 0: they are lost, and count.": (
            lambda x, threshold: (
                _energy(_kept(x, threshold) - _kept(x, threshold).sum() / max(_kept(x, threshold).size, 1))
                / _energy(x)
            )
        ),
        "The values above the threshold all become the same alpha, so something of them is lost, too.": (
            lambda x, threshold: _energy(x[x <= threshold]) / _energy(x)
        ),
        "That is the share that is kept. What is lost is the rest.": (
            lambda x, threshold: (
                _kept(x, threshold).sum() ** 2 / max(_kept(x, threshold).size, 1) / _energy(x)
            )
        ),
        "The scale is the best one, not 1.": lambda x, threshold: _energy(x - (x > threshold)) / _energy(x),
        "The threshold says who is a 1, not how large: alpha is the mean of the values above.": (
            lambda x, threshold: _energy(x - threshold * (x > threshold)) / _energy(x)
        ),
    },
)
def ex_4_2(rng: Generator) -> Iterator[Case]:
    """The share that is lost with the code 1 above a threshold and 0 elsewhere, and the best scale."""
    x = np.array([0.0, 0.1, 0.5, 0.9, 0.8])
    for threshold in (0.6, 0.5, 2.0):
        yield Case((x, threshold), _lost(x, (x > threshold) * 1.0))
    x = rng.exponential(size=(2, 4)).round(2)
    for threshold in (0.7, (2 * int(rng.integers(20, 120)) + 1) / 200):
        yield Case((x, threshold), _lost(x, (x > threshold) * 1.0))


@exercise(
    idea="What does a row of a softmax add up to, whatever the scores are?",
    step="A sum of 1 over `length` values: what is their mean? Four times that.",
    mistakes={
        "That is the mean. The start is 4 times as much.": lambda length: 1 / length,
        "That is the switch, half of alpha. The start of alpha is 4 times the mean.": lambda length: (
            2 / length
        ),
        "The mean divides the sum of a row by its length.": lambda length: 4,
        "Upside down: the more tokens, the smaller each probability.": lambda length: length / 4,
        "All rows together add up to `length`, and have length**2 values: that is 1 / length again.": (
            lambda length: 4 / length**2
        ),
    },
)
def ex_4_3(rng: Generator) -> Iterator[Case]:
    """4 times the mean of a softmax over so many tokens."""
    for length in (4, 7, 128, int(rng.integers(2, 200))):
        scores = np.exp(rng.normal(size=(5, length)))
        yield Case((length,), 4 * (scores / scores.sum(axis=1, keepdims=True)).mean())


@exercise(
    idea="When is a code 0? When is a row of codes empty? Rows are the last axis, whatever stands before it.",
    step="A row is empty where all of its values are at most alpha / 2. The mean of true and false is a share.",
    mistakes={
        "Exactly alpha / 2 is a 0 (np.round takes 1/2 to the even number), so it leaves its row empty.": (
            lambda rows, alpha: (rows < alpha / 2).all(axis=-1).mean()
        ),
        "The switch is at alpha / 2, not at alpha.": lambda rows, alpha: (rows < alpha).all(axis=-1).mean(),
        "A row is empty if all of its values are below the switch, not any.": (
            lambda rows, alpha: (rows <= alpha / 2).any(axis=-1).mean()
        ),
        "This is the share of zeros among all values. An empty row has nothing else.": (
            lambda rows, alpha: (rows <= alpha / 2).mean()
        ),
        "This is the share of rows that are not empty.": lambda rows, alpha: (
            (rows > alpha / 2).any(-1).mean()
        ),
        "This is the number of empty rows. The share is the mean.": (
            lambda rows, alpha: (rows <= alpha / 2).all(axis=-1).sum()
        ),
        "Axis 0 compares a key over several rows. A row is the last axis.": (
            lambda rows, alpha: (rows <= alpha / 2).all(axis=0).mean()
        ),
        "The last axis is the row, whatever stands before it: axis=-1, not axis=1.": (
            lambda rows, alpha: (rows <= alpha / 2).all(axis=1).mean()
        ),
    },
)
def ex_4_4(rng: Generator) -> Iterator[Case]:
    """The share of rows of attention that have no 1."""
    rows = np.array([[0.5, 0.3, 0.2], [0.8, 0.1, 0.1], [0.34, 0.33, 0.33], [0.0, 0.5, 0.5]])
    yield Case((rows, 0.8), 0.25)
    yield Case((rows, 1.0), 0.75)
    yield Case((rows, 0.5), 0.0)
    heads = np.array([[[0.6, 0.4, 0.0], [0.4, 0.3, 0.3]], [[0.3, 0.5, 0.2], [0.7, 0.2, 0.1]]])
    yield Case((heads, 1.1), 0.5)
    yield Case((heads, 0.9), 0.25)
    rows, alpha = rng.dirichlet([1, 1, 1], size=5).round(2), (2 * int(rng.integers(35, 90)) + 1) / 100
    yield Case((rows, alpha), sum(max(row) < alpha / 2 for row in rows.tolist()) / 5)


@exercise(
    idea="A step moves it by today's rate, and the rates are a triangle, `rate` high and `steps` long.",
    step="The area of that triangle. (Check: 80 steps at 0.02 led from 2.00 to 1.15.)",
    mistakes={
        "At a constant rate, yes. But it falls to 0: on average it is half.": lambda rate, steps: (
            rate * steps
        ),
        "That is the mean rate. It is taken `steps` times.": lambda rate, steps: rate / 2,
        "That is the first step alone.": lambda rate, steps: rate,
        "A triangle, not a square: its height is the rate, its length the number of steps.": (
            lambda rate, steps: rate * steps**2 / 2
        ),
        "Upside down: the more steps, the farther it goes.": lambda rate, steps: rate / steps,
        "The mean of a rate that falls in a straight line to 0 is one half, not one third.": (
            lambda rate, steps: rate * steps / 3
        ),
    },
)
def ex_4_5(rng: Generator) -> Iterator[Case]:
    """How far steps of a falling size lead."""
    some = int(rng.integers(1, 100)) / 1000, int(rng.integers(20, 2000))
    for rate, steps in ((1.0, 10), (0.02, 80), (0.0001, 1500), some):
        area = float(np.trapezoid(np.linspace(rate, 0, steps + 1)))
        # half a rate more or less: whoever adds the rates up begins with the first or ends with the last
        yield Case((rate, steps), area, tolerance=0.501 * rate / (1 + area))


@exercise(
    idea="beta of a channel stands in every token of it. Where does it move the value, and where not?",
    step="A window of slope 1 for q = (x + beta) / alpha, times grad, summed over the tokens.",
    mistakes={
        "Here the shift is added: x + beta. (The paper writes x - beta.)": (
            lambda x, alpha, beta, grad: (grad * (((x - beta) / alpha >= 0) & ((x - beta) / alpha <= 1))).sum(
                axis=0
            )
        ),
        "The window is that of the shifted input: beta is missing.": (
            lambda x, alpha, beta, grad: (grad * ((x >= 0) & (x <= alpha))).sum(axis=0)
        ),
        "The window ends at q = 1: what is above is alpha, whatever beta does.": (
            lambda x, alpha, beta, grad: (grad * (x + beta >= 0)).sum(axis=0)
        ),
        "The window begins at q = 0: what is below is 0, whatever beta does.": (
            lambda x, alpha, beta, grad: (grad * (x + beta <= alpha)).sum(axis=0)
        ),
        "The window is in units of alpha: divide by it.": (
            lambda x, alpha, beta, grad: (grad * ((x + beta >= 0) & (x + beta <= 1))).sum(axis=0)
        ),
        "Each channel has a beta of its own: sum over the tokens only, axis 0.": (
            lambda x, alpha, beta, grad: (grad * ((x + beta >= 0) & (x + beta <= alpha))).sum()
        ),
        "Tokens are axis 0, channels axis 1: sum over the tokens.": (
            lambda x, alpha, beta, grad: (grad * ((x + beta >= 0) & (x + beta <= alpha))).sum(axis=1)
        ),
        "beta stands in every token, so its gradient is a sum, not a mean.": (
            lambda x, alpha, beta, grad: (grad * ((x + beta >= 0) & (x + beta <= alpha))).mean(axis=0)
        ),
        "Each slope is weighed by its own gradient from above, grad.": (
            lambda x, alpha, beta, grad: ((x + beta >= 0) & (x + beta <= alpha)).sum(axis=0)
        ),
        "alpha stands outside and inside of the rounding, and drops out: the slope is 1.": (
            lambda x, alpha, beta, grad: (grad * ((x + beta >= 0) & (x + beta <= alpha))).sum(axis=0) / alpha
        ),
    },
)
def ex_4_6(rng: Generator) -> Iterator[Case]:
    """The gradient to BiT's shift of each channel."""
    few = np.array([[0.2], [0.9]])
    yield Case((few, 1.0, np.array([0.3]), np.array([[1.0], [2.0]])), np.array([1.0]))
    x = np.array([[-0.2, 0.1, 0.45], [0.4, 0.9, 0.75], [0.8, -0.2, 1.2], [1.1, 0.3, -0.1]])
    grad = np.array([[1.0, 2.0, -1.0], [0.5, 3.0, 4.0], [-2.0, 1.0, 6.0], [8.0, -0.5, 2.0]])
    beta = np.array([0.0, 0.3, -0.3])
    few, other = 2 * rng.uniform(-0.2, 0.8, size=(2, 2)).round(2), rng.normal(size=(2, 2)).round(1)
    # x and alpha in even hundredths and beta in odd ones: no sum is on the window's edge
    some = few, int(rng.integers(10, 60)) / 50, (2 * rng.integers(-20, 20, size=2) + 1) / 100, other
    for case in ((x, 1.0, beta, grad), (x, 0.5, beta, grad), some):
        x, alpha, beta, grad = case
        wanted = [
            sum(g for v, g in zip(x[:, c] + beta[c], grad[:, c], strict=True) if 0 <= v <= alpha)
            for c in range(len(beta))
        ]
        yield Case(case, np.array(wanted))
