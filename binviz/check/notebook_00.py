"""The exercises of notebook 00: bits instead of products."""

from collections.abc import Iterator

import numpy as np
from numpy.random import Generator

from binviz.check.exercise import Case, exercise
from binviz.check.shown import Word


def _signs(rng: Generator, length: int) -> np.ndarray:
    return rng.choice([-1, 1], size=length)


@exercise(
    idea="A match adds +1 to the dot product. What does a mismatch add, and how many mismatches are there?",
    step="matches times +1, and n - matches times -1.",
    mistakes={
        "The matches alone are not the sum: every mismatch takes 1 away again.": lambda matches, n: matches,
        "A mismatch adds -1, not 0 and not -2: subtract the n - matches mismatches once.": (
            lambda matches, n: matches - 2 * (n - matches)
        ),
        "The sign is the wrong way round: matches add, mismatches subtract.": lambda matches, n: (
            n - 2 * matches
        ),
        "That is the number of mismatches. The dot product is matches minus mismatches.": (
            lambda matches, n: n - matches
        ),
        "This is right for vectors of 8 only: use n.": lambda matches, n: 2 * matches - 8,
        "The sum of n products lies between -n and n; divide by nothing.": lambda matches, n: (
            2 * matches / n - 1
        ),
    },
)
def ex_0_1(rng: Generator) -> Iterator[Case]:
    """The dot product of two vectors of -1 and +1, from the number of places where they agree."""
    for length in (8, 1, 64, 100, int(rng.integers(2, 200))):
        a, b = _signs(rng, length), _signs(rng, length)
        yield Case((int((a == b).sum()), length), int(a @ b))


@exercise(
    idea="A bit has two values, so every float must become one of them. Which one does zero become?",
    step="Compare x with 0. The text says what the sign of 0 is here, and -0.0 equals 0.",
    mistakes={
        "The sign of an exact zero is +1 here, so its bit is 1: > leaves it out.": lambda x: x > 0,
        "Bits are 1 for +1 and 0 for -1; yours are the other way round.": lambda x: x < 0,
        "np.sign has three values: it is 0 at 0, and -1 is no bit.": lambda x: np.sign(x),
        "np.sign is 0 at 0: shifted and halved it gives a third value, 1/2.": lambda x: (np.sign(x) + 1) / 2,
        "These are signs, -1 and +1. Bits are 0 and 1.": lambda x: np.where(x >= 0, 1, -1),
        "-0.0 equals 0, and its bit is 1 too: compare, do not look at the sign bit.": lambda x: (
            ~np.signbit(x)
        ),
    },
)
def ex_0_2(rng: Generator) -> Iterator[Case]:
    """Bits of a float vector."""
    yield Case((np.array([0.5, -2.0, 0.0, -0.0, 3.0, -1e-30]),), np.array([1, 0, 1, 1, 1, 0]))
    x = rng.normal(size=12).round(2)
    yield Case((x,), (x >= 0).astype(int))


@exercise(
    idea="Each 1 in word_a ^ word_b is a mismatch. How many of the n places are matches, then?",
    step="Exercise 0.1 with mismatches in place of matches: the n places less two for each mismatch.",
    mistakes={
        "The places are n, not 64: the empty bits above n are no matches.": (
            lambda word_a, word_b, n: 64 - 2 * (word_a ^ word_b).bit_count()
        ),
        "XNOR sets the empty bits above n, too, and counts them as matches. XOR leaves them 0.": (
            lambda word_a, word_b, n: 2 * ((word_a ^ word_b) ^ (2**64 - 1)).bit_count() - n
        ),
        "~ of a Python integer is a negative number, and bit_count() counts the ones of its magnitude.": (
            lambda word_a, word_b, n: 2 * (~(word_a ^ word_b)).bit_count() - n
        ),
        "np.bitwise_count returns uint8, and what would be below 0 wraps at 256: turn it into int first.": (
            lambda word_a, word_b, n: n - 2 * np.bitwise_count(np.uint64(word_a ^ word_b))
        ),
        "A mismatch takes 2 away: the match that is missing, and the -1 instead.": (
            lambda word_a, word_b, n: n - (word_a ^ word_b).bit_count()
        ),
        "AND finds the places where both are +1. Where both are -1 they match as well.": (
            lambda word_a, word_b, n: 2 * (word_a & word_b).bit_count() - n
        ),
        "The ones of XOR are mismatches: they count against, not for.": (
            lambda word_a, word_b, n: 2 * (word_a ^ word_b).bit_count() - n
        ),
    },
)
def ex_0_3(rng: Generator) -> Iterator[Case]:
    """The dot product of two vectors of -1 and +1 stored in 64-bit words."""
    yield Case((Word(0b1011), Word(0b0110), 4), -2)
    yield Case((Word(1), Word(1), 1), 1)
    for length in (50, 64, int(rng.integers(5, 50))):
        a, b = _signs(rng, length), _signs(rng, length)
        yield Case((_word(a), _word(b), length), int(a @ b))
    yield Case((Word(2**64 - 1), Word(0), 64), -64)


@exercise(
    idea="Only places where word_a is 1 count. There, word_b's bit says +1 or -1.",
    step="Ones of word_a & word_b, minus the ones of word_a that word_b does not have.",
    mistakes={
        "AND counts the +1 under the ones. Where word_a is 1 and word_b is 0 there is a -1.": (
            lambda word_a, word_b: (word_a & word_b).bit_count()
        ),
        "The places where word_a is 0 contribute nothing: do not count them against.": (
            lambda word_a, word_b: 2 * (word_a & word_b).bit_count() - 64
        ),
        "Subtract the number of ones of word_a, whose zeros contribute nothing; not that of word_b.": (
            lambda word_a, word_b: 2 * (word_a & word_b).bit_count() - word_b.bit_count()
        ),
        "XOR is for two words of signs. A 0 of word_a is nothing here, not -1.": (
            lambda word_a, word_b: 64 - 2 * (word_a ^ word_b).bit_count()
        ),
        "What is left of word_a besides the +1 are the -1: subtract word_a's ones less the AND.": (
            lambda word_a, word_b: (word_a & word_b).bit_count() - word_a.bit_count()
        ),
    },
)
def ex_0_4(rng: Generator) -> Iterator[Case]:
    """The same when one side is {0, 1}, as attention probabilities are."""
    yield Case((Word(0b1101), Word(0b0110)), -1)
    for length in (8, 50, 64):
        a, b = rng.integers(0, 2, size=length), _signs(rng, length)
        yield Case((_word(2 * a - 1), _word(b)), int(a @ b))


def _word(signs: np.ndarray) -> Word:
    """The bits of at most 64 signs in one integer, the first value in the lowest bit."""
    return Word(sum(1 << i for i, value in enumerate(signs) if value > 0))
