"""Everything that Numba compiles, in one file, because Numba's cache watches only the file a function stands in.

The innermost loops run over neighbouring outputs n, so LLVM turns them into vector instructions without a
horizontal sum, and it recognises `popcount` as the machine's own instruction where there is one. Nothing here
uses fastmath: the float32 results are those of the formulas, rounded after every operation. A threaded kernel is
a function of its own, because that cache would also take the two forms of one function for each other.
"""

import numba
import numpy as np

from binviz_kernels.threads import compile_parallel, compile_serial

PAIRS = np.uint64(0x5555555555555555)
NIBBLES = np.uint64(0x3333333333333333)
BYTES = np.uint64(0x0F0F0F0F0F0F0F0F)
ONES = np.uint64(0x0101010101010101)
ONE, TWO, FOUR, TOP = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(56)


@compile_serial
def popcount(x):
    """The number of 1 bits of a uint64: sums of 2, then 4, then 8 neighbouring bits, all of them at once."""
    x = x - ((x >> ONE) & PAIRS)
    x = (x & NIBBLES) + ((x >> TWO) & NIBBLES)
    x = (x + (x >> FOUR)) & BYTES
    # The product's top byte is the sum of the eight bytes.
    return (x * ONES) >> TOP


@compile_serial
def dot_row(a, panels, K, signed, out):
    """One row's products with all weight rows: a uint64 [W], panels uint64 [W, N] -> out int32 [N]."""
    N = out.shape[0]
    if signed:
        # dot = K − 2·popcount(a ^ w)
        for n in range(N):
            out[n] = K
        for k in range(a.shape[0]):
            for n in range(N):
                out[n] -= 2 * np.int32(popcount(a[k] ^ panels[k, n]))
    else:
        # dot = 2·popcount(a & w) − popcount(a)
        ones = np.int32(0)
        for k in range(a.shape[0]):
            ones += np.int32(popcount(a[k]))
        for n in range(N):
            out[n] = -ones
        for k in range(a.shape[0]):
            for n in range(N):
                out[n] += 2 * np.int32(popcount(a[k] & panels[k, n]))


@compile_serial
def scale_row(dots, scale, shift, row_scale, m, bias, out):
    """From dots int32 [N] to out float32 [N]. A term whose vector is empty is left out."""
    for n in range(out.shape[0]):
        # y = (dot · scale + shift) · row_scale + bias
        y = np.float32(dots[n]) * scale[n]
        if shift.size:
            y = y + shift[n]
        if row_scale.size:
            y = y * row_scale[m]
        if bias.size:
            y = y + bias[n]
        out[n] = y


@compile_serial
def dot_rows(a, panels, K, signed, out, start, stop):
    """Rows start..stop of the product: a uint64 [M, W], panels uint64 [W, N] -> out int32 [M, N]."""
    for m in range(start, stop):
        dot_row(a[m], panels, K, signed, out[m])


@compile_serial
def linear_rows(a, panels, K, signed, scale, shift, row_scale, bias, out, start, stop):
    """Rows start..stop of a linear layer: a uint64 [M, W], panels uint64 [W, N] -> out float32 [M, N]."""
    dots = np.empty(out.shape[1], np.int32)
    for m in range(start, stop):
        dot_row(a[m], panels, K, signed, dots)
        scale_row(dots, scale, shift, row_scale, m, bias, out[m])


@compile_serial
def hamming_rows(a, b, out, start, stop):
    """Rows start..stop of the distances: a uint64 [M, W], b uint64 [N, W] -> out int32 [M, N]."""
    for m in range(start, stop):
        for n in range(out.shape[1]):
            # d = popcount(a ^ b)
            differing = np.int32(0)
            for k in range(a.shape[1]):
                differing += np.int32(popcount(a[m, k] ^ b[n, k]))
            out[m, n] = differing


@compile_parallel
def threaded_dot_rows(a, panels, K, signed, out, threads):
    """`dot_rows` of all rows, an equal share to each thread."""
    M = out.shape[0]
    for t in numba.prange(threads):
        dot_rows(a, panels, K, signed, out, M * t // threads, M * (t + 1) // threads)


@compile_parallel
def threaded_linear_rows(a, panels, K, signed, scale, shift, row_scale, bias, out, threads):
    """`linear_rows` of all rows, an equal share to each thread."""
    M = out.shape[0]
    for t in numba.prange(threads):
        linear_rows(
            a, panels, K, signed, scale, shift, row_scale, bias, out, M * t // threads, M * (t + 1) // threads
        )  # fmt: skip


@compile_parallel
def threaded_hamming_rows(a, b, out, threads):
    """`hamming_rows` of all rows, an equal share to each thread."""
    M = out.shape[0]
    for t in numba.prange(threads):
        hamming_rows(a, b, out, M * t // threads, M * (t + 1) // threads)
