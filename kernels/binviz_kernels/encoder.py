r"""A whole encoder on bits: every layer of a BERT or ViT with 1-bit weights and activations in one call.

Floats are only what the residual sums and layer norms need. Where a product of codes is followed by scale, bias,
activation, shift and a comparison, all that is left of them is a range of integers (`Range`), made beforehand by
trying every integer there can be; so those bits are the float expressions', however these round. What is left to floats
(residual sums, layer norms, the sum of a softmax, low-rank terms) is rounded in an order of its own.
"""

import numpy as np
from numba import prange, types
from numpy.typing import NDArray

from binviz_kernels.checks import contiguous, encoder_input
from binviz_kernels.encoder_blocks import (
    ESTIMATES,
    INPUT_LEAST,
    Places,
    Terms,
    Words,
    attend,
    feed_forward,
    project,
    rows_of,
)
from binviz_kernels.encoder_layers import Codes, Floats, PackedEncoder, Windows
from binviz_kernels.kernel import COUNT, FLAG, FLOATS_OUT, PANELS_OUT, Kernel, named


def encoder(
    x: Floats,
    weights: PackedEncoder,
    allowed: NDArray[np.bool_] | None = None,
    windows: Windows | None = None,
) -> tuple[Floats, Words]:
    """All layers of an encoder.

    Args:
        x: float32 [B, L, D], what enters the first layer.
        weights: from `prepare_encoder`.
        allowed: bool [B, L], the positions that may be attended to, in any pattern, or [B, L, L], the keys of each
            query; None is all of them. The others are computed like all.
        windows: in the place of `allowed`, if a position does not attend to all others.

    Returns:
        float32 [B, L, D], what leaves the last layer; and the bits inside it, which `unpack_codes` makes readable.

    Raises:
        ValueError: x is not float32 [B, L, D] of these weights, or `allowed` or `windows` does not fit.
    """
    D = weights.terms.vectors.shape[2]
    keys = encoder_input(x, D, allowed, by_query=True)
    B, L, _ = x.shape
    M = B * L
    if windows is None:
        together = np.arange(M, dtype=np.int32).reshape(1, B, L)
        by_query = keys if keys.ndim == 3 else keys[:, None]
        places = Places(together, np.arange(B, dtype=np.int32)[None], by_query)
    else:
        places = _places_of(windows, weights, M)
    if weights.terms.bias.size and weights.terms.bias.shape[2] != places.rows.shape[2]:
        raise ValueError(f"the bias of positions is one of {weights.terms.bias.shape[2]} positions")
    estimates = weights.terms.numbers.shape[1] - ESTIMATES
    if estimates and windows is not None:
        raise ValueError("low-rank terms are of all positions, not of windows")
    rows, inputs = M + int((places.rows == M).any()), weights.terms.vectors.shape[1] - INPUT_LEAST - estimates
    words = Words(
        np.empty((1 + inputs, rows, -(-D // 64)), np.uint64),
        np.zeros((4, rows, -(-weights.padded // 64)), np.uint64),
        np.empty((M, -(-weights.hidden // 64)), np.uint64),
        np.empty((M, estimates), np.float32),
    )
    y = contiguous(x).reshape(M, D).copy()
    if y.size:
        work = y.size * (4 * weights.inner + 2 * weights.hidden)
        ENCODER(
            work, y, places, *weights.panels, weights.terms, words, weights.head, weights.inner, weights.padded,
            weights.fc2_signed, weights.norm_first, weights.epsilon,
        )  # fmt: skip
    return y.reshape(B, L, D), words


def _places_of(windows: Windows, weights: PackedEncoder, M: int) -> Places:
    """What the kernels read of windows, if it lies where they look.

    Raises:
        ValueError: it does not.
    """
    rows, kinds, allowed = windows
    layers, L = weights.terms.numbers.shape[0], rows.shape[-1]
    fits = rows.ndim == 3 and rows.shape[0] == layers and kinds.shape == rows.shape[:2] and L > 0
    if not fits or allowed.shape[1:] != (L, L) or {rows.dtype, kinds.dtype} != {np.dtype(np.int32)}:
        raise ValueError(
            f"windows must be int32 [{layers}, groups, L] and [{layers}, groups], and bool [kinds, L, L]"
        )
    last = M if weights.norm_first else M - 1
    inside = not rows.size or (min(rows.min(), kinds.min()) >= 0 and rows.max() <= last)
    if not inside or (kinds >= len(allowed)).any():
        raise ValueError(f"windows must hold rows 0 to {last} and kinds 0 to {len(allowed) - 1}")
    keys = np.pad(allowed.astype(np.uint8), [(0, 0), (0, 0), (0, -L % 64)])
    return Places(contiguous(rows), contiguous(kinds), keys)


def unpack_codes(words: Words, weights: PackedEncoder) -> Codes:
    """The bits that `encoder` returns, as bool arrays without padding."""
    heads = weights.inner // weights.head

    def bits(words: NDArray[np.uint64], columns: int) -> NDArray[np.bool_]:
        return np.unpackbits(words.view(np.uint8), axis=-1, count=columns, bitorder="little").view(np.bool_)

    M = words.ffn.shape[0]
    inputs = bits(words.inputs[:, :M], weights.terms.vectors.shape[2])
    padded = bits(words.heads[:, :M], weights.padded).reshape(4, -1, heads, weights.padded // heads)
    *qkv, context = padded[..., : weights.head].reshape(4, -1, weights.inner)
    return Codes(inputs[1:], np.stack(qkv), context, inputs[0], bits(words.ffn, weights.hidden))


def encoder_rows(
    x, places, qkv, attn_out, fc1, fc2, terms, words, head, inner, N, fc2_signed, norm_first, epsilon
):
    """All layers, one step after the other."""
    M, heads = x.shape[0], places.rows.shape[1] * (inner // head)
    for layer in range(terms.numbers.shape[0]):
        project(x, qkv, terms, words, layer, N, norm_first, epsilon, 0, words.heads.shape[1])
        attend(places, qkv, terms, words, layer, head, N, 0, heads)
        feed_forward(
            x, attn_out, fc1, fc2, terms, words, layer, inner, N, fc2_signed, norm_first, epsilon, 0, M
        )
    return True


def encoder_rows_threaded(
    x, places, qkv, attn_out, fc1, fc2, terms, words, head, inner, N, fc2_signed, norm_first, epsilon, threads
):  # fmt: skip
    """The same, an equal share of rows or heads to each thread."""
    M, heads = x.shape[0], places.rows.shape[1] * (inner // head)
    for layer in range(terms.numbers.shape[0]):
        for t in prange(threads):
            m0, m1 = rows_of(words.heads.shape[1], t, threads)
            project(x, qkv, terms, words, layer, N, norm_first, epsilon, m0, m1)
        for t in prange(threads):
            u0, u1 = heads * np.int64(t) // threads, heads * (np.int64(t) + 1) // threads
            attend(places, qkv, terms, words, layer, head, N, u0, u1)
        for t in prange(threads):
            m0, m1 = rows_of(M, t, threads)
            feed_forward(
                x, attn_out, fc1, fc2, terms, words, layer, inner, N, fc2_signed, norm_first, epsilon, m0, m1
            )
    return True


ENCODER = Kernel(
    encoder_rows, encoder_rows_threaded,
    FLOATS_OUT, named(Places, (types.int32, 3), (types.int32, 2), (types.uint8, 3)),
    PANELS_OUT, PANELS_OUT, PANELS_OUT, PANELS_OUT,
    named(
        Terms, (types.float32, 3), (types.uint32, 3), (types.int32, 2), (types.float32, 3), (types.float32, 2),
        (types.float32, 4), (types.uint64, 3),
    ),
    named(Words, (types.uint64, 3), (types.uint64, 3), (types.uint64, 2), (types.float32, 2)),
    COUNT, COUNT, COUNT, FLAG, FLAG, types.float32,
)  # fmt: skip
