"""The exercises of notebook 03: from the loop to the limit."""

from collections.abc import Iterator

import numpy as np
from numpy.random import Generator

from binviz.check.exercise import Case, exercise
from binviz.check.shown import Word

_PAIRS = 0x5555_5555_5555_5555


def _differing(a: np.ndarray, w: np.ndarray) -> np.ndarray:
    return np.bitwise_count(a[:, None] ^ w[None]).sum(axis=-1, dtype=np.int64)


@exercise(
    idea="Exercise 0.3 for every row of a with every row of w. A row has several words: what happens to their counts?",
    step="Shape (M, N, W) for the words that differ, (M, N) after the sum over the last axis. Mind its type.",
    mistakes={
        "The sum of counts is uint64, which has no negative numbers: sum(..., dtype=np.int64).": (
            lambda words_a, words_w, K: (
                K - 2 * np.bitwise_count(words_a[:, None] ^ words_w[None]).sum(axis=-1)
            )
        ),
        "The rows have K codes; the rest of the last word is empty and must not count.": (
            lambda words_a, words_w, K: 64 * words_a.shape[1] - 2 * _differing(words_a, words_w)
        ),
        "A mismatch takes 2 away: the match that is missing, and the -1 instead.": (
            lambda words_a, words_w, K: K - _differing(words_a, words_w)
        ),
        "The ones of XOR are mismatches: they count against.": (
            lambda words_a, words_w, K: 2 * _differing(words_a, words_w) - K
        ),
        "A row has several words: add their counts up, over the last axis.": (
            lambda words_a, words_w, K: K - 2 * np.bitwise_count(words_a[:, None] ^ words_w[None]).astype(int)
        ),
        "Rows of a are the rows of the result: this is its transpose.": (
            lambda words_a, words_w, K: (K - 2 * _differing(words_a, words_w)).T
        ),
        "These are the mismatches. The dot product is K less two for each.": (
            lambda words_a, words_w, K: _differing(words_a, words_w)
        ),
    },
)
def ex_3_1(rng: Generator) -> Iterator[Case]:
    """All dot products of rows of bits, uint64 [M, W] and [N, W], with NumPy."""
    one = np.array([[1, -1, -1, 1, -1]])
    yield Case((_words(one), _words(-one), 5), np.array([[-5]]))
    for M, N, K in ((2, 3, 6), (1, 2, 70), (2, 1, int(rng.integers(3, 60)))):
        a, w = rng.choice([-1, 1], size=(M, K)), rng.choice([-1, 1], size=(N, K))
        yield Case((_words(a), _words(w), K), a @ w.T)


@exercise(
    idea="A pair has the bits b1 b0 and the value 2 b1 + b0. Its number of ones is b0 + b1: what has to be taken away?",
    step="Subtract each b1 at the place of its b0. x >> 1 brings it there, and brings other bits, too.",
    mistakes={
        "x >> 1 also brings the lower bit of each pair into its neighbour: mask it with PAIRS.": (
            lambda x: x - (x >> 1)
        ),
        "Both bits have to be masked: the upper one of a pair is still in x >> 1, and so is its neighbour.": (
            lambda x: (x & _PAIRS) + (x >> 1)
        ),
        "AND is 1 only where both bits are. A pair with one 1 counts 1.": lambda x: x & (x >> 1) & _PAIRS,
        "XOR is 0 where both bits are 1. Such a pair counts 2.": lambda x: (x ^ (x >> 1)) & _PAIRS,
        "OR is 1 where both bits are. Such a pair counts 2.": lambda x: (x | (x >> 1)) & _PAIRS,
        "This is the number of all ones. Each pair keeps its own count, in its own place.": int.bit_count,
        "The lower bits are masked, the upper ones have to be: shift first, then mask.": (
            lambda x: x - (x & _PAIRS)
        ),
        "Mask after the shift: masked before, the lower bits are left and land in the neighbour.": (
            lambda x: x - ((x & _PAIRS) >> 1)
        ),
    },
)
def ex_3_2(rng: Generator) -> Iterator[Case]:
    """The number of ones in every pair of neighbouring bits, in the place of the pair."""
    # Up to 52 bits: answers are compared as floats, which hold no more.
    for x in (0b11_10_01_00, 1, 2**52 - 1, *map(int, rng.integers(0, 2**52, size=4))):
        pairs = [(x >> place) & 3 for place in range(0, 64, 2)]
        counted = sum(pair.bit_count() << 2 * place for place, pair in enumerate(pairs))
        yield Case((Word(x),), Word(counted), tolerance=0)


