"""A layer whose outputs are bits at once: what a comparison leaves of a layer is never written as a float."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from binviz_kernels import compiled
from binviz_kernels.checks import optional_vector, output, vector
from binviz_kernels.gemm import operands
from binviz_kernels.layer import Vector
from binviz_kernels.packing import PackedRows, PackedWeights, pack_rows

MOST = 2**31 - 1


class Threshold(NamedTuple):
    """A comparison of integers: bit n = (dot ≥ least[n]) ≠ flip[n]. Made by `fold_threshold`, or by hand.

    Attributes:
        least: int32 [N].
        flip: bool [N]; None flips nothing.

    >>> dots, rule = np.array([1, 1]), Threshold(np.array([2, 2], np.int32), np.array([False, True]))
    >>> (dots >= rule.least) != rule.flip
    array([False,  True])
    """

    least: NDArray[np.int32]
    flip: NDArray[np.bool_] | None = None


def fold_threshold(
    K: int,
    N: int,
    scale: Vector,
    bias: Vector | None = None,
    *,
    shift: Vector | None = None,
    least: Vector = 0.0,
) -> Threshold:
    r"""The comparison of integers that equals a comparison of a linear layer's float32 outputs.

    $$\mathrm{dot} \cdot \mathrm{scale}_n + \mathrm{shift}_n + \mathrm{bias}_n \ge \mathrm{least}_n$$

    The left side, rounded after every operation as `linear` does, never falls as dot grows if scale ≥ 0, and
    never rises if scale < 0. So the dots that reach `least` are all from some number on, or all up to it, and
    bisection with that very expression finds the number: the result is exact, however the expression rounds.
    A scale of the rows that is above 0 changes no sign, and may be left out if there is no bias after it.

    Args:
        K: entries per row.
        N: outputs.
        scale: float32 [N] or a scalar.
        bias: float32 [N], a scalar or None.
        shift: float32 [N], a scalar or None.
        least: float32 [N] or a scalar; 0 binarizes by sign. No dot reaches a NaN.

    Raises:
        ValueError: K or N is no size, or scale, bias or shift is not finite or does not fit.

    >>> import numpy as np
    >>> from binviz_kernels import fold_threshold
    >>> fold_threshold(8, 2, scale=np.array([0.5, -0.5], np.float32), bias=-1.0)
    Threshold(least=array([ 2, -1], dtype=int32), flip=array([False,  True]))
    """
    for name, size in {"K": K, "N": N}.items():
        if not isinstance(size, int | np.integer) or not 0 <= size <= MOST:
            raise ValueError(f"{name} must be a whole number from 0 to 2**31 - 1, got {size!r}")
    s, limit = vector("scale", scale, N), vector("least", least, N)
    terms = [optional_vector("shift", shift, N), optional_vector("bias", bias, N)]
    for name, values in zip(("scale", "shift", "bias"), (s, *terms), strict=True):
        if not np.isfinite(values).all():
            raise ValueError(f"{name} must be finite to be folded into a threshold")

    def reached(dot: NDArray[np.int64]) -> NDArray[np.bool_]:
        with np.errstate(over="ignore"):
            y = dot.astype(np.float32) * s
            for term in terms:
                y = y + term if term.size else y
            return y >= limit

    falling = s < 0
    # With a falling side, look for the first dot that does not reach the limit
    below, from_ = np.full(N, -K - 1, np.int64), np.full(N, K + 1, np.int64)
    while (from_ - below > 1).any():
        middle = (below + from_) // 2
        above = reached(middle) != falling
        below, from_ = np.where(above, below, middle), np.where(above, middle, from_)
    return Threshold(np.minimum(from_, MOST).astype(np.int32), falling)


def linear_bits(
    x: NDArray[Any] | PackedRows,
    w: PackedWeights,
    threshold: Threshold | NDArray[np.int32],
    *,
    signed: bool = True,
    out: NDArray[np.uint64] | None = None,
) -> PackedRows:
    r"""A 1-bit linear layer that ends in a comparison, and so in bits: ready to be the next layer's rows.

    $$\mathrm{bit}_{mn} = \Big(\textstyle\sum_k a_{mk} w_{nk} \ge \mathrm{least}_n\Big) \ne \mathrm{flip}_n$$

    Args:
        x: float, bool or uint8 [M, K], packed here as by `pack_rows`; or PackedRows.
        w: N rows of K bits.
        threshold: int32 [N], or a Threshold: `fold_threshold` makes one of scale and bias.
        signed: what the new bits mean: ±1 (True) or {0, 1}.
        out: uint64 [M, ceil(N / 64)], C-contiguous, to write the words to; by default a new array.

    Returns:
        M rows of N bits.

    Raises:
        TypeError: x cannot be packed, or w is not packed.
        ValueError: x does not have two axes, K differs, or the threshold or `out` does not fit.

    >>> import numpy as np
    >>> from binviz_kernels import linear_bits, pack_weights, unpack
    >>> w = pack_weights(np.array([[1.0, 1.0, 1.0], [-1.0, -1.0, 1.0]]))
    >>> unpack(linear_bits(np.array([[0.3, 0.1, -0.2]]), w, np.array([1, 1], np.int32)))
    array([[ 1, -1]], dtype=int8)
    """
    a = x if isinstance(x, PackedRows) else pack_rows(x)
    rows, panels = operands(a, w)
    M, N = rows.shape[0], w.words.shape[0]
    least, flip = threshold if isinstance(threshold, Threshold) else (threshold, None)
    if not isinstance(least, np.ndarray) or least.dtype != np.int32 or least.shape != (N,):
        raise ValueError(f"the threshold must be an int32 array of shape ({N},): make it with fold_threshold")
    # dot ≥ least are the numbers from least to 2^31 − 1, and dot < least those from −2^31 on
    start, width = least.astype(np.int64), np.minimum(2**31 - least.astype(np.int64), 2**32 - 1)
    if isinstance(flip, np.ndarray) and flip.dtype == np.bool_ and flip.shape == (N,):
        start, width = np.where(flip, -(2**31), start), np.where(flip, start + 2**31, width)
    elif flip is not None:
        raise ValueError(f"flip must be None or a bool array of shape ({N},)")
    words = output(out, (M, -(-N // 64)), np.uint64)
    ranges = start.astype(np.int32), width.astype(np.uint32)
    compiled.COMPARE(M * N * a.K, rows, panels, a.K, a.signed, *ranges, words)
    return PackedRows(words, N, signed)
