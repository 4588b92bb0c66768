"""The kernels that Python calls: a product of each kind on one thread and on several.

A kernel says whether the sizes of its arguments fit together, and does nothing if they do not. The blocks that
the threads compute stand in `blocks`.
"""

import numpy as np
from numba import prange

from binviz_kernels.blocks import (
    arrange,
    comparisons,
    distances,
    finish,
    fits,
    layer,
    layer_fits,
    pack,
    pairs,
    products,
    share,
    signed_sums,
    weighted,
)
from binviz_kernels.kernel import (
    COUNT,
    FLAG,
    FLOAT_MATRIX,
    FLOATS,
    FLOATS_OUT,
    INT_MATRIX,
    INTS,
    INTS_OUT,
    OCTETS,
    PANELS,
    PANELS_OUT,
    WIDTHS,
    WORDS,
    WORDS_OUT,
    Kernel,
)


def dot_rows(words, panels, K, signed, out):
    """All products."""
    M, N = out.shape
    if not fits(words, panels, M, N):
        return False
    products(words, panels, K, signed, out, 0, M, 0, N)
    return True


def dot_rows_threaded(words, panels, K, signed, out, threads):
    """All products, an equal share to each thread."""
    M, N = out.shape
    if not fits(words, panels, M, N):
        return False
    for t in prange(threads):
        m0, m1, n0, n1 = share(M, N, t, threads)
        products(words, panels, K, signed, out, m0, m1, n0, n1)
    return True


def distance_rows(words, panels, out):
    """All distances."""
    M, N = out.shape
    if not fits(words, panels, M, N):
        return False
    distances(words, panels, out, 0, M, 0, N)
    return True


def distance_rows_threaded(words, panels, out, threads):
    """All distances, an equal share to each thread."""
    M, N = out.shape
    if not fits(words, panels, M, N):
        return False
    for t in prange(threads):
        m0, m1, n0, n1 = share(M, N, t, threads)
        distances(words, panels, out, m0, m1, n0, n1)
    return True


def pair_rows(a, b, out):
    """Distances of rows that are not arranged: a uint64 [M, W], b uint64 [N, W] -> out int32 [M, N]."""
    return pairs(a, b, out, 0, b.shape[0])


