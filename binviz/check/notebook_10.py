"""The exercises of notebook 10: a picture without each pixel, what integrated gradients miss, what corruption takes."""

from collections.abc import Iterator

import numpy as np
from numpy.random import Generator

from binviz.check.exercise import Case, exercise


def _one_less(picture: np.ndarray, nothing: float) -> np.ndarray:
    return np.array(
        [np.where(np.arange(picture.size) == i, nothing, picture.ravel()) for i in range(picture.size)]
    )


@exercise(
    idea="How many pictures are there to be made, and what differs between the i-th one and the original?",
    step="Repeat the flattened picture once for each pixel, and set the diagonal of that square; then shape it again.",
    mistakes={
        "One pixel goes, the others stay: here only that pixel is left.": lambda picture, nothing: np.where(
            np.eye(picture.size, dtype=bool), picture.ravel(), nothing
        ).reshape(-1, *picture.shape),
        "They are pictures, not rows: give them their height and width again.": _one_less,
        "A pixel that is taken away becomes `nothing`, which need not be 0.": lambda picture, nothing: (
            _one_less(picture, 0).reshape(-1, *picture.shape)
        ),
        "One pixel at a time, not a whole row or column.": lambda picture, nothing: np.where(
            np.eye(len(picture), dtype=bool)[:, :, None], nothing, picture
        ),
        "The first pictures lack the pixels of the first row, from left to right; yours go down the columns.": (
            lambda picture, nothing: np.swapaxes(
                _one_less(picture.T, nothing).reshape(-1, *picture.T.shape), 1, 2
            )
        ),
    },
)
def ex_10_1(rng: Generator) -> Iterator[Case]:
    """A picture as many times as it has pixels, each time without another one."""
    yield Case((np.array([[1.0, 2.0]]), 0.0), np.array([[[0.0, 2.0]], [[1.0, 0.0]]]))
    some = tuple(map(int, rng.integers(1, 4, size=2)))
    for shape, nothing in (((2, 2), 9.0), ((2, 3), -1.0), (some, float(rng.integers(-9, 0)))):
        picture = np.arange(1.0, 1 + np.prod(shape)).reshape(shape)
        want = np.stack([picture.copy() for _ in range(picture.size)])
        for i, place in enumerate(np.ndindex(shape)):
            want[(i, *place)] = nothing
        yield Case((picture, nothing), want)


def _sign(x: float) -> float:
    return 1.0 if x >= 0 else -1.0


@exercise(
    idea="The integral of a slope is a difference of its function. Which function has the slope 1 in [-1, 1]?",
    step="It is np.clip: the gradients add up to clip(x) - clip(r). Compare that with what the sign does.",
    mistakes={
        "The gradients add up to something, too: subtract it from what the sign did.": lambda r, x: (
            _sign(x) - _sign(r)
        ),
        "That is what the gradients add up to. What is missing to the true difference?": lambda r, x: (
            np.clip(x, -1, 1) - np.clip(r, -1, 1)
        ),
        "The slope is 0 outside of [-1, 1]: only the part of the way inside adds something.": lambda r, x: (
            _sign(x) - _sign(r) - (x - r)
        ),
        "The sign of 0 is +1 here; np.sign makes it 0.": lambda r, x: (
            np.sign(x) - np.sign(r) - np.clip(x, -1, 1) + np.clip(r, -1, 1)
        ),
        "What happened less what was accounted for: yours has the other sign.": lambda r, x: (
            np.clip(x, -1, 1) - np.clip(r, -1, 1) - _sign(x) + _sign(r)
        ),
    },
)
def ex_10_2(rng: Generator) -> Iterator[Case]:
    """What integrated gradients of a sign with a clipped surrogate miss, on the way from r to x."""
    drawn = (tuple(map(float, pair)) for pair in (2 * rng.integers(-20, 20, size=(3, 2)) + 1) / 20)
    for r, x in (
        (-0.5, 0.25), (-2.0, 3.0), (0.0, 0.75), (0.5, 2.0), (0.5, -4.0), (1.5, 1.75), (-1.0, 0.0), *drawn
    ):  # fmt: skip
        steps = 20_000  # the integral as a sum, at the middle of each step
        way = r + (x - r) * (np.arange(steps) + 0.5) / steps
        found = (x - r) * np.mean(np.abs(way) <= 1)
        yield Case((r, x), _sign(x) - _sign(r) - found, tolerance=1e-3)


@exercise(
    idea="Which accuracy could a network lose at most, before it only guesses?",
    step="Points: clean - corrupted. Share: those points over what it had above chance.",
    mistakes={
        "Relative to the clean accuracy a guesser would still keep its chance. Take that off the whole.": (
            lambda clean, corrupted, chance: (clean - corrupted, (clean - corrupted) / clean)
        ),
        "That is the share that is left, and the question is for the share that is lost.": (
            lambda clean, corrupted, chance: (clean - corrupted, (corrupted - chance) / (clean - chance))
        ),
        "Two values: first the points, then the share, a number from 0 to 1 and not in percent.": (
            lambda clean, corrupted, chance: (
                clean - corrupted,
                100 * (clean - corrupted) / (clean - chance),
            )
        ),
        "That is the share of what a network without an error could lose. This one had `clean`.": (
            lambda clean, corrupted, chance: (clean - corrupted, (clean - corrupted) / (100 - chance))
        ),
        "A loss is positive where accuracy falls.": lambda clean, corrupted, chance: (
            corrupted - clean,
            (corrupted - clean) / (clean - chance),
        ),
    },
)
def ex_10_3(rng: Generator) -> Iterator[Case]:
    """What a corruption takes: points of accuracy, and the share of what was above chance."""
    for clean, corrupted, chance, want in (
        (90.0, 50.0, 10.0, (40.0, 0.5)),
        (60.0, 50.0, 50.0, (10.0, 1.0)),
        (80.0, 80.0, 10.0, (0.0, 0.0)),
        (85.0, 70.0, 25.0, (15.0, 0.25)),
    ):
        yield Case((clean, corrupted, chance), want)
    low, middle, high = sorted(map(float, rng.choice(np.arange(1, 100), size=3, replace=False)))
    yield Case((high, middle, low), (high - middle, (high - middle) / (high - low)))
