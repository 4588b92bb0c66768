"""Blocks of outputs: tile by tile, or row by row in the form that has no tiles.

The panels' type decides which: Numba compiles a function anew for each type of its arguments and drops the
branch that cannot be taken. Nothing uses fastmath: float32 results are those of the formulas, rounded after every
operation. Rows m0..m1 and columns n0..n1 are computed; n0 is a multiple of 64.
"""

import numpy as np
from numba import njit

from binviz_kernels import portable
from binviz_kernels.intrinsics import (
    fetch,
    pack_word,
    store_bits,
    store_distances,
    store_products,
    store_scaled,
    store_scaled_and_pack,
    store_signed_sums,
    store_ternary,
    store_weighted,
    tile_columns,
    tile_rows,
)
from binviz_kernels.tables import LINE as TABLES_LINE
from binviz_kernels.tables import WORD_TABLES, lanes_of, make_shared_tables, make_tables, make_ternary_tables
from binviz_kernels.wide_tables import LINE, PAIR, PANELS, ROWS, SPAN, TOGETHER, look_up_word

inner = njit(**portable.INNER)

BLOCK = 48  # rows that meet one panel before the next: both stay in the nearest cache
TABLES = 1 << 14  # bytes of tables that do so
PAIR_OF_ROWS = 2  # of one bit, or of codes −1, 0 and 1, which have tables together
ONE_ROW = np.int64(1)  # no literal, for each of which Numba would compile a function once more
LARGE = 1 << 21  # bytes of an output that does not stay in the second cache


@inner
def fits(words, panels, M, N, planes=1):
    """Whether words [M, planes · W] and panels are operands of a product [M, N]."""
    W = words.shape[1] // planes
    if panels.ndim == 2:
        return words.shape[0] == M and panels.shape[0] == W and panels.shape[1] == N
    line, lines = 256, 1 + 2 * W
    if panels.ndim == 4:
        line = TABLES_LINE
    elif panels.ndim == 5:
        line, lines = LINE, 1 + W
    return (
        words.shape[0] == M and W > 0
        and panels.shape[0] == (N + 63) // 64 and panels.shape[1] == lines
        and panels.size * panels.itemsize == panels.shape[0] * lines * line
    )  # fmt: skip