def pair_rows_threaded(a, b, out, threads):
    """The same, an equal share of the columns to each thread."""
    N = b.shape[0]
    for t in prange(threads):
        pairs(a, b, out, N * t // threads, N * (t + 1) // threads)
    return True


def arrange_rows(words, panels):
    """Rows words uint64 [N, W] as panels uint32 [P, 1 + 2W, 64]."""
    return arrange(words, panels, 0, panels.shape[0])


def arrange_rows_threaded(words, panels, threads):
    """The same, an equal share of the panels to each thread."""
    P = panels.shape[0]
    for t in prange(threads):
        arrange(words, panels, P * t // threads, P * (t + 1) // threads)
    return True


def linear_rows(x, words, panels, K, signed, scale, bias, shift, row_scale, given, out):
    """A linear layer of words uint64 [M, W]; or of x float32 [M, K], which is packed first."""
    M, N = out.shape
    if x.shape[0] > 0:
        words = np.empty((M, (K + 63) // 64), np.uint64)
    if not layer_fits(x, words, panels, K, scale, bias, shift, row_scale, given, M, N):
        return False
    layer(x, words, panels, K, signed, scale, bias, shift, row_scale, given, out, 0, M, 0, N)
    return True


def linear_rows_threaded(x, words, panels, K, signed, scale, bias, shift, row_scale, given, out, threads):
    """The same, an equal share to each thread."""
    M, N = out.shape
    if x.shape[0] > 0:
        words = np.empty((M, (K + 63) // 64), np.uint64)
    if not layer_fits(x, words, panels, K, scale, bias, shift, row_scale, given, M, N):
        return False
    if x.shape[0] > 0 and 12 * threads > M:  # each thread has some columns of all rows
        pack(x, words, 0, M)
        x = x[:0]
    for t in prange(threads):
        m0, m1, n0, n1 = share(M, N, t, threads)
        layer(x, words, panels, K, signed, scale, bias, shift, row_scale, given, out, m0, m1, n0, n1)
    return True


def compare_rows(words, panels, K, signed, start, width, out):
    """All comparisons."""
    M, N = out.shape[0], start.shape[0]
    if not fits(words, panels, M, N) or width.shape[0] != N or out.shape[1] != (N + 63) // 64:
        return False
    comparisons(words, panels, K, signed, start, width, out, 0, M, 0, N)
    return True


def compare_rows_threaded(words, panels, K, signed, start, width, out, threads):
    """All comparisons, an equal share to each thread."""
    M, N = out.shape[0], start.shape[0]
    if not fits(words, panels, M, N) or width.shape[0] != N or out.shape[1] != (N + 63) // 64:
        return False
    for t in prange(threads):
        m0, m1, n0, n1 = share(M, N, t, threads)
        comparisons(words, panels, K, signed, start, width, out, m0, m1, n0, n1)
    return True


def weighted_rows(words, panels, planes, negative, out):
    """All products of codes."""
    if not fits(words, panels, *out.shape, planes):
        return False
    weighted(words, panels, planes, negative, out, 0, out.shape[0], 0, out.shape[1])
    return True


def weighted_rows_threaded(words, panels, planes, negative, out, threads):
    """The same, an equal share to each thread."""
    M, N = out.shape
    if not fits(words, panels, M, N, planes):
        return False
    for t in prange(threads):
        m0, m1, n0, n1 = share(M, N, t, threads)
        weighted(words, panels, planes, negative, out, m0, m1, n0, n1)
    return True


def signed_sum_rows(x, panels, scale, out):
    """All sums of floats with signs, scaled."""
    signed_sums(x, panels, scale, out, 0, out.shape[0], 0, out.shape[1])
    return True


def signed_sum_rows_threaded(x, panels, scale, out, threads):
    """The same, an equal share to each thread."""
    M, N = out.shape
    for t in prange(threads):
        m0, m1, n0, n1 = share(M, N, t, threads)
        signed_sums(x, panels, scale, out, m0, m1, n0, n1)
    return True


def finish_rows(dots, scale, bias, shift, row_scale, given, out):
    """The float part of a layer whose integer products are there."""
    return finish(dots, scale, bias, shift, row_scale, given, out, 0, dots.shape[0])


def finish_rows_threaded(dots, scale, bias, shift, row_scale, given, out, threads):
    """The same, an equal share of the rows to each thread."""
    M = dots.shape[0]
    for t in prange(threads):
        finish(dots, scale, bias, shift, row_scale, given, out, M * t // threads, M * (t + 1) // threads)
    return True


def sign_rows(x, words):
    """The signs of floats, x ≥ 0, as bits."""
    pack(x, words, 0, x.shape[0])
    return True


def truth_rows(x, words):
    """Whether integers are nonzero, as bits."""
    pack(x, words, 0, x.shape[0])
    return True


def sign_rows_threaded(x, words, threads):
    """The same, an equal share of the rows to each thread."""
    M = x.shape[0]
    for t in prange(threads):
        pack(x, words, M * t // threads, M * (t + 1) // threads)
    return True


def truth_rows_threaded(x, words, threads):
    """The same, an equal share of the rows to each thread."""
    M = x.shape[0]
    for t in prange(threads):
        pack(x, words, M * t // threads, M * (t + 1) // threads)
    return True


DOTS = Kernel(dot_rows, dot_rows_threaded, WORDS, PANELS, COUNT, FLAG, INTS_OUT)
DISTANCES = Kernel(distance_rows, distance_rows_threaded, WORDS, PANELS, INTS_OUT)
LINEAR = Kernel(
    linear_rows, linear_rows_threaded,
    FLOAT_MATRIX, WORDS_OUT, PANELS, COUNT, FLAG, FLOATS, FLOATS, FLOATS, FLOATS, COUNT, FLOATS_OUT,
)  # fmt: skip
COMPARE = Kernel(compare_rows, compare_rows_threaded, WORDS, PANELS, COUNT, FLAG, INTS, WIDTHS, WORDS_OUT)
SIGNS = Kernel(sign_rows, sign_rows_threaded, FLOAT_MATRIX, WORDS_OUT)
TRUTHS = Kernel(truth_rows, truth_rows_threaded, OCTETS, WORDS_OUT)
PAIRS = Kernel(pair_rows, pair_rows_threaded, WORDS, WORDS, INTS_OUT)
ARRANGE = Kernel(arrange_rows, arrange_rows_threaded, WORDS, PANELS_OUT)
WEIGHTED = Kernel(weighted_rows, weighted_rows_threaded, WORDS, PANELS, COUNT, FLAG, INTS_OUT)
SIGNED_SUMS = Kernel(
    signed_sum_rows, signed_sum_rows_threaded, FLOAT_MATRIX, PANELS, FLOAT_MATRIX, FLOATS_OUT
)
FINISH = Kernel(
    finish_rows, finish_rows_threaded,
    INT_MATRIX, FLOATS, FLOATS, FLOATS, FLOATS, COUNT, FLOATS_OUT,
)  # fmt: skip
