"""The exercises of notebook 07: a product in four terms, low ranks, one map for all heads, signs that differ."""

from collections.abc import Iterator

import numpy as np
from numpy.random import Generator

from binviz.check.exercise import Case, exercise


def _four(q: np.ndarray, q_b: np.ndarray, k: np.ndarray, k_b: np.ndarray) -> tuple[np.ndarray, ...]:
    return tuple(x @ y.T for x in (q_b, q - q_b) for y in (k_b, k - k_b))


@exercise(
    idea="Q = Q_b + Q_r and K = K_b + K_r: multiply the two sums out, and keep the order of the formula.",
    step="Q_r = Q - Q_b, K_r = K - K_b. Four products x @ y.T, each divided by the root of d, the width of q.",
    mistakes={
        "Each term is divided by the root of d, which is the last axis of q.": _four,
        "The second term is Q_b K_r, the third Q_r K_b; yours are swapped.": (
            lambda q, q_b, k, k_b: tuple(
                x @ y.T / q.shape[1] ** 0.5 for y in (k_b, k - k_b) for x in (q_b, q - q_b)
            )
        ),
        "It is the root of d by which scores are divided.": (
            lambda q, q_b, k, k_b: tuple(term / q.shape[1] for term in _four(q, q_b, k, k_b))
        ),
        "d is the number of features, the last axis of q, not the number of tokens.": (
            lambda q, q_b, k, k_b: tuple(term / q.shape[0] ** 0.5 for term in _four(q, q_b, k, k_b))
        ),
        "The residual is Q - Q_b; yours has the other sign.": (
            lambda q, q_b, k, k_b: tuple(
                x @ y.T / q.shape[1] ** 0.5 for x in (q_b, q_b - q) for y in (k_b, k_b - k)
            )
        ),
        "Residuals, not the floats themselves, stand in the last three terms: Q_r = Q - Q_b.": (
            lambda q, q_b, k, k_b: tuple(x @ y.T / q.shape[1] ** 0.5 for x in (q_b, q) for y in (k_b, k))
        ),
    },
)
def ex_7_1(rng: Generator) -> Iterator[Case]:
    """Scores in four terms: main and residual parts of queries with those of keys."""
    one = np.array([[3.0, 0.0, 0.0, 0.0]])
    wanted = (np.full((1, 1), 1.5), np.full((1, 1), 1.5), np.full((1, 1), 3.0), np.full((1, 1), 3.0))
    yield Case((one, one / 3, 2 * one, one), wanted)
    q, k = rng.normal(size=(2, 2, 3)).round(1)
    q_b, k_b = np.where(q >= 0, 0.8, -0.8), np.where(k >= 0, 0.9, -0.9)
    products = [
        [[sum(x * y for x, y in zip(query, key, strict=True)) / 3**0.5 for key in right] for query in left]
        for left, right in ((q_b, k_b), (q_b, k - k_b), (q - q_b, k_b), (q - q_b, k - k_b))
    ]
    yield Case((q, q_b, k, k_b), tuple(map(np.array, products)))


def _values(matrix: np.ndarray) -> np.ndarray:
    return np.linalg.svd(matrix, compute_uv=False)


@exercise(
    idea="Energy is the sum of squares, also of the singular values. Which of them does rank n leave?",
    step="Sums of the squares from the n-th on, for n = 0, 1, ... to the full rank, over their whole sum.",
    mistakes={
        "Energy is the sum of the *squares* of the singular values.": (
            lambda m: np.append(np.cumsum(_values(m)[::-1])[::-1], 0) / _values(m).sum()
        ),
        "Rank 0 is missing: it leaves everything, so the first entry is 1.": (
            lambda m: 1 - np.cumsum(_values(m) ** 2) / (_values(m) ** 2).sum()
        ),
        "The full rank is missing: it leaves nothing, so the last entry is 0.": (
            lambda m: np.cumsum(_values(m)[::-1] ** 2)[::-1] / (_values(m) ** 2).sum()
        ),
        "That is what each rank keeps. What it leaves is the rest.": (
            lambda m: np.append(0, np.cumsum(_values(m) ** 2)) / (_values(m) ** 2).sum()
        ),
        "These are energies. A share is divided by the whole.": (
            lambda m: np.append(np.cumsum(_values(m)[::-1] ** 2)[::-1], 0)
        ),
        "This is each value's own share. Rank n leaves all from the n-th on: add them up.": (
            lambda m: np.append(_values(m) ** 2 / (_values(m) ** 2).sum(), 0)
        ),
    },
)
def ex_7_2(rng: Generator) -> Iterator[Case]:
    """The share of a matrix's energy that the best matrix of rank 0, 1, 2, ... leaves."""
    yield Case((np.array([[3.0, 0.0], [0.0, 1.0]]),), np.array([1.0, 0.1, 0.0]))
    yield Case((np.diag([1.0, 2.0, 2.0]),), np.array([9, 5, 1, 0]) / 9)
    matrix = rng.normal(size=(2, 4)).round(1)
    values = np.linalg.eigvalsh(matrix @ matrix.T)[::-1]
    yield Case((matrix,), np.array([values[n:].sum() for n in range(3)]) / values.sum())


