"""Two photographs that come with scikit-learn, for convolutions and for what a vision transformer looks at.

"china" is a temple under trees, "flower" a dahlia; both are 427 pixels high and 640 wide.

>>> from binviz.data import photos
>>> photos.load("flower").shape
(427, 640, 3)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from binviz.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAMES = ("china", "flower")


def load(name: str) -> NDArray[np.uint8]:
    """One photograph.

    Args:
        name: "china" or "flower".

    Returns:
        (427, 640, 3) uint8, red, green, blue. A copy: the caller may write to it.

    Raises:
        UserError: another name.

    >>> picture = load("china")
    >>> picture.dtype.name, picture.flags.writeable
    ('uint8', True)
    """
    if name not in NAMES:
        raise UserError(f"there is no bundled photo {name!r}; choose 'china' or 'flower'")
    from sklearn.datasets import load_sample_image

    return np.array(load_sample_image(f"{name}.jpg"), np.uint8)
