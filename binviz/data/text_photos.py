"""Ten photographs of text in the street, with quadrilaterals around their words, to look at a model by.

They are no part of binviz: they are read from a mirror, see `binviz.data.sources`, as `local/textdet-toy` with columns
"image", "polygons" (eight numbers each: four corners) and "ignore".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from binviz.data import sources, text_regions
from binviz.data.scene_text import Scene
from binviz.data.validate import load_picture
from binviz.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

PHOTOS = "local/textdet-toy"
#: The longer side, in pixels, and what a detector's sides are multiples of.
LONGER, STEP = 640, 32


def fitted(picture: NDArray[np.uint8], longer: int = LONGER) -> NDArray[np.uint8]:
    """A picture (H, W, 3) scaled so that its longer side has so many pixels, both sides rounded to a multiple of 32.

    >>> fitted(np.zeros((300, 500, 3), np.uint8)).shape
    (384, 640, 3)
    """
    from PIL import Image

    high, wide = picture.shape[:2]
    size = [max(STEP, round(side * longer / max(high, wide) / STEP) * STEP) for side in (wide, high)]
    return np.array(Image.fromarray(picture).resize(tuple(size), Image.Resampling.BICUBIC))


def load(longer: int = LONGER) -> list[Scene]:
    """The photographs, `fitted`.

    Raises:
        UserError: they cannot be had, or a polygon has no four corners or no area.
    """
    import datasets

    table = sources.load_dataset(PHOTOS, None, "test").cast_column("image", datasets.Image(decode=False))
    found = []
    for row in table:
        picture = load_picture(row["image"]["bytes"])
        if any(len(polygon) != 8 for polygon in row["polygons"]):
            raise UserError(f"{PHOTOS} has a polygon of other than four corners; fetch it again")
        small = fitted(picture, longer)
        scale = np.array(small.shape[1::-1]) / np.array(picture.shape[1::-1])
        polygons = np.array(row["polygons"], float).reshape(-1, 4, 2) * scale
        ignored = np.array(row["ignore"], bool)
        text_regions.check(polygons, ignored)
        found.append(Scene(small, polygons, ignored))
    return found
