"""The loops for every processor: plain Python that Numba compiles.

The innermost loops run over neighbouring outputs n, so LLVM turns them into vector instructions without a sum
across a register, and it recognises `popcount` as the machine's own instruction where there is one. Panels are
uint64 [W, N] here. Read this file to see what the kernels compute, `sums` to see how fast ones do it.
"""

import numba
import numpy as np

PAIRS = np.uint64(0x5555555555555555)
NIBBLES = np.uint64(0x3333333333333333)
BYTES = np.uint64(0x0F0F0F0F0F0F0F0F)
ONES = np.uint64(0x0101010101010101)
ONE, TWO, FOUR, TOP = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(56)

#: Options of the functions that only kernels call: without what calls them from Python, a fifth less to compile.
INNER = {"nogil": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
compiled = numba.njit(**INNER)


@compiled
def popcount(x):
    """The number of 1 bits of a uint64: sums of 2, then 4, then 8 neighbouring bits, all of them at once."""
    x = x - ((x >> ONE) & PAIRS)
    x = (x & NIBBLES) + ((x >> TWO) & NIBBLES)
    x = (x + (x >> FOUR)) & BYTES
    # The product's top byte is the sum of the eight bytes.
    return (x * ONES) >> TOP


@compiled
def distances_of_row(a, panels, first, last, out):
    """One row's distances from rows first..last: a uint64 [W], panels uint64 [W, N] -> out int32 [last - first]."""
    out[:] = 0
    for k in range(a.shape[0]):
        for n in range(first, last):
            out[n - first] += np.int32(popcount(a[k] ^ panels[k, n]))


@compiled
def dots_of_row(a, panels, K, signed, first, last, out):
    """One row's products with weight rows first..last -> out int32 [last - first]."""
    if signed:
        # dot = K − 2·popcount(a ^ w)
        distances_of_row(a, panels, first, last, out)
        for n in range(last - first):
            out[n] = K - 2 * out[n]
    else:
        # dot = 2·popcount(a & w) − popcount(a)
        ones = np.int32(0)
        for k in range(a.shape[0]):
            ones += np.int32(popcount(a[k]))
        out[:] = -ones
        for k in range(a.shape[0]):
            for n in range(first, last):
                out[n - first] += 2 * np.int32(popcount(a[k] & panels[k, n]))


@compiled
def scale_row(dots, scale, bias, shift, row_scale, given, m, first, out):
    """From dots int32 [n] to out float32 [n], which may be the same memory; rounded after every operation."""
    for n in range(dots.shape[0]):
        # y = (dot · scale + shift) · row_scale + bias
        y = np.float32(dots[n]) * scale[first + n]
        if given & 2:
            y = y + shift[first + n]
        if given & 4:
            y = y * row_scale[m]
        if given & 1:
            y = y + bias[first + n]
        out[n] = y


@compiled
def compare_row(dots, start, width, first, out):
    """From dots int32 [n] to bits from `first` on of out uint64 [words]; `first` is a multiple of 64."""
    for n in range(0, dots.shape[0], 64):
        word = np.uint64(0)
        for bit in range(min(64, dots.shape[0] - n)):
            inside = np.uint32(dots[n + bit] - start[first + n + bit]) < width[first + n + bit]
            word |= np.uint64(inside) << np.uint64(bit)
        out[(first + n) // 64] = word


@compiled
def signed_sums_of_row(x, panels, scale, first, last, out):
    """One row's sums with the signs of weight rows first..last, scaled group by group.

    x float32 [K] and scale float32 [G, N] -> out float32 [last - first].
    """
    out[:] = 0
    part, size = np.empty_like(out), x.shape[0] // scale.shape[0]
    for g in range(scale.shape[0]):
        part[:] = 0
        for k in range(g * size, (g + 1) * size):
            bit = np.uint64(k % 64)
            for n in range(first, last):
                # part + x where the bit is 1, part − x where it is 0
                part[n - first] += x[k] if (panels[k // 64, n] >> bit) & ONE else -x[k]
        for n in range(first, last):
            out[n - first] += part[n - first] * scale[g, n]