@exercise(
    idea="Three products: every pair of parts but the one that the codes compute themselves.",
    step="Main and residual, residual and main, residual and residual; x @ y.T has a number for each pair of tokens.",
    mistakes={
        "Main with main is what the codes compute: E has the other three.": (
            lambda q_m, q_p, k_m, k_p: (q_m + q_p) @ (k_m + k_p).T
        ),
        "Residual with residual is missing.": lambda q_m, q_p, k_m, k_p: q_m @ k_p.T + q_p @ k_m.T,
        "Main meets residual, and residual meets main: yours pair main with main.": (
            lambda q_m, q_p, k_m, k_p: q_m @ k_m.T + q_p @ k_p.T
        ),
        "Rows of E are queries, columns are keys: this is its transpose.": (
            lambda q_m, q_p, k_m, k_p: k_p @ q_m.T + k_m @ q_p.T + k_p @ q_p.T
        ),
        "Only the residual of the queries is estimated here: q_m k_p is missing.": (
            lambda q_m, q_p, k_m, k_p: q_p @ k_m.T + q_p @ k_p.T
        ),
        "Nothing is divided here: that comes later, with the scores.": (
            lambda q_m, q_p, k_m, k_p: (q_m @ k_p.T + q_p @ k_m.T + q_p @ k_p.T) / (2 * q_m.shape[1]) ** 0.5
        ),
    },
)
def ex_7_3(rng: Generator) -> Iterator[Case]:
    """What BiPFT's estimators add to the scores before they are divided."""
    args = np.array([[1.0]]), np.array([[10.0]]), np.array([[2.0], [3.0]]), np.array([[0.0], [1.0]])
    yield Case(args, np.array([[20.0, 41.0]]))
    q_m, q_p, k_m, k_p = rng.normal(size=(4, 3, 2)).round(1)
    wanted = [
        [
            sum(q_m[i, r] * k_p[j, r] + q_p[i, r] * k_m[j, r] + q_p[i, r] * k_p[j, r] for r in range(2))
            for j in range(3)
        ]
        for i in range(3)
    ]
    yield Case((q_m, q_p, k_m, k_p), np.array(wanted))


def _left(residuals: np.ndarray, mean: np.ndarray) -> float:
    return float(((residuals - mean) ** 2).sum() / (residuals**2).sum())


@exercise(
    idea="Which single number is nearest to several numbers? Entry by entry, the same holds for matrices.",
    step="The mean over the heads, and sum (r - mean)**2 over sum r**2.",
    mistakes={
        "The map is right. A share is divided by the energy of the residuals.": (
            lambda r: (r.mean(axis=0), ((r - r.mean(axis=0)) ** 2).sum())
        ),
        "The map is right. That is the mean squared error: divide by the mean square of the residuals.": (
            lambda r: (r.mean(axis=0), ((r - r.mean(axis=0)) ** 2).mean())
        ),
        "The map is right. That is the share that it keeps, and what it leaves is wanted.": (
            lambda r: (r.mean(axis=0), 1 - _left(r, r.mean(axis=0)))
        ),
        "The nearest to several is their mean, not their sum.": (
            lambda r: (r.sum(axis=0), _left(r, r.sum(axis=0)))
        ),
        "The median is nearest in absolute errors. For squares it is the mean.": (
            lambda r: (np.median(r, axis=0), _left(r, np.median(r, axis=0)))
        ),
        "The mean is over the heads, axis 0: one map is left, not one number.": (
            lambda r: (r.mean(), _left(r, r.mean()))
        ),
        "Heads are axis 0; this averages over the queries.": (
            lambda r: (r.mean(axis=1), _left(r, r.mean(axis=1, keepdims=True)))
        ),
    },
)
def ex_7_4(rng: Generator) -> Iterator[Case]:
    """The one map that is nearest to the residuals of all heads, and the share of their energy that it leaves."""
    yield Case((np.stack([np.full((2, 2), 1.0), np.full((2, 2), 3.0)]),), (np.full((2, 2), 2.0), 0.2))
    yield Case((np.stack([np.eye(2), -np.eye(2)]),), (np.zeros((2, 2)), 1.0))
    residuals = rng.normal(size=(3, 2, 2)).round(1)
    mean = np.array([[residuals[:, i, j].sum() / 3 for j in range(2)] for i in range(2)])
    yield Case((residuals,), (mean, ((residuals - mean) ** 2).sum() / (residuals**2).sum()))


@exercise(
    idea="Which operation marks the places where two words differ? And what counts marks?",
    step="XOR, np.bitwise_count, and a sum over the words of each row, the last axis.",
    mistakes={
        "This is the number for all rows together. Each row has its own: sum over the last axis.": (
            lambda before, after: np.bitwise_count(before ^ after).sum()
        ),
        "A row has several words: add their counts up, over the last axis.": (
            lambda before, after: np.bitwise_count(before ^ after)
        ),
        "This counts words that differ. A word has 64 signs: count the ones of XOR.": (
            lambda before, after: (before != after).sum(axis=-1)
        ),
        "AND marks where both are +1. XOR marks where they differ.": (
            lambda before, after: np.bitwise_count(before & after).sum(axis=-1)
        ),
        "Rows are axis 0; the words of a row are the last axis.": (
            lambda before, after: np.bitwise_count(before ^ after).sum(axis=0)
        ),
        "As many ones does not mean the same ones: XOR first, then count.": (
            lambda before, after: np.abs(
                np.bitwise_count(before).sum(-1).astype(int) - np.bitwise_count(after).sum(-1).astype(int)
            )
        ),
    },
)
def ex_7_5(rng: Generator) -> Iterator[Case]:
    """In how many signs the rows of packed weights differ."""
    yield Case((np.array([[5], [7]], np.uint64), np.array([[4], [7]], np.uint64)), np.array([1, 0]))
    before, after = rng.integers(0, 2**8, size=(2, 3, 2), dtype=np.uint64)
    before[2, 1] = 2**64 - 1  # a word that is full
    signs = [np.unpackbits(words.view(np.uint8), axis=-1) for words in (before, after)]
    yield Case((before, after), (signs[0] != signs[1]).sum(-1))
