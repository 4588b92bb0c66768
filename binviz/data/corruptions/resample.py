"""Pictures read between and beyond their pixels: bilinear, and mirrored at the edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from binviz.data.corruptions.draws import Pictures


def mirrored(places: NDArray, size: int) -> NDArray:
    """Places on a line of `size` pixels that goes on as in a mirror, the last pixel not doubled: ...2 1 | 0 1 2...

    >>> mirrored(np.array([-2, -1, 0, 2, 3, 4]), 3).tolist()
    [2, 1, 0, 2, 1, 0]
    """
    if size == 1:
        return np.zeros_like(places)
    around = np.abs(places) % (2 * size - 2)
    return np.minimum(around, 2 * size - 2 - around)


def bilinear(x: Pictures, rows: NDArray, columns: NDArray) -> Pictures:
    """Each picture at places of its own.

    Args:
        x: (N, H, W, C). rows, columns: (N, H', W') of real numbers, in pixels; beyond the edges mirrored.

    >>> x = np.float32([[0, 1], [2, 3]])[None, ..., None]
    >>> bilinear(x, np.full((1, 1, 1), 0.5), np.full((1, 1, 1), 0.5)).item()
    1.5
    """
    count, high, wide = x.shape[:3]
    n = np.arange(count)[:, None, None]
    rows, columns = mirrored(rows, high), mirrored(columns, wide)
    top, left = rows.astype(np.intp), columns.astype(np.intp)
    below, right = np.minimum(top + 1, high - 1), np.minimum(left + 1, wide - 1)
    v = (rows - top).astype(np.float32)[..., None]
    u = (columns - left).astype(np.float32)[..., None]
    upper = (1 - u) * x[n, top, left] + u * x[n, top, right]
    lower = (1 - u) * x[n, below, left] + u * x[n, below, right]
    return (1 - v) * upper + v * lower


def line(places: NDArray, size: int) -> Pictures:
    """The matrix (len(places), size) that reads a line of pixels at places inside it, linearly.

    >>> line(np.array([0.0, 0.25]), 2).tolist()
    [[1.0, 0.0], [0.75, 0.25]]
    """
    left = np.clip(places.astype(np.intp), 0, size - 1)
    share = places - left
    rows, matrix = np.arange(len(places)), np.zeros((len(places), size), np.float32)
    matrix[rows, left] += 1 - share
    matrix[rows, np.minimum(left + 1, size - 1)] += share
    return matrix


def enlarged(size: int, factor: float) -> Pictures:
    """The matrix (size, size) that reads a line of pixels `factor` times as large, about its middle.

    >>> enlarged(3, 1.0).tolist() == np.eye(3).tolist(), enlarged(3, 2.0)[0].tolist()
    (True, [0.5, 0.5, 0.0])
    """
    middle = (size - 1) / 2
    return line(middle + (np.arange(size) - middle) / factor, size)


def spread(x: Pictures, rows: Pictures, columns: Pictures) -> Pictures:
    """(N, H, W, C) under a matrix for its rows (H', H) and one for its columns (W', W).

    >>> spread(np.ones((1, 2, 3, 1), np.float32), np.ones((4, 2), np.float32), np.eye(3, dtype=np.float32)).shape
    (1, 4, 3, 1)
    """
    count, high, wide, channels = x.shape
    lines = (rows @ x.reshape(count, high, wide * channels)).reshape(-1, wide, channels)
    return (columns @ lines).reshape(count, len(rows), len(columns), channels)
