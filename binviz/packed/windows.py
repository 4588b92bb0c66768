"""Swin's windows: which positions of a picture attend to which.

Its layers fill a picture up to whole windows, roll it, cut it and put it together again. All of that is written down
here once, as row numbers: only attention reads them, and everything else goes row by row, so the kernels move nothing.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from binviz_kernels.encoder_layers import Windows
from numpy.typing import NDArray


@lru_cache(maxsize=32)
def windows_of(batch: int, height: int, width: int, size: int, shifts: tuple[int, ...]) -> Windows:
    """Windows of size x size positions; layer i rolls the picture up and left by shifts[i] before it is cut.

    Positions of one window that did not lie side by side before do not see each other.

    >>> windows = windows_of(1, 3, 4, 2, (0, 1))
    >>> windows.rows[0].tolist()  # 12 is padding
    [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 12], [10, 11, 12, 12]]
    >>> windows.rows[1, -1].tolist(), windows.allowed[windows.kinds[1, -1]].astype(int).tolist()
    ([12, 12, 3, 0], [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    """
    rows = np.full(
        (batch, -(-height // size) * size, -(-width // size) * size), batch * height * width, np.int32
    )
    rows[:, :height, :width] = np.arange(batch * height * width).reshape(batch, height, width)

    def cut(pictures: NDArray[Any]) -> NDArray[Any]:
        """[n, H, W] -> [windows, positions]."""
        n, high, wide = pictures.shape
        parts = pictures.reshape(n, high // size, size, wide // size, size)
        return parts.swapaxes(2, 3).reshape(-1, size**2)

    def regions(length: int, shift: int) -> NDArray[np.int64]:
        """Of each place: before the last window, in it, and what came round to its end."""
        place = np.arange(length)
        return np.where(shift > 0, (place >= length - size).astype(int) + (place >= length - shift), 0)

    _, high, wide = rows.shape
    groups, parts = [], []
    for shift in shifts:
        groups.append(cut(np.roll(rows, (-shift, -shift), (1, 2))))
        region = 3 * regions(high, shift)[:, None] + regions(wide, shift)
        parts.append(cut(np.broadcast_to(region, rows.shape)))
    # Windows with the same regions have one kind
    kinds_of, kinds = np.unique(np.concatenate(parts), axis=0, return_inverse=True)
    return Windows(
        np.stack(groups),
        np.int32(kinds).reshape(len(shifts), -1),
        kinds_of[:, :, None] == kinds_of[:, None, :],
    )
