"""Handwritten digits: scikit-learn's 1797 grey pictures of 8 by 8 pixels, with one fixed held-out quarter.

The quarter is drawn once, stratified over the ten digits, with seed 0: 1347 pictures to train on, 450 to
test on. Inside both the order is the data set's own.

Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI repository, 1998 (the
test set of it, as scikit-learn ships it).

>>> from binviz.data import digits
>>> images, labels = digits.load("test")
>>> images.shape, images.dtype.name, labels.shape, labels.dtype.name
((450, 1, 8, 8), 'float32', (450,), 'int64')
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from binviz.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLASSES = tuple("0123456789")
SPLITS = ("train", "test")
#: The seed of the one split there is.
SEED = 0


def raw(split: str = "train") -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The pictures as they are stored.

    Args:
        split: "train" (1347 pictures) or "test" (450).

    Returns:
        pictures: (N, 8, 8) uint8, ink from 0 (paper) to 16 (full).
        labels: (N,) int64, the digits.

    Raises:
        UserError: another split.

    >>> pictures, labels = raw("train")
    >>> pictures.shape, int(pictures.min()), int(pictures.max())
    ((1347, 8, 8), 0, 16)
    """
    if split not in SPLITS:
        raise UserError(f"digits have no split {split!r}; choose 'train' or 'test'")
    pictures, labels = _read(split)
    return pictures.copy(), labels.copy()


@cache
def _read(split: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """As `raw`, once: pages ask for hundreds of single pictures."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    data = load_digits()
    labels = data.target.astype(np.int64)
    parts = train_test_split(np.arange(len(labels)), test_size=0.25, random_state=SEED, stratify=labels)
    chosen = np.sort(parts[SPLITS.index(split)])
    return data.images[chosen].astype(np.uint8), labels[chosen]


def normalise(pictures: NDArray) -> NDArray[np.float32]:
    """Ink of 0..16 to what a model reads: (x / 16 - 0.5) / 0.5, with a channel axis added.

    Args:
        pictures: (N, 8, 8), any real dtype.

    Returns:
        (N, 1, 8, 8) float32 in [-1, 1].

    >>> normalise(np.array([[[0, 8], [12, 16]]])).tolist()
    [[[[-1.0, 0.0], [0.5, 1.0]]]]
    """
    centred = (np.asarray(pictures, np.float32) / 16 - 0.5) / 0.5
    return centred.astype(np.float32)[:, None]


def load(split: str = "train") -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The pictures as a model reads them.

    Args:
        split: "train" (1347 pictures) or "test" (450).

    Returns:
        images: (N, 1, 8, 8) float32 in [-1, 1].
        labels: (N,) int64, the digits.

    Raises:
        UserError: another split.

    >>> images, labels = load("train")
    >>> float(images.min()), float(images.max())
    (-1.0, 1.0)
    """
    pictures, labels = raw(split)
    return normalise(pictures), labels
