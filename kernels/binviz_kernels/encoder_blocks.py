r"""The steps of an encoder layer on bits, for some of its rows or heads.

    q, k, v  =  codes of the input · weights                      bits      `project`
    context  =  codes of softmax(q kᵀ) · v, head by head          bits      `attend`
    x        =  x + context · weights                             floats    `feed_forward`
    ffn      =  codes of the codes of x · weights                 bits
    x        =  x + ffn · weights                                 floats

Layer norms follow the two sums (BERT) or come before the layer's two halves (ViT). Every product of codes is an
integer, and wherever only codes are needed of what follows it (scale, bias, activation, shift, sign), the integer
is looked for in a range. Sums of floats are added in one order, whatever the processor and the number of threads.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from binviz_kernels.blocks import BLOCK, arrange, comparisons, products, scaled
from binviz_kernels.intrinsics import compare_word
from binviz_kernels.low_rank import low_rank_factors, product_of_row, sum_of_reached, weigh
from binviz_kernels.portable import INNER
from binviz_kernels.row_sums import normalize_row, sum_of_entries

inner = njit(**INNER)

QUERIES = 24  # rows of an attention map that are computed together
NONE = np.empty(0, np.float32)
UNSEEN, NEVER = np.int32(-(2**31)), np.int32(2**31 - 1)  # below every float's bits, and above
# Numba compiles a function once more for every literal that it is called with, and takes these for none
SIGNED, UNSIGNED, START = np.bool_(True), np.bool_(False), np.int64(0)


# Terms.numbers
SHARE, SCALE, SCALING, RELATIVE, CUTOFF, CONTEXT, ESTIMATES = range(7)
# Rows of Terms.vectors. The first norm is that of attention, the second that of the feed-forward part.
ATTN_OUT_SCALE, ATTN_OUT_BIAS, FC2_SCALE, FC2_BIAS = range(4)
GAIN_1, BIAS_1, GAIN_2, BIAS_2 = range(4, 8)
FFN_LEAST, INPUT_LEAST = 8, 9


class Terms(NamedTuple):
    """All numbers of a stack of layers but the weights, in few arrays: each costs time to compile.

    Columns of heads are padded to multiples of 32, N in all.

    Attributes:
        vectors: float32 [layers, 10 or 12, D]. Codes of the input are x ≥ least, alike for query, key and value or not.
            Behind them come the 4r + 1 weights of low-rank terms, if there are any.
        ranges: uint32 [layers, 2, 4N + F], for queries, keys, values, context and fc1: a code is 1 where the integer is
            one of the [:, 1] numbers from [:, 0] on, counted modulo 2^32. With low-rank terms the context's [:, 0] are
            the bits of floats: a code is 1 from there on.
        score_least: int32 [layers, d + 1]; of a row of scores with maximum s, those from score_least[(s + d) // 2] on
            are 1. Not read if there are exponentials, or a bias.
        exponentials: float32 [layers or 0, d + 1, 2d + 3]; [(s + d) // 2, t + d + 2] is exp(score t − score s), for
            −d ≤ t ≤ s with s − t even, all else 0.
        numbers: float32 [layers, 6 or 4r + 7]. Scores are 1 whose exponential is above SHARE of the row's sum; or, with
            a bias, that are at least RELATIVE · largest + CUTOFF, a score being product · SCALE · SCALING + bias. With
            low-rank terms SCALING is theirs, a context product · CONTEXT + its term, and their biases come last.
        bias: float32 [layers or 0, heads, L, L up to a multiple of 64], of each query's keys.
        doubts: uint64 [layers, 3, F], or [1, 3, 0] for none: the codes of fc1 for doubts[:, 1] integers from
            doubts[:, 0] on, counted modulo 2^32, are the bits of doubts[:, 2], one for every second integer.
    """

    vectors: Any
    ranges: Any
    score_least: Any
    exponentials: Any
    numbers: Any
    bias: Any
    doubts: Any


class Places(NamedTuple):
    """Which rows attend to which.

    Attributes:
        rows: int32 [plans, groups, L], of x; a group attends to itself alone. M is padding, a row of zeros behind the
            norm. A plan for each layer, or one for all.
        kinds: int32 [plans, groups], which of `allowed` a group has.
        allowed: uint8 [kinds, 1 or L, L up to a multiple of 64], the keys of each query.
    """

    rows: Any
    kinds: Any
    allowed: Any


class Words(NamedTuple):
    """The bits of the layer that ran last.

    Attributes:
        inputs: uint64 [2 or 4, M or M + 1, words of D], of the feed-forward part, then of query, key and value; last is
            padding, if there is any.
        heads: uint64 [4, M or M + 1, words of N], queries, keys, values, context.
        ffn: uint64 [M, words of F].
        estimates: float32 [M, 4r + 1], what low-rank terms are made of; [M, 0] without them.
    """

    inputs: Any
    heads: Any
    ffn: Any
    estimates: Any


@inner
def rows_of(M, t, threads):
    """The rows of thread t, by whole tiles."""
    tiles, t = (M + 5) // 6, np.int64(t)
    return min(M, 6 * (tiles * t // threads)), min(M, 6 * (tiles * (t + 1) // threads))


@inner
def part_of(stack, i, parts):
    """The panels of matrix i of a stack of equal ones."""
    size = stack.shape[0] // parts
    return stack[i * size : (i + 1) * size]


@inner
def pack(x, m, least, words):
    """Row m of x [rows, K] against least [K], as bits in words [ceil(K / 64)]."""
    for w in range(words.shape[0]):
        words[w] = compare_word(x, m, 64 * w, least)


@inner
def project(x, qkv, terms, words, layer, N, norm_first, epsilon, m0, m1):
    """Rows m0..m1 of x float32 [M, D] -> codes of queries, keys and values; row M is padding."""
    D, inputs, vectors = x.shape[1], words.inputs.shape[0] - 1, terms.vectors[layer]
    normed = np.empty((1, D), np.float32)
    for first in range(m0, m1, BLOCK):
        last = min(first + BLOCK, m1)
        for m in range(first, last):
            if m == x.shape[0]:
                normed[:] = 0
            elif norm_first:
                normalize_row(x, m, vectors[GAIN_1], vectors[BIAS_1], epsilon, normed, 0)
            for i in range(inputs):
                if norm_first:
                    pack(normed, START, vectors[INPUT_LEAST + i], words.inputs[1 + i, m])
                else:
                    pack(x, m, vectors[INPUT_LEAST + i], words.inputs[1 + i, m])
            for i in range(words.estimates.shape[1]):
                weights, bias = vectors[INPUT_LEAST + inputs + i], terms.numbers[layer, ESTIMATES + i]
                if norm_first:
                    words.estimates[m, i] = product_of_row(normed, START, weights) + bias
                else:
                    words.estimates[m, i] = product_of_row(x, m, weights) + bias
        for i in range(3):
            panels = part_of(qkv, 3 * layer + i, 3 * terms.vectors.shape[0])
            start, width = (
                terms.ranges[layer, 0, i * N : i * N + N],
                terms.ranges[layer, 1, i * N : i * N + N],
            )
            codes = words.inputs[min(1 + i, inputs)]
            comparisons(codes, panels, D, SIGNED, start, width, words.heads[i], first, last, START, N)


@inner
def head_panels(form, N, W):
    """Memory for the panels of N rows of W words, in the form of other panels."""
    if form.ndim == 2:
        return np.empty((W, N), np.uint64)
    if form.ndim == 5:
        return np.empty((N // 64, 1 + W, form.shape[2], 1, 64), np.uint8).view(form.dtype)
    if form.ndim == 4:
        return np.empty((N // 64, 1 + 2 * W, form.shape[2], 64), np.uint8).view(form.dtype)
    return np.empty((N // 64, 1 + 2 * W, 64), np.uint32).view(form.dtype)


@inner
def arrange_head(words, panels):
    """Words uint64 [N, W] as panels."""
    if panels.ndim == 2:
        for n in range(words.shape[0]):
            for w in range(words.shape[1]):
                panels[w, n] = words[n, w]
    elif panels.ndim > 3:
        arrange(words, panels, 0, panels.shape[0])
    else:
        arrange(words, panels.view(np.uint32), 0, panels.shape[0])


@inner
def transpose(a):
    """64 x 64 bits: bit j of word i changes places with bit i of word j."""
    mask, size = np.uint64(0x00000000FFFFFFFF), 32
    while size > 0:
        # Of each square of 2·size bits, the upper right quarter changes places with the lower left one
        shift = np.uint64(size)
        for first in range(0, 64, 2 * size):
            for i in range(first, first + size):
                differ = ((a[i] >> shift) ^ a[i + size]) & mask
                a[i + size] ^= differ
                a[i] ^= differ << shift
        size //= 2
        mask ^= mask << np.uint64(size)


@inner
def largest(scores, m):
    """The maximum of row m of int32 [rows, L]."""
    best = scores[m, 0]
    for j in range(1, scores.shape[1]):
        best = max(best, scores[m, j])
    return best


@inner
def least_share(scores, m, best, exponentials, d, share):
    """From which score on the exponentials of row m, int32 [rows, L], are above a share of their sum."""
    limit = share * sum_of_entries(exponentials, scores, m, d + 2)
    least = best
    while least >= -d and exponentials[least + d + 2] > limit:
        least -= 2
    return np.int32(least + 2)


@inner
def in_order(bits):
    """The bits of a float32 as an integer; of two floats the larger has the larger integer. Its own inverse."""
    return np.int32(bits ^ ((bits >> np.int32(31)) & np.int32(0x7FFFFFFF)))


@inner
def least_biased(scores, m, bias, sees, numbers):
    """Row m of products int32 [rows, keys] becomes one of scores, as integers in order -> from which on they are 1.

    bias float32 [keys], sees uint8 [keys]; rounded after every operation, as the model does.
    """
    floats, one = scores.view(np.float32), np.empty(1, np.int32)
    for j in range(scores.shape[1]):
        # s = product · scale · scaling + bias
        floats[m, j] = np.float32(scores[m, j]) * numbers[SCALE] * numbers[SCALING] + bias[j]
        scores[m, j] = in_order(scores[m, j]) if sees[j] else UNSEEN
    best = largest(scores, m)
    if best == UNSEEN:
        return NEVER
    one[0] = in_order(best)
    limit = one.view(np.float32)
    limit[0] = limit[0] * numbers[RELATIVE] + numbers[CUTOFF]
    return in_order(one[0])


@inner
def least_weighed(scores, m, exponentials, d, factors, i, share):
    """Row m of scores int32 [rows, keys] becomes the bits of exponentials times factors -> from which on they are 1."""
    limit = np.empty(1, np.float32)
    limit[0] = share * weigh(exponentials, scores, m, d + 2, factors, i)
    return np.int32(
        limit.view(np.int32)[0] + 1
    )  # above the limit; floats that are not negative are in the order of their bits


@inner
def attend(places, form, terms, words, layer, d, N, u0, u1):
    """Heads u0..u1, counted through all groups: codes of queries, keys and values -> codes of the context."""
    L, keys = places.rows.shape[2], places.allowed.shape[2]
    padded = (d + 31) // 32
    W, blocks, heads_of_group = (padded + 1) // 2, keys // 64, N // (32 * padded)
    plan, M = layer % places.rows.shape[0], words.ffn.shape[0]
    parts = np.zeros((3, keys, W), np.uint64)
    square, values = np.empty(64, np.uint64), np.empty((64 * W, blocks), np.uint64)
    key_panels, value_panels = head_panels(form, keys, W), head_panels(form, 64 * W, blocks)
    scores, attention = np.empty((QUERIES, keys), np.int32), np.empty((QUERIES, blocks), np.uint64)
    context = np.empty((QUERIES, W), np.uint64)
    halves, context_halves = parts.view(np.uint32), context.view(np.uint32)
    heads, numbers = words.heads.view(np.uint32), terms.numbers[layer]
    low_rank, group = words.estimates.shape[1] > 0, np.int64(-1)
    factors, residuals = np.empty((L if low_rank else 0, keys), np.float32), np.empty(keys, np.float32)
    added, dots = np.empty(QUERIES, np.float32), np.empty((QUERIES, 32 * padded), np.int32)
    y = dots.view(np.float32)
    for u in range(u0, u1):
        head, column = u % heads_of_group, u % heads_of_group * padded
        rows = places.rows[plan, u // heads_of_group]
        allowed = places.allowed[places.kinds[plan, u // heads_of_group]]
        for i in range(3):
            for m in range(L):
                for w in range(padded):
                    halves[i, m, w] = heads[i, rows[m], column + w]
        for w in range(W):
            for k in range(blocks):
                for i in range(64):
                    square[i] = parts[2, 64 * k + i, w]
                transpose(square)
                for i in range(64):
                    values[64 * w + i, k] = square[i]
        arrange_head(parts[1], key_panels)
        arrange_head(values, value_panels)
        if low_rank and u // heads_of_group != group:
            group, alpha = u // heads_of_group, np.float32(2) * numbers[SHARE]
            low_rank_factors(words.estimates, rows, allowed, numbers[SCALING], alpha, factors, residuals)
        left = 3 * N + 32 * column
        start = terms.ranges[layer, 0, left : left + 32 * padded]
        width = terms.ranges[layer, 1, left : left + 32 * padded]
        for first in range(0, L, QUERIES):
            count = min(QUERIES, L - first)
            products(parts[0, first:], key_panels, d, SIGNED, scores, START, count, START, keys)
            for m in range(count):
                sees = allowed[min(first + m, allowed.shape[0] - 1)]
                if terms.bias.shape[0] > 0:
                    least = least_biased(scores, m, terms.bias[layer, head, first + m], sees, numbers)
                else:
                    for j in range(keys):
                        scores[m, j] = scores[m, j] if sees[j] else -d - 2
                    best = max(largest(scores, m), -d)  # if all keys are forbidden, no score reaches a limit
                    row = (best + d) // 2
                    if low_rank:
                        exponentials = terms.exponentials[layer, row]
                        least = least_weighed(scores, m, exponentials, d, factors, first + m, numbers[SHARE])
                        added[m] = sum_of_reached(scores, m, least, residuals)
                    elif terms.exponentials.shape[0] > 0:
                        exponentials = terms.exponentials[layer, row]
                        least = least_share(scores, m, best, exponentials, d, numbers[SHARE])
                    else:
                        least = terms.score_least[layer, row]
                    least = max(least, -d)
                pack(scores, m, np.int32(least), attention[m])
            if low_rank:
                products(attention, value_panels, keys, UNSIGNED, dots, START, count, START, 32 * padded)
                for m in range(count):
                    for n in range(32 * padded):
                        y[m, n] = np.float32(dots[m, n]) * numbers[CONTEXT] + added[m]
                    pack(y, m, start.view(np.float32), context[m])
            else:
                comparisons(
                    attention, value_panels, keys, UNSIGNED, start, width, context, START, count, START, 32 * padded
                )  # fmt: skip
            for m in range(count):
                if rows[first + m] < M:
                    for w in range(padded):
                        heads[3, rows[first + m], column + w] = context_halves[m, w]


@inner
def settle(dots, start, width, doubts):
    """Products int32 [N] become 0 where the code is 1, and −1 elsewhere."""
    doubtful = 0
    for n in range(dots.shape[0]):
        doubtful += int(np.uint32(dots[n] - np.uint32(doubts[0, n])) < np.uint32(doubts[1, n]))
    for n in range(dots.shape[0]):
        code = np.uint32(dots[n] - start[n]) < width[n]
        if doubtful > 0:
            away = np.uint64(np.uint32(dots[n] - np.uint32(doubts[0, n])))
            if away < doubts[1, n]:
                code = (doubts[2, n] >> (away >> np.uint64(1))) & np.uint64(1) != 0
        dots[n] = 0 if code else -1


@inner
def feed_forward(x, attn_out, fc1, fc2, terms, words, layer, K, N, fc2_signed, norm_first, epsilon, m0, m1):
    """Rows m0..m1: attention's K outputs into x float32 [M, D], then the feed-forward part, and its into x."""
    D, vectors, layers = x.shape[1], terms.vectors[layer], terms.vectors.shape[0]
    attn_out, fc1, fc2 = (
        part_of(attn_out, layer, layers), part_of(fc1, layer, layers), part_of(fc2, layer, layers)
    )  # fmt: skip
    start, width = terms.ranges[layer, 0, 4 * N :], terms.ranges[layer, 1, 4 * N :]
    F, ffn_in = start.shape[0], words.inputs[0]
    normed, y = np.empty((1, D), np.float32), np.empty((BLOCK, D), np.float32)
    dots = np.empty((BLOCK, terms.doubts.shape[2]), np.int32)
    for first in range(m0, m1, BLOCK):
        last = min(first + BLOCK, m1)
        scale, bias = vectors[ATTN_OUT_SCALE], vectors[ATTN_OUT_BIAS]
        scaled(
            words.heads[3, first:last], attn_out, K, SIGNED,
            scale, bias, NONE, NONE, 1, y, START, last - first, START, D,
        )  # fmt: skip
        for m in range(first, last):
            for k in range(D):
                x[m, k] = y[m - first, k] + x[m, k]
            if norm_first:
                normalize_row(x, m, vectors[GAIN_2], vectors[BIAS_2], epsilon, normed, 0)
                pack(normed, START, vectors[FFN_LEAST], ffn_in[m])
            else:
                normalize_row(x, m, vectors[GAIN_1], vectors[BIAS_1], epsilon, x, m)
                pack(x, m, vectors[FFN_LEAST], ffn_in[m])
        if terms.doubts.shape[2] == 0:
            comparisons(ffn_in, fc1, D, SIGNED, start, width, words.ffn, first, last, START, F)
        else:
            products(ffn_in[first:last], fc1, D, SIGNED, dots, START, last - first, START, F)
            for m in range(last - first):
                settle(dots[m], start, width, terms.doubts[layer])
                pack(dots, m, np.int32(0), words.ffn[first + m])
        scale, bias = vectors[FC2_SCALE], vectors[FC2_BIAS]
        scaled(
            words.ffn[first:last], fc2, F, fc2_signed,
            scale, bias, NONE, NONE, 1, y, START, last - first, START, D,
        )  # fmt: skip
        for m in range(first, last):
            for k in range(D):
                x[m, k] = y[m - first, k] + x[m, k]
            if not norm_first:
                normalize_row(x, m, vectors[GAIN_2], vectors[BIAS_2], epsilon, x, m)
