"""Distances between rows of bits."""

import numpy as np
from numpy.typing import NDArray

from binviz_kernels import compiled
from binviz_kernels.checks import output, packed_words, same_K
from binviz_kernels.packing import PackedRows, PackedWeights
from binviz_kernels.panels import arrange

FEW = 6  # rows for which arranging all the others would cost more than it saves


def hamming(
    a: PackedRows | PackedWeights, b: PackedRows | PackedWeights, out: NDArray[np.int32] | None = None
) -> NDArray[np.int32]:
    r"""The number of differing bits, for all pairs of rows.

    $$d_{mn} = \mathrm{popcount}(a_m \oplus b_n)$$

    Bits are compared as they are, whether a 0 stands for 0 or for −1.

    Args:
        a: M rows of K bits.
        b: N rows of K bits.
        out: int32 [M, N], C-contiguous, to write to; by default a new array.

    Returns:
        int32 [M, N].

    Raises:
        TypeError: an operand is not packed.
        ValueError: K differs, or `out` does not fit.

    >>> import numpy as np
    >>> from binviz_kernels import hamming, pack_rows
    >>> codes = pack_rows(np.array([[True, True, False], [False, True, True]]))
    >>> hamming(codes, codes)
    array([[0, 2],
           [2, 0]], dtype=int32)
    """
    for rows in (a, b):
        if not isinstance(rows, PackedRows | PackedWeights):
            raise TypeError(f"expected packed rows, got {type(rows).__name__}: use pack_rows")
    left, right = packed_words("a", a.words, a.K), packed_words("b", b.words, b.K)
    same_K(a.K, b.K)
    M, N = left.shape[0], right.shape[0]
    out = output(out, (M, N), np.int32)
    if a.K == 0:
        out[...] = 0
        return out
    panels = getattr(b, "panels", None)
    if panels is None and M < FEW:
        compiled.PAIRS(M * N * a.K, left, right, out)
    else:
        compiled.DISTANCES(M * N * a.K, left, arrange(right) if panels is None else panels, out)
    return out
