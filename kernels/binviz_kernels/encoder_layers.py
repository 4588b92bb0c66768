"""What an encoder on bits is made of, and how it is laid out for the kernels of this machine."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from binviz_kernels.encoder_blocks import Terms
from binviz_kernels.packing import PackedWeights, pack_rows, unpack
from binviz_kernels.panels import arrange_together

Floats = NDArray[np.float32]
FourPanels = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]


class Range(NamedTuple):
    """For each output the integers whose code is 1: `width` of them, from `start` on, counted modulo 2^32.

    Attributes:
        start: int32 [N].
        width: uint32 [N]; 0 is no integer, 2^32 − 1 as good as all.

    >>> start, width = Range(np.array([3], np.int32), np.array([2], np.uint32))
    >>> [dot for dot in range(8) if (dot - int(start[0])) % 2**32 < width[0]]
    [3, 4]
    """

    start: NDArray[np.int32]
    width: NDArray[np.uint32]


class Doubts(NamedTuple):
    """For each output a few integers whose codes follow no rule, and are listed one by one.

    Attributes:
        start: int32 [N], the first of them.
        width: uint32 [N], how many integers there are from the first to the last; 0 is none.
        codes: uint64 [N]; bit i is the code of start + 2i, so at most 128 wide.
    """

    start: NDArray[np.int32]
    width: NDArray[np.uint32]
    codes: NDArray[np.uint64]


class BiasedScores(NamedTuple):
    """Scores that positions have a part in: product · scale · scaling + bias, rounded after every operation.

    Attributes:
        bias: float32 [heads, L, L], of each query's keys.
        scale, scaling: of the products.
        cutoff: scores have the code 1 from here on;
        relative: or from so far above the row's maximum.
    """

    bias: Floats
    scale: float
    scaling: float
    cutoff: float
    relative: bool


class LowRank(NamedTuple):
    """Float terms of rank r that come to scores and contexts (BiPFT's estimators); all heads have the same.

    Attributes:
        weights: float32 [4r + 1, D], of linears of the layer's input: r rows each of the main part and the residual of
            queries, then of keys; and one of the residual of values.
        bias: float32 [4r + 1].
        scaling: of what comes to the scores.
        context_scale: a context is its product of codes times this, and its low-rank term.
        context_least: float32 [N]; codes of the context are +1 where it is ≥ context_least.
    """

    weights: Floats
    bias: Floats
    scaling: float
    context_scale: float
    context_least: Floats


class EncoderLayer(NamedTuple):
    """One layer: D inputs, heads of d columns, F hidden units of the feed-forward part.

    Attributes:
        input_least: float32 [3, D]; the codes of the input for query, key and value are +1 where x ≥ input_least.
            [1, D] if the three are the same.
        qkv: three weights of N = heads · d rows and D columns.
        qkv_range: whose codes are +1.
        score_least: int32 [d + 1]; in a row of scores with maximum s, scores from score_least[(s + d) // 2] on have the
            code 1. None if there are exponentials, or `biased`.
        exponentials: float32 [d + 1, 2d + 3] or None; [(s + d) // 2, t + d + 2] is exp(score t − score s) for
            −d ≤ t ≤ s with s − t even, and 0 elsewhere.
        share: scores have the code 1 where the exponential is above this share of the row's sum.
        context_range: of each column of the heads; None if there is `low_rank`.
        attn_out, attn_out_scale, attn_out_bias: weights [D, N] and float32 [D].
        attention_gain, attention_bias: float32 [D], of the layer norm after attention; or before it.
        ffn_least: float32 [D]; the code of the feed-forward part's input is +1 where x ≥ ffn_least.
        fc1, fc1_range: weights [F, D].
        fc2, fc2_signed, fc2_scale, fc2_bias: weights [D, F]; whether its inputs are ±1 or {0, 1}.
        ffn_gain, ffn_bias: float32 [D], of the layer norm after the feed-forward part; or before it.
        fc1_doubts: what does not follow fc1_range; None if everything does.
        biased: in the place of score_least and exponentials, if positions have a part in the scores.
        low_rank: beside exponentials, float terms of scores and contexts.
    """

    input_least: Floats
    qkv: Sequence[PackedWeights]
    qkv_range: Sequence[Range]
    score_least: NDArray[np.int32] | None
    exponentials: Floats | None
    share: float
    context_range: Range | None
    attn_out: PackedWeights
    attn_out_scale: Floats
    attn_out_bias: Floats
    attention_gain: Floats
    attention_bias: Floats
    ffn_least: Floats
    fc1: PackedWeights
    fc1_range: Range
    fc2: PackedWeights
    fc2_signed: bool
    fc2_scale: Floats
    fc2_bias: Floats
    ffn_gain: Floats
    ffn_bias: Floats
    fc1_doubts: Doubts | None = None
    biased: BiasedScores | None = None
    low_rank: LowRank | None = None


class Windows(NamedTuple):
    """Which rows attend to which: T positions of each example in groups of L, each position in one of them.

    Attributes:
        rows: int32 [layers, groups, L], of x [B · T, D]. B · T is padding: its norm is 0, nothing is added to it, and
            others attend to it.
        kinds: int32 [layers, groups], which of `allowed` a group has.
        allowed: bool [kinds, L, L], the keys of each query.
    """

    rows: NDArray[np.int32]
    kinds: NDArray[np.int32]
    allowed: NDArray[np.bool_]


class Codes(NamedTuple):
    """Every code inside one layer, M rows in all: bool where codes are bits, else int8.

    Attributes:
        inputs: [3 or 1, M, D], of query, key and value.
        qkv: [3, M, N].
        context: [M, N].
        ffn_in: [M, D].
        ffn: [M, F].
    """

    inputs: NDArray[Any]
    qkv: NDArray[Any]
    context: NDArray[Any]
    ffn_in: NDArray[Any]
    ffn: NDArray[Any]


class PackedEncoder(NamedTuple):
    """Layers made ready for the kernels of this machine by `prepare_encoder`; nobody else should read them.

    Attributes:
        panels: those of q, k and v, attn_out, fc1 and fc2, layer after layer.
        terms: everything else, likewise.
        head: d, columns of a head.
        inner: columns of all heads.
        hidden: F, units of the feed-forward part.
        fc2_signed: what the codes of the feed-forward part are.
        norm_first: layer norms come before attention and the feed-forward part (ViT), not after (BERT).
        epsilon: of the layer norms.
    """

    panels: FourPanels
    terms: Terms
    head: int
    inner: int
    hidden: int
    fc2_signed: bool
    norm_first: bool
    epsilon: float

    @property
    def padded(self) -> int:
        """N, columns of all heads, each filled up to a multiple of 32."""
        return self.inner // self.head * (-(-self.head // 32) * 32)


def prepare_encoder(
    layers: Sequence[EncoderLayer], *, head: int, norm_first: bool, epsilon: float
) -> PackedEncoder:
    """Lay out equally large layers for the kernels of this machine.

    Args:
        layers: at least one.
        head: d, columns of a head.
        norm_first: layer norms come before attention and the feed-forward part (ViT), not after (BERT).
        epsilon: of the layer norms.

    Raises:
        ValueError: there is no layer, its parts do not fit together, or it differs in shape from the first.
    """
    inner = layers[0].attn_out.K if layers else 0
    if not layers or inner % head:
        raise ValueError("an encoder needs layers, and heads that divide their columns")
    for layer in layers:
        _check_sizes(layer, head)
    if len({layer.fc2_signed for layer in layers}) > 1:
        raise ValueError("the layers of an encoder must have the same kind of codes before fc2")
    if len({layer.biased is None for layer in layers}) > 1:
        raise ValueError("all layers of an encoder must have biased scores, or none")
    if len({layer.low_rank is None for layer in layers}) > 1:
        raise ValueError("all layers of an encoder must have low-rank terms, or none")
    try:
        panels, terms = _panels_of(layers, head), _terms_of(layers, head)
    except ValueError as error:
        raise ValueError(f"the layers of an encoder must be equally large: {error}") from error
    hidden = layers[0].fc2.K
    return PackedEncoder(panels, terms, head, inner, hidden, layers[0].fc2_signed, norm_first, epsilon)


def _whole(values: NDArray[Any], head: int, filling: float = 0) -> NDArray[Any]:
    """Columns [..., N] of the heads, each head filled up, with zeros say, to a multiple of 32.

    So every head begins with a 32-bit word of its own.
    """
    values = values.reshape(*values.shape[:-1], -1, head)
    padded = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, -head % 32)], constant_values=filling)
    return padded.reshape(*values.shape[:-2], -1)


def _panels_of(layers: Sequence[EncoderLayer], head: int) -> FourPanels:
    """The weights of q, k and v, attn_out, fc1 and fc2, each in one array, layer after layer."""

    def stack(weights: Sequence[PackedWeights], layout: Callable[..., Any] = lambda bits: bits) -> Any:
        bits = (layout(unpack(w, signed=False)) for w in weights)
        return arrange_together([pack_rows(b.astype(bool)).words for b in bits])

    return (
        stack([w for layer in layers for w in layer.qkv], lambda bits: _whole(bits.T, head).T),
        stack([layer.attn_out for layer in layers], lambda bits: _whole(bits, head)),
        stack([layer.fc1 for layer in layers]),
        stack([layer.fc2 for layer in layers]),
    )


def _terms_of(layers: Sequence[EncoderLayer], head: int) -> Terms:
    """Everything but the weights, in arrays of one type each: compiled code takes no lists."""
    none = np.zeros((3, layers[0].fc2.K), np.uint64)
    doubts = [
        none if d is None else [d.start.view(np.uint32), d.width, d.codes]
        for d in (layer.fc1_doubts for layer in layers)
    ]
    doubtful = any(layer.fc1_doubts for layer in layers)

    def stack(tables: list[Any], dtype: type, axes: int) -> Any:
        """One table of each layer; an empty one tells the kernels which of the three rules scores follow."""
        return np.zeros((0,) * axes, dtype) if tables[0] is None else np.stack(tables).astype(dtype)

    return Terms(
        np.stack([_vectors_of(layer) for layer in layers]).astype(np.float32),
        np.array([_ranges_of(layer, head) for layer in layers]).astype(np.uint32),
        stack([layer.score_least for layer in layers], np.int32, 2),
        stack([layer.exponentials for layer in layers], np.float32, 3),
        np.array([_numbers_of(layer) for layer in layers], np.float32),
        stack([_bias_of(layer) for layer in layers], np.float32, 4),
        np.array(doubts, np.uint64) if doubtful else none[None, :, :0],
    )


def _numbers_of(layer: EncoderLayer) -> list[float]:
    """`Terms.numbers`."""
    if layer.low_rank is not None:
        of = layer.low_rank
        return [layer.share, 0, of.scaling, 0, 0, of.context_scale, *of.bias.tolist()]
    if layer.biased is None:
        return [layer.share, 0, 0, 0, 0, 0]
    _, scale, scaling, cutoff, relative = layer.biased
    return [0, scale, scaling, relative, cutoff, 0]


def _bias_of(layer: EncoderLayer) -> Floats | None:
    """[heads, L, L up to a multiple of 64]."""
    if layer.biased is None:
        return None
    bias = layer.biased.bias
    return np.pad(bias, [(0, 0), (0, 0), (0, -bias.shape[2] % 64)])


def _vectors_of(layer: EncoderLayer) -> NDArray[Any]:
    """Its vectors of D numbers, in the order of `encoder_blocks`."""
    return np.stack(
        [
            layer.attn_out_scale, layer.attn_out_bias, layer.fc2_scale, layer.fc2_bias,
            layer.attention_gain, layer.attention_bias, layer.ffn_gain, layer.ffn_bias,
            layer.ffn_least, *layer.input_least, *([] if layer.low_rank is None else layer.low_rank.weights),
        ]
    )  # fmt: skip


def _ranges_of(layer: EncoderLayer, head: int) -> list[NDArray[Any]]:
    """Starts and widths, those of q, k, v, the context and the hidden units in a row."""
    of_heads = [Range(*(_whole(values, head) for values in of)) for of in layer.qkv_range]
    if layer.low_rank is not None:
        least = _whole(layer.low_rank.context_least, head, np.inf).view(np.int32)
        of_heads.append(Range(least, np.zeros(least.shape, np.uint32)))
    elif layer.context_range is not None:
        of_heads.append(Range(*(_whole(values, head) for values in layer.context_range)))
    return [np.concatenate(each) for each in zip(*of_heads, layer.fc1_range, strict=True)]


def _check_sizes(layer: EncoderLayer, head: int) -> None:
    """Every part of a layer has the size that the kernels take it to have.

    Raises:
        ValueError: one has not.
    """
    D, inner, F = len(layer.attn_out_scale), layer.attn_out.K, layer.fc2.K

    def insist(name: str, got: tuple[int, ...], *wanted: tuple[int, ...]) -> None:
        if got not in wanted:
            raise ValueError(
                f"{name} of an encoder layer has shape {got}, not {' or '.join(map(str, wanted))}"
            )

    weights = {"attn_out": (D, inner), "fc1": (F, D), "fc2": (D, F)}
    for name, shape in weights.items():
        insist(name, (getattr(layer, name).words.shape[0], getattr(layer, name).K), shape)
    for w in layer.qkv:
        insist("qkv", (w.words.shape[0], w.K), (inner, D))
    insist("qkv", (len(layer.qkv), len(layer.qkv_range)), (3, 3))
    ranges = [("qkv_range", of, inner) for of in layer.qkv_range] + [("fc1_range", layer.fc1_range, F)]
    if layer.low_rank is not None:
        rows, of_inner = len(layer.low_rank.bias), layer.low_rank.context_least.shape
        insist("low_rank", (rows % 4, *layer.low_rank.weights.shape, *of_inner), (1, rows, D, inner))
        if layer.biased is not None or layer.exponentials is None:
            raise ValueError("an encoder layer with low_rank needs exponentials")
    elif layer.context_range is None:
        raise ValueError("an encoder layer needs context_range or low_rank")
    else:
        ranges.append(("context_range", layer.context_range, inner))
    for name, of, length in ranges:
        insist(name, (len(of.start), len(of.width)), (length, length))
    if layer.fc1_doubts is not None:
        doubts = layer.fc1_doubts
        insist("fc1_doubts", (len(doubts.start), len(doubts.width), len(doubts.codes)), (F, F, F))
    insist("input_least", layer.input_least.shape, (1, D), (3, D))
    for name in ("attn_out_scale", "attn_out_bias", "attention_gain", "attention_bias", "ffn_least", "fc2_scale",
                 "fc2_bias", "ffn_gain", "ffn_bias"):  # fmt: skip
        insist(name, getattr(layer, name).shape, (D,))
    if layer.biased is not None:
        length = layer.biased.bias.shape[-1]
        insist("biased", layer.biased.bias.shape, (inner // head, length, length))
    elif layer.exponentials is not None:
        insist("exponentials", layer.exponentials.shape, (head + 1, 2 * head + 3))
    elif layer.score_least is None:
        raise ValueError("an encoder layer needs exponentials or score_least")
    else:
        insist("score_least", layer.score_least.shape, (head + 1,))
