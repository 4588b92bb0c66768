r"""What a detector of text learns from: shrunk regions and a map of thresholds (DBNet, 1911.08947, section 3.4).

All maps come from one distance d, of a pixel's middle to the nearest edge of a polygon. With area A, perimeter L and
r = 0.4, the polygon is shrunk and grown by

$$D = \frac{A (1 - r^2)}{L}.$$

    shrunk       1 inside where d >= D - 1/2: words that touch one another stay apart
    mask         0 inside of words that are ignored, or lower or narrower than SHORTEST pixels: they have no label
    near         1 inside, and outside where d < D: where the thresholds are learned
    thresholds   0.3 + 0.4 (1 - min(d / D, 1)), the largest of all words: 0.7 on the edge, 0.3 from D on

The half pixel is what a polygon gains when it is filled with its border. The official code rounds the shrunk and the
grown polygon to whole pixels and fills them, which takes in a few pixels more at the corners; its distance is that to
the nearer corner where a pixel sees an edge under less than 90 degrees, here it is exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from binviz.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: How much of a polygon is left, r above; the thresholds far from an edge and on it; a word's least height and width.
RATIO, LOW, HIGH, SHORTEST = 0.4, 0.3, 0.7, 8.0


class Regions(NamedTuple):
    """The maps above, each (H, W) float32."""

    shrunk: NDArray[np.float32]
    mask: NDArray[np.float32]
    thresholds: NDArray[np.float32]
    near: NDArray[np.float32]


def sides(polygon: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lengths of the sides of a polygon (corners, 2)."""
    return np.hypot(*(np.roll(polygon, -1, 0) - polygon).T)


def area(polygon: NDArray[np.float64]) -> float:
    """Of a polygon (corners, 2) whose sides do not cross.

    >>> area(np.array([[10.0, 8], [39, 8], [39, 23], [10, 23]]))
    435.0
    """
    x, y = polygon.T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def shift_of(polygon: NDArray[np.float64], ratio: float = RATIO) -> float:
    """D above.

    >>> round(shift_of(np.array([[10.0, 8], [39, 8], [39, 23], [10, 23]])), 6)
    4.152273
    """
    return area(polygon) * (1 - ratio**2) / float(sides(polygon).sum())


def check(polygons: NDArray[np.float64], ignored: NDArray[np.bool_]) -> None:
    """Raise UserError unless every polygon, (n, corners, 2), is finite and, where it is not ignored, has an area.

    >>> check(np.array([[[0.0, 0], [4, 0], [8, 0]]]), np.array([False]))
    Traceback (most recent call last):
    binviz.errors.UserError: polygon 0 has no area; leave it out, or mark it as ignored
    """
    for index, (polygon, unasked) in enumerate(zip(polygons, ignored, strict=True)):
        if not np.isfinite(polygon).all():
            raise UserError(f"polygon {index} has a corner that is no number; leave it out")
        if area(polygon) == 0 and not unasked:
            raise UserError(f"polygon {index} has no area; leave it out, or mark it as ignored")


def distance(
    polygon: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """How far points are from the nearest edge of a polygon, and whether they are inside.

    Args:
        polygon: (corners, 2).
        x, y: of the points, of shapes that broadcast.

    >>> square = np.array([[0.0, 0], [4, 0], [4, 4], [0, 4]])
    >>> [each.tolist() for each in distance(square, np.array([1.0, 7.0]), np.array([2.0, 8.0]))]
    [[1.0, 5.0], [True, False]]
    """
    nearest = np.full(np.broadcast(x, y).shape, np.inf)
    inside = np.zeros(nearest.shape, bool)
    for (ax, ay), (bx, by) in zip(polygon, np.roll(polygon, -1, 0), strict=True):
        ux, uy = bx - ax, by - ay
        along = ((x - ax) * ux + (y - ay) * uy) / max(ux * ux + uy * uy, 1e-12)
        along = along.clip(0, 1)
        np.minimum(nearest, np.hypot(x - ax - along * ux, y - ay - along * uy), out=nearest)
        if ay != by:  # a ray to the right crosses it
            inside ^= ((ay > y) != (by > y)) & (x < ax + (y - ay) * ux / uy)
    return nearest, inside


def regions(polygons: NDArray[np.float64], ignored: NDArray[np.bool_], shape: tuple[int, int]) -> Regions:
    """The maps of a picture.

    Args:
        polygons: (n, corners, 2), see `binviz.data.scene_text.Scene`; n may be 0.
        ignored: (n,).
        shape: height and width of the picture.

    Raises:
        UserError: a polygon without an area that is not ignored, or with a corner that is no number.

    >>> found = regions(np.array([[[10.0, 8], [39, 8], [39, 23], [10, 23]]]), np.array([False]), (32, 48))
    >>> int(found.shrunk.sum()), [round(float(t), 3) for t in found.thresholds[15, 8:13]]
    (176, [0.507, 0.604, 0.7, 0.604, 0.507])
    """
    check(polygons, ignored)
    found = Regions(*(np.full(shape, value, np.float32) for value in (0, 1, LOW, 0)))
    for polygon, unasked in zip(polygons, ignored, strict=True):
        if area(polygon) == 0:
            continue
        shift = shift_of(polygon)
        (left, top), (right, bottom) = polygon.min(0) - shift, polygon.max(0) + shift
        rows = slice(max(0, int(top)), max(0, int(bottom) + 2))
        columns = slice(max(0, int(left)), max(0, int(right) + 2))
        y, x = np.ogrid[: shape[0], : shape[1]]
        d, inside = distance(polygon, x[:, columns], y[rows])
        if unasked or np.ptp(polygon, 0).min() < SHORTEST:
            found.mask[rows, columns][inside] = 0
            continue
        found.shrunk[rows, columns][inside & (d >= shift - 0.5)] = 1
        found.near[rows, columns][inside | (d < shift)] = 1
        window = found.thresholds[rows, columns]
        np.maximum(window, LOW + (HIGH - LOW) * (1 - np.minimum(d / shift, 1)), out=window)
    return found
