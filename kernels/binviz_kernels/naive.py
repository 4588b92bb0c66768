"""The same functions, slow and obviously correct: plain NumPy, one idea per line. The truth for every test.

They take what the fast ones take, and check nothing.

>>> import numpy as np
>>> from binviz_kernels.naive import pack_rows, pack_weights, xnor_gemm
>>> x = np.array([[1.0, -1.0, 1.0]])
>>> xnor_gemm(pack_rows(x), pack_weights(x))
array([[3]], dtype=int32)
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from binviz_kernels.convolution import PackedFilters
from binviz_kernels.packing import PackedRows, PackedWeights
from binviz_kernels.planes import PackedPlanes
from binviz_kernels.threshold import Threshold


def pack_rows(x: NDArray[Any]) -> PackedRows:
    """Bit by bit: entry k of row m is bit k % 64 of word k // 64.

    >>> pack_rows(np.array([[0.5, -1.0, 2.0]])).words
    array([[5]], dtype=uint64)
    """
    M, K = x.shape
    signed = x.dtype.kind == "f"
    rows = [[0] * -(-K // 64) for _ in range(M)]
    for m in range(M):
        for k in range(K):
            is_one = x[m, k] >= 0 if signed else x[m, k] != 0
            rows[m][k // 64] += int(is_one) * 2 ** (k % 64)
    return PackedRows(np.array(rows, np.uint64).reshape(M, -(-K // 64)), K, signed)


def pack_weights(w: NDArray[Any], bits: int = 1) -> PackedWeights:
    """`pack_rows`, without panels."""
    words, K, _ = pack_rows(w)
    return PackedWeights(words, K)


def prepare(w: PackedWeights, bits: int = 1) -> PackedWeights:
    """The words are all that the naive functions read."""
    return PackedWeights(w.words, w.K)


def unpack(packed: PackedRows | PackedWeights, signed: bool | None = None) -> NDArray[np.int8]:
    """Bit by bit.

    >>> unpack(pack_rows(np.array([[0.5, -1.0, 2.0]]))), unpack(pack_rows(np.array([[True, False]])))
    (array([[ 1, -1,  1]], dtype=int8), array([[1, 0]], dtype=int8))
    """
    if signed is None:
        signed = getattr(packed, "signed", True)
    zero = -1 if signed else 0
    entries = np.empty((packed.words.shape[0], packed.K), np.int8)
    for m, k in np.ndindex(entries.shape):
        entries[m, k] = 1 if int(packed.words[m, k // 64]) >> (k % 64) & 1 else zero
    return entries


def xnor_gemm(a: PackedRows, w: PackedWeights, out: NDArray[np.int32] | None = None) -> NDArray[np.int32]:
    """Unpack both to ±1 and multiply the matrices.

    >>> xnor_gemm(pack_rows(np.array([[1.0, -1.0, 1.0]])), pack_weights(np.array([[1.0, 1.0, 1.0]])))
    array([[1]], dtype=int32)
    """
    return _into(out, unpack(a, signed=True).astype(np.int32) @ unpack(w).astype(np.int32).T)


def and_gemm(a: PackedRows, w: PackedWeights, out: NDArray[np.int32] | None = None) -> NDArray[np.int32]:
    """Unpack activations to {0, 1}, weights to ±1, and multiply the matrices.

    >>> and_gemm(pack_rows(np.array([[True, False, True]])), pack_weights(np.array([[1.0, 1.0, -1.0]])))
    array([[0]], dtype=int32)
    """
    return _into(out, unpack(a, signed=False).astype(np.int32) @ unpack(w).astype(np.int32).T)


def pack_planes(codes: NDArray[Any], bits: int) -> PackedPlanes:
    """Bit p of every code, plane by plane.

    >>> pack_planes(np.array([[0, 1, 2, 3]], np.uint8), bits=2).words
    array([[[10],
            [12]]], dtype=uint64)
    """
    planes = [pack_rows((codes.astype(int) >> p) % 2 == 1).words for p in range(bits)]
    return PackedPlanes(np.stack(planes, axis=1), codes.shape[1], codes.dtype == np.int8)


def planes_gemm(a: PackedPlanes, w: PackedWeights, out: NDArray[np.int32] | None = None) -> NDArray[np.int32]:
    """Put the codes together again and multiply the matrices.

    >>> planes_gemm(pack_planes(np.array([[3, 2]], np.uint8), bits=2), pack_weights(np.array([[1.0, -1.0]])))
    array([[1]], dtype=int32)
    """
    bits = a.words.shape[1]
    weights = [2**p for p in range(bits)]
    if a.signed:
        weights[-1] *= -1
    planes = (unpack(PackedRows(a.words[:, p], a.K, signed=False)).astype(np.int32) for p in range(bits))
    codes = sum(weight * plane for weight, plane in zip(weights, planes, strict=True))
    return _into(out, codes @ unpack(w).astype(np.int32).T)


def linear_weight_only(
    x: NDArray[Any],
    w: PackedWeights,
    scale: NDArray[np.float32] | float,
    bias: NDArray[np.float32] | float | None = None,
    *,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """One column of x after the other, added with its weights' signs; then the sum of each group, scaled.

    >>> linear_weight_only(np.array([[3.0, 1.0]]), pack_weights(np.array([[1.0, -1.0]])), scale=0.5)
    array([[1.]], dtype=float32)
    """
    x, signs = x.astype(np.float32), unpack(w).astype(np.float32)
    y = np.zeros((len(x), len(signs)), np.float32)
    scales = np.asarray(scale, np.float32)
    scales = scales if scales.ndim == 2 else scales[None]
    for columns, factors in zip(np.split(np.arange(w.K), len(scales)), scales, strict=True):
        part = np.zeros_like(y)
        for k in columns:
            part += x[:, k, None] * signs[:, k]
        y += part * factors
    return _into(out, y if bias is None else y + np.asarray(bias, np.float32))


def pack_filters(w: NDArray[Any], groups: int = 1) -> PackedFilters:
    """Each output's taps, one after the other, each packed on its own."""
    outputs = [
        np.concatenate([pack_rows(w[o, :, i, j].reshape(1, -1)).words[0] for i, j in np.ndindex(w.shape[2:])])
        for o in range(len(w))
    ]
    rows = np.stack(outputs).reshape(groups, len(w) // groups, -1)
    return PackedFilters(tuple(PackedWeights(g, w[0].size) for g in rows), w.shape)


def conv2d(
    x: NDArray[Any],
    w: PackedFilters,
    scale: NDArray[np.float32] | float,
    bias: NDArray[np.float32] | float | None = None,
    *,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
) -> NDArray[np.float32]:
    """Pad the codes with zeros and sum over the taps, place by place.

    >>> x, filters = np.ones((1, 1, 3, 3)), pack_filters(np.ones((1, 1, 2, 2)))
    >>> conv2d(x, filters, scale=0.5).tolist()
    [[[[2.0, 2.0], [2.0, 2.0]]]]
    """
    (down, right), (above, left) = (v if isinstance(v, tuple) else (v, v) for v in (stride, padding))
    O, C, height, width = w.shape
    zero = -1 if x.dtype.kind == "f" else 0
    codes = np.where(x >= 0 if zero else x != 0, 1, zero)
    codes = np.pad(codes, ((0, 0), (0, 0), (above, above), (left, left)))
    taps = np.concatenate([unpack(PackedWeights(g.words.reshape(-1, -(-C // 64)), C)) for g in w.groups])
    filters = taps.reshape(O, height, width, C).astype(int)
    H, W = (codes.shape[2] - height) // down + 1, (codes.shape[3] - width) // right + 1
    y = np.empty((len(x), O, H, W), np.float32)
    for o, i, j in np.ndindex(O, H, W):
        first = o * len(w.groups) // O * C  # the first channel of the output's group
        window = codes[:, first : first + C, i * down : i * down + height, j * right : j * right + width]
        y[:, o, i, j] = (window.transpose(0, 2, 3, 1) * filters[o]).sum(axis=(1, 2, 3))
    y = y * np.broadcast_to(np.asarray(scale, np.float32), O).reshape(O, 1, 1)
    return y if bias is None else y + np.broadcast_to(np.asarray(bias, np.float32), O).reshape(O, 1, 1)


def linear(
    x: NDArray[Any] | PackedRows | PackedPlanes,
    w: PackedWeights,
    scale: NDArray[np.float32] | float,
    bias: NDArray[np.float32] | float | None = None,
    *,
    shift: NDArray[np.float32] | float | None = None,
    row_scale: NDArray[np.float32] | float | None = None,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """One NumPy operation per term, each rounded to float32.

    >>> linear(np.array([[1.0, -1.0, 1.0]]), pack_weights(np.array([[1.0, 1.0, 1.0]])), scale=0.5, bias=2.0)
    array([[2.5]], dtype=float32)
    """
    if isinstance(x, PackedPlanes):
        dots = planes_gemm(x, w)
    else:
        a = x if isinstance(x, PackedRows) else pack_rows(x)
        dots = xnor_gemm(a, w) if a.signed else and_gemm(a, w)
    y = dots.astype(np.float32) * np.asarray(scale, np.float32)
    if shift is not None:
        y = y + np.asarray(shift, np.float32)
    if row_scale is not None:
        y = y * np.asarray(row_scale, np.float32).reshape(-1, 1)
    if bias is not None:
        y = y + np.asarray(bias, np.float32)
    return _into(out, y)


def fold_threshold(
    K: int,
    N: int,
    scale: NDArray[np.float32] | float,
    bias: NDArray[np.float32] | float | None = None,
    *,
    shift: NDArray[np.float32] | float | None = None,
    least: NDArray[np.float32] | float = 0.0,
) -> Threshold:
    """Try every dot from −K to K; those that reach `least` begin or end with the first or the last.

    >>> fold_threshold(4, 2, np.array([0.5, -0.5]), bias=-1.0)
    Threshold(least=array([ 2, -1], dtype=int32), flip=array([False,  True]))
    """
    dots = np.arange(-K, K + 1)
    y = dots[:, None].astype(np.float32) * np.broadcast_to(np.asarray(scale, np.float32), N)  # [2K + 1, N]
    if shift is not None:
        y = y + np.asarray(shift, np.float32)
    if bias is not None:
        y = y + np.asarray(bias, np.float32)
    reached = y >= np.asarray(least, np.float32)
    flip = np.broadcast_to(np.asarray(scale, np.float32) < 0, N)
    after = (reached != flip).sum(axis=0)  # how many dots lie from the number looked for on
    return Threshold((K + 1 - after).astype(np.int32), flip)


def linear_bits(
    x: NDArray[Any] | PackedRows,
    w: PackedWeights,
    threshold: Threshold | NDArray[np.int32],
    *,
    signed: bool = True,
    out: NDArray[np.uint64] | None = None,
) -> PackedRows:
    """Compare the integer products, flip, and pack.

    >>> least = np.array([2, -1], np.int32)
    >>> w = pack_weights(np.array([[1.0, 1.0, 1.0], [1.0, 1.0, -1.0]]))
    >>> unpack(linear_bits(np.array([[1.0, -1.0, 1.0]]), w, least))
    array([[-1,  1]], dtype=int8)
    """
    a = x if isinstance(x, PackedRows) else pack_rows(x)
    least, flip = threshold if isinstance(threshold, Threshold) else (threshold, None)
    bits = (xnor_gemm(a, w) if a.signed else and_gemm(a, w)) >= least
    packed = pack_rows(bits if flip is None else bits != flip)
    return PackedRows(_into(out, packed.words), packed.K, signed)


def hamming(
    a: PackedRows | PackedWeights, b: PackedRows | PackedWeights, out: NDArray[np.int32] | None = None
) -> NDArray[np.int32]:
    """Compare entry with entry and count.

    >>> codes = pack_rows(np.array([[True, False, True], [False, False, True]]))
    >>> hamming(codes, codes)
    array([[0, 1],
           [1, 0]], dtype=int32)
    """
    left, right = unpack(a, signed=False), unpack(b, signed=False)
    differs = left[:, None, :] != right[None, :, :]  # [M, N, K]
    return _into(out, differs.sum(axis=2).astype(np.int32))


def _into(out: NDArray[Any] | None, result: NDArray[Any]) -> NDArray[Any]:
    if out is None:
        return result
    out[...] = result
    return out
