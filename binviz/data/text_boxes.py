r"""From a map of probabilities to boxes, and how good these are (DBNet, 1911.08947, sections 3.5 and 4.1).

The map is cut at a threshold. Around every connected part lies its smallest rectangle, in any direction; its score is
the mean probability inside. What was shrunk for learning is grown again: by

$$D' = \frac{A \rho}{L}$$

on every side, with the rectangle's area A and perimeter L. A box is right where it covers a word that no other box has,
by an intersection over union of at least 1/2. With TP right boxes of all P and of T words,

$$F = \frac{2\,TP}{P + T}.$$

The official code reads the outer line of a part from pixels of pictures of 736; here a part needs two pixels in both
directions, where its rectangle is to be 3 wide, and 5 when grown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from binviz.data.text_regions import area, distance, sides

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Where a map is cut; the score a box needs; how it grows, rho above; shortest side of a part's rectangle; how many
#: boxes a picture may have, of the best scores; what a box and its word have in common at least.
CUT, SCORE, GROWTH, SHORTEST, MOST, OVERLAP = 0.3, 0.5, 1.5, 1.0, 100, 0.5


class Boxes(NamedTuple):
    """Boxes of a picture: corners (n, 4, 2), x and y in pixels, and scores (n,), the best first."""

    corners: NDArray[np.float64]
    scores: NDArray[np.float64]


def grown(corners: NDArray[np.float64], growth: float = GROWTH) -> NDArray[np.float64]:
    """A rectangle (4, 2) with D' more on every side.

    >>> grown(np.array([[15.0, 12], [34, 12], [34, 19], [15, 19]])).round(3).tolist()
    [[11.163, 8.163], [37.837, 8.163], [37.837, 22.837], [11.163, 22.837]]
    """
    length = sides(corners)
    more = area(corners) * growth / length.sum()
    along = (np.roll(corners, -1, 0) - corners) / length[:, None]
    return corners + more * (np.roll(along, 1, 0) - along)


def boxes(probability: NDArray[np.floating], cut: float = CUT, score: float = SCORE) -> Boxes:
    """The words of a picture.

    Args:
        probability: (H, W), of text.
        cut: what is above is text.
        score: what a box's mean probability is to be above.

    >>> found = boxes(np.pad(np.full((8, 20), 0.9), ((12, 12), (15, 13))))
    >>> [each.round().tolist() for each in (found.corners[0].min(0), found.corners[0].max(0), found.scores)]
    [[11.0, 8.0], [38.0, 23.0], [1.0]]
    """
    from scipy.ndimage import find_objects, label
    from shapely import MultiPoint, oriented_envelope

    parts, _ = label(probability > cut, np.ones((3, 3)))
    corners, scores = [], []
    for number, place in enumerate(find_objects(parts), 1):
        top, left = (side.start for side in place)
        y, x = np.nonzero(parts[place] == number)
        around = oriented_envelope(MultiPoint(np.stack([x, y], 1)))
        if around.geom_type != "Polygon":  # a point or a line
            continue
        rectangle = np.array(around.exterior.coords)[:4]
        if sides(rectangle).min() < SHORTEST:
            continue
        rows, columns = np.ogrid[: place[0].stop - top, : place[1].stop - left]
        d, inside = distance(rectangle, columns, rows)
        mean = float(probability[place][inside | (d < 1e-6)].mean())
        if mean > score:
            corners.append(grown(rectangle + np.array([left, top])))
            scores.append(mean)
    order = np.argsort(scores, kind="stable")[::-1][:MOST].astype(int)
    return Boxes(np.array(corners).reshape(-1, 4, 2)[order], np.array(scores)[order])


class Matched(NamedTuple):
    """What is right in a picture: boxes with a word of their own, boxes that count, and words that were to be found."""

    right: int
    boxes: int
    words: int

    @property
    def f(self) -> float:
        """F above; 1 where there was nothing to find and nothing was found.

        >>> Matched(1, 1, 2).f, Matched(0, 0, 0).f, Matched(0, 1, 0).f
        (0.6666666666666666, 1.0, 0.0)
        """
        return 2 * self.right / (self.boxes + self.words) if self.boxes + self.words else 1.0


def matched(found: NDArray[np.float64], polygons: NDArray[np.float64], ignored: NDArray[np.bool_]) -> Matched:
    """Boxes against words, in the order of the boxes, each with the word that it covers best of those left.

    A box more than half of which lies on ignored words does not count.

    Args:
        found: corners (n, 4, 2).
        polygons: of the words, (m, corners, 2).
        ignored: (m,).

    >>> word = np.array([[[0.0, 0], [8, 0], [8, 4], [0, 4]]])
    >>> matched(np.concatenate([word + 1, word + 9]), word, np.array([False]))  # 21 of 43 in common: too little
    Matched(right=0, boxes=2, words=1)
    """
    from shapely import Polygon, area, intersection, union_all

    words = [Polygon(polygon).buffer(0) for polygon in polygons]
    asked = [word for word, unasked in zip(words, ignored, strict=True) if not unasked]
    unasked = union_all([word for word, unasked in zip(words, ignored, strict=True) if unasked])
    left, right, counted = list(range(len(asked))), 0, 0
    for box in map(Polygon, found):
        common = {i: area(intersection(box, asked[i])) for i in left}
        shares = {i: each / (box.area + asked[i].area - each) for i, each in common.items()}
        best = max(shares, key=shares.__getitem__, default=None)
        if best is not None and shares[best] >= OVERLAP:
            left.remove(best)
            right += 1
        elif area(intersection(box, unasked)) > box.area / 2:
            continue
        counted += 1
    return Matched(right, counted, len(asked))
