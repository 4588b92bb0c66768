r"""A whole encoder whose activations are codes of 2 to 4 bits: every layer of a BERT or ViT in one call.

The products with 1-bit weights are those of `planes_gemm`; where a processor looks them up, they cost about what they
cost for one bit. What follows a product is what a BiT network says, entry by entry in float32, in this order:

    code = clamp(round((dot · scale + bias + shift) / alpha)),        half to even

so codes are those of the network however floats round. Only sums have an order of their own: layer norms, and the
softmax, whose exponentials come from a table, exp(−step · δ) for scores δ below the row's largest.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import prange, types
from numpy.typing import NDArray

from binviz_kernels import forms
from binviz_kernels.checks import contiguous, encoder_input
from binviz_kernels.code_encoder_blocks import (
    CONTEXT_ALPHA,
    CONTEXT_FACTOR,
    FFN_ALPHA,
    HIDDEN_ALPHA,
    INPUT_ALPHA,
    INPUT_SHIFT,
    PROBS_ALPHA,
    QKV_ALPHA,
    CodeTerms,
    CodeWords,
    attend,
    feed_forward,
    project,
)
from binviz_kernels.encoder_blocks import rows_of
from binviz_kernels.encoder_layers import Codes
from binviz_kernels.kernel import COUNT, FLAG, FLOATS_OUT, PANELS, Kernel, named, read
from binviz_kernels.packing import PackedWeights
from binviz_kernels.panels import arrange_together

Floats = NDArray[np.float32]


class Elastic(NamedTuple):
    """A binarizer of several bits: code = clamp(round((x + shift) / alpha)).

    Attributes:
        shift: float32 [columns].
        alpha: above 0.
    """

    shift: Floats
    alpha: float


class CodeLinear(NamedTuple):
    """A 1-bit linear: dot · scale + bias.

    Attributes:
        weights: [N, K].
        scale, bias: float32 [N].
    """

    weights: PackedWeights
    scale: Floats
    bias: Floats


class CodeLayer(NamedTuple):
    """One layer: D inputs, heads of d columns, N in all, F hidden units of the feed-forward part.

    Attributes:
        inputs: of D columns, for query, key and value; or one for all three.
        qkv: three linears [N, D].
        heads: three alphas, of queries, keys and values; their codes are of both signs.
        step: scores are their products of codes times this.
        probs: alpha of the probabilities' codes, which are not negative.
        context_factor: the context is its product of codes times this.
        context: of N columns.
        attn_out: linear [D, N].
        attention_gain, attention_bias: float32 [D], of the layer norm after attention; or before it.
        ffn_in: of D columns.
        fc1: linear [F, D], followed by a ReLU.
        ffn: of F columns; its codes are not negative.
        fc2: linear [D, F].
        ffn_gain, ffn_bias: float32 [D], of the layer norm after the feed-forward part; or before it.
    """

    inputs: Sequence[Elastic]
    qkv: Sequence[CodeLinear]
    heads: tuple[float, float, float]
    step: float
    probs: float
    context_factor: float
    context: Elastic
    attn_out: CodeLinear
    attention_gain: Floats
    attention_bias: Floats
    ffn_in: Elastic
    fc1: CodeLinear
    ffn: Elastic
    fc2: CodeLinear
    ffn_gain: Floats
    ffn_bias: Floats


class PackedCodeEncoder(NamedTuple):
    """Layers made ready for the kernels of this machine by `prepare_code_encoder`.

    Attributes:
        panels: those of q, k and v, attn_out, fc1 and fc2, layer after layer.
        terms: everything else.
        bits: of a code.
        head: d, columns of a head.
        norm_first: layer norms come before attention and the feed-forward part (ViT), not after (BERT).
        epsilon: of the layer norms.
    """

    panels: tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]
    terms: CodeTerms
    bits: int
    head: int
    norm_first: bool
    epsilon: float


def largest_score(head: int, bits: int) -> int:
    """The largest product of two rows of d codes of both signs.

    >>> largest_score(64, 2)
    256
    """
    return head * 4 ** (bits - 1)


def prepare_code_encoder(
    layers: Sequence[CodeLayer], *, bits: int, head: int, norm_first: bool, epsilon: float
) -> PackedCodeEncoder:
    """Lay out equally large layers for the kernels of this machine.

    Args:
        layers: at least one.
        bits: of a code, 2 to 4.
        head: d, columns of a head.
        norm_first: layer norms come before attention and the feed-forward part (ViT), not after (BERT).
        epsilon: of the layer norms.

    Raises:
        ValueError: there is no layer, its parts do not fit together, it differs in shape from the first, or scores
            could exceed an int16.
    """
    N = layers[0].attn_out.weights.K if layers else 0
    if not layers or N % head:
        raise ValueError("an encoder needs layers, and heads that divide their columns")
    if not 2 <= bits <= 4 or largest_score(head, bits) >= 2**15:
        raise ValueError(
            f"codes of {bits} bits in heads of {head} columns: only 2 to 4 bits, and scores below 2^15"
        )
    for layer in layers:
        _check_sizes(layer, N)
    form = forms.for_bits(bits)
    linears = [[layer.qkv, [layer.attn_out], [layer.fc1], [layer.fc2]] for layer in layers]
    try:
        panels = tuple(
            arrange_together([linear.weights.words for part in parts for linear in part], form)
            for parts in zip(*linears, strict=True)
        )
        terms = CodeTerms(
            np.stack([_of_inputs(layer) for layer in layers]),
            np.stack([_of_heads(layer) for layer in layers]),
            np.stack([np.stack([layer.fc1.scale, layer.fc1.bias, layer.ffn.shift]) for layer in layers]),
            np.stack([_numbers(layer) for layer in layers]),
            np.stack([_exponentials(layer.step, head, bits) for layer in layers]),
        )
    except ValueError as error:
        raise ValueError(f"the layers of an encoder must be equally large: {error}") from error
    return PackedCodeEncoder(panels, terms, bits, head, norm_first, epsilon)  # type: ignore[arg-type]


def _of_inputs(layer: CodeLayer) -> Floats:
    """Rows of `CodeTerms.inputs`."""
    return np.stack(
        [
            layer.attn_out.scale, layer.attn_out.bias, layer.fc2.scale, layer.fc2.bias,
            layer.attention_gain, layer.attention_bias, layer.ffn_gain, layer.ffn_bias,
            layer.ffn_in.shift, *(binarizer.shift for binarizer in layer.inputs),
        ]
    ).astype(np.float32)  # fmt: skip


def _of_heads(layer: CodeLayer) -> Floats:
    """Rows of `CodeTerms.heads`."""
    rows = [row for linear in layer.qkv for row in (linear.scale, linear.bias)]
    return np.stack([*rows, layer.context.shift]).astype(np.float32)


def _numbers(layer: CodeLayer) -> Floats:
    """`CodeTerms.numbers`."""
    numbers = np.zeros(INPUT_ALPHA + 3, np.float32)
    numbers[QKV_ALPHA : QKV_ALPHA + 3] = layer.heads
    numbers[PROBS_ALPHA], numbers[CONTEXT_FACTOR] = layer.probs, layer.context_factor
    numbers[CONTEXT_ALPHA], numbers[FFN_ALPHA] = layer.context.alpha, layer.ffn_in.alpha
    numbers[HIDDEN_ALPHA] = layer.ffn.alpha
    numbers[INPUT_ALPHA:] = [binarizer.alpha for binarizer in layer.inputs] * (3 // len(layer.inputs))
    return numbers


def _exponentials(step: float, head: int, bits: int) -> Floats:
    """exp(−step · δ) for each whole number δ that a score may lie below another."""
    return np.exp(-step * np.arange(2 * largest_score(head, bits) + 1)).astype(np.float32)


def _check_sizes(layer: CodeLayer, N: int) -> None:
    """Every part of a layer has the size that the kernels take it to have.

    Raises:
        ValueError: one has not.
    """
    D, F = len(layer.attn_out.scale), layer.fc2.weights.K

    def insist(name: str, fits: bool) -> None:
        if not fits:
            raise ValueError(
                f"{name} of an encoder layer does not fit its {D} inputs, {N} columns and {F} units"
            )

    sizes = {"qkv": (N, D), "attn_out": (D, N), "fc1": (F, D), "fc2": (D, F)}
    insist("qkv", len(layer.qkv) == 3)
    insist("inputs", len(layer.inputs) in (1, 3))
    for name, (rows, columns) in sizes.items():
        for linear in layer.qkv if name == "qkv" else [getattr(layer, name)]:
            shape = linear.weights.words.shape[0], linear.weights.K
            insist(name, shape == (rows, columns) and linear.scale.shape == linear.bias.shape == (rows,))
    for name, size in {"context": N, "ffn_in": D, "ffn": F}.items():
        insist(name, getattr(layer, name).shift.shape == (size,))
    insist("inputs", all(binarizer.shift.shape == (D,) for binarizer in layer.inputs))
    for name in ("attention_gain", "attention_bias", "ffn_gain", "ffn_bias"):
        insist(name, getattr(layer, name).shape == (D,))


def code_encoder(
    x: Floats, weights: PackedCodeEncoder, allowed: NDArray[np.bool_] | None = None
) -> tuple[Floats, CodeWords]:
    """All layers of an encoder.

    Args:
        x: float32 [B, L, D], what enters the first layer.
        weights: from `prepare_code_encoder`.
        allowed: bool [B, L], the positions that may be attended to, in any pattern; None is all of them. The others
            are computed like all.

    Returns:
        float32 [B, L, D], what leaves the last layer; and the codes inside it.

    Raises:
        ValueError: x is not float32 [B, L, D] of these weights, or `allowed` does not fit.
    """
    N, D, F = (terms.shape[2] for terms in (weights.terms.heads, weights.terms.inputs, weights.terms.hidden))
    keys = encoder_input(x, D, allowed)
    B, L, _ = x.shape
    inputs = weights.terms.inputs.shape[1] - INPUT_SHIFT
    words = CodeWords(
        np.empty((1 + inputs, B * L, weights.bits * -(-D // 64)), np.uint64),
        np.empty((4, B * L, N), np.int8),
        np.empty((B * L, weights.bits * -(-F // 64)), np.uint64),
    )
    y = contiguous(x).reshape(B * L, D).copy()
    if y.size:
        work = weights.bits * y.size * (4 * N + 2 * F)
        CODE_ENCODER(
            work, y, keys, *weights.panels, weights.terms, words, L, weights.head, weights.bits,
            weights.norm_first, weights.epsilon,
        )  # fmt: skip
    return y.reshape(B, L, D), words


def unpack_code_words(words: CodeWords, weights: PackedCodeEncoder) -> Codes:
    """The codes that `code_encoder` returns, as int8 arrays."""

    def codes(words: NDArray[np.uint64], columns: int, signed: bool) -> NDArray[np.int8]:
        planes = words.reshape(*words.shape[:-1], weights.bits, -1).view(np.uint8)
        ones = np.unpackbits(planes, axis=-1, count=columns, bitorder="little")
        # Σ 2^p b_p, of signed codes the highest plane counts −2^p
        worth = 2 ** np.arange(weights.bits)
        worth[-1] *= -1 if signed else 1
        return (np.moveaxis(ones, -2, -1) @ worth).astype(np.int8)

    D, F = weights.terms.inputs.shape[2], weights.terms.hidden.shape[2]
    ffn_in, *inputs = codes(words.inputs, D, True)
    return Codes(np.stack(inputs), words.heads[:3], words.heads[3], ffn_in, codes(words.ffn, F, False))


def code_encoder_rows(x, allowed, qkv, attn_out, fc1, fc2, terms, words, L, head, bits, norm_first, epsilon):
    """All layers, one step after the other."""
    M, heads = x.shape[0], allowed.shape[0] * (terms.heads.shape[2] // head)
    for layer in range(terms.numbers.shape[0]):
        project(x, qkv, terms, words, layer, bits, norm_first, epsilon, 0, M)
        attend(allowed, terms, words, layer, head, bits, L, 0, heads)
        feed_forward(x, attn_out, fc1, fc2, terms, words, layer, bits, norm_first, epsilon, 0, M)
    return True


def code_encoder_rows_threaded(
    x, allowed, qkv, attn_out, fc1, fc2, terms, words, L, head, bits, norm_first, epsilon, threads
):
    """The same, an equal share of rows or heads to each thread."""
    M, heads = x.shape[0], allowed.shape[0] * (terms.heads.shape[2] // head)
    for layer in range(terms.numbers.shape[0]):
        for t in prange(threads):
            m0, m1 = rows_of(M, t, threads)
            project(x, qkv, terms, words, layer, bits, norm_first, epsilon, m0, m1)
        for t in prange(threads):
            u0, u1 = heads * np.int64(t) // threads, heads * (np.int64(t) + 1) // threads
            attend(allowed, terms, words, layer, head, bits, L, u0, u1)
        for t in prange(threads):
            m0, m1 = rows_of(M, t, threads)
            feed_forward(x, attn_out, fc1, fc2, terms, words, layer, bits, norm_first, epsilon, m0, m1)
    return True


CODE_ENCODER = Kernel(
    code_encoder_rows, code_encoder_rows_threaded,
    FLOATS_OUT, read(types.uint8, 2), PANELS, PANELS, PANELS, PANELS,
    named(
        CodeTerms, (types.float32, 3), (types.float32, 3), (types.float32, 3), (types.float32, 2), (types.float32, 2)
    ),
    named(CodeWords, (types.uint64, 3), (types.int8, 3), (types.uint64, 2)),
    COUNT, COUNT, COUNT, FLAG, types.float32,
)  # fmt: skip
