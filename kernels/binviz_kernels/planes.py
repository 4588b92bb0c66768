r"""Codes of 2, 4 and 8 bits as bit-planes: a product with 1-bit weights is a weighted sum of 1-bit products.

$$q = \sum_p 2^p b_p, \qquad q \cdot w = \sum_p 2^p (b_p \cdot w)$$

with planes $b_p$ in {0, 1}. Of signed codes (two's complement) the highest plane counts $-2^p$. Where bits are counted,
each plane is a product of its own; where products are looked up (`tables`), a table holds the sum of all planes, and
the price hardly grows with the bits.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from binviz_kernels import compiled, packing
from binviz_kernels.checks import empty, output
from binviz_kernels.gemm import operands
from binviz_kernels.packing import PackedRows, PackedWeights, Words
from binviz_kernels.tables import MOST_PLANES


class PackedPlanes(NamedTuple):
    """Activations of several bits each.

    Attributes:
        words: uint64 [M, bits, ceil(K / 64)], the plane of the lowest bit first.
        K: entries per row.
        signed: True for codes from −2^(bits − 1) to 2^(bits − 1) − 1, False for 0 to 2^bits − 1.

    >>> packed = pack_planes(np.full((3, 70), -2, np.int8), bits=2)
    >>> packed.words.shape, packed.K, packed.signed
    ((3, 2, 2), 70, True)
    """

    words: Words
    K: int
    signed: bool = False


def pack_planes(codes: NDArray[Any], bits: int) -> PackedPlanes:
    """Pack small integers into bit-planes.

    Args:
        codes: [M, K]; uint8 from 0 to 2^bits − 1, or int8 from −2^(bits − 1) to 2^(bits − 1) − 1.
        bits: 1 to 8.

    Raises:
        TypeError: codes is not a NumPy array of one of these types.
        ValueError: codes does not have two axes, bits is not such a number, or a code does not fit into them.

    >>> import numpy as np
    >>> from binviz_kernels import pack_planes
    >>> pack_planes(np.array([[0, 1, 2, 3]], np.uint8), bits=2).words
    array([[[10], [12]]], dtype=uint64)
    """
    if not isinstance(codes, np.ndarray) or codes.dtype not in (np.uint8, np.int8):
        raise TypeError("codes must be a NumPy array of uint8 (from 0) or int8 (of both signs)")
    if codes.ndim != 2:
        raise ValueError(f"expected two axes [rows, K], got shape {codes.shape}: use codes.reshape(-1, K)")
    if isinstance(bits, bool) or not isinstance(bits, int) or not 1 <= bits <= 8:
        raise ValueError(f"bits must be a whole number from 1 to 8, got {bits!r}")
    signed = codes.dtype == np.int8
    least, most = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    if codes.size and not (least <= codes.min() and codes.max() <= most):
        raise ValueError(
            f"codes of {bits} bits go from {least} to {most}, got {codes.min()} to {codes.max()}"
        )
    octets = codes.view(np.uint8)
    planes = [packing.pack_rows(octets & np.uint8(1 << p)).words for p in range(bits)]
    return PackedPlanes(np.ascontiguousarray(np.stack(planes, axis=1)), codes.shape[1], signed)


def planes_gemm(a: PackedPlanes, w: PackedWeights, out: NDArray[np.int32] | None = None) -> NDArray[np.int32]:
    r"""Products of codes of several bits with ±1 weights.

    $$y_{mn} = \sum_k q_{mk} w_{nk}$$

    Args:
        a: M rows of K codes.
        w: N rows of K bits.
        out: int32 [M, N], C-contiguous, to write to; by default a new array.

    Returns:
        int32 [M, N].

    Raises:
        TypeError: an operand is not packed.
        ValueError: K differs, a product could exceed an int32, or `out` does not fit.

    >>> import numpy as np
    >>> from binviz_kernels import pack_planes, pack_weights, planes_gemm
    >>> a = pack_planes(np.array([[0, 1, 2, 3]], np.uint8), bits=2)
    >>> planes_gemm(a, pack_weights(np.array([[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, -1.0]])))
    array([[6, 0]], dtype=int32)
    """
    try:
        # The usual case in few steps, as in `linear`
        M, planes, W = a.words.shape
        N = w.words.shape[0]
        if 0 < a.K == w.K < 2**31 >> planes and W == (a.K + 63) // 64 and 0 < planes <= MOST_PLANES:
            y = empty((M, N), np.int32) if out is None else out
            if compiled.WEIGHTED(
                M * N * a.K * planes, a.words.reshape(M, planes * W), w.panels, planes, a.signed, y
            ):
                return y
    except (AttributeError, KeyError, TypeError, ValueError):
        pass
    if not isinstance(a, PackedPlanes):
        raise TypeError(f"activations must be PackedPlanes, got {type(a).__name__}: use pack_planes")
    if not isinstance(a.words, np.ndarray) or a.words.dtype != np.uint64 or a.words.ndim != 3:
        raise TypeError(
            "activations: words must be a uint64 array [M, bits, words]: make them with pack_planes"
        )
    M, planes, W = a.words.shape
    # Looked at as rows of one plane each, they are checked as any others.
    rows, panels = operands(PackedRows(a.words.reshape(M * planes, W), a.K, False), w)
    if a.K << planes > 2**31:
        raise ValueError(f"sums of {a.K} codes of {planes} bits may exceed an int32")
    N, W = w.words.shape[0], rows.shape[1]
    out = output(out, (M, N), np.int32)
    words = rows.reshape(M, planes * W)
    if panels.ndim > 3 and planes > MOST_PLANES:
        # q = low + 2^4 high
        low, high = (np.ascontiguousarray(part) for part in np.split(words, [MOST_PLANES * W], axis=1))
        above = np.empty_like(out)
        compiled.WEIGHTED(M * N * a.K, low, panels, MOST_PLANES, False, out)
        compiled.WEIGHTED(M * N * a.K, high, panels, planes - MOST_PLANES, a.signed, above)
        out += above << MOST_PLANES
    else:
        compiled.WEIGHTED(M * N * a.K * planes, words, panels, planes, a.signed, out)
    return out
