"""A table of tumours as signs: thirty measures of cells, each above or below three cuts; benign or malignant.

569 tumours of scikit-learn, of which a stratified third is held out, drawn once with seed 0: 379 to train on, 190 to
test on. As LIBSVM's a1a has it (Adult, cut at quantiles), a measure becomes bits: +1 where it is at least the median
of the training part, else -1; then the same of the lower quartile and of the upper one. So columns 0 to 29 are those
of the medians, 30 to 59 of the lower quartiles, 60 to 89 of the upper ones.

Source: W. N. Street, W. H. Wolberg and O. L. Mangasarian, "Nuclear feature extraction for breast tumor diagnosis",
1993; Breast Cancer Wisconsin (Diagnostic), UCI repository, as scikit-learn ships it.

>>> bits, labels = load("test")
>>> bits.shape, bits.dtype.name, labels.shape, [CLASSES[label] for label in labels[:2]]
((190, 90), 'float32', (190,), ['malignant', 'malignant'])
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from binviz.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLASSES = ("malignant", "benign")
SPLITS = ("train", "test")
#: Quantiles of the cuts, in the order of the columns.
CUTS = (0.5, 0.25, 0.75)
#: Columns of three measures that are no functions of one another: radius, texture and smoothness, at their medians.
THREE = (0, 1, 4)


def load(split: str = "train") -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Rows of 90 signs, (N, 90), and their labels, (N,).

    Args:
        split: "train" (379 tumours) or "test" (190).

    Raises:
        UserError: another split.

    >>> bits, labels = load("train")
    >>> np.unique(bits).tolist(), len(labels)
    ([-1.0, 1.0], 379)
    """
    if split not in SPLITS:
        raise UserError(f"tumours have no split {split!r}; choose 'train' or 'test'")
    bits, labels = _read()[SPLITS.index(split)]
    return bits.copy(), labels.copy()


@cache
def _read() -> list[tuple[NDArray[np.float32], NDArray[np.int64]]]:
    from sklearn.datasets import load_breast_cancer
    from sklearn.model_selection import train_test_split

    data = load_breast_cancer()
    labels = data.target.astype(np.int64)
    train, test = train_test_split(np.arange(len(labels)), test_size=1 / 3, random_state=0, stratify=labels)
    cuts = np.quantile(data.data[train], CUTS, axis=0)
    signs = np.where(data.data[:, None] >= cuts, 1.0, -1.0).reshape(len(labels), -1).astype(np.float32)
    return [(signs[part], labels[part]) for part in (np.sort(train), np.sort(test))]
