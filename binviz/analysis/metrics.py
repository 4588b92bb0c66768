r"""How far a binarized tensor is from the float one. Pure functions on arrays, computed in float64.

Every function takes anything numpy can read, and one that is given zeros or nothing returns what its docstring
says, without a warning. Empty input gives nan.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def _pair(reference: ArrayLike, approximation: ArrayLike) -> tuple[NDArray, NDArray]:
    a = np.asarray(reference, np.float64).ravel()
    b = np.asarray(approximation, np.float64).ravel()
    if a.shape != b.shape:
        raise ValueError(f"{a.size} values against {b.size}")
    return a, b


def _norm(x: NDArray) -> float:
    """Euclidean; by summation and not by BLAS, whose threads are slow on a machine that is busy."""
    return math.sqrt(np.square(x).sum())


def mse(reference: ArrayLike, approximation: ArrayLike) -> float:
    r"""Mean squared error, $\frac1N \sum (a - b)^2$, in the squared unit of the tensors.

    >>> mse([1.0, -1.0], [1.0, 1.0])
    2.0
    """
    a, b = _pair(reference, approximation)
    return float(np.mean((a - b) ** 2)) if a.size else np.nan


def relative_l2(reference: ArrayLike, approximation: ArrayLike) -> float:
    r"""$\|a - b\|_2 / \|a\|_2$, no unit. 0 where both are zero, infinite where only the reference is.

    >>> relative_l2([3.0, 4.0], [3.0, 1.0])
    0.6
    """
    a, b = _pair(reference, approximation)
    error, size = _norm(a - b), _norm(a)
    if not a.size:
        return np.nan
    if size == 0:
        return 0.0 if error == 0 else np.inf
    return error / size


def cosine(reference: ArrayLike, approximation: ArrayLike) -> float:
    r"""$a \cdot b / (\|a\| \|b\|)$, in [-1, 1]. 1 where both are zero, 0 where one of them is.

    >>> cosine([1.0, 0.0], [2.0, 0.0]), cosine([1.0, 0.0], [0.0, 3.0])
    (1.0, 0.0)
    """
    a, b = _pair(reference, approximation)
    if not a.size:
        return np.nan
    sizes = _norm(a), _norm(b)
    if 0 in sizes:
        return float(sizes[0] == sizes[1])
    return min(1.0, max(-1.0, float((a * b).sum()) / (sizes[0] * sizes[1])))


def sqnr_db(reference: ArrayLike, approximation: ArrayLike) -> float:
    r"""Signal-to-quantization-noise ratio in dB, $10 \log_{10}(\sum a^2 / \sum (a - b)^2)$.

    Infinite where nothing is lost, minus infinite where the reference is zero and the approximation is not.

    >>> sqnr_db([1.0, 1.0], [0.9, 0.9])
    20.0
    """
    ratio = relative_l2(reference, approximation)
    if ratio in (0, np.inf):
        return np.inf if ratio == 0 else -np.inf
    return float(np.round(-20 * np.log10(ratio), 12)) + 0.0  # + 0.0: no minus zero


def sign_agreement(reference: ArrayLike, approximation: ArrayLike) -> float:
    """Share of entries with the same sign, in [0, 1]; the sign of zero is +1.

    >>> sign_agreement([1.0, -1.0, 0.0, 2.0], [0.5, 1.0, 3.0, 2.0])
    0.75
    """
    a, b = _pair(reference, approximation)
    return float(np.mean((a >= 0) == (b >= 0))) if a.size else np.nan


def code_entropy(codes: ArrayLike) -> float:
    r"""Entropy of the codes in bits, $-\sum_c p_c \log_2 p_c$: 1 where both codes of one bit are equally frequent.

    >>> code_entropy([-1, 1, 1, -1]), code_entropy([1, 1, 1])
    (1.0, 0.0)
    """
    _, counts = np.unique(np.asarray(codes), return_counts=True)
    if not counts.size:
        return np.nan
    shares = counts / counts.sum()
    return max(0.0, -float(shares @ np.log2(shares)))


def ones_per_row(codes: ArrayLike, permitted: ArrayLike | None = None) -> NDArray[np.int64]:
    """How many keys a query attends to: positive codes along the last axis.

    Args:
        codes: (..., queries, keys), {0, 1}, {-1, +1} or more levels.
        permitted: boolean, broadcastable to codes; what it forbids is not counted.

    Returns:
        (..., queries) int64.

    >>> ones_per_row([[1, 0, 1], [0, 0, 0]]).tolist()
    [2, 0]
    """
    positive = np.asarray(codes) > 0
    if permitted is not None:
        positive = positive & np.asarray(permitted)
    return positive.sum(-1, dtype=np.int64)


def row_entropy(probs: ArrayLike) -> NDArray[np.float64]:
    r"""Entropy of each row of probabilities in bits, $-\sum_j p_j \log_2 p_j$: 0 where all lies on one key.

    Args:
        probs: (..., keys).

    >>> row_entropy([[1.0, 0.0, 0.0, 0.0], [0.25, 0.25, 0.25, 0.25]]).tolist()
    [0.0, 2.0]
    """
    p = np.asarray(probs, np.float64)
    return -(p * np.log2(np.where(p > 0, p, 1))).sum(-1) + 0.0


def mass_kept(probs: ArrayLike, codes: ArrayLike, permitted: ArrayLike | None = None) -> NDArray[np.float64]:
    r"""What binarization leaves of attention: the share of a query's probability that lies on its ones.

    $$m = \frac1N \sum_i \sum_j p_{ij} [q_{ij} > 0]$$

    Args:
        probs: (..., queries, keys), rows that sum to one: the network's own, before its binarizer.
        codes: of the same shape; a positive one is a one.
        permitted: boolean, broadcastable; a pair that it forbids is not counted, nor a query without a pair.

    Returns:
        (...), in [0, 1], the mean over queries; nan where there is none.

    >>> float(mass_kept([[0.9, 0.1], [0.5, 0.5]], [[1, 0], [1, 0]]))
    0.7
    """
    p, ones = np.asarray(probs, np.float64), np.asarray(codes) > 0
    allowed = np.broadcast_to(True if permitted is None else np.asarray(permitted), p.shape)
    queries = allowed.any(-1)
    kept = np.where(allowed & ones, p, 0.0).sum(-1)
    return _divided(np.where(queries, kept, 0.0).sum(-1), queries.sum(-1))


def map_correlation(
    teacher: ArrayLike, student: ArrayLike, permitted: ArrayLike | None = None
) -> NDArray[np.float64]:
    r"""Agreement of two attention maps: Pearson's correlation of their entries, over all pairs of query and key.

    1 means the same map up to a scale, 0 that one says nothing of the other. A map whose entries are all equal
    agrees with none: 0.

    Args:
        teacher, student: (..., queries, keys).
        permitted: boolean, broadcastable; pairs that it forbids are not counted.

    Returns:
        (...), in [-1, 1]; nan where no pair is counted.

    >>> float(map_correlation([[0.9, 0.1]], [[0.6, 0.4]])), float(map_correlation([[0.9, 0.1]], [[0.5, 0.5]]))
    (1.0, 0.0)
    """
    a, b = np.asarray(teacher, np.float64), np.asarray(student, np.float64)
    allowed = np.broadcast_to(True if permitted is None else np.asarray(permitted), a.shape)
    count = allowed.sum((-2, -1), keepdims=True)

    def centred(x: NDArray) -> NDArray:
        mean = _divided(np.where(allowed, x, 0.0).sum((-2, -1), keepdims=True), count)
        return np.where(allowed, x - mean, 0.0)

    a, b = centred(a), centred(b)
    size = np.sqrt((a * a).sum((-2, -1)) * (b * b).sum((-2, -1)))
    found = np.divide((a * b).sum((-2, -1)), size, out=np.zeros_like(size), where=size > 1e-12)
    return np.where(count[..., 0, 0] > 0, found.clip(-1, 1), np.nan)


def _divided(total: NDArray, count: NDArray) -> NDArray:
    return np.divide(total, count, out=np.full(np.shape(total), np.nan), where=np.asarray(count) > 0)
