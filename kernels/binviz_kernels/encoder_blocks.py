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

from binviz_kernels import portable
from binviz_kernels.blocks import BLOCK, arrange, comparisons, products
from binviz_kernels.intrinsics import compare_word, store_scaled, tile_columns, tile_rows
from binviz_kernels.row_sums import normalize_row, sum_of_entries

inner = njit(nogil=True)

QUERIES = 24  # rows of an attention map that are computed together
NONE = np.empty(0, np.float32)


class Terms(NamedTuple):
    """All numbers of a stack of layers but the weights. Bits are 1 where an integer lies in a range: `width` numbers
    from `start` on, counted modulo 2^32. Columns of heads are padded to multiples of 32, N in all.

    Attributes:
        input_least: float32 [layers, 3 or 1, D]; the codes for query, key, value are x ≥ least.
        qkv_start, qkv_width: int32 and uint32 [layers, 3, N].
        score_least: int32 [layers, d + 1]; of a row of scores with maximum s, those from score_least[(s + d) // 2] on
            are 1. Not read if there are exponentials.
        exponentials: float32 [layers or 0, d + 1, 2d + 3]; [(s + d) // 2, t + d + 2] is exp(score t − score s), for
            −d ≤ t ≤ s with s − t even, all else 0.
        share: float32 [layers]; scores are 1 whose exponential is above this share of the row's sum.
        context_start, context_width: int32 and uint32 [layers, N].
        attn_out_scale, attn_out_bias: float32 [layers, D].
        attention_gain, attention_bias: float32 [layers, D], of the layer norm before or after attention.
        ffn_least: float32 [layers, D].
        fc1_start, fc1_width: int32 and uint32 [layers, F].
        fc2_scale, fc2_bias: float32 [layers, D].
        ffn_gain, ffn_bias: float32 [layers, D], of the layer norm before or after the feed-forward part.
    """

    input_least: Any
    qkv_start: Any
    qkv_width: Any
    score_least: Any
    exponentials: Any
    share: Any
    context_start: Any
    context_width: Any
    attn_out_scale: Any
    attn_out_bias: Any
    attention_gain: Any
    attention_bias: Any
    ffn_least: Any
    fc1_start: Any
    fc1_width: Any
    fc2_scale: Any
    fc2_bias: Any
    ffn_gain: Any
    ffn_bias: Any


class Codes(NamedTuple):
    """Every bit of the layer that ran last.

    Attributes:
        inputs: uint64 [3 or 1, M, words of D].
        qkv: uint64 [3, M, words of N].
        context: uint64 [M, words of N].
        ffn_in: uint64 [M, words of D].
        ffn: uint64 [M, words of F].
    """

    inputs: Any
    qkv: Any
    context: Any
    ffn_in: Any
    ffn: Any


@inner
def rows_of(M, t, threads):
    """The rows of thread t, by whole tiles."""
    tiles = (M + 5) // 6
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
def scaled(words, panels, K, signed, scale, bias, out, m0, m1):
    """Rows m0..m1 of words [M, W] times panels, scaled, from row 0 of out float32 [rows, N] on."""
    N = scale.shape[0]
    words = words[m0:m1]
    if panels.ndim == 2:
        for m in range(m1 - m0):
            dots = out[m].view(np.int32)
            portable.dots_of_row(words[m], panels, K, signed, 0, N, dots)
            portable.scale_row(dots, scale, bias, NONE, NONE, 1, m, 0, out[m])
    else:
        for n in range(0, N, tile_columns(panels)):
            m = 0
            while m < m1 - m0:
                left = m1 - m0 - m
                store_scaled(words, panels, out, m, left, n, K, signed, scale, bias, NONE, NONE, 1)
                m += tile_rows(panels, left)


@inner
def project(x, qkv, terms, codes, layer, norm_first, epsilon, m0, m1):
    """Rows m0..m1 of x float32 [M, D] -> codes of queries, keys and values."""
    D, N = x.shape[1], terms.qkv_start.shape[2]
    normed = np.empty((1, D), np.float32)
    inputs = terms.input_least.shape[1]
    for first in range(m0, m1, BLOCK):
        last = min(first + BLOCK, m1)
        for m in range(first, last):
            if norm_first:
                gain, bias = terms.attention_gain[layer], terms.attention_bias[layer]
                normalize_row(x, m, gain, bias, epsilon, normed, 0)
            for i in range(inputs):
                least = terms.input_least[layer, i]
                if norm_first:
                    pack(normed, 0, least, codes.inputs[i, m])
                else:
                    pack(x, m, least, codes.inputs[i, m])
        for i in range(3):
            panels = part_of(qkv, 3 * layer + i, 3 * terms.qkv_start.shape[0])
            start, width = terms.qkv_start[layer, i], terms.qkv_width[layer, i]
            words = codes.inputs[min(i, inputs - 1)]
            comparisons(words, panels, D, True, start, width, codes.qkv[i], first, last, 0, N)


