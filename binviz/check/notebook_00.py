"""The exercises of notebook 00: bits instead of products."""

from collections.abc import Iterator

import numpy as np

from binviz.check.exercise import Case, exercise


def _signs(rng: np.random.Generator, length: int) -> np.ndarray:
    return rng.choice([-1, 1], size=length)


@exercise("A match adds +1 to the dot product, a mismatch adds -1. There are n - matches mismatches.")
def ex_0_1() -> Iterator[Case]:
    """The dot product of two vectors of -1 and +1, from the number of places where they agree."""
    rng = np.random.default_rng(0)
    for length in (8, 1, 64, 100):
        a, b = _signs(rng, length), _signs(rng, length)
        yield Case((int((a == b).sum()), length), int(a @ b))


@exercise("One bit per value, 1 for +1: where x >= 0. An exact zero is +1, and so is -0.0.")
def ex_0_2() -> Iterator[Case]:
    """Bits of a float vector."""
    rng = np.random.default_rng(0)
    yield Case((np.array([0.5, -2.0, 0.0, -0.0, 3.0, -1e-30]),), np.array([1, 0, 1, 1, 1, 0]))
    x = rng.normal(size=40)
    yield Case((x,), (x >= 0).astype(int))


@exercise("Each 1 in a XOR b is a mismatch; the other of the n places are matches.")
def ex_0_3() -> Iterator[Case]:
    """The dot product of two vectors of -1 and +1 stored in 64-bit words."""
    rng = np.random.default_rng(0)
    padded = "The bits above n are 0 in both words: XNOR would count them as matches, XOR does not."
    for length in (64, 50, 8, 1):
        a, b = _signs(rng, length), _signs(rng, length)
        yield Case((_word(a), _word(b), length), int(a @ b), hint=padded if length < 64 else "")


@exercise("Each 1 of a contributes +1 where b's bit is 1 and -1 where it is 0.")
def ex_0_4() -> Iterator[Case]:
    """The same when one side is {0, 1}, as attention probabilities are."""
    rng = np.random.default_rng(0)
    for length in (64, 8, 50):
        a, b = rng.integers(0, 2, size=length), _signs(rng, length)
        yield Case((_word(2 * a - 1), _word(b)), int(a @ b))


def _word(signs: np.ndarray) -> int:
    """The bits of at most 64 signs in one integer, the first value in the lowest bit."""
    return sum(1 << i for i, value in enumerate(signs) if value > 0)
