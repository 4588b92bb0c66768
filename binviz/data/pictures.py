"""Pictures with one class each: a data set of the hub, or a folder of pictures.

A folder has one folder for each class, or `train` and `test` (or `validation`, `valid`, `val`) with those inside;
without them every tenth picture of a class is held out. Of a data set of the hub the first column of pictures and the
first of labels are read. Every picture is red, green and blue, cut to a square around its middle and scaled to one
size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from binviz.data import sources
from binviz.data.validate import PICTURE_FORMATS, load_picture
from binviz.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Split = Literal["train", "test"]
#: Names that the held-out split has, the first one that is there and has labels.
HELD_OUT = ("validation", "valid", "val", "test")
#: Sets whose pixels take fewer bytes are decoded once and kept.
MOST_BYTES = 2**31
#: In a folder without splits every picture whose place in its class divides by this is held out.
EVERY = 10


def squared(picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """A picture cut to the largest square around its middle, scaled to `size` pixels a side.

    Args:
        picture: (H, W, 3) uint8.
        size: in pixels; 0 leaves the square as large as it is.

    >>> squared(np.zeros((4, 6, 3), np.uint8), 2).shape
    (2, 2, 3)
    """
    from PIL import Image

    side = min(picture.shape[:2])
    top, left = (picture.shape[0] - side) // 2, (picture.shape[1] - side) // 2
    square = picture[top : top + side, left : left + side]
    if size in (0, side):
        return np.ascontiguousarray(square)
    return np.array(Image.fromarray(square).resize((size, size), Image.Resampling.BICUBIC))


@dataclass(frozen=True)
class Pictures:
    """A split.

    source: where it is from. stored: of every picture its bytes, or its path. labels: (N,) int64. classes: their
    names. size: height and width in pixels.

    >>> import io
    >>> from PIL import Image
    >>> file = io.BytesIO()
    >>> Image.new("L", (4, 2), 255).save(file, "PNG")
    >>> pictures = Pictures("own", [file.getvalue()], np.array([0]), ("white",), size=2)
    >>> pictures.take([0]).shape, len(pictures)
    ((1, 2, 2, 3), 1)
    """

    source: str
    stored: Sequence[Any]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    size: int
    decoded: list[NDArray[np.uint8]] = field(default_factory=list, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def small(self) -> bool:
        """Whether all pixels fit into memory."""
        return len(self) * self.size**2 * 3 <= MOST_BYTES

    def take(self, indices: Sequence[int] | NDArray) -> NDArray[np.uint8]:
        """Some of them, (n, size, size, 3) uint8.

        Raises:
            UserError: one is damaged.
        """
        if not self.small:
            return self._decode(indices)
        if not self.decoded:
            self.decoded.append(self._decode(range(len(self))))
        return self.decoded[0][np.asarray(indices)]

    def _decode(self, indices: Any) -> NDArray[np.uint8]:
        found = np.empty((len(indices), self.size, self.size, 3), np.uint8)
        for place, index in enumerate(indices):
            found[place] = squared(self._picture(int(index)), self.size)
        return found

    def _picture(self, index: int) -> NDArray[np.uint8]:
        stored = self.stored[index]
        try:
            return load_picture(stored["bytes"] or stored["path"] if isinstance(stored, dict) else stored)
        except UserError as error:
            name = stored if isinstance(stored, str | Path) else f"picture {index}"
            raise UserError(f"{name} of {self.source}: {error}") from error

    def sha256(self) -> str:
        """A digest of pixels and labels; of a set that does not fit into memory, of the labels.

        The pixels are the same wherever the files came from, if the files lose nothing.
        """
        digest = hashlib.sha256(repr((self.size, self.classes)).encode())
        digest.update(self.labels.astype("<i8").tobytes())
        if self.small:
            digest.update(self.take(range(len(self))).tobytes())
        return digest.hexdigest()


@cache
def load(source: str, split: Split, size: int = 0) -> Pictures:
    """A split of a data set, from a folder, a mirror or the hub.

    Args:
        source: hub id or folder.
        split: "train", or "test" for what is held out.
        size: height and width in pixels, 1 to 4096; 0 is that of the first picture.

    Raises:
        UserError: no such data, no column of pictures or of labels, an empty class, or other classes in the splits.
    """
    if split not in ("train", "test"):
        raise UserError(f"pictures have no split {split!r}; choose 'train' or 'test'")
    if not 0 <= size <= 4096:
        raise UserError(f"the size of pictures is at most 4096 pixels, not {size}")
    folder = Path(source)
    stored, labels, classes = _of_folder(folder, split) if folder.is_dir() else _of_hub(source, split)
    pictures = Pictures(source, stored, labels, classes, size or 1)
    if size:
        return pictures
    side = min(pictures._picture(0).shape[:2])
    return Pictures(source, stored, labels, classes, side)


def _of_hub(source: str, split: Split) -> tuple[Sequence[Any], NDArray[np.int64], tuple[str, ...]]:
    table = _hub_split(source, split)
    images, labels = _columns(table, source)
    found = np.asarray(table[labels], np.int64)
    classes = tuple(getattr(table.features[labels], "names", None) or ())
    classes = classes or tuple(str(number) for number in range(found.max() + 1))
    if found.min() < 0 or found.max() >= len(classes):
        raise UserError(
            f"{source} {split} has labels that are none of its {len(classes)} classes; take a split that has"
        )
    import datasets

    return table.cast_column(images, datasets.Image(decode=False))[images], found, classes


def _hub_split(source: str, split: Split) -> Any:
    """The split; of those held out the first with labels."""
    if split == "train":
        return sources.load_dataset(source, None, "train")
    reasons = []
    for name in HELD_OUT:
        try:
            table = sources.load_dataset(source, None, name)
            if min(table[_columns(table, source)[1]]) >= 0:
                return table
            reasons.append(f"the labels of {name} are not given")
        except UserError as error:
            reasons.append(str(error))
    raise UserError(f"{source} has no split to judge on ({reasons[0]}); give a folder with train and test")


def _columns(table: Any, source: str) -> tuple[str, str]:
    """Names of the column of pictures and of that of labels."""
    import datasets

    features = table.features
    images = [name for name, kind in features.items() if isinstance(kind, datasets.Image)]
    numbers = [
        name
        for name, kind in features.items()
        if isinstance(kind, datasets.ClassLabel) or getattr(kind, "dtype", "").startswith("int")
    ]
    if not images or not numbers:
        lacking = "pictures" if not images else "labels"
        raise UserError(
            f"{source} has no column of {lacking} (it has {', '.join(features)}); "
            "take a data set for image classification"
        )
    return images[0], numbers[0]


def _of_folder(folder: Path, split: Split) -> tuple[Sequence[Any], NDArray[np.int64], tuple[str, ...]]:
    held_out = next((folder / name for name in HELD_OUT if (folder / name).is_dir()), None)
    if (folder / "train").is_dir() != (held_out is not None):
        raise UserError(f"{folder} has one split only; it needs train and test, or folders of classes alone")
    if held_out is None:
        stored, labels, classes = _of_classes(folder)
        places = np.concatenate([np.arange(count) for count in np.bincount(labels)])
        chosen = np.flatnonzero((places % EVERY == 0) == (split == "test"))
        return [stored[i] for i in chosen], labels[chosen], classes
    trained, judged = _of_classes(folder / "train"), _of_classes(held_out)
    if trained[2] != judged[2]:
        raise UserError(
            f"{folder} has {len(trained[2])} classes to train on and {len(judged[2])} to judge on, or other names; "
            "give both the same folders"
        )
    return trained if split == "train" else judged


def _of_classes(folder: Path) -> tuple[list[Path], NDArray[np.int64], tuple[str, ...]]:
    """Paths and labels of the pictures in a folder of folders, ordered by name."""
    endings = {f".{kind.lower()}" for kind in (*PICTURE_FORMATS, "jpg")}
    groups = {
        place.name: sorted(path for path in place.iterdir() if path.suffix.lower() in endings)
        for place in sorted(folder.iterdir())
        if place.is_dir() and not place.name.startswith(".")
    }
    if len(groups) < 2:
        raise UserError(
            f"{folder} has no folders of classes; put the pictures of each class into one of its own"
        )
    if empty := next((name for name, paths in groups.items() if not paths), None):
        raise UserError(f"the class {empty!r} in {folder} has no picture; add some or remove the folder")
    paths = [path for group in groups.values() for path in group]
    labels = np.repeat(np.arange(len(groups)), [len(group) for group in groups.values()])
    return paths, labels.astype(np.int64), tuple(groups)
