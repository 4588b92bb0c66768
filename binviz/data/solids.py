r"""Generated solids: points on the surface of one of eight bodies, turned, with noise, and partly hidden.

A body stands upright. Its surface is sampled evenly by area, stretched along its three axes by factors of 0.8 to 1.25,
turned about the upright axis by any angle, and moved by normal noise. A part of it, up to 30 %, is hidden: the points
that lie furthest in a random direction. What is left is centred and scaled to the unit ball, as PointNet reads points
(Qi et al. 2017, 1612.00593).

Evenly by area: a body with flat faces is its triangles; on a disc of radius 1, and on the side of a cone above it, the
radius is $\sqrt u$ of an even u; and on a ring of radii R and a, the angle v of its small circle is drawn with a
density that is proportional to $R + a \cos v$.

>>> clouds, labels = generate(5, np.random.default_rng(0))
>>> clouds.shape, clouds.dtype.name, [CLASSES[label] for label in labels][:2]
((5, 128, 3), 'float32', ['tetrahedron', 'pyramid'])
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Points of a cloud, and how many of its body are drawn to choose them from.
POINTS, DRAWN = 128, 256
#: The largest share that is hidden, and the noise in parts of the body's size.
HIDDEN, NOISE = 0.3, 0.02
#: Radii of a torus.
RING, TUBE = 0.7, 0.3

Sampler = Callable[[int, np.random.Generator], "NDArray[np.float64]"]


def sphere(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Points of a ball's surface."""
    found = rng.normal(size=(count, 3))
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def cylinder(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Height 2, radius 1: side and two discs, 2 to 1 by area."""
    angle, height, kind = (
        rng.uniform(0, 2 * np.pi, count),
        rng.uniform(-1, 1, count),
        rng.integers(0, 6, count),
    )
    radius = np.where(kind < 4, 1.0, np.sqrt(rng.random(count)))
    height = np.where(kind < 4, height, 2.0 * (kind == 4) - 1)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), height], 1)


def cone(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    r"""Height 2, radius 1: side and disc, $\sqrt 5$ to 1 by area."""
    angle, radius = rng.uniform(0, 2 * np.pi, count), np.sqrt(rng.random(count))
    side = rng.random(count) * (1 + np.sqrt(5)) < np.sqrt(5)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), np.where(side, 1 - 2 * radius, -1.0)], 1)


def torus(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """A ring with a hole."""
    places = rng.uniform(0, 2 * np.pi, 4 * count + 50)
    kept = rng.random(len(places)) * (RING + TUBE) < RING + TUBE * np.cos(places)
    small, angle = places[kept][:count], rng.uniform(0, 2 * np.pi, count)
    radius = RING + TUBE * np.cos(small)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), TUBE * np.sin(small)], 1)


def hull_of(*corners: tuple[float, ...]) -> Sampler:
    """A sampler of the surface of the body with these corners, three numbers each.

    >>> points = hull_of((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1))(100, np.random.default_rng(0))
    >>> bool((np.minimum(points.min(1), np.abs(points.sum(1) - 1)) < 1e-9).all())
    True
    """

    @cache
    def triangles() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        from scipy.spatial import ConvexHull

        points = np.array(corners, float)
        found = points[ConvexHull(points).simplices]
        areas = np.linalg.norm(np.cross(found[:, 1] - found[:, 0], found[:, 2] - found[:, 0]), axis=1)
        return found, areas / areas.sum()

    def sample(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
        found, shares = triangles()
        chosen = found[rng.choice(len(found), count, p=shares)]
        # Evenly in a triangle: a parallelogram, folded
        along = rng.random((count, 2, 1))
        along = np.where(along.sum(1, keepdims=True) > 1, 1 - along, along)
        return chosen[:, 0] + (along * (chosen[:, 1:] - chosen[:, :1])).sum(1)

    return sample


#: Signs of a cube's corners.
SIGNS = list(itertools.product((-1.0, 1.0), repeat=3))
#: Name -> sampler: (count, rng) -> (count, 3).
SOLIDS: dict[str, Sampler] = {
    "sphere": sphere,
    "cylinder": cylinder,
    "cone": cone,
    "torus": torus,
    "cube": hull_of(*SIGNS),
    "pyramid": hull_of((0, 0, 1), *(corner for corner in SIGNS if corner[2] < 0)),
    "tetrahedron": hull_of(*(corner for corner in SIGNS if np.prod(corner) > 0)),
    "octahedron": hull_of(*np.eye(3), *-np.eye(3)),
}
CLASSES = tuple(SOLIDS)


def generate(count: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Clouds (count, POINTS, 3) and their classes (count,), drawn evenly.

    Args:
        count: how many.
        rng: whose state alone decides what comes.
    """
    labels = rng.integers(0, len(CLASSES), count)
    samplers = tuple(SOLIDS.values())
    bodies = np.array([samplers[label](DRAWN, rng) for label in labels]).reshape(count, DRAWN, 3)
    bodies *= rng.uniform(0.8, 1.25, (count, 1, 3))
    points = bodies @ turns(count, rng) + rng.normal(0, NOISE, bodies.shape)
    return unit(shown(points, rng)).astype(np.float32), labels


def turns(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Rotations about the upright axis by any angle, (count, 3, 3).

    >>> found = turns(2, np.random.default_rng(0))
    >>> np.allclose(found @ found.swapaxes(1, 2), np.eye(3)), np.linalg.det(found).round(6).tolist()
    (True, [1.0, 1.0])
    """
    from scipy.spatial.transform import Rotation

    return Rotation.from_euler("z", rng.uniform(0, 2 * np.pi, (count, 1))).as_matrix()


def shown(points: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """POINTS of each cloud (count, DRAWN, 3) that are not hidden."""
    count = len(points)
    directions = sphere(count, rng)
    depth = np.einsum("nkc,nc->nk", points, directions).argsort(1).argsort(1)
    visible = depth < DRAWN * (1 - HIDDEN * rng.random((count, 1)))
    order = np.where(visible, rng.random((count, DRAWN)), 2.0).argsort(1)[:, :POINTS]
    return np.take_along_axis(points, order[:, :, None], 1)


def unit(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Clouds with their mean at 0 and their furthest point at distance 1.

    >>> unit(np.array([[[0.0, 0, 0], [0, 0, 4]]])).tolist()
    [[[0.0, 0.0, -1.0], [0.0, 0.0, 1.0]]]
    """
    points = points - points.mean(1, keepdims=True)
    return points / np.linalg.norm(points, axis=2).max(1)[:, None, None]