@inner
def share(M, N, t, threads):
    """The rows and columns of thread t: rows by whole tiles; columns by whole panels if there are few rows."""
    if threads == 1:
        return 0, M, 0, N
    if 12 * threads <= M:
        tiles = (M + 5) // 6
        return min(M, 6 * (tiles * t // threads)), min(M, 6 * (tiles * (t + 1) // threads)), 0, N
    panels = (N + 63) // 64
    return 0, M, min(N, 64 * (panels * t // threads)), min(N, 64 * (panels * (t + 1) // threads))


@inner
def pack(x, words, start, stop):
    """Rows start..stop of x [M, K] as bits: words uint64 [M, W]."""
    for m in range(start, stop):
        for w in range(words.shape[1]):
            words[m, w] = pack_word(x, m, 64 * w)


@inner
def block_rows(panels, W, M, together):
    """How many of M rows of W words, of which so many have tables together, meet one panel before the next."""
    size = BLOCK
    if panels.ndim == 4:
        size = min(BLOCK, together * max(8, TABLES // (2 * WORD_TABLES * W) // 8 * 8))
    elif panels.ndim == 5:
        size = ROWS
    return max(1, min(size, M))


@inner
def aligned(axis_0, axis_1, axis_2):
    """Memory of bytes; a table that lies in two lines of the cache is read twice as slowly."""
    size = axis_0 * axis_1 * axis_2
    memory = np.empty(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + size].reshape(axis_0, axis_1, axis_2)


@inner
def new_tables(panels, rows, W, together):
    """Memory for the tables of some rows of W words, and for their sums; none where nothing is looked up."""
    if panels.ndim == 4:
        return aligned((rows + together - 1) // together, 2 * W, WORD_TABLES), np.empty((0, 0, 0), np.uint8)
    if panels.ndim == 5:
        return np.empty((0, 0, 0), np.uint8), aligned(rows, panels.shape[0], (W + SPAN - 1) // SPAN * PAIR)
    return np.empty((0, 0, 0), np.uint8), np.empty((0, 0, 0), np.uint8)


@inner
def looked_up(words, panels, planes, negative, together, memory, first, last, n0, n1, out):
    """What the tiles of rows first..last read: the rows' words, tables made of them, or sums of columns n0..n1.

    So many rows have tables together: PAIR_OF_ROWS of one bit each or of codes −1, 0 and 1, or 1.

    A tile that finishes sums is soon written: if out is large, its place is fetched while they are made.
    """
    tables, sums = memory
    if panels.ndim == 5:
        W = words.shape[1] // planes
        large = out.size * out.itemsize >= LARGE
        for p in range(n0 // 64, (n1 + 63) // 64, PANELS):
            end = min(p + PANELS, (n1 + 63) // 64)
            for w in range(W):
                # Of columns 64p..64end the part that is as far as w in W
                start = 64 * p + 64 * (end - p) * w // W // 16 * 16
                stop = 64 * p + 64 * (end - p) * (w + 1) // W // 16 * 16
                for i in range(0, last - first, TOGETHER):
                    look_up_word(
                        words, panels, planes, negative, sums, first + i, i, last - first - i, w, p, end
                    )
                    if large:
                        for n in range(start, stop, 16):
                            fetch(out, first + i, n)
                            fetch(out, first + i + 1, n)
        return sums
    if panels.ndim == 4:
        for m in range(first, last, together):
            i = (m - first) // together
            if together == PAIR_OF_ROWS and planes == 1:
                make_shared_tables(words, panels, m, m + 1 < last, tables, i)
            elif together == PAIR_OF_ROWS:
                make_ternary_tables(words, panels, m, m + 1 < last, tables, i)
            else:
                make_tables(words, panels, m, planes, negative, tables, i)
        return tables
    return words[first:last]


@inner
def products(words, panels, K, signed, out, m0, m1, n0, n1):
    """A block of dots: words uint64 [M, W] and panels -> out int32 [M, N]."""
    if panels.ndim == 2:
        for m in range(m0, m1):
            portable.dots_of_row(words[m], panels, K, signed, n0, n1, out[m, n0:n1])
    else:
        size = block_rows(panels, words.shape[1], m1 - m0, PAIR_OF_ROWS)
        memory = new_tables(panels, size, words.shape[1], PAIR_OF_ROWS)
        for first in range(m0, m1, size):
            last = min(first + size, m1)
            rows, into = (
                looked_up(words, panels, 1, False, PAIR_OF_ROWS, memory, first, last, n0, n1, out),
                out[first:],
            )
            for n in range(n0, n1, tile_columns(panels)):
                m = 0
                while m < last - first:
                    store_products(rows, panels, into, m, last - first - m, n, K, signed)
                    m += tile_rows(panels, last - first - m)


@inner
def distances(words, panels, out, m0, m1, n0, n1):
    """A block of Hamming distances: words uint64 [M, W] and panels -> out int32 [M, N]."""
    if panels.ndim == 2:
        for m in range(m0, m1):
            portable.distances_of_row(words[m], panels, n0, n1, out[m, n0:n1])
    else:
        size = block_rows(panels, words.shape[1], m1 - m0, PAIR_OF_ROWS)
        memory = new_tables(panels, size, words.shape[1], PAIR_OF_ROWS)
        for first in range(m0, m1, size):
            last = min(first + size, m1)
            rows, into = (
                looked_up(words, panels, 1, False, PAIR_OF_ROWS, memory, first, last, n0, n1, out),
                out[first:],
            )
            for n in range(n0, n1, tile_columns(panels)):
                m = 0
                while m < last - first:
                    store_distances(rows, panels, into, m, last - first - m, n)
                    m += tile_rows(panels, last - first - m)


@inner
def counts_of_ternary(words, m0, m1, many):
    """How many codes of rows m0..m1, signed and of two bits, are not 0; and whether all are −1, 0 or 1, at least."""
    W = words.shape[1] // 2
    for m in range(m0, m1):
        ones, others = np.uint64(0), np.uint64(0)
        for w in range(W):
            ones += portable.popcount(words[m, w])
            others |= words[m, W + w] & ~words[m, w]  # −2
        if others != 0:
            return False
        many[m - m0] = ones
    return True


@inner
def weighted(words, panels, planes, negative, out, m0, m1, n0, n1):
    """A block of products of codes: words uint64 [M, planes · W] and panels -> out int32 [M, N]."""
    W = words.shape[1] // planes
    if panels.ndim == 2:
        dots = np.empty(n1 - n0, np.int32)
        for m in range(m0, m1):
            out[m, n0:n1] = 0
            for p in range(planes):
                portable.dots_of_row(words[m, p * W : (p + 1) * W], panels, 0, False, n0, n1, dots)
                factor = -(1 << p) if negative and p == planes - 1 else 1 << p
                for n in range(n0, n1):
                    out[m, n] += factor * dots[n - n0]
    else:
        together, many = ONE_ROW, np.empty(m1 - m0, np.int32)
        if panels.ndim == 4 and planes == 2 and negative and counts_of_ternary(words, m0, m1, many):
            together += ONE_ROW
        size = block_rows(panels, W, m1 - m0, together)
        memory = new_tables(panels, size, W, together)
        for first in range(m0, m1, size):
            last = min(first + size, m1)
            rows = looked_up(words, panels, planes, negative, together, memory, first, last, n0, n1, out)
            into, counts = out[first:], many[first - m0 :]
            for n in range(n0, n1, tile_columns(panels)):
                m = 0
                while m < last - first:
                    left = last - first - m
                    if panels.ndim == 4:
                        if together > 1:
                            store_ternary(rows, panels, into, m, left, n, counts)
                        else:
                            store_weighted(rows, panels, into, m, left, n, planes, negative)
                    else:
                        store_weighted(rows, panels, into, m, left, n, planes, negative)
                    m += tile_rows(panels, left)


@inner
def signed_sums(x, panels, scale, out, m0, m1, n0, n1):
    """A block of sums: x float32 [M, K], panels and scale float32 [G, N] -> out float32 [M, N], added in order."""
    K = x.shape[1]
    if panels.ndim == 2:
        for m in range(m0, m1):
            portable.signed_sums_of_row(x[m], panels, scale, n0, n1, out[m, n0:n1])
    else:
        for first in range(m0, m1, BLOCK):
            last = min(first + BLOCK, m1)
            for n in range(n0, n1, tile_columns(panels)):
                m = first
                while m < last:
                    store_signed_sums(x, panels, out, m, last - m, n, K, scale)
                    m += tile_rows(panels, last - m)


@inner
def finish(dots, scale, bias, shift, row_scale, given, out, start, stop):
    """Rows start..stop of a layer whose products are there: dots int32 [M, N] -> out float32 [M, N]."""
    for m in range(start, stop):
        portable.scale_row(dots[m], scale, bias, shift, row_scale, given, m, 0, out[m])
    return True


@inner
def pairs(a, b, out, start, stop):
    """Distances of all rows of a from rows start..stop of b."""
    for m in range(a.shape[0]):
        for n in range(start, stop):
            # d = popcount(a ^ b)
            differing = np.uint64(0)
            for k in range(a.shape[1]):
                differing += portable.popcount(a[m, k] ^ b[n, k])
            out[m, n] = differing
    return True


@inner
def arrange(words, panels, start, stop):
    """Panels start..stop: a line with the number of ones of each row, then lines of 32 bits of each.

    Where products are looked up, a line has four or six bits a byte (`tables`, `wide_tables`).
    """
    N, W = words.shape
    octets = panels.view(np.uint8)
    for p in range(start, stop):
        if panels.ndim > 3:
            octets[p, 0] = 0  # the ones take but a part of it
        for i in range(64):
            n, ones = 64 * p + i, np.uint64(0)
            for w in range(W):
                word = words[n, w] if n < N else np.uint64(0)
                ones += portable.popcount(word)
                if panels.ndim == 5:
                    for b in range(octets.shape[2]):
                        six = (word >> np.uint64(6 * b)) & np.uint64(63)
                        octets[p, 1 + w, b, 0, 4 * (i % 16) + i // 16] = six
                elif panels.ndim == 4:
                    lanes = lanes_of(panels)
                    place = i // (4 * lanes) * 4 * lanes + 4 * (i % lanes) + i // lanes % 4
                    for b in range(16):
                        four = (word >> np.uint64(4 * b)) & np.uint64(15)
                        octets[p, 1 + 2 * w + b // 8, b % 8, place] = four
                else:
                    panels[p, 1 + 2 * w, i] = np.uint32(word)
                    panels[p, 2 + 2 * w, i] = np.uint32(word >> np.uint64(32))
            if panels.ndim == 5:
                for b in range(4):
                    octets[p, 0, i // 16, 0, i % 16 * 4 + b] = ones >> np.uint64(8 * b)
            elif panels.ndim == 4:
                for b in range(4):
                    octets[p, 0, i // 16, i % 16 * 4 + b] = ones >> np.uint64(8 * b)
            else:
                panels[p, 0, i] = ones
    return True


@inner
def comparisons(words, panels, K, signed, start, width, out, m0, m1, n0, n1):
    """A block of comparisons with ranges start int32 [N], width uint32 [N] -> bits in out uint64 [M, words of N]."""
    if panels.ndim == 2:
        dots = np.empty(n1 - n0, np.int32)
        for m in range(m0, m1):
            portable.dots_of_row(words[m], panels, K, signed, n0, n1, dots)
            portable.compare_row(dots, start, width, n0, out[m])
    else:
        size = block_rows(panels, words.shape[1], m1 - m0, PAIR_OF_ROWS)
        memory = new_tables(panels, size, words.shape[1], PAIR_OF_ROWS)
        for first in range(m0, m1, size):
            last = min(first + size, m1)
            rows, into = (
                looked_up(words, panels, 1, False, PAIR_OF_ROWS, memory, first, last, n0, n1, out),
                out[first:],
            )
            for n in range(n0, (n1 + 63) // 64 * 64, tile_columns(panels)):  # whole words of bits
                m = 0
                while m < last - first:
                    left = last - first - m
                    store_bits(rows, panels, into, m, left, n, K, signed, start, width)
                    m += tile_rows(panels, left)


@inner
def scaled(words, panels, K, signed, scale, bias, shift, row_scale, given, out, m0, m1, n0, n1):
    """A block of a linear layer of words uint64 [M, W] -> out float32 [M, N]."""
    if panels.ndim == 2:
        for m in range(m0, m1):
            dots = out[m, n0:n1].view(np.int32)
            portable.dots_of_row(words[m], panels, K, signed, n0, n1, dots)
            portable.scale_row(dots, scale, bias, shift, row_scale, given, m, n0, out[m, n0:n1])
    else:
        size = block_rows(panels, words.shape[1], m1 - m0, PAIR_OF_ROWS)
        memory = new_tables(panels, size, words.shape[1], PAIR_OF_ROWS)
        for first in range(m0, m1, size):
            last = min(first + size, m1)
            rows, into = (
                looked_up(words, panels, 1, False, PAIR_OF_ROWS, memory, first, last, n0, n1, out),
                out[first:],
            )
            row_scales = row_scale[first:]
            for n in range(n0, n1, tile_columns(panels)):
                m = 0
                while m < last - first:
                    left = last - first - m
                    store_scaled(
                        rows, panels, into, m, left, n, K, signed,
                        scale, bias, shift, row_scales, given,
                    )  # fmt: skip
                    m += tile_rows(panels, left)


@inner
def layer(x, words, panels, K, signed, scale, bias, shift, row_scale, given, out, m0, m1, n0, n1):
    """A block of a linear layer -> out float32 [M, N]. Rows of x, if there are any, are packed into words first.

    While one block of rows is multiplied, each tile packs a row of the next block, where whole words allow.
    The first blocks are small, because nothing is multiplied while their rows are packed.
    """
    if panels.ndim == 3:
        packed = m0 if x.shape[0] > 0 else m1
        first, size = m0, 12
        while first < m1:
            last = min(first + size, m1)
            size = min(2 * size, BLOCK)
            if packed < last:
                pack(x, words, packed, last)
                packed = last
            ahead = min(last + size, m1) if K % 64 == 0 else 0
            for n in range(n0, n1, tile_columns(panels)):
                m = first
                while m < last:
                    whole = last - m >= tile_rows(panels, BLOCK) and n + tile_columns(panels) <= out.shape[1]
                    if packed < ahead and whole:
                        store_scaled_and_pack(
                            words, panels, out, m, last - m, n, K, signed,
                            scale, bias, shift, row_scale, given, x, packed,
                        )  # fmt: skip
                        packed += 1
                    else:
                        store_scaled(
                            words, panels, out, m, last - m, n, K, signed,
                            scale, bias, shift, row_scale, given,
                        )  # fmt: skip
                    m += tile_rows(panels, last - m)
            first = last
    else:
        if x.shape[0] > 0:
            pack(x, words, m0, m1)
        scaled(words, panels, K, signed, scale, bias, shift, row_scale, given, out, m0, m1, n0, n1)


@inner
def layer_fits(x, words, panels, K, scale, bias, shift, row_scale, given, M, N):
    """Whether the arguments of a linear layer with output [M, N] fit together."""
    return (
        fits(words, panels, M, N) and scale.shape[0] == N
        and (x.shape[0] == 0 or (x.shape[0] == M and x.shape[1] == K and words.shape[1] == (K + 63) // 64))
        and (given & 1 == 0 or bias.shape[0] == N) and (given & 2 == 0 or shift.shape[0] == N)
        and (given & 4 == 0 or row_scale.shape[0] == M)
    )  # fmt: skip
