"""CamVid: street scenes with a class for every pixel, at 160x120, of 11 classes and one for what has none.

Source: G. Brostow, J. Fauqueur and R. Cipolla, "Semantic object classes in video", 2009; classes and splits are those
of SegNet (1511.00561). Pictures are averaged over 3x3 pixels and labels taken from the middle of them, so that no
number is comparable with a published one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from binviz.data import sources
from binviz.data.validate import load_picture
from binviz.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Split = Literal["train", "val", "test"]
SOURCE = "local/camvid-160x120"
CLASSES = (
    "sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist",
)  # fmt: skip
#: The label of a pixel that belongs to none of the classes.
UNLABELLED = len(CLASSES)


@dataclass(frozen=True)
class Scenes:
    """A split: `pictures` (N, H, W, 3) uint8 and `labels` (N, H, W) uint8, of `CLASSES` or `UNLABELLED`.

    >>> len(Scenes(np.zeros((2, 3, 4, 3), np.uint8), np.zeros((2, 3, 4), np.uint8)))
    2
    """

    pictures: NDArray[np.uint8]
    labels: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.labels)

    def sha256(self) -> str:
        """A digest of pixels and labels."""
        return sources.sha256(*([row.tobytes() for row in part] for part in (self.pictures, self.labels)))


@cache
def load(split: Split) -> Scenes:
    """A split of CamVid, from a mirror or the hub; it is not bundled.

    Raises:
        UserError: no such split, the data cannot be had, or are others.
    """
    if split not in get_args(Split):
        raise UserError(f"street scenes have no split {split!r}; choose 'train', 'val' or 'test'")
    import datasets

    table = sources.load_dataset(SOURCE, None, split)
    try:
        table = table.cast_column("image", datasets.Image(decode=False))
        table = table.cast_column("label", datasets.Image(decode=False))
        pictures = np.stack([_pixels(row) for row in table["image"]])
        labels = np.stack([_pixels(row)[..., 0] for row in table["label"]])
        if pictures.shape[:3] != labels.shape or labels.max() > UNLABELLED:
            raise ValueError(f"a label is not from 0 to {UNLABELLED}, or not of its picture's size")
    except (KeyError, TypeError, ValueError, UserError) as error:
        said = " ".join(str(error).split())[:120]
        raise UserError(f"{SOURCE} {split} does not hold street scenes ({said}); fetch it again") from error
    return Scenes(pictures, labels)


def _pixels(stored: dict[str, Any]) -> NDArray[np.uint8]:
    """(H, W, 3) of an encoded picture; a grey one has three equal colours."""
    return load_picture(stored["bytes"])
