"""Bits in machine words: 64 entries of a row become one uint64.

Entry k of a row is bit `k % 64` of word `k // 64`, the words are little-endian, rows follow one another, and
the bits after the last entry are 0. A bit is 1 for +1 (or for 1) and 0 for −1 (or for 0). This is also the
stored form of weights: 32 times smaller than float32, plus at most 63 bits per row.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from binviz_kernels import compiled, forms
from binviz_kernels.checks import contiguous, matrix, packed_words, padding_is_zero
from binviz_kernels.panels import arrange

Words = NDArray[np.uint64]


class PackedRows(NamedTuple):
    """Activations as bits.

    Attributes:
        words: uint64 [M, ceil(K / 64)].
        K: entries per row.
        signed: True if a 0 bit means −1 (the rows are ±1), False if it means 0 (the rows are {0, 1}).

    >>> words = np.array([[5]], np.uint64)
    >>> unpack(PackedRows(words, K=3)), unpack(PackedRows(words, K=3, signed=False))
    (array([[ 1, -1,  1]], dtype=int8), array([[1, 0, 1]], dtype=int8))
    """

    words: Words
    K: int
    signed: bool = True


class PackedWeights(NamedTuple):
    """Weights of −1 and +1 as bits, one row per output. `words` and `K` are what a file stores.

    Attributes:
        words: uint64 [N, ceil(K / 64)].
        K: entries per row, the inputs of a layer.
        panels: the same bits in the order in which this machine's kernels read them, made by `prepare`.
            Without them every product rearranges the words anew.

    >>> stored = PackedWeights(np.array([[5]], np.uint64), K=3)
    >>> unpack(stored), stored.panels
    (array([[ 1, -1,  1]], dtype=int8), None)
    """

    words: Words
    K: int
    panels: NDArray[Any] | None = None


def pack_rows(x: NDArray[Any]) -> PackedRows:
    """Pack the rows of a matrix into bits.

    Floats pack by `x >= 0`, so both zeros give +1 and NaN gives −1; the result is signed. bool and uint8 pack
    as they are, nonzero is 1; the result is not signed. Any memory order will do.

    Args:
        x: float16, float32, float64, bool or uint8 [M, K]. Flatten leading axes with `x.reshape(-1, K)`.

    Raises:
        TypeError: x is not a NumPy array of one of these types.
        ValueError: x does not have two axes.

    >>> import numpy as np
    >>> from binviz_kernels import pack_rows
    >>> packed = pack_rows(np.array([[0.5, -2.0, 0.0, 3.0]]))
    >>> packed.K, packed.signed, bin(packed.words[0, 0])
    (4, True, '0b1101')
    """
    x = matrix(x)
    words = np.empty((x.shape[0], -(-x.shape[1] // 64)), np.uint64)
    signed = x.dtype.kind == "f"
    if x.dtype == np.float32:
        # bit = 1 if x ≥ 0 else 0
        compiled.SIGNS(x.size, contiguous(x), words)
    else:
        compiled.TRUTHS(x.size, contiguous(x >= 0 if signed else x).view(np.uint8), words)
    return PackedRows(words, x.shape[1], signed)


def pack_weights(w: NDArray[Any], bits: int = 1) -> PackedWeights:
    """Pack a weight matrix into bits, ready for the kernels of this machine.

    The same rules as `pack_rows`; the bits always mean −1 and +1.

    Args:
        w: float16, float32, float64, bool or uint8 [N, K], one row per output as in `torch.nn.Linear`.
        bits: of the activations that they will meet most; with those of others they are slower.

    Raises:
        TypeError: w is not a NumPy array of one of these types.
        ValueError: w does not have two axes.

    >>> import numpy as np
    >>> from binviz_kernels import pack_weights
    >>> pack_weights(np.array([[1.0, -1.0, -1.0]])).words
    array([[1]], dtype=uint64)
    """
    rows = pack_rows(w)
    return prepare(PackedWeights(rows.words, rows.K), bits)


def prepare(w: PackedWeights, bits: int = 1) -> PackedWeights:
    """Check weights that were read from a file and lay them out for the kernels of this machine.

    Args:
        w: words uint64 [N, ceil(K / 64)] and K.
        bits: of the activations that they will meet most; with those of others they are slower.

    Returns:
        The same words and K with their panels, in which neighbouring outputs lie side by side and so share a
        vector register. Their layout differs between processors (`forms`); nobody else should read them.

    Raises:
        TypeError: w is not a PackedWeights, or its words are not uint64.
        ValueError: the words do not fit K, or a bit after the last entry of a row is set.

    >>> import numpy as np
    >>> from binviz_kernels import PackedWeights, prepare
    >>> stored = PackedWeights(np.array([[5], [2]], dtype=np.uint64), K=3)
    >>> stored.panels is None, prepare(stored).panels is None
    (True, False)
    """
    if not isinstance(w, PackedWeights):
        raise TypeError(f"expected PackedWeights, got {type(w).__name__}: pack the matrix with pack_weights")
    words = packed_words("weights", w.words, w.K)
    padding_is_zero("weights", words, w.K)
    return PackedWeights(w.words, w.K, arrange(words, forms.for_bits(bits)))


def unpack(packed: PackedRows | PackedWeights, signed: bool | None = None) -> NDArray[np.int8]:
    """The entries of packed rows or weights as small integers.

    Args:
        packed: M rows of K bits.
        signed: True for {−1, +1}, False for {0, 1}; by default what `packed` says, ±1 for weights.

    Returns:
        int8 [M, K].

    Raises:
        TypeError: packed is neither PackedRows nor PackedWeights, or its words are not uint64.
        ValueError: the words do not fit K.

    >>> import numpy as np
    >>> from binviz_kernels import pack_rows, unpack
    >>> unpack(pack_rows(np.array([[3.0, -3.0]])))
    array([[ 1, -1]], dtype=int8)
    """
    if not isinstance(packed, PackedRows | PackedWeights):
        raise TypeError(f"expected packed rows or weights, got {type(packed).__name__}: use pack_rows first")
    words = packed_words("packed", packed.words, packed.K)
    octets = np.ascontiguousarray(words).view(np.uint8)
    bits = np.unpackbits(octets, axis=1, count=packed.K, bitorder="little").view(np.int8)
    if signed is None:
        signed = not isinstance(packed, PackedRows) or packed.signed
    # {0, 1} → {−1, +1}: 2·bit − 1
    return 2 * bits - 1 if signed else bits
