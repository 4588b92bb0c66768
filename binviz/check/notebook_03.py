"""The exercises of notebook 03: from the loop to the limit."""

from collections.abc import Iterator

import numpy as np

from binviz.check.exercise import Case, exercise


@exercise(
    "XOR every row of a with every row of w, count the ones of each word, and add them up: K - 2 * count."
)
def ex_3_1() -> Iterator[Case]:
    """All dot products of rows of bits, uint64 [M, W] and [N, W], with NumPy."""
    rng = np.random.default_rng(0)
    for M, N, K in ((2, 3, 64), (1, 1, 50), (4, 2, 200)):
        a, w = rng.choice([-1, 1], size=(M, K)), rng.choice([-1, 1], size=(N, K))
        yield Case((_words(a), _words(w), K), a @ w.T, hint="K is less than 64 * W" if K % 64 else "")


@exercise(
    "Each pair of bits (b1 b0) has b0 + b1 ones, and 2*b1 + b0 - b1 is that: x - ((x >> 1) & 0x5555...)."
)
def ex_3_2() -> Iterator[Case]:
    """The number of ones in every pair of neighbouring bits, in the place of the pair."""
    yield Case((0b11_10_01_00,), 0b10_01_01_00)
    rng = np.random.default_rng(0)
    # Up to 52 bits: answers are compared as floats, which hold no more.
    for x in (1, 2**52 - 1, *map(int, rng.integers(0, 2**52, size=20))):
        pairs = [(x >> place) & 3 for place in range(0, 64, 2)]
        yield Case((x,), sum(pair.bit_count() << 2 * place for place, pair in enumerate(pairs)), tolerance=0)


@exercise(
    "Panel p, line k, column j is word k of output 64 * p + j; outputs that do not exist are words of 0."
)
def ex_3_3() -> Iterator[Case]:
    """Rows of words uint64 [N, W] as panels uint64 [P, W, 64]."""
    rng = np.random.default_rng(0)
    for N, W in ((64, 1), (128, 3), (70, 2), (1, 1)):
        words = rng.integers(0, 1000, size=(N, W), dtype=np.uint64)
        panels = np.zeros((-(-N // 64), W, 64), np.uint64)
        for n in range(N):
            panels[n // 64, :, n % 64] = words[n]
        yield Case((words,), panels, hint="the last panel is not full" if N % 64 else "")


@exercise(
    "A register holds 32 times as many bits as floats. Divide by how much longer its instructions take."
)
def ex_3_4() -> Iterator[Case]:
    """How many times faster bits can be, from the cycles that a register of bits and one of floats take."""
    for bits, floats in ((1.5, 1.0), (3.0, 1.0), (1.5, 0.5), (1.0, 1.0)):
        yield Case((bits, floats), 32 * floats / bits)


@exercise("The smaller of two speeds: what the instructions allow, and bandwidth * operations / bytes.")
def ex_3_5() -> Iterator[Case]:
    """Operations per second under a roofline."""
    for case in ((1e9, 1e6, 2e12, 1e10), (1e9, 1e8, 2e12, 1e10), (200, 1, 2e12, 1e10)):
        operations, moved, limit, bandwidth = case
        yield Case(case, min(limit, bandwidth * operations / moved))


@exercise("Of a time of 1, the share becomes share / ratio, and 1 - share stays as it is.")
def ex_3_6() -> Iterator[Case]:
    """How many times faster the whole becomes when a share of its time becomes `ratio` times faster."""
    for share, ratio in ((0.9, 64.0), (0.5, 2.0), (1.0, 20.0), (0.0, 64.0)):
        yield Case((share, ratio), 1 / (1 - share + share / ratio))


def _words(signs: np.ndarray) -> np.ndarray:
    """Rows of -1 and +1 as bits in uint64, the first entry in the lowest bit of the first word."""
    padded = np.zeros((len(signs), -(-signs.shape[1] // 64) * 64), bool)
    padded[:, : signs.shape[1]] = signs > 0
    return np.packbits(padded, axis=1, bitorder="little").view(np.uint64)
