"""The exercises of notebook 11: what a word costs, two sets of {0, 1}, a step of DDIM, several bases."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.random import Generator

from binviz.check.exercise import Case, exercise


@exercise(
    idea="All weights and all scales are read once for each word. How many bytes are they?",
    step="A weight takes bits / 8 bytes; each group of weights has so many scales of 2 bytes. Bandwidth over the sum.",
    mistakes={
        "The bandwidth is in bytes, and bits are an eighth of that.": (
            lambda weights, bits, group, scales, bandwidth: (
                bandwidth / (weights * bits + weights / group * scales * 2)
            )
        ),
        "The scales are read as well: 2 bytes each, so many for each group.": (
            lambda weights, bits, group, scales, bandwidth: bandwidth / (weights * bits / 8)
        ),
        "There are so many scales for each group, not for each weight.": (
            lambda weights, bits, group, scales, bandwidth: (
                bandwidth / (weights * bits / 8 + weights * scales * 2)
            )
        ),
        "That many scales has one group, and there are weights / group of them.": (
            lambda weights, bits, group, scales, bandwidth: bandwidth / (weights * bits / 8 + scales * 2)
        ),
        "These are the seconds for a word; wanted are the words in a second.": (
            lambda weights, bits, group, scales, bandwidth: (
                (weights * bits / 8 + weights / group * scales * 2) / bandwidth
            )
        ),
        "A scale is a float16 here: 2 bytes, not 4.": (
            lambda weights, bits, group, scales, bandwidth: (
                bandwidth / (weights * bits / 8 + weights / group * scales * 4)
            )
        ),
    },
)
def ex_11_1(rng: Generator) -> Iterator[Case]:
    """Words a second, if nothing but reading the weights takes time."""
    yield Case((800, 8, 8, 0, 1600), 2.0)
    yield Case((64, 2, 64, 2, 1000), 50.0)
    # 2.5 bits a weight: 2 and, for each 64, two scales of 16
    yield Case((7e9, 2, 64, 2, 50e9), 50e9 / (7e9 * 2.5 / 8))
    yield Case((100, 16, 50, 1, 1e3), 1e3 / 204)
    groups, group, bits, scales = map(int, rng.integers(1, [50, 200, 9, 4]))
    bandwidth = int(rng.integers(100, 1000))
    yield Case(
        (groups * group, bits, group, scales, bandwidth),
        bandwidth / (groups * (group * bits + scales * 16) / 8),
    )


def _sets(w: np.ndarray, s: float) -> tuple[np.ndarray, np.ndarray]:
    first = w >= s / 2
    return first.astype(int), (w - 2 * s * first <= -s / 2).astype(int)


def _clipped(w: np.ndarray, s: float, low: int, high: int) -> tuple[np.ndarray, np.ndarray]:
    """The sets of levels from low to high."""
    level = np.clip(np.round(w / s), low, high)
    return (level >= 1).astype(int), (level % 2 == 1).astype(int)


@exercise(
    idea="Which two bits make -s, which 0, which s, and which 2s? And from where on is 2s worth its error of s?",
    step="b1 is 1 where the nearest of the four is s or 2s. b2 asks the same of what is left: w - 2s where b1 is 1.",
    mistakes={
        "b2 looks at what b1 has left, not at w: with b1 = 1 it takes s away again where 2s was too much.": (
            lambda w, s: ((w >= s / 2).astype(int), (w <= -s / 2).astype(int))
        ),
        "From s/2 on, the nearest value is s or more, which needs b1. You begin later.": (
            lambda w, s: (
                (w >= s).astype(int),
                (w - 2 * s * (w >= s) <= -s / 2).astype(int),
            )
        ),
        "0 is nearest to small positive weights: b1 begins at s/2, not at 0.": (
            lambda w, s: (
                (w >= 0).astype(int),
                (w - 2 * s * (w >= 0) <= -s / 2).astype(int),
            )
        ),
        "0 is nearest to small negative weights as well: b2 begins at -s/2 of what is left, not at 0.": (
            lambda w, s: (
                (w >= s / 2).astype(int),
                (w - 2 * s * (w >= s / 2) <= 0).astype(int),
            )
        ),
        "The order is b1, then b2.": lambda w, s: _sets(w, s)[::-1],
        "The sets hold 0 and 1; you return what they are multiplied by.": (
            lambda w, s: (2 * s * _sets(w, s)[0], -s * _sets(w, s)[1])
        ),
        "2s is there as well: the largest level is not s.": lambda w, s: _clipped(w, s, -1, 1),
    },
)
def ex_11_2(rng: Generator) -> Iterator[Case]:
    """The two sets of {0, 1} whose sum 2s b1 - s b2 is nearest to each weight."""
    yield Case((np.array([-0.9, 0.1, 1.1, 1.9]), 1.0), (np.array([0, 0, 1, 1]), np.array([1, 0, 1, 0])))
    few = np.array([-1.6, -1.0, -0.6, -0.39, 0.2, -0.2, 0.41, 0.6, 1.4, 9.0])
    pairs = {-1: (0, 1), 0: (0, 0), 1: (1, 1), 2: (1, 0)}
    # no number of two digits is in the middle of two levels, if these lie an odd number of hundredths apart
    some = (3 * rng.normal(size=6)).round(2), (2 * int(rng.integers(10, 60)) + 1) / 100
    for w, s in ((few, 0.8), (few, 0.5), some):
        bits = [pairs[min(pairs, key=lambda level: abs(x - level * s))] for x in w.tolist()]
        first, second = np.array(bits).T
        yield Case((w, s), (first, second))


Step = tuple[np.ndarray, np.ndarray]


def _step(x: np.ndarray, noise: np.ndarray, kept: float, left: float) -> Step:
    clean = ((x - np.sqrt(1 - kept) * noise) / np.sqrt(kept)).clip(-1, 1)
    return clean, np.sqrt(left) * clean + np.sqrt(1 - left) * noise


def _with(clean: Callable[..., np.ndarray]) -> Callable[..., Step]:
    """The step with another clean picture."""

    def step(x: np.ndarray, noise: np.ndarray, kept: float, left: float) -> Step:
        found = clean(x, noise, kept)
        return found, np.sqrt(left) * found + np.sqrt(1 - left) * noise

    return step


@exercise(
    idea="Solve the mixture for the clean picture. Then mix it anew, with the same noise and another share.",
    step="clean = (x - sqrt(1 - kept) noise) / sqrt(kept), clipped; the next one mixes clean and noise by `left`.",
    mistakes={
        "No pixel is darker than 1 or lighter than -1: clip the clean picture before you go on.": _with(
            lambda x, noise, kept: (x - np.sqrt(1 - kept) * noise) / np.sqrt(kept)
        ),
        "Shares of the energy are meant: the picture is multiplied by the root of `kept`.": _with(
            lambda x, noise, kept: ((x - (1 - kept) * noise) / kept).clip(-1, 1)
        ),
        "Take the noise away, then divide: what is left is the picture times the root of `kept`.": _with(
            lambda x, noise, kept: (x - np.sqrt(1 - kept) * noise).clip(-1, 1)
        ),
        "The noise has a factor of its own in the mixture, the root of 1 - kept.": _with(
            lambda x, noise, kept: ((x - noise) / np.sqrt(kept)).clip(-1, 1)
        ),
        "The next picture has less noise: mix it by `left`, not by `kept`.": (
            lambda x, noise, kept, left: _step(x, noise, kept, kept)
        ),
        "The next picture has some noise still: the same noise, times the root of 1 - left.": (
            lambda x, noise, kept, left: (
                (clean := _step(x, noise, kept, left)[0]),
                np.sqrt(left) * clean,
            )
        ),
        "`left` is of the energy in the next picture, too: take roots.": (
            lambda x, noise, kept, left: (
                (clean := _step(x, noise, kept, left)[0]),
                left * clean + (1 - left) * noise,
            )
        ),
        "The order is: the clean picture, then the next one.": (
            lambda x, noise, kept, left: _step(x, noise, kept, left)[::-1]
        ),
    },
)
def ex_11_3(rng: Generator) -> Iterator[Case]:
    """A step of sampling: the clean picture that is seen, and the next one, with less of the same noise."""
    yield Case((np.array([0.5, -0.2]), np.zeros(2), 0.25, 1.0), (np.array([1.0, -0.4]),) * 2)
    # Mixed of a picture and noise that are known
    few = np.array([[0.5, -1.0], [0.0, 0.25]]), np.array([[1.0, 2.0], [-1.0, 0.5]])
    drawn = rng.uniform(-1, 1, size=2).round(2), rng.normal(size=2).round(1)
    for clean, noise, kept, left in (
        (*few, 0.36, 0.64),
        (*few, 0.01, 0.16),
        (*drawn, 0.64, 0.81),
    ):
        mixed, following = (share**0.5 * clean + (1 - share) ** 0.5 * noise for share in (kept, left))
        yield Case((mixed, noise, kept, left), (clean, following))
    yield Case(
        (np.array([3.0, -3.0]), np.array([0.5, -1.0]), 0.36, 0.64),
        (np.array([1.0, -1.0]), np.array([0.8 + 0.3, -0.8 - 0.6])),
    )


def _bases(w: np.ndarray, count: int) -> np.ndarray:
    made = np.zeros_like(w)
    for _ in range(count):
        rest = w - made
        made = made + np.abs(rest).mean(-1, keepdims=True) * np.where(rest >= 0, 1, -1)
    return made


def _one(w: np.ndarray, sign: Callable[[np.ndarray], np.ndarray], axis: int | None) -> np.ndarray:
    """One basis with another sign or another mean."""
    basis: np.ndarray = np.abs(w).mean(axis=axis, keepdims=True) * sign(w)
    return basis


def _signs(w: np.ndarray) -> np.ndarray:
    return np.where(w >= 0, 1, -1)


def _several(one: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray, int], np.ndarray]:
    """Bases of what is left, each made by `one`."""

    def made(w: np.ndarray, count: int) -> np.ndarray:
        found = np.zeros_like(w)
        for _ in range(count):
            found = found + one(w - found)
        return found

    return made


@exercise(
    idea="What has the first basis left? Make a basis of that, and so on; the sum of all is what you return.",
    step="In a loop: rest = w - made, and made grows by the signs of rest times the mean size of each of its rows.",
    mistakes={
        "A second basis of the same weights says nothing new: make it of what is left.": (
            lambda w, count: count * _bases(w, 1)
        ),
        "That is the last basis alone; their sum is wanted.": (
            lambda w, count: _bases(w, count) - _bases(w, count - 1)
        ),
        "That is what is left, not what the bases make.": lambda w, count: w - _bases(w, count),
        "Each row has a scale of its own; this is one for all.": _several(lambda w: _one(w, _signs, None)),
        "The scale belongs to a row: the mean is over the last axis.": _several(lambda w: _one(w, _signs, 0)),
        "The sign of 0 is +1 here; np.sign(0) is 0.": _several(lambda w: _one(w, np.sign, -1)),
        "This is one basis, however many are wanted.": lambda w, count: _bases(w, 1),
        "The scale of each basis is the mean size of what *it* is made of, not of w.": (
            lambda w, count: sum(
                np.abs(w).mean(-1, keepdims=True) * _signs(w - _bases(w, i)) for i in range(count)
            )
        ),
        "Signs alone are no basis: times the mean size of the row.": _several(_signs),
    },
)
def ex_11_4(rng: Generator) -> Iterator[Case]:
    """Weights as a sum of so many sets of signs, each with a scale for each row."""
    yield Case((np.array([[3.0, -1.0]]), 1), np.array([[2.0, -2.0]]))
    yield Case((np.array([[3.0, -1.0]]), 2), np.array([[3.0, -1.0]]))
    # A rest of 0 has the sign +1: what is left of the rows is [.5, 0, -.25, .25] and [.25, .125, 0, -.125]
    w = np.array([[0.875, -0.375, 0.125, -0.125], [-0.25, 0.625, 0.5, -0.625]])
    first = np.array([[0.375, -0.375, 0.375, -0.375], [-0.5, 0.5, 0.5, -0.5]])
    second = np.array([[0.25, 0.25, -0.25, 0.25], [0.125, 0.125, 0.125, -0.125]])
    yield Case((w, 1), first)
    yield Case((w, 2), first + second)
    yield Case((np.array([[0.0, 4.0, -4.0, 0.0]]), 1), np.array([[2.0, 2.0, -2.0, 2.0]]))
    # Scales 3.75, 2.25 and 1.25
    yield Case((np.array([[1.0, 2.0, 4.0, -8.0]]), 3), np.array([[0.25, 2.75, 4.75, -7.25]]))
    w, count = rng.integers(-16, 17, size=(2, 4)) / 8, int(rng.integers(1, 4))  # means of four are exact
    yield Case((w, count), _bases(w, count))
