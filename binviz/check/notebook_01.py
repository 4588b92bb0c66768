"""The exercises of notebook 01: what a binarizer does."""

from collections.abc import Iterator

import numpy as np
from numpy.random import Generator

from binviz.check.exercise import Case, exercise


def _sign(x: np.ndarray) -> np.ndarray:
    return np.where(x >= 0, 1.0, -1.0)


def _inputs(rng: Generator) -> Iterator[np.ndarray]:
    """Floats with exact zeros, a matrix, and values far from 1."""
    yield np.array([-1.5, -0.0, 0.0, 0.2, 3.0])
    x = rng.normal(size=(2, 4)).round(2)
    x[1, 2] = 0.0
    yield x
    yield (100.0 * rng.normal(size=8) + 20.0).round(1)


def _odd(rng: Generator, most: int) -> float:
    """An odd number of hundredths: neither it, among even ones, nor its half is hit by numbers of two digits."""
    return (2 * int(rng.integers(5, most // 2)) + 1) / 100


@exercise(
    idea="A bit holds two values. Which inputs would give a third one?",
    step="np.where(condition, 1.0, -1.0): the condition has to be true for 0.",
    mistakes={
        "np.sign(0) is 0, a third value. Here the sign of 0 is +1.": np.sign,
        "0 became -1: its sign is +1 here, so compare with >=.": lambda x: np.where(x > 0, 1.0, -1.0),
        "These are bits, 0 and 1. A sign is -1 or +1.": lambda x: (x >= 0) * 1.0,
        "-0.0 equals 0, so it is +1 too: compare, do not copy the sign bit.": lambda x: np.copysign(1.0, x),
        "0 / 0 is not a number: compare instead of dividing.": lambda x: x / np.abs(x),
        "+1 and -1 are the wrong way round.": lambda x: -_sign(x),
    },
)
def ex_1_1(rng: Generator) -> Iterator[Case]:
    """The sign with two values."""
    for x in _inputs(rng):
        yield Case((x,), _sign(x))


@exercise(
    idea="J is a parabola in alpha: set its derivative, -2 sum|x| + 2 n alpha, to zero.",
    step="What is a sum of n magnitudes divided by n?",
    mistakes={
        "The middle term of J has |x|, not x: with x the signs cancel.": lambda x: x.mean(),
        "The magnitude has to be taken before the mean: signs cancel inside of it.": lambda x: np.abs(
            x.mean()
        ),
        "The median makes the sum of *absolute* errors smallest. J has squares.": lambda x: np.median(
            np.abs(x)
        ),
        "The largest magnitude is far from most others: set the derivative of J to zero.": (
            lambda x: np.abs(x).max()
        ),
        "n is missing: J' = -2 sum|x| + 2 n alpha.": lambda x: np.abs(x).sum(),
        "The root of the mean square keeps the energy of x. J asks for the least error.": (
            lambda x: np.sqrt((x**2).mean())
        ),
        "The standard deviation measures from the mean of x. J has no mean of x in it.": lambda x: x.std(),
        "One scale for the whole tensor is wanted, not one for each column.": lambda x: np.abs(x).mean(
            axis=0
        ),
    },
)
def ex_1_2(rng: Generator) -> Iterator[Case]:
    """The scale that brings alpha * sign(x) nearest to x."""
    for x in _inputs(rng):
        yield Case((x,), np.abs(x).mean())


@exercise(
    idea="Nothing new is needed: the squared error with the best scale, divided by the squared values.",
    step="With alpha = mean|x| the parabola is sum(x**2) - n * alpha**2. Divide that by sum(x**2).",
    mistakes={
        "np.sign(0) is 0, so your zeros cost nothing. With a bit each of them costs alpha**2: use your own sign.": (
            lambda x: ((x - np.abs(x).mean() * np.sign(x)) ** 2).sum() / (x**2).sum()
        ),
        "This is J itself. Divide it by the energy, sum(x**2).": (
            lambda x: ((x - np.abs(x).mean() * _sign(x)) ** 2).sum()
        ),
        "This is the mean of the squared error. Divide it by the mean of x**2.": (
            lambda x: ((x - np.abs(x).mean() * _sign(x)) ** 2).mean()
        ),
        "That is the share that is kept. What is lost is the rest.": (
            lambda x: np.abs(x).mean() ** 2 / (x**2).mean()
        ),
        "The scale is the best one, not 1.": lambda x: ((x - _sign(x)) ** 2).sum() / (x**2).sum(),
        "A square is missing: energy is made of squares.": (
            lambda x: 1 - np.abs(x).mean() / np.sqrt((x**2).mean())
        ),
        "The best scale is mean(|x|), not the mean of x.": lambda x: 1 - x.mean() ** 2 / (x**2).mean(),
    },
)
def ex_1_3(rng: Generator) -> Iterator[Case]:
    """The share of the energy of x that is lost with the best scale."""
    yield Case((np.array([2.0, -2.0, 2.0]),), 0.0)
    for x in _inputs(rng):
        yield Case((x,), 1 - np.abs(x).mean() ** 2 / (x**2).mean())


@exercise(
    idea="Exercise 1.2, once for each row. Along which axis of w does a row run?",
    step="The mean of abs(w) along axis 1, with that axis kept, times your sign.",
    mistakes={
        "np.sign(0) is 0: use your own sign.": lambda w: np.sign(w) * np.abs(w).mean(axis=1, keepdims=True),
        "This is one scale for the whole matrix. Each row has its own.": lambda w: (
            _sign(w) * np.abs(w).mean()
        ),
        "Axis 0 runs down the columns: this is a scale for each input, not for each output.": (
            lambda w: _sign(w) * np.abs(w).mean(axis=0)
        ),
        "The mean took axis 1 away, so rows meet columns: keep it with keepdims=True.": (
            lambda w: _sign(w) * np.abs(w).mean(axis=1)
        ),
        "The scales are missing: these are the signs alone.": _sign,
        "These are the scales. Each of them belongs in front of its row's signs.": (
            lambda w: np.abs(w).mean(axis=1, keepdims=True)
        ),
        "Magnitudes first, then the mean: signs cancel inside of it.": (
            lambda w: _sign(w) * w.mean(axis=1, keepdims=True)
        ),
    },
)
def ex_1_4(rng: Generator) -> Iterator[Case]:
    """A weight matrix binarized with one scale per row."""
    for rows in (1, 2, 3):
        w = (rng.normal(size=(rows, 4)) * np.arange(1, rows + 1)[:, None]).round(2)
        w[0, 0] = 0.0
        yield Case((w,), _sign(w) * np.abs(w).mean(axis=1, keepdims=True))


@exercise(
    idea="Divide by alpha, clip, round, multiply by alpha. Where is the switch, and what is on it?",
    step="Two values come out, 0 and alpha: alpha where x is above alpha / 2.",
    mistakes={
        "Exactly alpha / 2 is a 0: np.round takes 1/2 to the even number, and the text says *above*.": (
            lambda x, alpha: alpha * (x >= alpha / 2)
        ),
        "The switch is at alpha / 2: rounding goes up from the middle between 0 and 1.": (
            lambda x, alpha: alpha * (x > alpha)
        ),
        "These are the codes. The value is alpha times the code.": lambda x, alpha: (x > alpha / 2) * 1.0,
        "Without the clip, large values have the codes 2, 3 and so on, and a bit cannot hold them.": (
            lambda x, alpha: alpha * np.round(x / alpha)
        ),
        "This only clips. Rounding is what leaves two values.": lambda x, alpha: np.clip(x, 0, alpha),
        "It is q = x / alpha that is clipped and rounded, not x.": (
            lambda x, alpha: alpha * np.round(np.clip(x, 0, 1))
        ),
        "What is above the switch becomes alpha, whatever its size.": (
            lambda x, alpha: np.where(x > alpha / 2, x, 0.0)
        ),
        "Truncating has its switch at alpha; rounding has it at alpha / 2.": (
            lambda x, alpha: alpha * np.floor(np.clip(x / alpha, 0, 1))
        ),
    },
)
def ex_1_5(rng: Generator) -> Iterator[Case]:
    """Values that cannot be negative, binarized to {0, alpha} with the switch at alpha / 2."""
    x = np.array([0.0, 0.1, 0.34, 0.36, 0.7, 1.2])
    yield Case((x, 0.7), 0.7 * (x > 0.35))
    yield Case((x, 3.0), np.zeros(6))
    yield Case((np.array([0.0, 1.0, 2.0, 3.5]), 2.0), np.array([0.0, 0.0, 2.0, 2.0]))
    alpha = _odd(rng, 150)
    x = (2 * alpha * rng.uniform(size=6)).round(2)
    yield Case((x, alpha), alpha * (x > alpha / 2))


@exercise(
    idea="What comes from above is multiplied by the slope. Where is the slope 2, where 0, and how large is the area?",
    step="The slope falls in a straight line from 2 at x = 0 to 0 at |x| = 1, and stays 0.",
    mistakes={
        "Multiply by the gradient from above, grad.": lambda x, grad: np.clip(2 - 2 * np.abs(x), 0, None),
        "Beyond 1 this slope is negative. It is 0 there.": lambda x, grad: grad * (2 - 2 * np.abs(x)),
        "The triangle falls to both sides: the slope depends on |x|.": (
            lambda x, grad: grad * np.clip(2 - 2 * x, 0, None)
        ),
        "This is the clipped straight-through estimator of the last cell, a box. The triangle is highest at 0.": (
            lambda x, grad: grad * (np.abs(x) <= 1)
        ),
        "This triangle is 1 high and has the area 1. From -1 to +1 the function must rise by 2.": (
            lambda x, grad: grad * np.clip(1 - np.abs(x), 0, None)
        ),
        "The slope is largest at 0 and falls towards 1; yours rises.": (
            lambda x, grad: grad * 2 * np.abs(x) * (np.abs(x) < 1)
        ),
    },
)
def ex_1_6(rng: Generator) -> Iterator[Case]:
    """Bi-Real's triangle: the gradient to x, given x and the gradient from above."""
    x = np.array([-1.5, -1.0, -0.5, -0.2, 0.2, 0.34, 0.36, 0.7, 1.2])
    slope = np.array([0, 0, 1, 1.6, 1.6, 1.32, 1.28, 0.6, 0])
    yield Case((np.array([0.0, 0.5, -2.0]), np.array([1.0, 3.0, 1.0])), np.array([2.0, 3.0, 0.0]))
    for incoming in (np.ones(9), np.linspace(-2, 2, 9)):
        yield Case((x, incoming), incoming * slope)
    x, incoming = rng.uniform(-1.5, 1.5, size=(2, 5)).round(2)
    slope = np.array([max(2 - 2 * abs(v), 0) for v in x])
    yield Case((x, incoming), incoming * slope)


def _slope(q: np.ndarray) -> np.ndarray:
    return np.select([q < 0, q <= 1], [0.0, np.round(q) - q], 1.0)


@exercise(
    idea="Inside, x_B = alpha * round(x / alpha) has alpha twice: outside and inside of the rounding.",
    step="Three pieces of slope (below 0, inside, above 1), each times its own grad, then the sum.",
    mistakes={
        "alpha also stands inside of the rounding: the product rule has a second term there, -q.": (
            lambda x, alpha, grad: (grad * np.round(np.clip(x / alpha, 0, 1))).sum()
        ),
        "Above q = 1 the value is alpha itself, so the slope is 1.": (
            lambda x, alpha, grad: (grad * np.where(x < 0, 0.0, np.round(x / alpha) - x / alpha)).sum()
        ),
        "Below 0 the value is 0 whatever alpha is, so the slope is 0.": (
            lambda x, alpha, grad: (
                grad * np.where(x / alpha <= 1, np.round(x / alpha) - x / alpha, 1.0)
            ).sum()
        ),
        "The sign is the wrong way round: code minus q.": (
            lambda x, alpha, grad: (
                grad * np.select([x < 0, x <= alpha], [0.0, x / alpha - np.round(x / alpha)], 1.0)
            ).sum()
        ),
        "alpha stands in every value, so its gradient is a sum, not a mean.": (
            lambda x, alpha, grad: (grad * _slope(x / alpha)).mean()
        ),
        "Each slope is weighed by its own gradient from above, grad.": (
            lambda x, alpha, grad: _slope(x / alpha).sum()
        ),
        "These are the parts of the gradient: add them up, since there is one alpha.": (
            lambda x, alpha, grad: grad * _slope(x / alpha)
        ),
        "The pieces and the rounding are those of q = x / alpha, not of x.": (
            lambda x, alpha, grad: (grad * _slope(x)).sum()
        ),
    },
)
def ex_1_7(rng: Generator) -> Iterator[Case]:
    """The gradient to the learned scale of BiT's {0, alpha} binarizer, with q = x / alpha."""
    yield Case((np.array([0.25, 1.5]), 1.0, np.array([1.0, 2.0])), 1.75)
    x = np.array([-1.5, -1.0, -0.5, -0.2, 0.2, 0.33, 0.36, 0.75, 1.2])
    for alpha in (0.7, 2.0):
        for incoming in (np.ones(9), np.linspace(-1, 3, 9)):
            yield Case((x, alpha, incoming), (_slope(x / alpha) * incoming).sum())
    alpha, x = _odd(rng, 150), 2 * rng.uniform(-0.5, 1, size=6).round(2)
    incoming = rng.uniform(-2, 2, size=6).round(1)
    yield Case((x, alpha, incoming), (_slope(x / alpha) * incoming).sum())