def _padded(words: np.ndarray) -> np.ndarray:
    return np.pad(words, ((0, -len(words) % 64), (0, 0)))


@exercise(
    idea="Output 64 p + j is row 64 p + j of the words. Split that axis into p and j, then move j to the end.",
    step="Fill up with rows of 0 to a multiple of 64; reshape to (P, 64, W); swap the last two axes.",
    mistakes={
        "The last panel may not be full: fill up with rows of 0 before the reshape.": (
            lambda words: words.reshape(-1, 64, words.shape[1]).transpose(0, 2, 1)
        ),
        "The axes are (P, 64, W): word k of neighbouring outputs has to lie side by side, so j comes last.": (
            lambda words: _padded(words).reshape(-1, 64, words.shape[1])
        ),
        "The shape is right, the order is not: a reshape only cuts what lies in memory. It takes a transpose, too.": (
            lambda words: _padded(words).reshape(-1, words.shape[1], 64)
        ),
        "The last outputs are gone: a panel that is not full is kept, with words of 0.": (
            lambda words: words[: len(words) // 64 * 64].reshape(-1, 64, words.shape[1]).transpose(0, 2, 1)
        ),
        "Neighbouring outputs share a panel: output n is in panel n // 64. Yours is in n % P.": (
            lambda words: _padded(words).reshape(64, -1, words.shape[1]).transpose(1, 2, 0)
        ),
        "Rows and words are swapped inside of the transpose: (P, 64, W) becomes (P, W, 64).": (
            lambda words: _padded(words).reshape(-1, 64, words.shape[1]).transpose(1, 2, 0)
        ),
    },
)
def ex_3_3(rng: Generator) -> Iterator[Case]:
    """Rows of words uint64 [N, W] as panels uint64 [P, W, 64]."""
    few = np.array([[1, 2], [3, 4]], np.uint64)
    sizes = (64, 1), (70, 2), (128, 3), (int(rng.integers(65, 200)), int(rng.integers(1, 5)))
    many = (np.arange(N * W, dtype=np.uint64).reshape(N, W) for N, W in sizes)
    for words in (few, *many):
        N, W = words.shape
        panels = np.zeros((-(-N // 64), W, 64), np.uint64)
        for n in range(N):
            panels[n // 64, :, n % 64] = words[n]
        yield Case((words,), panels)


@exercise(
    idea="How many more numbers does a register of bits hold? And how much longer do its instructions take?",
    step="A register holds 32 times as many bits as floats. Fewer cycles are better: which of the two goes below?",
    mistakes={
        "A float takes 32 bits of the register, not 64.": (
            lambda cycles_bits, cycles_floats: 64 * cycles_floats / cycles_bits
        ),
        "Cycles are upside down: the more cycles bits take, the smaller the gain.": (
            lambda cycles_bits, cycles_floats: 32 * cycles_bits / cycles_floats
        ),
        "A register of bits also holds more numbers: 32 times as many.": (
            lambda cycles_bits, cycles_floats: cycles_floats / cycles_bits
        ),
        "16 floats fit into a register of 512 bits, but 512 codes do: compare these two.": (
            lambda cycles_bits, cycles_floats: 16 * cycles_floats / cycles_bits
        ),
        "The cycles of floats count, too: the slower they are, the larger the gain.": (
            lambda cycles_bits, cycles_floats: 32 / cycles_bits
        ),
    },
)
def ex_3_4(rng: Generator) -> Iterator[Case]:
    """How many times faster bits can be, from the cycles that a register of bits and one of floats take."""
    some = map(float, rng.uniform(0.5, 4, size=2).round(1))
    for bits, floats in ((3.0, 1.0), (1.5, 1.0), (1.5, 0.5), (1.0, 1.0), some):
        yield Case((bits, floats), 32 * floats / bits)


@exercise(
    idea="Two limits, and the lower one holds. Which speed does memory allow, if each byte brings so many operations?",
    step="Bytes per second times operations per byte, or the limit of instructions: the smaller one.",
    mistakes={
        "Instructions are one limit. Memory is the other: the smaller one holds.": (
            lambda operations, moved, limit, bandwidth: limit
        ),
        "Memory is one limit. No layer is faster than the instructions: take the smaller one.": (
            lambda operations, moved, limit, bandwidth: bandwidth * operations / moved
        ),
        "The lower of two roofs is hit first: the smaller one, not the larger.": (
            lambda operations, moved, limit, bandwidth: max(limit, bandwidth * operations / moved)
        ),
        "The intensity is upside down: it is operations per byte.": (
            lambda operations, moved, limit, bandwidth: min(limit, bandwidth * moved / operations)
        ),
        "Bandwidth is in bytes, the limit in operations: multiply by operations per byte.": (
            lambda operations, moved, limit, bandwidth: min(limit, bandwidth)
        ),
        "The intensity alone is no speed: multiply it by the bandwidth.": (
            lambda operations, moved, limit, bandwidth: min(limit, operations / moved)
        ),
        "Loading and computing happen at the same time: times are not added, the longer one counts.": (
            lambda operations, moved, limit, bandwidth: operations / (operations / limit + moved / bandwidth)
        ),
    },
)
def ex_3_5(rng: Generator) -> Iterator[Case]:
    """Operations per second under a roofline."""
    some = tuple(map(int, rng.integers(1, [1000, 20, 1000, 20])))
    for case in ((200, 1, 1000, 10), (200, 10, 1000, 10), (1e9, 1e8, 2e12, 1e10), some):
        operations, moved, limit, bandwidth = case
        yield Case(case, min(limit, bandwidth * operations / moved))


@exercise(
    idea="Times add up, speeds do not. How long does the whole take afterwards, if it took 1 before?",
    step="Of a time of 1, the share becomes share / ratio and 1 - share stays. How many times does that fit into 1?",
    mistakes={
        "This is the time that is left. How many times faster is 1 divided by it.": (
            lambda share, ratio: 1 - share + share / ratio
        ),
        "Times add up, not speeds: the share takes share / ratio of the time.": (
            lambda share, ratio: 1 - share + share * ratio
        ),
        "The share and the rest are swapped: it is the share that becomes faster.": (
            lambda share, ratio: 1 / (share + (1 - share) / ratio)
        ),
        "The share still takes share / ratio of the time; this is the limit for a ratio without end.": (
            lambda share, ratio: 1 / (1 - share)
        ),
        "The rest of the model, 1 - share, still takes its time.": lambda share, ratio: ratio / share,
        "The rest of the model keeps its speed: only the share becomes ratio times faster.": (
            lambda share, ratio: ratio
        ),
    },
)
def ex_3_6(rng: Generator) -> Iterator[Case]:
    """How many times faster the whole becomes when a share of its time becomes `ratio` times faster."""
    some = round(rng.uniform(), 2), float(rng.integers(2, 65))
    for share, ratio in ((0.5, 2.0), (0.9, 64.0), (1.0, 20.0), (0.0, 64.0), some):
        yield Case((share, ratio), 1 / (1 - share + share / ratio))


def _words(signs: np.ndarray) -> np.ndarray:
    """Rows of -1 and +1 as bits in uint64, the first entry in the lowest bit of the first word."""
    padded = np.zeros((len(signs), -(-signs.shape[1] // 64) * 64), bool)
    padded[:, : signs.shape[1]] = signs > 0
    return np.packbits(padded, axis=1, bitorder="little").view(np.uint64)
