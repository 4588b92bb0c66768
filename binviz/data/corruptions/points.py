r"""Corruptions of clouds of points: some are lost, all are moved a little, the whole is turned.

Three of the seven of ModelNet-C, with its parameters but for jitter, which is twice as large: our solids have noise of
0.02 in themselves (Ren, Pan and Liu 2022, "Benchmarking and Analyzing Point Cloud Classification under Corruptions",
2202.03377). The functions and their random numbers are ours. A cloud there has 1,024 points, so that more are left of
it. Clouds are not centred or scaled again afterwards.

>>> clouds = np.random.default_rng(0).normal(size=(2, 8, 3)).astype(np.float32)
>>> POINTS.corrupt(clouds, "jitter", 5).shape, POINTS.corrupt(clouds, "rotation", 1).dtype.name
((2, 8, 3), 'float32')
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from binviz.data.corruptions.corruption import Corruption, Corruptions
from binviz.data.corruptions.draws import Draws
from binviz.errors import UserError

Clouds = NDArray[np.float32]


def dropout(x: Clouds, draws: Draws, share: float) -> Clouds:
    """A share of the points is lost, at least one is left. Those left stand in for the lost ones, in turn.

    So every cloud keeps its number of points, and a network that takes the largest of each feature, as PointNet does,
    sees what it would see of the points that are left.

    >>> x = np.arange(12, dtype=np.float32).reshape(1, 4, 3)
    >>> len(np.unique(dropout(x, Draws(0, 0, 1, 0), 0.5)[0], axis=0))
    2
    """
    points = x.shape[1]
    left = draws.uniform(0, 1, points).argsort(1)[:, : max(round(points * (1 - share)), 1)]
    return np.take_along_axis(x, left[:, np.arange(points) % left.shape[1], None], 1)


def jitter(x: Clouds, draws: Draws, sigma: float) -> Clouds:
    r"""$x + \sigma n$, n standard normal for every coordinate.

    >>> round(float(jitter(np.zeros((1, 9999, 3), np.float32), Draws(0, 0, 1, 0), 0.05).std()), 3)
    0.05
    """
    return x + np.float32(sigma) * draws.normal(*x.shape[1:])


def rotation(x: Clouds, draws: Draws, most: float) -> Clouds:
    """Turned about each of the three axes in turn, by angles of up to `most` degrees either way.

    >>> x = np.eye(3, dtype=np.float32)[None]
    >>> np.linalg.norm(rotation(x, Draws(0, 0, 1, 0), 30), axis=2).round(5).tolist()
    [[1.0, 1.0, 1.0]]
    """
    from scipy.spatial.transform import Rotation

    turns = Rotation.from_euler("xyz", draws.uniform(-most, most, 3), degrees=True).as_matrix()
    return np.einsum("nij,npj->npi", turns, x).astype(np.float32)


def _check(clouds: Any) -> Clouds:
    clouds = np.asarray(clouds)
    if clouds.dtype != np.float32 or clouds.ndim != 3 or clouds.shape[2] != 3 or not clouds.shape[1]:
        raise UserError(
            f"clouds of shape {clouds.shape} and {clouds.dtype.name} are given; pass float32 of (N, points, 3)"
        )
    return clouds


POINTS = Corruptions(
    "cloud",
    "The corruptions are ours, after ModelNet-C with its parameters, and twice its jitter.",
    {
        "dropout": Corruption(
            "lost points", "points", dropout, ((0.25,), (0.375,), (0.5,), (0.625,), (0.75,))
        ),
        "jitter": Corruption("jitter", "points", jitter, ((0.02,), (0.04,), (0.06,), (0.08,), (0.1,))),
        "rotation": Corruption("rotation", "whole", rotation, ((6,), (12,), (18,), (24,), (30,))),
    },
    _check,
)
