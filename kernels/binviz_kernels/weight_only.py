"""Layers whose weights are bits while the activations stay floats."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from binviz_kernels import compiled
from binviz_kernels.checks import NONE, contiguous, optional_vector, output, vector
from binviz_kernels.gemm import operands
from binviz_kernels.layer import Vector
from binviz_kernels.packing import PackedRows, PackedWeights


def linear_weight_only(
    x: NDArray[Any],
    w: PackedWeights,
    scale: Vector,
    bias: Vector | None = None,
    *,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    r"""A linear layer of float activations and ±1 weights.

    $$y_{mn} = \Big(\sum_k x_{mk} w_{nk}\Big) \cdot \mathrm{scale}_n + \mathrm{bias}_n$$

    in float32: entries are added or subtracted one after the other in the order of k, then scale and bias
    follow, rounded after every operation. The result is the same on every processor and any number of threads.

    Args:
        x: float16, float32 or float64 [M, K]; used as float32.
        w: N rows of K bits.
        scale: float32 [N] or a scalar.
        bias: float32 [N], a scalar or None.
        out: float32 [M, N], C-contiguous, to write to; by default a new array.

    Returns:
        float32 [M, N].

    Raises:
        TypeError: x is not a float array, or w is not packed.
        ValueError: x does not have two axes, K differs, or a vector or `out` does not fit.

    >>> import numpy as np
    >>> from binviz_kernels import linear_weight_only, pack_weights
    >>> w = pack_weights(np.array([[1.0, -1.0], [1.0, 1.0]]))
    >>> linear_weight_only(np.array([[0.5, 0.25]]), w, scale=2.0)
    array([[0.5, 1.5]], dtype=float32)
    """
    if not isinstance(x, np.ndarray) or x.dtype.kind != "f":
        raise TypeError("x must be a NumPy array of floats: bits and integers go to linear")
    if x.ndim != 2:
        raise ValueError(f"expected two axes [rows, K], got shape {x.shape}: use x.reshape(-1, K)")
    M, K = x.shape
    # Only to check w against K as every product does
    _, panels = operands(PackedRows(np.empty((0, -(-K // 64)), np.uint64), K), w)
    N = w.words.shape[0]
    out = output(out, (M, N), np.float32)
    vectors = vector("scale", scale, N), optional_vector("bias", bias, N), NONE, NONE
    with np.errstate(over="ignore"):
        x = contiguous(x.astype(np.float32, copy=False))
    compiled.SIGNED_SUMS(M * N * K, x, panels, out)
    compiled.FINISH_SUMS(M * N * 64, out, *vectors, int(bias is not None), out)
    return out
