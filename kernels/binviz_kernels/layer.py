"""A linear layer on bits: the product of codes in integers, then scales, shift and bias in float32."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from binviz_kernels import compiled
from binviz_kernels.checks import NONE, contiguous, empty, optional_vector, output, vector
from binviz_kernels.gemm import operands
from binviz_kernels.kernel import SMALLEST_WORK
from binviz_kernels.packing import PackedRows, PackedWeights, pack_rows
from binviz_kernels.planes import PackedPlanes, planes_gemm
from binviz_kernels.threads import get_threads

Vector = NDArray[np.float32] | float
NO_FLOATS, NO_WORDS = np.empty((0, 0), np.float32), np.empty((0, 0), np.uint64)


def linear(
    x: NDArray[Any] | PackedRows | PackedPlanes,
    w: PackedWeights,
    scale: Vector,
    bias: Vector | None = None,
    *,
    shift: Vector | None = None,
    row_scale: Vector | None = None,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    r"""A 1-bit linear layer.

    $$y_{mn} = \Big(\textstyle\sum_k a_{mk} w_{nk} \cdot \mathrm{scale}_n + \mathrm{shift}_n\Big)
    \cdot \mathrm{row\_scale}_m + \mathrm{bias}_n$$

    in float32, in this order, rounded after every operation: bit for bit what NumPy computes. A term that is
    None is left out. Signed rows (from floats) are multiplied by XOR, {0, 1} rows (from bool or uint8) by AND.

    Args:
        x: float, bool or uint8 [M, K], packed here as by `pack_rows`; PackedRows; or PackedPlanes.
        w: N rows of K bits.
        scale: float32 [N] or a scalar.
        bias: float32 [N], a scalar or None.
        shift: float32 [N], a scalar or None. The correction for an activation that is q·scale + shift.
        row_scale: float32 [M], a scalar or None.
        out: float32 [M, N], C-contiguous, to write to; by default a new array.

    Returns:
        float32 [M, N]. Rows of no entries (K = 0) have the product 0.

    Raises:
        TypeError: x cannot be packed, or w is not packed.
        ValueError: x does not have two axes, K differs, or a vector or `out` does not fit.

    >>> import numpy as np
    >>> from binviz_kernels import linear, pack_weights
    >>> w = pack_weights(np.array([[1.0, 1.0, 1.0], [-1.0, -1.0, 1.0]]))
    >>> linear(np.array([[0.3, 0.1, -0.2]]), w, scale=0.5, bias=1.0)
    array([[ 1.5, -0.5]], dtype=float32)
    """
    given = (bias is not None) + 2 * (shift is not None) + 4 * (row_scale is not None)
    try:
        # The usual case in as few steps as possible: arrays of the right types, which the kernel insists on,
        # and of sizes that fit, which it looks at itself. Everything else is looked at more closely below.
        K, N = w.K, w.words.shape[0]
        floats: Any = x
        words, signed, fits = NO_WORDS, True, True  # or the kernel says that it does not
        if isinstance(x, PackedRows):
            floats, words, signed = NO_FLOATS, x.words, x.signed
            fits = x.K == K and words.shape[1] == (K + 63) // 64
        M = words.shape[0] or floats.shape[0]
        if M and fits and type(K) is int:
            threads = 1 if M * N * K < SMALLEST_WORK else get_threads()
            y = empty((M, N), np.float32) if out is None else out
            usual = (
                floats, words, w.panels, K, signed, scale,
                NONE if bias is None else bias, NONE if shift is None else shift,
                NONE if row_scale is None else row_scale, given, y,
            )  # fmt: skip
            if compiled.LINEAR.serial(*usual) if threads == 1 else compiled.LINEAR.threaded(*usual, threads):
                return y
    except (AttributeError, IndexError, TypeError, ValueError):
        pass
    return _linear(x, w, scale, bias, shift, row_scale, given, out)


def layer_of_planes(
    x: PackedPlanes, w: PackedWeights, scale: Any, bias: Any, shift: Any, row_scale: Any, given: int, out: Any
) -> NDArray[np.float32]:
    """A layer of codes of several bits: exact integer products, then the same terms in the same order."""
    dots = planes_gemm(x, w)
    out = output(out, dots.shape, np.float32)
    compiled.FINISH(dots.size * 64, dots, *terms(scale, bias, shift, row_scale, *dots.shape), given, out)
    return out


def terms(scale: Any, bias: Any, shift: Any, row_scale: Any, M: int, N: int) -> tuple[NDArray[Any], ...]:
    """The vectors of a layer, checked; an empty one for a term that is not given."""
    return (
        vector("scale", scale, N),
        optional_vector("bias", bias, N),
        optional_vector("shift", shift, N),
        optional_vector("row_scale", row_scale, M),
    )


def _linear(x: Any, w: Any, scale: Any, bias: Any, shift: Any, row_scale: Any, given: int, out: Any) -> Any:
    """The same with every argument checked, on any number of threads."""
    if isinstance(x, PackedPlanes):
        return layer_of_planes(x, w, scale, bias, shift, row_scale, given, out)
    a, floats = x, NO_FLOATS
    if isinstance(x, np.ndarray) and x.dtype == np.float32 and x.ndim == 2 and x.size:
        # The kernel packs them, each thread its own rows; here only their length is looked at.
        floats = contiguous(x)
        a = PackedRows(np.empty((0, -(-x.shape[1] // 64)), np.uint64), x.shape[1])
    elif not isinstance(x, PackedRows):
        a = pack_rows(x)
    rows, panels = operands(a, w)
    M, N = len(rows) or len(floats), w.words.shape[0]
    out = output(out, (M, N), np.float32)
    vectors = terms(scale, bias, shift, row_scale, M, N)
    if not rows.flags.writeable:  # the kernel only reads them
        rows = rows.copy()
    compiled.LINEAR(M * N * a.K, floats, rows, panels, a.K, a.signed, *vectors, given, out)
    return out
