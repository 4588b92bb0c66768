"""`encoder`, slow and plain: NumPy, one idea per line. It equals the fast one bit for bit, floats and codes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from binviz_kernels import low_rank
from binviz_kernels.code_encoder import CodeLayer, CodeLinear
from binviz_kernels.encoder_layers import Codes, EncoderLayer, Floats, LowRank, Range, Windows
from binviz_kernels.packing import PackedWeights, unpack

Bits = NDArray[np.bool_]


def encoder(
    x: Floats,
    layers: Sequence[EncoderLayer],
    allowed: Bits | None = None,
    windows: Windows | None = None,
    *,
    head: int,
    norm_first: bool,
    epsilon: float,
) -> tuple[Floats, Codes]:
    """Float32 [B, L, D] -> the same, and the last layer's codes as bool, [..., B · L, columns]."""
    B, L, D = x.shape
    allowed = np.ones((B, L), bool) if allowed is None else allowed
    if windows is None:
        keys = np.broadcast_to(allowed[:, None] if allowed.ndim == 2 else allowed, (B, L, L))
        rows = np.broadcast_to(np.arange(B * L).reshape(B, L), (len(layers), B, L))
        windows = Windows(rows, np.broadcast_to(np.arange(B), (len(layers), B)), keys)
    x = x.reshape(B * L, D)
    for i, layer in enumerate(layers):
        normed = layer_norm(x, layer.attention_gain, layer.attention_bias, epsilon) if norm_first else x
        normed = np.concatenate([normed, np.zeros((1, D), np.float32)])  # the last is padding
        inputs = np.stack([normed >= least for least in layer.input_least])
        qkv = np.stack(
            [
                in_range(dots(a, w, signed=True), ones)
                for a, w, ones in zip(
                    np.broadcast_to(inputs, (3, *inputs.shape[1:])), layer.qkv, layer.qkv_range, strict=True
                )
            ]
        )
        heads = qkv.reshape(3, B * L + 1, -1, head)
        products, added = np.empty(heads.shape[1:], int), np.empty((*heads.shape[1:3], 1), np.float32)
        estimates = None if layer.low_rank is None else estimated(normed, layer.low_rank)
        for rows, kind in zip(windows.rows[i], windows.kinds[i], strict=True):
            estimates_here = None if estimates is None else estimates[rows]
            products[rows], added[rows] = attention(
                heads[:, rows], windows.allowed[kind], layer, estimates_here
            )
        inputs, qkv, products = inputs[:, :-1], qkv[:, :-1], products[:-1]
        if layer.low_rank is None:
            assert layer.context_range is not None
            context = in_range(products.reshape(B * L, -1), layer.context_range)
        else:
            y = products.astype(np.float32) * np.float32(layer.low_rank.context_scale) + added[:-1]
            context = y.reshape(B * L, -1) >= layer.low_rank.context_least
        y = dots(context, layer.attn_out, signed=True).astype(np.float32)
        x = y * layer.attn_out_scale + layer.attn_out_bias + x
        if norm_first:
            normed = layer_norm(x, layer.ffn_gain, layer.ffn_bias, epsilon)
        else:
            normed = x = layer_norm(x, layer.attention_gain, layer.attention_bias, epsilon)
        ffn_in = normed >= layer.ffn_least
        products = dots(ffn_in, layer.fc1, signed=True)
        ffn = in_range(products, layer.fc1_range)
        if layer.fc1_doubts is not None:
            start, width, codes = layer.fc1_doubts
            listed = codes >> ((products - start) // 2).clip(0, 63).astype(np.uint64) & 1
            ffn = np.where((products - start) % 2**32 < width, listed == 1, ffn)
        y = dots(ffn, layer.fc2, layer.fc2_signed).astype(np.float32)
        x = y * layer.fc2_scale + layer.fc2_bias + x
        if not norm_first:
            x = layer_norm(x, layer.ffn_gain, layer.ffn_bias, epsilon)
    return x.reshape(B, L, D), Codes(inputs, qkv, context, ffn_in, ffn)


def dots(bits: Bits, weights: PackedWeights, signed: bool) -> NDArray[np.int64]:
    """Products of rows of ±1 or {0, 1} with the weights.

    >>> weights = PackedWeights(np.array([[5]], np.uint64), K=3)
    >>> dots(np.array([[True, True, False]]), weights, True), dots(np.array([[True, True, False]]), weights, False)
    (array([[-1]]), array([[0]]))
    """
    codes = 2 * bits.astype(int) - 1 if signed else bits.astype(int)
    return codes @ unpack(weights).T.astype(int)


def in_range(dots: NDArray[np.int64], ones: Range) -> Bits:
    """Which integers lie in the ranges of their columns, counted modulo 2^32.

    >>> in_range(np.array([[-2, 0, 2]]), Range(np.array([0, 0, 0]), np.array([2, 2, 3], np.uint32)))
    array([[False,  True,  True]])
    """
    return (dots - ones.start) % 2**32 < ones.width


def attention(
    heads: Bits, allowed: Bits, layer: EncoderLayer, estimates: Floats | None
) -> tuple[NDArray[np.int64], Floats]:
    """Context products [L, heads, d] of one group's codes [3, L, heads, d], row by row of the attention map.

    Beside them what low-rank terms add to each row [L, heads, 1].
    """
    _, L, H, d = heads.shape
    q, k, v = 2 * heads.astype(int) - 1
    context, added = np.empty((L, H, d), int), np.zeros((L, H, 1), np.float32)
    for i, h in np.ndindex(L, H):
        products = k[:, h] @ q[i, h]
        bias = layer.biased.bias[h, i] if layer.biased else np.float32(0)
        factors = np.float32(1) if estimates is None else low_rank_factors(estimates, i, allowed[i], layer)
        codes = row_codes(products, allowed[i], d, layer, bias, factors)
        context[i, h] = codes.astype(int) @ v[:, h]
        if estimates is not None:
            values = np.float32(2 * layer.share) * estimates[:, -1]
            added[i, h] = sum_in_order(np.where(codes, values, np.float32(0)), 16)
    return context, added


def estimated(x: Floats, terms: LowRank) -> Floats:
    """What low-rank terms are made of: of each row of x float32 [M, D] the 4r + 1 outputs of their linears."""
    products = [sum_in_order(x * weights, 64) + bias for weights, bias in zip(*terms[:2], strict=True)]
    return np.stack(products, axis=1)


def low_rank_factors(estimates: Floats, i: int, allowed: Bits, layer: EncoderLayer) -> Any:
    """Exponentials of what comes to the scores of query i, over the largest; of keys that may be attended to."""
    assert layer.low_rank is not None
    q_main, q_residual, k_main, k_residual = np.split(estimates[:, :-1].T, 4)
    E = np.zeros(len(estimates), np.float32)
    for q, k in ((q_main, k_residual), (q_residual, k_main), (q_residual, k_residual)):
        for query, keys in zip(q, k, strict=True):
            E = E + query[i] * keys
    best = E[allowed].max(initial=np.float32(-np.inf))
    E = np.where(allowed, E - best, np.float32(0)) * np.float32(layer.low_rank.scaling)
    return np.where(allowed, exponential(E), np.float32(0))


def exponential(x: Floats) -> Floats:
    """e^x for x ≤ 0, within two units in the last place; e^−87 below −87.

    >>> x = np.linspace(-80, 0, 99, dtype=np.float32)
    >>> bool((np.abs(exponential(x) / np.exp(x.astype(float)) - 1) < 2e-7).all())
    True
    """
    a = np.maximum(x, low_rank.SMALLEST)
    k = (a * low_rank.LOG2E + low_rank.ROUNDED) - low_rank.ROUNDED
    r = (a - k * low_rank.LN2_HIGH) - k * low_rank.LN2_LOW
    y = np.zeros_like(r)
    for c in (low_rank.C5, low_rank.C4, low_rank.C3, low_rank.C2, low_rank.C1, low_rank.C0):
        y = y * r + c
    return np.ldexp(y * (r * r) + r + low_rank.ONE, k.astype(int))


def row_codes(
    scores: NDArray[np.int64],
    allowed: Bits,
    d: int,
    layer: EncoderLayer,
    bias: Floats | np.float32,
    factors: Floats | np.float32,
) -> Bits:
    """Which keys one query attends to."""
    if not allowed.any():
        return allowed
    if layer.biased is not None:
        scale, scaling, cutoff, relative = map(np.float32, layer.biased[1:])
        values = scores.astype(np.float32) * scale * scaling + bias
        return allowed & (values >= values[allowed].max() * relative + cutoff)
    best = scores[allowed].max()
    if layer.score_least is not None:
        return allowed & (scores >= layer.score_least[(best + d) // 2])
    assert layer.exponentials is not None
    exponentials = (
        np.where(allowed, layer.exponentials[(best + d) // 2, scores + d + 2], np.float32(0)) * factors
    )
    return exponentials > np.float32(layer.share) * sum_in_order(exponentials, 16)


def layer_norm(x: Floats, gain: Floats, bias: Floats, epsilon: float) -> Floats:
    """Of each row: (x − mean) / sqrt(variance + epsilon) · gain + bias."""
    size = np.float32(x.shape[1])
    away = x - (sum_in_order(x, 64) / size)[:, None]
    variance = sum_in_order(away * away, 64) / size
    return away * (np.float32(1) / np.sqrt(variance + np.float32(epsilon)))[:, None] * gain + bias


def sum_in_order(x: Floats, lanes: int) -> Any:
    """The sum over the last axis: entry k joins partial sum k % lanes; of these, halves are added to halves.

    >>> sum_in_order(np.array([[1, 2, 3, 4, 5]], np.float32), lanes=2)
    array([15.], dtype=float32)
    """
    x = np.concatenate([x, np.zeros((*x.shape[:-1], -x.shape[-1] % lanes), np.float32)], axis=-1)
    sums = np.zeros((*x.shape[:-1], lanes), np.float32)
    for k in range(0, x.shape[-1], lanes):
        sums = sums + x[..., k : k + lanes]
    while sums.shape[-1] > 1:
        lower, upper = np.split(sums, 2, axis=-1)
        sums = lower + upper
    return sums[..., 0]


def code_encoder(
    x: Floats,
    layers: Sequence[CodeLayer],
    allowed: Bits | None = None,
    *,
    bits: int,
    head: int,
    norm_first: bool,
    epsilon: float,
) -> tuple[Floats, Codes]:
    """The encoder of codes of several bits: float32 [B, L, D] -> the same, and the last layer's codes."""
    B, L, D = x.shape
    allowed = np.ones((B, L), bool) if allowed is None else allowed
    x = x.reshape(B * L, D)
    signed, unsigned = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1), (0, 2**bits - 1)

    def linear(codes: NDArray[np.int64], layer: CodeLinear) -> Floats:
        dots = codes @ unpack(layer.weights).T.astype(int)
        return dots.astype(np.float32) * layer.scale + layer.bias

    for layer in layers:
        normed = layer_norm(x, layer.attention_gain, layer.attention_bias, epsilon) if norm_first else x
        inputs = np.stack([levels(normed + b.shift, b.alpha, *signed) for b in layer.inputs])
        qkv = np.stack(
            [
                levels(linear(codes, projection), alpha, *signed)
                for codes, projection, alpha in zip(
                    np.broadcast_to(inputs, (3, B * L, D)), layer.qkv, layer.heads, strict=True
                )
            ]
        )
        context = code_attention(qkv.reshape(3, B, L, -1, head), allowed, layer, unsigned).reshape(B * L, -1)
        y = context.astype(np.float32) * np.float32(layer.context_factor) + layer.context.shift
        context_codes = levels(y, layer.context.alpha, *signed)
        x = linear(context_codes, layer.attn_out) + x
        if norm_first:
            normed = layer_norm(x, layer.ffn_gain, layer.ffn_bias, epsilon)
        else:
            normed = x = layer_norm(x, layer.attention_gain, layer.attention_bias, epsilon)
        ffn_in = levels(normed + layer.ffn_in.shift, layer.ffn_in.alpha, *signed)
        hidden = np.maximum(linear(ffn_in, layer.fc1), np.float32(0))
        ffn = levels(hidden + layer.ffn.shift, layer.ffn.alpha, *unsigned)
        x = linear(ffn, layer.fc2) + x
        if not norm_first:
            x = layer_norm(x, layer.ffn_gain, layer.ffn_bias, epsilon)
    return x.reshape(B, L, D), Codes(inputs, qkv, context_codes, ffn_in, ffn)


def levels(x: Floats, alpha: float, low: int, high: int) -> NDArray[np.int64]:
    """clamp(round(x / alpha)), half to even.

    >>> levels(np.array([-3.0, 0.5, 1.5, 9.0], np.float32), alpha=1.0, low=-2, high=1)
    array([-2,  0,  1,  1])
    """
    return np.rint(x / np.float32(alpha)).clip(low, high).astype(int)


def code_attention(
    heads: NDArray[np.int64], allowed: Bits, layer: CodeLayer, range_: tuple[int, int]
) -> NDArray[np.int64]:
    """Context products [B, L, heads, d] of codes [3, B, L, heads, d], row by row of the attention map."""
    _, B, L, H, d = heads.shape
    q, k, v = heads
    context = np.zeros((B, L, H, d), int)
    for b, i, h in np.ndindex(B, L, H):
        if allowed[b].any():
            scores = k[b, :, h] @ q[b, i, h]
            below = scores[allowed[b]].max() - scores
            exponentials = np.where(allowed[b], np.exp(-layer.step * below), 0).astype(np.float32)
            probs = exponentials / sum_in_order(exponentials, 16)
            context[b, i, h] = levels(probs, layer.probs, *range_) @ v[b, :, h]
    return context
