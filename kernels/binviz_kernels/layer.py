"""A linear layer on bits: the product of codes in integers, then scales, shift and bias in float32."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from binviz_kernels import compiled
from binviz_kernels.checks import optional_vector, output, vector
from binviz_kernels.gemm import operands
from binviz_kernels.packing import PackedRows, PackedWeights, pack_rows
from binviz_kernels.threads import run

Vector = NDArray[np.float32] | float


def linear(
    x: NDArray[Any] | PackedRows,
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
        x: float, bool or uint8 [M, K], packed here as by `pack_rows`; or PackedRows.
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
    a = x if isinstance(x, PackedRows) else pack_rows(x)
    rows, panels = operands(a, w)
    (M, W), N = rows.shape, panels.shape[1]
    out = output(out, (M, N), np.float32)
    scales = (
        vector("scale", scale, N),
        optional_vector("shift", shift, N),
        optional_vector("row_scale", row_scale, M),
        optional_vector("bias", bias, N),
    )
    args = rows, panels, int(a.K), bool(a.signed), *scales, out
    run(compiled.linear_rows, compiled.threaded_linear_rows, M, M * N * W, *args)
    return out
