"""Matrix products of bits, exact in int32."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from binviz_kernels import compiled, forms
from binviz_kernels.checks import contiguous, empty, output, packed_words, same_K
from binviz_kernels.kernel import SMALLEST_WORK
from binviz_kernels.packing import PackedRows, PackedWeights, Words
from binviz_kernels.panels import arrange
from binviz_kernels.threads import get_threads


def xnor_gemm(a: PackedRows, w: PackedWeights, out: NDArray[np.int32] | None = None) -> NDArray[np.int32]:
    r"""Products of ±1 activations with ±1 weights.

    $$y_{mn} = \sum_k a_{mk} w_{nk} = K - 2\,\mathrm{popcount}(a_m \oplus w_n)$$

    Args:
        a: M signed rows of K bits.
        w: N rows of K bits.
        out: int32 [M, N], C-contiguous, to write to; by default a new array.

    Returns:
        int32 [M, N]. Rows of no entries (K = 0) give zeros.

    Raises:
        TypeError: an operand is not packed.
        ValueError: the rows are {0, 1}, K differs, or `out` does not fit.

    >>> import numpy as np
    >>> from binviz_kernels import pack_rows, pack_weights, xnor_gemm
    >>> x = np.array([[1.0, -1.0, -1.0], [1.0, 1.0, 1.0]])
    >>> xnor_gemm(pack_rows(x), pack_weights(x))
    array([[ 3, -1],
           [-1,  3]], dtype=int32)
    """
    return _gemm(a, w, out, signed=True)


def and_gemm(a: PackedRows, w: PackedWeights, out: NDArray[np.int32] | None = None) -> NDArray[np.int32]:
    r"""Products of {0, 1} activations with ±1 weights.

    $$y_{mn} = \sum_k a_{mk} w_{nk} = 2\,\mathrm{popcount}(a_m \wedge w_n) - \mathrm{popcount}(a_m)$$

    Args:
        a: M unsigned rows of K bits.
        w: N rows of K bits.
        out: int32 [M, N], C-contiguous, to write to; by default a new array.

    Returns:
        int32 [M, N]. Rows of no entries (K = 0) give zeros.

    Raises:
        TypeError: an operand is not packed.
        ValueError: the rows are ±1, K differs, or `out` does not fit.

    >>> import numpy as np
    >>> from binviz_kernels import and_gemm, pack_rows, pack_weights
    >>> x = np.array([[True, False, True]])
    >>> and_gemm(pack_rows(x), pack_weights(np.array([[1.0, 1.0, 1.0], [-1.0, 1.0, 1.0]])))
    array([[2, 0]], dtype=int32)
    """
    return _gemm(a, w, out, signed=False)


def operands(a: PackedRows, w: PackedWeights) -> tuple[Words, NDArray[Any]]:
    """The words of the rows [M, W] and the panels of the weights, once both are known to fit."""
    if not isinstance(a, PackedRows):
        raise TypeError(f"activations must be PackedRows, got {type(a).__name__}: use pack_rows")
    if not isinstance(w, PackedWeights):
        raise TypeError(f"weights must be PackedWeights, got {type(w).__name__}: use pack_weights")
    rows, words = packed_words("activations", a.words, a.K), packed_words("weights", w.words, w.K)
    same_K(a.K, w.K)
    if a.K == 0:  # a tile has at least one word
        rows = np.zeros((rows.shape[0], 1), np.uint64)
        return rows, arrange(np.zeros((words.shape[0], 1), np.uint64))
    panels = arrange(words) if w.panels is None else w.panels
    form = forms.BY_DTYPE.get(panels.dtype)
    if form is None or panels.shape != form.shape(*words.shape):
        raise ValueError("the panels of these weights are not those of their words: make them with prepare")
    return rows, contiguous(panels)


def _gemm(a: PackedRows, w: PackedWeights, out: NDArray[Any] | None, signed: bool) -> NDArray[np.int32]:
    try:
        # The usual case in few steps, as in `linear`
        if a.signed == signed and type(a.K) is int and a.K == w.K and a.words.shape[1] == (a.K + 63) // 64:
            M, N = a.words.shape[0], w.words.shape[0]
            y = empty((M, N), np.int32) if out is None else out
            usual = a.words, w.panels, a.K, signed, y
            threads = 1 if M * N * a.K < SMALLEST_WORK else get_threads()
            if compiled.DOTS.serial(*usual) if threads == 1 else compiled.DOTS.threaded(*usual, threads):
                return y
    except (AttributeError, TypeError, ValueError, IndexError):
        pass
    rows, panels = operands(a, w)
    if a.signed != signed:
        kind, other = ("±1", "xnor_gemm") if a.signed else ("{0, 1}", "and_gemm")
        raise ValueError(f"these rows are {kind}: use {other}")
    M, N = rows.shape[0], w.words.shape[0]
    out = output(out, (M, N), np.int32)
    compiled.DOTS(M * N * a.K, rows, panels, a.K, signed, out)
    return out
