"""Weights laid out for the kernels: neighbouring outputs side by side, so that they fill a register.

A panel is 64 rows: a line with the number of ones of each, then a line with the first 32 bits of each, and so on.
Missing rows of the last panel are 0. Lines begin where lines of the cache do. The portable form has no panels:
its layout is the words transposed.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from binviz_kernels import compiled, forms


def arrange(words: NDArray[np.uint64], form: forms.Form | None = None) -> NDArray[Any]:
    """Lay out rows of words.

    Args:
        words: uint64 [N, W], C-contiguous.
        form: by default the one for this processor.

    Returns:
        The panels, of the form's shape and type.

    >>> arrange(np.array([[5], [6]], np.uint64), forms.FORMS["avx512"])[0, :, :3]
    array([[2, 2, 0],
           [5, 6, 0],
           [0, 0, 0]], dtype=uint32)
    """
    form = form or forms.CHOSEN
    if not form.line:
        return np.ascontiguousarray(words.T)
    panels = aligned(form.shape(*words.shape), form.dtype)
    compiled.ARRANGE(words.size * 64, words, panels if form.tables else panels.view(np.uint32))
    return panels


def arrange_together(matrices: Sequence[NDArray[np.uint64]], form: forms.Form | None = None) -> NDArray[Any]:
    """Lay out several matrices of words one after the other, in panels."""
    panels = [arrange(words, form) for words in matrices]
    together = aligned((sum(map(len, panels)), *panels[0].shape[1:]), panels[0].dtype)
    return np.concatenate(panels, out=together)


def aligned(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """An array whose first element lies at a multiple of 64 bytes, as long as a line of the cache.

    >>> panel = aligned((2, 16), np.float32)
    >>> panel.shape, panel.ctypes.data % 64
    ((2, 16), 0)
    """
    memory = np.empty(math.prod(shape) * np.dtype(dtype).itemsize + 64, np.uint8)
    start = -memory.__array_interface__["data"][0] % 64
    return np.ndarray(shape, dtype, memory, start)
