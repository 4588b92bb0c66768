r"""The steps of an encoder layer whose activations are codes of several bits, for some of its rows or heads.

    q, k, v  =  codes of the input · weights                      codes     `project`
    context  =  codes of softmax(q kᵀ) · v, head by head          codes     `attend`
    x        =  x + context · weights                             floats    `feed_forward`
    ffn      =  codes of relu(codes of x · weights)               codes
    x        =  x + ffn · weights                                 floats

The counterpart of `encoder_blocks`, where an activation is one bit and a comparison of integers makes it.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from binviz_kernels.blocks import weighted
from binviz_kernels.encoder_blocks import SIGNED, START, UNSIGNED, part_of
from binviz_kernels.intrinsics import pack_word
from binviz_kernels.portable import INNER
from binviz_kernels.row_sums import normalize_row

inner = njit(error_model="numpy", **INNER)  # a quotient is one instruction

ROWS = 16  # whose products are kept side by side
SHARES = 16  # partial sums of a softmax
ROUNDED = np.float32(1.5 * 2**23)  # added to a small float32 and subtracted again, it leaves a whole number

# Rows of CodeTerms.inputs, as in `encoder_blocks`; the shifts of the inputs come last.
ATTN_OUT_SCALE, ATTN_OUT_BIAS, FC2_SCALE, FC2_BIAS = range(4)
GAIN_1, BIAS_1, GAIN_2, BIAS_2 = range(4, 8)
FFN_SHIFT, INPUT_SHIFT = 8, 9
# CodeTerms.heads: scale and bias of query, key and value, then
CONTEXT_SHIFT = 6
# CodeTerms.numbers: three alphas of the heads, then others, then three of the inputs
QKV_ALPHA, PROBS_ALPHA, CONTEXT_FACTOR, CONTEXT_ALPHA, FFN_ALPHA, HIDDEN_ALPHA, INPUT_ALPHA = (
    0,
    3,
    4,
    5,
    6,
    7,
    8,
)


class CodeTerms(NamedTuple):
    """All numbers of a stack of layers but the weights, in few arrays: each costs time to compile.

    Attributes:
        inputs: float32 [layers, 10 or 12, D].
        heads: float32 [layers, 7, N].
        hidden: float32 [layers, 3, F]: scale and bias of fc1, and the shift of its codes.
        numbers: float32 [layers, 11].
        exponentials: float32 [layers, 2 · largest score + 1], by how far a score lies below the largest of its row.
    """

    inputs: Any
    heads: Any
    hidden: Any
    numbers: Any
    exponentials: Any


class CodeWords(NamedTuple):
    """The codes of the layer that ran last; planes are as in `PackedPlanes`, one after the other.

    Attributes:
        inputs: uint64 [2 or 4, M, planes · words of D], of the feed-forward part, then of query, key and value.
        heads: int8 [4, M, N], queries, keys, values, context.
        ffn: uint64 [M, planes · words of F].
    """

    inputs: Any
    heads: Any
    ffn: Any


@inner
def code(x, alpha, low, high):
    """clamp(round(x / alpha)), half to even, int32."""
    # Clamped first, which changes nothing between whole numbers, so that the rounding is exact
    return np.int32((min(max(x / alpha, low), high) + ROUNDED) - ROUNDED)


@inner
def pack_codes(codes, planes, some, words):
    """Codes int8 [K] as planes in words [planes · W]; `some` uint8 [1, K] is to work with."""
    W = words.shape[0] // planes
    for p in range(planes):
        for k in range(codes.shape[0]):
            some[0, k] = codes[k] & (1 << p)
        for w in range(W):
            words[p * W + w] = pack_word(some, 0, 64 * w)


@inner
def encode(x, m, shift, alpha, low, high, codes):
    """Row m of x float32 [rows, K], shifted, as codes int8 [K]."""
    for k in range(codes.shape[0]):
        codes[k] = np.int8(code(x[m, k] + shift[k], alpha, low, high))


@inner
def project(x, qkv, terms, words, layer, planes, norm_first, epsilon, m0, m1):
    """Rows m0..m1 of x float32 [M, D] -> codes of queries, keys and values."""
    D, N = x.shape[1], terms.heads.shape[2]
    inputs, vectors, numbers = words.inputs.shape[0] - 1, terms.inputs[layer], terms.numbers[layer]
    low, high = np.float32(-(1 << planes - 1)), np.float32((1 << planes - 1) - 1)
    normed, codes, some = np.empty((1, D), np.float32), np.empty(D, np.int8), np.empty((1, D), np.uint8)
    dots = np.empty((ROWS, N), np.int32)
    for first in range(m0, m1, ROWS):
        last = min(first + ROWS, m1)
        for m in range(first, last):
            if norm_first:
                normalize_row(x, m, vectors[GAIN_1], vectors[BIAS_1], epsilon, normed, 0)
            for i in range(inputs):
                shift, alpha = vectors[INPUT_SHIFT + i], numbers[INPUT_ALPHA + i]
                if norm_first:
                    encode(normed, START, shift, alpha, low, high, codes)
                else:
                    encode(x, m, shift, alpha, low, high, codes)
                pack_codes(codes, planes, some, words.inputs[1 + i, m])
        for i in range(3):
            panels = part_of(qkv, 3 * layer + i, 3 * terms.inputs.shape[0])
            rows = words.inputs[min(1 + i, inputs), first:last]
            weighted(rows, panels, planes, SIGNED, dots, START, last - first, START, N)
            scale, bias, alpha = (
                terms.heads[layer, 2 * i],
                terms.heads[layer, 2 * i + 1],
                numbers[QKV_ALPHA + i],
            )
            for m in range(first, last):
                for n in range(N):
                    y = np.float32(dots[m - first, n]) * scale[n] + bias[n]
                    words.heads[i, m, n] = np.int8(code(y, alpha, low, high))


@inner
def scores_of(query, keys, scores):
    """Products of a query int8 [d] with keys int16 [4 · quarters, L] -> scores int16 [L]."""
    d = query.shape[0]
    for j in range(scores.shape[0]):
        scores[j] = 0
    for k in range(0, keys.shape[0], 4):
        a = np.int16(query[k])
        b = np.int16(query[k + 1]) if k + 1 < d else np.int16(0)
        c = np.int16(query[k + 2]) if k + 2 < d else np.int16(0)
        e = np.int16(query[k + 3]) if k + 3 < d else np.int16(0)
        for j in range(scores.shape[0]):
            scores[j] += a * keys[k, j] + b * keys[k + 1, j] + c * keys[k + 2, j] + e * keys[k + 3, j]


@inner
def add_times(factor, x, total):
    """Total += factor · x, of int32 [d]."""
    for k in range(total.shape[0]):
        total[k] += factor * x[k]


@inner
def sum_in_order(x):
    """The sum of float32 [multiple of 16]: entry k joins partial sum k % 16; of these, halves are added to halves."""
    sums = np.zeros(SHARES, np.float32)
    for first in range(0, x.shape[0], SHARES):
        for i in range(SHARES):
            sums[i] += x[first + i]
    half = SHARES // 2
    while half > 0:
        for i in range(half):
            sums[i] += sums[half + i]
        half //= 2
    return sums[0]


@inner
def attend(allowed, terms, words, layer, d, planes, L, u0, u1):
    """Heads u0..u1, counted through all examples: codes of queries, keys and values -> codes of the context.

    allowed uint8 [B, L up to a multiple of 64] says which keys may be attended to.
    """
    N, padded = terms.heads.shape[2], allowed.shape[1]
    exponentials, numbers = terms.exponentials[layer], terms.numbers[layer]
    alpha, factor, next_alpha = numbers[PROBS_ALPHA], numbers[CONTEXT_FACTOR], numbers[CONTEXT_ALPHA]
    shifts = terms.heads[layer, CONTEXT_SHIFT]
    zero, most = np.float32(0), np.float32((1 << planes) - 1)
    low, high = np.float32(-(1 << planes - 1)), np.float32((1 << planes - 1) - 1)
    quarters = (d + 3) // 4
    keys, scores = np.zeros((4 * quarters, L), np.int16), np.empty(L, np.int16)
    weights, codes, context = np.zeros(padded, np.float32), np.empty(padded, np.int32), np.empty(d, np.int32)
    values = np.empty((L, d), np.int32)
    for u in range(u0, u1):
        example, column = u // (N // d), u % (N // d) * d
        for j in range(L):
            for k in range(d):
                keys[k, j] = words.heads[1, example * L + j, column + k]
                values[j, k] = words.heads[2, example * L + j, column + k]
        for i in range(L):
            m = example * L + i
            scores_of(words.heads[0, m, column : column + d], keys, scores)
            best, some = np.int16(-32768), False
            for j in range(L):
                if allowed[example, j] and scores[j] > best:
                    best, some = scores[j], True
            context[:] = 0
            if some:
                for j in range(L):
                    below = np.uint32(np.int32(best) - np.int32(scores[j]))
                    weights[j] = exponentials[below] if allowed[example, j] else zero
                total = sum_in_order(weights)
                # a = clamp(round(p / alpha)), p = e / total
                for j in range(padded):
                    codes[j] = code(weights[j] / total, alpha, zero, most)
                for j in range(L):
                    if codes[j] != 0:
                        add_times(codes[j], values[j], context)
            for k in range(d):
                n = column + k
                y = np.float32(context[k]) * factor + shifts[n]
                words.heads[3, m, n] = np.int8(code(y, next_alpha, low, high))


@inner
def add_scaled(dots, scale, bias, x, m):
    """x[m] = dots · scale + bias + x[m], rounded after every operation."""
    for k in range(x.shape[1]):
        x[m, k] = (np.float32(dots[k]) * scale[k] + bias[k]) + x[m, k]


@inner
def feed_forward(x, attn_out, fc1, fc2, terms, words, layer, planes, norm_first, epsilon, m0, m1):
    """Rows m0..m1: attention's output into x float32 [M, D], then the feed-forward part, and its into x."""
    D, vectors, layers = x.shape[1], terms.inputs[layer], terms.inputs.shape[0]
    attn_out, fc1, fc2 = (
        part_of(attn_out, layer, layers), part_of(fc1, layer, layers), part_of(fc2, layer, layers)
    )  # fmt: skip
    scale, bias, shift = terms.hidden[layer, 0], terms.hidden[layer, 1], terms.hidden[layer, 2]
    F, numbers, ffn_in = scale.shape[0], terms.numbers[layer], words.inputs[0]
    low, high = np.float32(-(1 << planes - 1)), np.float32((1 << planes - 1) - 1)
    zero, most = np.float32(0), np.float32((1 << planes) - 1)
    normed, codes, some = np.empty((1, D), np.float32), np.empty(D, np.int8), np.empty((1, D), np.uint8)
    N, hidden, some_hidden = terms.heads.shape[2], np.empty(F, np.int8), np.empty((1, F), np.uint8)
    context = np.empty((ROWS, planes * ((N + 63) // 64)), np.uint64)
    some_context = np.empty((1, N), np.uint8)
    dots, wide = np.empty((ROWS, D), np.int32), np.empty((ROWS, F), np.int32)
    for first in range(m0, m1, ROWS):
        last = min(first + ROWS, m1)
        rows = last - first
        for m in range(first, last):
            pack_codes(words.heads[3, m], planes, some_context, context[m - first])
        weighted(context, attn_out, planes, SIGNED, dots, START, rows, START, D)
        for m in range(first, last):
            add_scaled(dots[m - first], vectors[ATTN_OUT_SCALE], vectors[ATTN_OUT_BIAS], x, m)
            if norm_first:
                normalize_row(x, m, vectors[GAIN_2], vectors[BIAS_2], epsilon, normed, 0)
                encode(normed, START, vectors[FFN_SHIFT], numbers[FFN_ALPHA], low, high, codes)
            else:
                normalize_row(x, m, vectors[GAIN_1], vectors[BIAS_1], epsilon, x, m)
                encode(x, m, vectors[FFN_SHIFT], numbers[FFN_ALPHA], low, high, codes)
            pack_codes(codes, planes, some, ffn_in[m])
        weighted(ffn_in[first:last], fc1, planes, SIGNED, wide, START, rows, START, F)
        for m in range(first, last):
            for n in range(F):
                y = max(np.float32(wide[m - first, n]) * scale[n] + bias[n], zero)
                hidden[n] = np.int8(code(y + shift[n], numbers[HIDDEN_ALPHA], zero, most))
            pack_codes(hidden, planes, some_hidden, words.ffn[m])
        weighted(words.ffn[first:last], fc2, planes, UNSIGNED, dots, START, rows, START, D)
        for m in range(first, last):
            add_scaled(dots[m - first], vectors[FC2_SCALE], vectors[FC2_BIAS], x, m)
            if not norm_first:
                normalize_row(x, m, vectors[GAIN_2], vectors[BIAS_2], epsilon, x, m)
