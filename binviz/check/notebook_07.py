"""The exercises of notebook 07: a product in four terms, low ranks, one map for all heads, signs that differ."""

from collections.abc import Iterator

import numpy as np

from binviz.check.exercise import Case, exercise


def _parts(seed: int, tokens: int, features: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    q, k = rng.normal(size=(2, tokens, features))
    return q, np.where(q >= 0, 0.8, -0.8), k, np.where(k >= 0, 0.9, -0.9)


@exercise(
    "With q_r = q - q_b and k_r = k - k_b: q_b k_b, q_b k_r, q_r k_b, q_r k_r, each divided by sqrt(d)."
)
def ex_7_1() -> Iterator[Case]:
    """Scores in four terms: main and residual parts of queries with those of keys."""
    one = np.array([[3.0, 0.0, 0.0, 0.0]])
    yield Case(
        (one, one / 3, 2 * one, one),
        (np.full((1, 1), 1.5), np.full((1, 1), 1.5), np.full((1, 1), 3.0), np.full((1, 1), 3.0)),
        hint="d is 4 here, so everything is divided by 2; the second term is q_b k_r, the third q_r k_b",
    )
    q, q_b, k, k_b = _parts(0, 3, 5)
    products = [
        [[sum(x * y for x, y in zip(query, key, strict=True)) / 5**0.5 for key in right] for query in left]
        for left, right in ((q_b, k_b), (q_b, k - k_b), (q - q_b, k_b), (q - q_b, k - k_b))
    ]
    yield Case((q, q_b, k, k_b), tuple(map(np.array, products)))


@exercise("Squares of the singular values from the n-th on, over all of them; n = 0, 1, 2, ... to the last.")
def ex_7_2() -> Iterator[Case]:
    """The share of a matrix's energy that the best matrix of rank 0, 1, 2, ... leaves."""
    yield Case((np.diag([3.0, 1.0]),), np.array([1.0, 0.1, 0.0]), hint="energy is the sum of squares")
    yield Case(
        (np.diag([1.0, 2.0, 2.0]),),
        np.array([9, 5, 1, 0]) / 9,
        hint="the first entry is that of rank 0, which leaves everything; the last is 0",
    )
    matrix = np.random.default_rng(1).normal(size=(4, 6))
    values = np.linalg.eigvalsh(matrix @ matrix.T)[::-1]
    yield Case((matrix,), np.array([values[n:].sum() for n in range(5)]) / values.sum())


@exercise("q_m k_p^T + q_p k_m^T + q_p k_p^T, a number for each pair of tokens.")
def ex_7_3() -> Iterator[Case]:
    """What BiPFT's estimators add to the scores before they are divided."""
    yield Case(
        (np.array([[1.0]]), np.array([[10.0]]), np.array([[2.0], [3.0]]), np.array([[0.0], [1.0]])),
        np.array([[20.0, 41.0]]),
        hint="the main part of queries meets the residual of keys, never their main part: that one the codes compute",
    )
    rng = np.random.default_rng(2)
    q_m, q_p, k_m, k_p = rng.normal(size=(4, 5, 2))
    wanted = [
        [
            sum(q_m[i, r] * k_p[j, r] + q_p[i, r] * k_m[j, r] + q_p[i, r] * k_p[j, r] for r in range(2))
            for j in range(5)
        ]
        for i in range(5)
    ]
    yield Case((q_m, q_p, k_m, k_p), np.array(wanted))


@exercise(
    "The nearest to several matrices is their mean over the heads; it leaves sum (r - mean)^2 over sum r^2."
)
def ex_7_4() -> Iterator[Case]:
    """The one map that is nearest to the residuals of all heads, and the share of their energy that it leaves."""
    yield Case((np.stack([np.full((2, 2), 1.0), np.full((2, 2), 3.0)]),), (np.full((2, 2), 2.0), 0.2))
    yield Case(
        (np.stack([np.eye(2), -np.eye(2)]),),
        (np.zeros((2, 2)), 1.0),
        hint="heads that want the opposite leave nothing for one map to do",
    )
    residuals = np.random.default_rng(3).normal(size=(3, 4, 4))
    mean = np.array([[residuals[:, i, j].sum() / 3 for j in range(4)] for i in range(4)])
    yield Case((residuals,), (mean, ((residuals - mean) ** 2).sum() / (residuals**2).sum()))


@exercise("XOR marks the places that differ; np.bitwise_count counts them, then sum over the last axis.")
def ex_7_5() -> Iterator[Case]:
    """In how many signs the rows of packed weights differ."""
    yield Case(
        (np.array([[5], [7]], np.uint64), np.array([[4], [7]], np.uint64)),
        np.array([1, 0]),
        hint="5 and 4 differ in one bit: one sign of the first row, none of the second",
    )
    rng = np.random.default_rng(4)
    signs = rng.random((2, 3, 128)) < 0.5
    words = np.packbits(signs, axis=-1, bitorder="little").view(np.uint64)
    yield Case(tuple(words), (signs[0] != signs[1]).sum(-1), hint="a row has several words")
