"""Layers whose weights are bits while the activations stay floats.

Words that are all 0 are not skipped, as sets of {0, 1} would allow. After training, 79 and 59 % of DB-LLM's two sets in
a small LLaMA are 0, but of their words of 64 at most one in 10,000 is (`binviz.experiments.decoding` records both). A
loop over single outputs that skips such words is as fast as these sums, in which neighbouring outputs share a register
and each step, where about 90 % of the words are 0 and the others half full; where none is, it takes 4 to 10 times as
long (one row, K from 256 to 4096, one thread of a Xeon with AVX-512).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from binviz_kernels import compiled
from binviz_kernels.checks import contiguous, output, vector
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
    r"""A linear layer of float activations and ±1 weights, whose rows have one scale or one for each group.

    $$y_{mn} = \sum_g \Big(\sum_{k \in g} x_{mk} w_{nk}\Big) \cdot \mathrm{scale}_{gn} + \mathrm{bias}_n$$

    in float32: entries of a group are added or subtracted one after the other in the order of k, scaled, and added to
    the groups before; then the bias follows, rounded after every operation. The result is the same on every processor
    and any number of threads.

    Args:
        x: float16, float32 or float64 [M, K]; used as float32.
        w: N rows of K bits.
        scale: float32 [N] or a scalar; or float32 [G, N], C-contiguous, of G groups of K / G neighbouring entries.
        bias: float32 [N], a scalar or None.
        out: float32 [M, N], C-contiguous, to write to; by default a new array.

    Returns:
        float32 [M, N].

    Raises:
        TypeError: x is not a float array, or w is not packed.
        ValueError: x does not have two axes, K differs, or the scales, the bias or `out` do not fit.

    >>> import numpy as np
    >>> from binviz_kernels import linear_weight_only, pack_weights
    >>> w = pack_weights(np.array([[1.0, -1.0], [1.0, 1.0]]))
    >>> linear_weight_only(np.array([[0.5, 0.25]]), w, scale=2.0)
    array([[0.5, 1.5]], dtype=float32)
    >>> linear_weight_only(np.array([[0.5, 0.25]]), w, scale=np.array([[2, 2], [0, 4]], np.float32))
    array([[1., 2.]], dtype=float32)
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
    scales, bias = _scales(scale, K, N), None if bias is None else vector("bias", bias, N)
    with np.errstate(over="ignore"):
        x = contiguous(x.astype(np.float32, copy=False))
    compiled.SIGNED_SUMS(M * N * K, x, panels, scales, out)
    return out if bias is None else np.add(out, bias, out=out)


def _scales(scale: Vector, K: int, N: int) -> NDArray[np.float32]:
    """float32 [G, N], a row for each group."""
    if not isinstance(scale, np.ndarray) or scale.ndim < 2:
        return vector("scale", scale, N)[None]
    G = len(scale)
    if scale.dtype != np.float32 or scale.shape != (G, N) or not G or K % G:
        raise ValueError(
            f"scales of groups must be a float32 array [G, {N}] with a G that divides K={K}, got {scale.dtype} "
            f"{scale.shape}"
        )
    return contiguous(scale)
