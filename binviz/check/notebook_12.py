"""The exercises of notebook 12: windows that follow rows, bytes of a packed matrix, what a test can see, best signs."""

from collections.abc import Iterator, Sequence
from itertools import product
from math import comb

import numpy as np
from numpy.random import Generator
from scipy.stats import binomtest

from binviz.check.exercise import Case, exercise


def _half(x: np.ndarray) -> np.ndarray:
    return 2 * np.abs(x).mean(axis=-1, keepdims=True)


@exercise(
    idea="How high is a rectangle of area 2 that reaches from -a to a? And how far does it reach in this row?",
    step="With a = twice the mean of |x| over the last axis: 1/a where |x| <= a, else 0; no division where a is 0.",
    mistakes={
        "The area grows with the window: a slope of 1 from -a to a has the area 2a. Make it 2.": (
            lambda x: (np.abs(x) <= _half(x)) * 1.0
        ),
        "The window reaches from -a to a, so it is 2a wide: this area is 1.": lambda x: (
            (np.abs(x) <= _half(x)) / np.maximum(2 * _half(x), 1e-30)
        ),
        "Each row has a size of its own: take the mean over the last axis and keep it.": lambda x: (
            (np.abs(x) <= 2 * np.abs(x).mean()) / (2 * np.abs(x).mean())
        ),
        "It reaches to twice the mean size, not to the mean size.": lambda x: (
            (np.abs(x) <= _half(x) / 2) / np.maximum(_half(x) / 2, 1e-30)
        ),
        "A row of zeros divides by 0 here. Its slope is 0.": lambda x: (np.abs(x) <= _half(x)) / _half(x),
        "That row of zeros passes everything, times a huge number. Its slope is 0.": lambda x: (
            (np.abs(x) <= _half(x)) / np.maximum(_half(x), 1e-8)
        ),
        "The size of a number is |x|: large negative ones lie outside as well.": lambda x: (
            (x <= _half(x)) / np.where(_half(x) > 0, _half(x), np.inf)
        ),
    },
)
def ex_12_1(rng: Generator) -> Iterator[Case]:
    """A surrogate of area 2 for each row, constant as far as twice the row's mean size."""
    yield Case((np.array([1.0, -1.0, 4.0]),), np.array([0.25, 0.25, 0.25]))
    yield Case((np.array([1.0, -1.0, -7.0]),), np.array([1, 1, 0]) / 6)
    yield Case((np.array([[0.0, 0.0, 0.0], [0.5, -0.5, 0.0]]),), np.array([[0.0] * 3, [1.5] * 3]))
    few = np.array([[9.0, 0.1, -0.1, 0.2], [0.01, -0.09, 0.02, 0.0]])
    some = rng.integers(-8, 9, size=(2, 4)) ** 3 / 512 + [0.0, 0.0, 0.0, 2.0]  # means of four are exact
    for x in (few, some):
        sizes = [sum(map(abs, row)) / 4 for row in x.tolist()]
        want = [[1 / (2 * s) if abs(v) <= 2 * s else 0 for v in row] for row, s in zip(x, sizes, strict=True)]
        yield Case((x,), np.array(want))