@inner
def head_panels(form, N, W):
    """Memory for the panels of N rows of W words, in the form of other panels."""
    if form.ndim == 2:
        return np.empty((W, N), np.uint64)
    return np.empty((N // 64, 1 + 2 * W, 64), np.uint32).view(form.dtype)


@inner
def arrange_head(words, panels):
    """Words uint64 [N, W] as panels."""
    if panels.ndim == 2:
        for n in range(words.shape[0]):
            for w in range(words.shape[1]):
                panels[w, n] = words[n, w]
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
def attend(allowed, form, terms, codes, layer, d, L, u0, u1):
    """Heads u0..u1, counted through all examples: codes of queries, keys and values -> codes of the context.

    allowed uint8 [B, L up to a multiple of 64] says which keys may be attended to.
    """
    heads, padded, keys = terms.qkv_start.shape[2] // (32 * ((d + 31) // 32)), (d + 31) // 32, allowed.shape[1]
    W, words = (padded + 1) // 2, keys // 64
    parts = np.zeros((3, keys, W), np.uint64)
    square, values = np.empty(64, np.uint64), np.empty((64 * W, words), np.uint64)
    key_panels, value_panels = head_panels(form, keys, W), head_panels(form, 64 * W, words)
    scores = np.empty((QUERIES, keys), np.int32)
    attention, context = np.empty((QUERIES, words), np.uint64), np.empty((QUERIES, W), np.uint64)
    halves, qkv = parts.view(np.uint32), codes.qkv.view(np.uint32)
    context_halves, out = context.view(np.uint32), codes.context.view(np.uint32)
    for u in range(u0, u1):
        example, column = u // heads, u % heads * padded
        forbidden = 0
        for j in range(keys):
            forbidden += allowed[example, j] == 0
        for i in range(3):
            for m in range(L):
                for w in range(padded):
                    halves[i, m, w] = qkv[i, example * L + m, column + w]
        for w in range(W):
            for k in range(words):
                for i in range(64):
                    square[i] = parts[2, 64 * k + i, w]
                transpose(square)
                for i in range(64):
                    values[64 * w + i, k] = square[i]
        arrange_head(parts[1], key_panels)
        arrange_head(values, value_panels)
        start = terms.context_start[layer, 32 * column : 32 * (column + padded)]
        width = terms.context_width[layer, 32 * column : 32 * (column + padded)]
        for first in range(0, L, QUERIES):
            rows = min(QUERIES, L - first)
            products(parts[0, first:], key_panels, d, True, scores, 0, rows, 0, keys)
            for m in range(rows):
                if forbidden > 0:
                    for j in range(keys):
                        scores[m, j] = scores[m, j] if allowed[example, j] else -d - 2
                best = max(largest(scores, m), -d)  # if all keys are forbidden, no score reaches a limit
                row = (best + d) // 2
                if terms.exponentials.shape[0] > 0:
                    exponentials, share = terms.exponentials[layer, row], terms.share[layer]
                    least = least_share(scores, m, best, exponentials, d, share)
                else:
                    least = terms.score_least[layer, row]
                pack(scores, m, np.int32(max(least, -d)), attention[m])
            comparisons(
                attention, value_panels, keys, False, start, width, context, 0, rows, 0, 32 * padded
            )
            for m in range(rows):
                for w in range(padded):
                    out[example * L + first + m, column + w] = context_halves[m, w]


@inner
def feed_forward(x, attn_out, fc1, fc2, terms, codes, layer, K, fc2_signed, norm_first, epsilon, m0, m1):
    """Rows m0..m1: attention's K outputs into x float32 [M, D], then the feed-forward part, and its into x."""
    D, layers = x.shape[1], terms.fc1_start.shape[0]
    F = terms.fc1_start.shape[1]
    attn_out, fc1, fc2 = (
        part_of(attn_out, layer, layers), part_of(fc1, layer, layers), part_of(fc2, layer, layers)
    )  # fmt: skip
    start, width = terms.fc1_start[layer], terms.fc1_width[layer]
    normed = np.empty((1, D), np.float32)
    y = np.empty((BLOCK, D), np.float32)
    for first in range(m0, m1, BLOCK):
        last = min(first + BLOCK, m1)
        scale, bias = terms.attn_out_scale[layer], terms.attn_out_bias[layer]
        scaled(codes.context, attn_out, K, True, scale, bias, y, first, last)
        for m in range(first, last):
            for k in range(D):
                x[m, k] = y[m - first, k] + x[m, k]
            if norm_first:
                normalize_row(x, m, terms.ffn_gain[layer], terms.ffn_bias[layer], epsilon, normed, 0)
                pack(normed, 0, terms.ffn_least[layer], codes.ffn_in[m])
            else:
                gain, bias = terms.attention_gain[layer], terms.attention_bias[layer]
                normalize_row(x, m, gain, bias, epsilon, x, m)
                pack(x, m, terms.ffn_least[layer], codes.ffn_in[m])
        comparisons(codes.ffn_in, fc1, D, True, start, width, codes.ffn, first, last, 0, F)
        scale, bias = terms.fc2_scale[layer], terms.fc2_bias[layer]
        scaled(codes.ffn, fc2, F, fc2_signed, scale, bias, y, first, last)
        for m in range(first, last):
            for k in range(D):
                x[m, k] = y[m - first, k] + x[m, k]
            if not norm_first:
                normalize_row(x, m, terms.ffn_gain[layer], terms.ffn_bias[layer], epsilon, x, m)
