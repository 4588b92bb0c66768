"""Blur: out of focus, through frosted glass, of a moving camera, of one that comes nearer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from binviz.data.corruptions.draws import Draws, Pictures
from binviz.data.corruptions.resample import enlarged, spread

#: Taps of a blur that add less than this share are left out: half a grey level.
LEAST = 1 / 512


def disk(radius: float, sigma: float) -> Pictures:
    r"""A disk $[\,u^2 + v^2 \le r^2\,]$ of sum 1, its edge softened by a Gaussian of three by three taps.

    >>> disk(0.5, 0.01).tolist(), (5 * disk(1, 0.01))[1:4, 1:4].tolist()
    ([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]], [[0.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 0.0]])
    """
    reach = int(radius) + 1
    u = np.arange(-reach, reach + 1)
    flat = (u[:, None] ** 2 + u**2 <= radius**2).astype(np.float32)
    edge = np.exp(-np.array([1.0, 0.0, 1.0]) / (2 * sigma**2))
    soft = ndimage.convolve(flat / flat.sum(), np.outer(edge, edge) / edge.sum() ** 2, mode="constant")
    return soft.astype(np.float32)


def defocus_blur(x: Pictures, draws: Draws, radius: float, sigma: float) -> Pictures:
    """A point of light becomes a disk.

    >>> defocus_blur(np.ones((1, 5, 5, 1), np.float32), Draws(0, 0, 1, 0), 1.5, 0.1).round(4).min().item()
    1.0
    """
    return ndimage.correlate(x, disk(radius, sigma)[None, :, :, None], mode="mirror")


def glass_blur(x: Pictures, draws: Draws, sigma: float, reach: int, rounds: int) -> Pictures:
    """Blurred, each pixel exchanged with one near it, and blurred again.

    The official code copies the neighbour in place of exchanging the two, since both sides of its exchange are views
    of one array.

    >>> x = np.random.default_rng(0).random((1, 9, 9, 1), dtype=np.float32)
    >>> moved = glass_blur(x, Draws(0, 0, 1, 0), 0.01, 1, 1)
    >>> bool((moved != x).any()), np.array_equal(np.sort(moved, axis=None), np.sort(x, axis=None))
    (True, True)
    """
    count, high, wide = x.shape[:3]
    x = ndimage.gaussian_filter(x, (0, sigma, sigma, 0), mode="nearest")
    shape = (rounds, high, wide, 2)
    moves = draws.each(lambda stream, _: stream.integers(-reach, reach, shape, dtype=np.int8)).astype(np.intp)
    n = np.arange(count)
    for turn in range(rounds):
        for row in range(high - reach, reach, -1):
            for column in range(wide - reach, reach, -1):
                other_row = row + moves[:, turn, row, column, 0]
                other_column = column + moves[:, turn, row, column, 1]
                here = x[:, row, column].copy()
                x[:, row, column] = x[n, other_row, other_column]
                x[n, other_row, other_column] = here
    return ndimage.gaussian_filter(x, (0, sigma, sigma, 0), mode="nearest")


def along(x: Pictures, angles: NDArray, radius: float, sigma: float) -> Pictures:
    r"""Half a Gaussian along a line, $\sum_i k_i\, x(p + i d)$ with $k_i \propto e^{-i^2 / 2 \sigma^2}$, i = 0, 1, ...

    As ImageMagick's motion blur: places are rounded to pixels, and the edge is held.

    Args:
        x: (N, H, W, C). angles: (N,) of the lines, in degrees, 0 to the right and 90 down.
        radius: taps are i <= 2 ceil(radius). sigma: in pixels.

    >>> x = np.zeros((1, 1, 4, 1), np.float32)
    >>> x[0, 0, 2] = 1
    >>> [round(value, 2) for value in along(x, np.zeros(1), 1, 1.0).ravel().tolist()]
    [0.08, 0.35, 0.57, 0.0]
    """
    count, high, wide = x.shape[:3]
    i = np.arange(2 * int(np.ceil(radius)) + 1)
    taps = np.exp(-(i**2) / (2 * sigma**2))
    taps = taps[taps / taps.sum() >= LEAST]
    n, rows, columns = np.arange(count)[:, None, None], np.arange(high)[:, None], np.arange(wide)
    radians = np.deg2rad(angles)[:, None, None]
    blurred = np.zeros_like(x)
    for place, tap in enumerate(taps / taps.sum()):
        row = np.clip(rows + np.ceil(place * np.sin(radians) - 0.5).astype(np.intp), 0, high - 1)
        column = np.clip(columns + np.ceil(place * np.cos(radians) - 0.5).astype(np.intp), 0, wide - 1)
        blurred += np.float32(tap) * x[n, row, column]
    return blurred


def motion_blur(x: Pictures, draws: Draws, radius: float, sigma: float) -> Pictures:
    """The camera moves, by up to 45 degrees from the horizontal.

    >>> motion_blur(np.ones((1, 3, 3, 1), np.float32), Draws(0, 0, 1, 0), 6, 2.0).round(4).min().item()
    1.0
    """
    return along(x, draws.uniform(-45, 45), radius, sigma)


def zoom_blur(x: Pictures, draws: Draws, zooms: int) -> Pictures:
    r"""The mean of the picture and of itself 1, 1.01, 1.02, ... times as large, `zooms` of them.

    The numbers are what `np.arange` gives of the official steps: its ends 1.06 and 1.11 are in, the others are not.

    >>> zoom_blur(np.ones((1, 8, 8, 1), np.float32), Draws(0, 0, 1, 0), 26).round(4).min().item()
    1.0
    """
    high, wide = x.shape[1:3]
    total = x.copy()
    for factor in 1 + 0.01 * np.arange(zooms):
        total += spread(x, enlarged(high, factor), enlarged(wide, factor))
    return total / np.float32(zooms + 1)