@exercise(
    idea="A word holds 64 bits and no row shares one with the next. How many words does a row of 65 need?",
    step="The inputs over 64, rounded up, are the words of a row: 8 bytes each. Then 4 bytes for each scale.",
    mistakes={
        "Bits are packed into words of 64 row by row: a row's last word is full or not, it takes 8 bytes.": (
            lambda rows, inputs, scales: rows * inputs / 8 + 4 * scales
        ),
        "Each row begins a new word: round up for a row, not for the whole matrix.": (
            lambda rows, inputs, scales: -(-rows * inputs // 64) * 8 + 4 * scales
        ),
        "The scales are missing: they are floats of 4 bytes.": (
            lambda rows, inputs, scales: rows * -(-inputs // 64) * 8
        ),
        "Rounded down, the last inputs of a row are lost: round up.": (
            lambda rows, inputs, scales: rows * (inputs // 64) * 8 + 4 * scales
        ),
        "A full last word needs no further one: 64 inputs are one word.": (
            lambda rows, inputs, scales: rows * (inputs // 64 + 1) * 8 + 4 * scales
        ),
        "A word is 8 bytes; you count words, or bits.": (
            lambda rows, inputs, scales: rows * -(-inputs // 64) + 4 * scales
        ),
    },
)
def ex_12_2(rng: Generator) -> Iterator[Case]:
    """Bytes of a packed matrix: whole words for each row, and its scales."""
    some = tuple(map(int, rng.integers(1, [99, 999, 99])))
    for rows, inputs, scales in ((2, 64, 1), (3, 65, 3), (1, 4, 1), (10, 128, 0), (64, 127, 64), some):
        words = len(range(0, inputs, 64))
        yield Case((rows, inputs, scales), 8 * rows * words + 4 * scales)


def _leads(differ: int, first: int, step: int, two: float = 1) -> int:
    found = range(first, differ + 1, step)
    seen = (lead for lead in found if two * binomtest((differ + lead + 1) // 2, differ).pvalue < 0.05)
    return next(seen, 0)


@exercise(
    idea="If one is ahead on b of the examples and behind on c, then b + c = differ. Which leads b - c are possible?",
    step="A lead has the parity of `differ`. From the smallest: b = (differ + lead) / 2 gives p.",
    mistakes={
        "The lead is b - c. With b + c fixed, b = (differ + lead) / 2; you return b.": lambda differ: (
            (differ + lead) // 2 if (lead := _leads(differ, differ % 2, 2)) else 0
        ),
        "Two-sided: a lead of the other one would have surprised as much. This is half of p.": lambda differ: (
            _leads(differ, differ % 2, 2, two=0.5)
        ),
        "b and c are whole numbers: with an even `differ` the lead is even, with an odd one odd.": lambda differ: (
            _leads(differ, 1, 1)
        ),
        "That is the bell curve in place of the counts. They are few: ask binomtest, which is exact.": (
            lambda differ: np.ceil(1.96 * np.sqrt(differ))
        ),
        "Even if all of so few speak for one side, p is not below .05. Return 0 then.": lambda differ: (
            _leads(differ, differ % 2, 2) or differ
        ),
    },
)
def ex_12_3(rng: Generator) -> Iterator[Case]:
    """The smallest lead that McNemar's exact test calls more than chance, among examples on which two models differ."""
    for differ in (6, 5, 10, 25, 100, int(rng.integers(7, 200))):
        leads = [
            2 * b - differ
            for b in range(differ + 1)
            if 2 * b > differ and 40 * sum(comb(differ, i) for i in range(b, differ + 1)) < 2**differ
        ]
        yield Case((differ,), min(leads, default=0))


def _signs(x: np.ndarray) -> np.ndarray:
    return np.where(x >= 0, 1, -1)


@exercise(
    idea="Each row of `rows` gives an output for every example. How far are these outputs from the wishes?",
    step="np.where(x @ rows.T >= 0, 1, -1) is (examples, rows). Take the row whose distance to y is smallest.",
    mistakes={
        "These are the signs of the gradient's own step, y @ x; nobody asked which outputs they give.": (
            lambda x, y, rows: _signs(y @ x)
        ),
        "An output is a sign: it is the sign of a sum that should be near to the wish, not the sum.": (
            lambda x, y, rows: rows[np.argmin(((x @ rows.T - y[:, None]) ** 2).sum(0))]
        ),
        "A sum of exactly 0 gives +1.": lambda x, y, rows: rows[
            np.argmax(y @ np.where(x @ rows.T > 0, 1, -1))
        ],
        "That is the row whose outputs are farthest from the wishes.": (
            lambda x, y, rows: rows[np.argmin(y @ _signs(x @ rows.T))]
        ),
        "A larger wish counts more: compare with the wishes themselves, not with their signs.": (
            lambda x, y, rows: rows[np.argmax(_signs(y) @ _signs(x @ rows.T))]
        ),
    },
)
def ex_12_4(rng: Generator) -> Iterator[Case]:
    """The row of signs whose outputs are nearest to what is wished of them; in these cases there is one best."""
    three = [[1, 1, -1], [1, -1, 1], [-1, 1, 1], [-1, -1, -1]]
    six = [[1, -1, 1, 1], [-1, -1, -1, 1], [-1, 1, 1, -1], [1, 1, -1, 1], [-1, 1, 1, 1], [1, 1, 1, -1]]
    for x, tenths in (
        ([[1, -1], [1, 1]], [-5, 2]),
        (three, [3, -2, 5, -1]),
        (three, [-3, 2, -5, 1]),
        (six, [-8, -8, 9, -12, -14, 5]),
        _one_best(rng),
    ):
        rows = list(product((-1, 1), repeat=len(x[0])))
        yield Case((np.array(x), np.array(tenths) / 10, np.array(rows)), np.array(_best(x, tenths)[0]))


def _best(x: Sequence[Sequence[int]], tenths: Sequence[int]) -> list[tuple[int, ...]]:
    """All rows whose outputs are nearest to the wishes, in whole numbers: the nearest agree most with them."""

    def agreement(row: tuple[int, ...]) -> int:
        sums = (sum(map(int.__mul__, row, each)) for each in x)
        return sum(wish if total >= 0 else -wish for total, wish in zip(sums, tenths, strict=True))

    rows = list(product((-1, 1), repeat=len(x[0])))
    most = max(map(agreement, rows))
    return [row for row in rows if agreement(row) == most]


def _one_best(rng: Generator) -> tuple[list[list[int]], list[int]]:
    """Five examples of three signs, and wishes in tenths, for which one row is best."""
    while True:
        x, tenths = rng.choice([-1, 1], size=(5, 3)).tolist(), rng.integers(-15, 16, size=5).tolist()
        if len(_best(x, tenths)) == 1:
            return x, tenths
