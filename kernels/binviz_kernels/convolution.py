r"""2-D convolution on bits: every place of the picture becomes a row of bits, and the rows meet the weights.

Padding is with zeros *behind* the binarizer: a place outside the picture is neither +1 nor −1, it adds nothing.
A bit cannot say that. So outside places are packed as 0, which a signed product takes for −1, and the sum of the
weights that lie outside is added again:

$$y = \mathrm{dot} + \sum_{\text{taps outside}} \sum_c w_{c,\text{tap}}$$

For {0, 1} activations a 0 is a 0 and there is nothing to correct.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from binviz_kernels import compiled
from binviz_kernels.checks import NONE, matrix, optional_vector, vector
from binviz_kernels.layer import Vector
from binviz_kernels.packing import PackedWeights, pack_rows
from binviz_kernels.panels import arrange

Pair = int | tuple[int, int]


class PackedFilters(NamedTuple):
    """Filters of −1 and +1 as bits.

    Attributes:
        groups: for each group its outputs' rows: tap after tap, each tap's channels in whole words.
        shape: (outputs, channels per group, height, width), as of torch.nn.Conv2d's weight.
    """

    groups: tuple[PackedWeights, ...]
    shape: tuple[int, int, int, int]


def pack_filters(w: NDArray[Any], groups: int = 1) -> PackedFilters:
    """Pack the filters of a convolution into bits, by the rules of `pack_weights`.

    Args:
        w: float, bool or uint8 [outputs, channels per group, height, width].
        groups: into how many groups inputs and outputs are divided.

    Raises:
        TypeError: w is not a NumPy array of one of these types.
        ValueError: w does not have four axes, or its outputs cannot be divided into groups.

    >>> import numpy as np
    >>> from binviz_kernels import pack_filters
    >>> len(pack_filters(np.ones((4, 2, 3, 3)), groups=2).groups)
    2
    """
    if not isinstance(w, np.ndarray):
        raise TypeError(f"expected a NumPy array, got {type(w).__name__}: convert it with numpy.asarray")
    if w.ndim != 4:
        raise ValueError(f"expected four axes [outputs, channels, height, width], got shape {w.shape}")
    whole = isinstance(groups, int) and not isinstance(groups, bool) and groups >= 1
    if not whole or w.shape[0] % groups:
        raise ValueError(f"{w.shape[0]} outputs cannot be divided into {groups!r} groups")
    O, C, height, width = w.shape
    taps = w.transpose(0, 2, 3, 1).reshape(O * height * width, C)
    words = pack_rows(taps).words.reshape(groups, O // groups, -1)
    K = C * height * width
    packed = tuple(PackedWeights(rows, K, arrange(rows) if K else None) for rows in words)
    return PackedFilters(packed, (O, C, height, width))


def conv2d(
    x: NDArray[Any],
    w: PackedFilters,
    scale: Vector,
    bias: Vector | None = None,
    *,
    stride: Pair = 1,
    padding: Pair = 0,
) -> NDArray[np.float32]:
    """A 1-bit convolution: dot · scale + bias in float32, rounded after every operation.

    Args:
        x: float, bool or uint8 [B, channels, H, W], packed here as by `pack_rows`.
        w: from `pack_filters`.
        scale: float32 [outputs] or a scalar.
        bias: float32 [outputs], a scalar or None.
        stride: step of the filter, one number or (down, right).
        padding: places added around the picture, one number or (above and below, left and right). They add
            nothing to a sum, whatever the rows mean.

    Returns:
        float32 [B, outputs, H', W'] with H' = (H + 2·padding − height) // stride + 1.

    Raises:
        TypeError: x cannot be packed, or w is not packed.
        ValueError: the sizes do not fit together.

    >>> import numpy as np
    >>> from binviz_kernels import conv2d, pack_filters
    >>> conv2d(np.ones((1, 1, 3, 3)), pack_filters(np.ones((1, 1, 3, 3))), 1.0, padding=1)[0, 0]
    array([[4., 6., 4.],
           [6., 9., 6.],
           [4., 6., 4.]], dtype=float32)
    """
    if not isinstance(w, PackedFilters):
        raise TypeError(f"filters must be PackedFilters, got {type(w).__name__}: use pack_filters")
    if not isinstance(x, np.ndarray):
        raise TypeError(f"expected a NumPy array, got {type(x).__name__}: convert it with numpy.asarray")
    O, C, height, width = w.shape
    if x.ndim != 4 or x.shape[1] != C * len(w.groups):
        raise ValueError(f"expected a picture [B, {C * len(w.groups)}, H, W], got shape {x.shape}")
    (down, right), (above, left) = pair("stride", stride, 1), pair("padding", padding, 0)
    B, _, H, W = x.shape
    if height > H + 2 * above or width > W + 2 * left or not height * width:
        raise ValueError(f"a filter of {height} x {width} does not fit into the padded picture of {H} x {W}")
    out_height, out_width = (H + 2 * above - height) // down + 1, (W + 2 * left - width) // right + 1
    scales, biases = vector("scale", scale, O), optional_vector("bias", bias, O)

    # Signs first: as bytes they are moved four times as fast as floats.
    matrix(x.reshape(1, x.size))  # of a type that can be packed
    signed = x.dtype.kind == "f"
    bits = (x >= 0 if signed else x != 0).transpose(0, 2, 3, 1)
    words = -(-C // 64)
    pixels = pack_rows(bits.reshape(B * H * W * len(w.groups), C)).words.reshape(
        B, H, W, len(w.groups), words
    )
    pixels = np.pad(pixels, ((0, 0), (above, above), (left, left), (0, 0), (0, 0)))
    # [B, H', W', groups, words, height, width] -> [groups, B · H' · W', height · width · words]
    windows = sliding_window_view(pixels, (height, width), axis=(1, 2))[:, ::down, ::right]
    rows = np.ascontiguousarray(windows.transpose(3, 0, 1, 2, 5, 6, 4))
    rows = rows.reshape(len(w.groups), B * out_height * out_width, height * width * words)
    edge, outside = taps_outside((H, W), (height, width), (down, right), (above, left))
    places = out_height * out_width
    y = np.empty((B, O, places), np.float32)
    for g, filters in enumerate(w.groups):
        of_group = slice(g * O // len(w.groups), (g + 1) * O // len(w.groups))
        N = of_group.stop - of_group.start
        dots = np.zeros((rows.shape[1], N), np.int32)
        if filters.K:
            compiled.DOTS(dots.size * filters.K, rows[g], filters.panels, filters.K, signed, dots)
        if signed and edge.size:
            ones = np.bitwise_count(filters.words.reshape(N, height * width, words)).sum(
                axis=2, dtype=np.int32
            )
            # Sums of whole numbers, exact in float64, where NumPy multiplies matrices fast
            correction = outside.astype(float) @ (2.0 * ones - C).T
            dots.reshape(B, places, N)[:, edge] += correction.astype(np.int32)
        part = np.empty(dots.shape, np.float32)
        terms = scales[of_group], biases[of_group], NONE, NONE, int(bias is not None)
        compiled.FINISH(dots.size * 64, dots, *terms, part)
        y[:, of_group] = part.reshape(B, places, N).transpose(0, 2, 1)
    return y.reshape(B, O, out_height, out_width)


def taps_outside(
    picture: tuple[int, int], filter_: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int]
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """The places at the edge, of H' · W', and which taps of the filter lie outside the picture there.

    Returns:
        place int [E], and outside bool [E, height · width].

    >>> place, outside = taps_outside((3, 1), (3, 1), (1, 1), (1, 0))
    >>> place, outside.astype(int)
    (array([0, 2]), array([[1, 0, 0],
           [0, 0, 1]]))
    """
    missing = []
    for size, taps, step, pad in zip(picture, filter_, stride, padding, strict=True):
        start = np.arange(0, size + 2 * pad - taps + 1, step)[:, None] - pad
        at = start + np.arange(taps)  # [places, taps]
        missing.append((at < 0) | (at >= size))
    rows, columns = missing
    i, j = np.nonzero(np.logical_or.outer(rows.any(axis=1), columns.any(axis=1)))
    outside = rows[i][:, :, None] | columns[j][:, None, :]  # [E, height, width]
    return i * len(columns) + j, outside.reshape(len(i), filter_[0] * filter_[1])


def pair(name: str, value: Pair, least: int) -> tuple[int, int]:
    """One number for both directions, or one for each.

    >>> pair("stride", 2, least=1), pair("padding", (0, 1), least=0)
    ((2, 2), (0, 1))
    """
    both = value if isinstance(value, tuple) else (value, value)
    if len(both) != 2 or not all(type(v) is int and v >= least for v in both):
        raise ValueError(f"{name} must be a whole number from {least} on, or two of them, got {value!r}")
    return both
