r"""Fold what follows a product of codes into a comparison of integers.

In a 1-bit network a product of codes, an integer, is followed by float operations and, in the end, by one more bit:
scale, bias, activation, shift, sign. There are few integers that the product can be. So every one of them is sent
through the very modules of the model, and the integers whose bit is 1 are written down as a range
(`binviz.packed.ranges`). The bits are those of the model however its floats round, but for three ties. BiT's
probabilities are compared as $e > \alpha/2 \cdot \sum e$ and not as the quotient, which may round to the other side.
BiViT's are compared before the softmax, $s \ge \max s + \log\beta$, where positions have a bias. And torch's GELU
rounds differently in vectors and in what is left over at their end, so next to a threshold the model's own code
depends on where a number lies in memory.

What BiPFT's estimators add to scores and contexts is no integer: those two are compared as floats, whose sums the
kernels add in an order of their own, and exponentials of scores are the product of two.

Codes of several bits, BiT's, need no range: there the kernels do the float operations themselves, entry by entry as the
model does (`fold_code_layer`), and only the softmax's exponentials come from a table.

`NotFoldable` says why folding is impossible: a binarizer that looks at the whole tensor, a scale per row that the next
codes see, ones that are no range.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from binviz_kernels import PackedWeights, pack_weights
from binviz_kernels.code_encoder import (
    CodeLayer,
    CodeLinear,
    Elastic,
    PackedCodeEncoder,
    largest_score,
    prepare_code_encoder,
)
from binviz_kernels.encoder_layers import (
    BiasedScores,
    EncoderLayer,
    LowRank,
    PackedEncoder,
    Range,
    prepare_encoder,
)
from numpy.typing import NDArray
from torch import Tensor, nn

from binviz.adapters import Block
from binviz.binarizers import Binarizer
from binviz.binarizers.bibert import BiBERTAttention
from binviz.binarizers.bivit import BiViTAttention
from binviz.binarizers.bnn import BNN
from binviz.binarizers.elastic import ElasticSigned, ElasticUnsigned
from binviz.layers import BinaryLinear
from binviz.layers.attention import FORBIDDEN, BinaryAttention, LowRankEstimators
from binviz.packed.known import Known, known_layer
from binviz.packed.ranges import fold, products, range_and_doubts, require

#: A float ratio nearer to a threshold than this may round to either side.
TIE = 1e-5


def require_bits(binarizer: Binarizer | None, bits: int, *kinds: type[Binarizer]) -> Binarizer:
    """The binarizer, if it makes so many bits of each entry by itself, with a scale that is known beforehand.

    Raises:
        NotFoldable: it is not, or its scale starts with the first batch.
    """
    require(binarizer is not None, "an activation that stays float")
    require(type(binarizer) in kinds, f"{type(binarizer).__name__} is not foldable here")
    assert binarizer is not None
    require(binarizer.bits == bits and not binarizer.shifted, f"codes of other than {bits} bits")
    require(binarizer.has_started, "a scale that no batch has started yet; run one batch, then pack")
    return binarizer


def scale_of(binarizer: Binarizer, features: int) -> Tensor:
    """A binarizer's scale, which does not depend on the input."""
    return binarizer.encode(torch.zeros(1, features)).scale


def least_input(binarizer: Binarizer, features: int) -> Tensor:
    """From which input on the code is +1, float32 [features]: x + beta ≥ 0 where x ≥ −beta, also in floats."""
    beta = binarizer.learned_shift
    return torch.zeros(features) if beta is None else -beta.detach().expand(features)


class Linear:
    """A binary linear whose inputs are codes: its weights, and its outputs as a function of the products."""

    def __init__(self, layer: nn.Module, bits: int, *kinds: type[Binarizer]) -> None:
        require(type(layer) is BinaryLinear, "a linear is not binary")
        assert isinstance(layer, BinaryLinear)
        require(layer.output_scale is None, "an output scale")
        on_cpu = layer.weight.dtype == torch.float32 and layer.weight.device.type == "cpu"
        require(on_cpu, "weights that are not float32 on the CPU")
        self.inputs = require_bits(layer.activation_binarizer, bits, *kinds)
        require(layer.weight_binarizer.basis_count == 1, "weights of several bases")
        require(layer.weight_binarizer.group is None, "weights with a scale for each group")
        (code,) = layer.weight_binarizer.bases(layer.weight)
        self.weights: PackedWeights = pack_weights(code.q.numpy())
        # y = dot · (weight scale · input scale) + bias, as BinaryLinear computes it
        scale = code.scale.reshape(-1) * scale_of(self.inputs, layer.in_features)
        self.scale = scale.expand(layer.out_features)
        # Adding −0.0 changes nothing
        self.bias = torch.full_like(self.scale, -0.0) if layer.bias is None else layer.bias.detach()

    def multiply(self, gain: Tensor) -> None:
        """From now on the outputs are those times `gain` [out]."""
        self.scale, self.bias = self.scale * gain, self.bias * gain

    def outputs(self, dot: Tensor) -> Tensor:
        """float32 [T, 1] -> [T, out]."""
        return dot * self.scale + self.bias


def score_terms(
    attention: BinaryAttention, head: int, scaling: float, bias: Tensor | None = None
) -> dict[str, object]:
    """Which scores of a row have the code 1: what EncoderLayer holds of it."""
    dots = products(head)
    scale = scale_of(attention.query_binarizer, 1) * scale_of(attention.key_binarizer, 1)  # type: ignore[arg-type]
    scores = dots.float() * scale * scaling
    require(bool((scores.diff() >= 0).all()), "scores that fall as their products grow")

    def rule(
        least: NDArray[np.int32] | None,
        cutoff: float,
        relative: bool,
        table: Tensor | None = None,
        share: float = 0.0,
    ) -> dict[str, object]:
        """The same rule in integers; or in floats, where a bias of positions comes to the scores."""
        if bias is None:
            return {
                "score_least": least,
                "exponentials": None if table is None else table.numpy(),
                "share": share,
            }
        biased = BiasedScores(bias.numpy(), float(scale), scaling, cutoff, relative)
        return {"score_least": None, "exponentials": None, "share": 0.0, "biased": biased}

    if bias is not None:
        # Else what is forbidden, at −100, could have a part in a softmax
        spread = float(scores[-1] - scores[0] + bias.max() - bias.min())
        require(spread < -FORBIDDEN, "scores as large as what forbids them")
    if attention.attention_on == "scores":
        binarizer = require_bits(attention.attention_binarizer, 1, BiBERTAttention)
        least = head + 2 - 2 * int((binarizer.encode(scores).q > 0).sum())
        return rule(np.full(head + 1, least, np.int32), 0.0, False)
    # exp(score t − score s), row s, column t ≤ s
    ratios = (scores - scores[:, None]).exp().tril()
    binarizer = require_bits(attention.attention_binarizer, 1, BiViTAttention, ElasticUnsigned)
    if isinstance(binarizer, BiViTAttention):
        # p ≥ beta · max p: the sum of the row has no part in it, unless floats round at a tie
        require(binarizer.method == "quarter", "descent")
        require(bool(((ratios / binarizer.beta - 1).abs() > TIE).all()), "probabilities at the threshold")
        reached = dots + 2 - 2 * (ratios >= binarizer.beta).sum(1)
        # s ≥ max s + log beta
        return rule(reached.numpy().astype(np.int32), math.log(binarizer.beta), True)
    require(binarizer.learned_shift is None, "a shift of probabilities")
    require(bias is None, "a softmax's sum under a bias of positions")
    table = torch.zeros(head + 1, 2 * head + 3)
    table[:, 2::2] = ratios
    # p > alpha / 2
    return rule(None, 0.0, False, table, float(scale_of(binarizer, 1) / 2))


def require_affine(norm: nn.Module) -> nn.LayerNorm:
    """The module, if it is a layer norm with weight and bias."""
    require(type(norm) is nn.LayerNorm and norm.bias is not None, "another norm than nn.LayerNorm")
    return norm  # type: ignore[return-value]


class Parts(NamedTuple):
    """What a layer of an encoder that the kernels know consists of.

    Attributes:
        binary: its attention. head: columns of a head. scaling: of scores.
        qkv, attn_out, fc1, fc2: linears. activation: between the last two.
        norms: that of attention and that of the feed-forward part. norm_first: whether they come before these.
        bias: of positions, float32 (heads, L, L), which comes to the scores, or None.
    """

    binary: Any
    head: int
    scaling: float
    qkv: list[Linear]
    attn_out: Linear
    fc1: Linear
    fc2: Linear
    activation: Callable[[Tensor], Tensor]
    norms: tuple[nn.LayerNorm, nn.LayerNorm]
    norm_first: bool
    bias: Tensor | None


def bias_of(layer: nn.Module, known: Known) -> Tensor | None:
    """What a layer adds to its scores for each two positions, (heads, L, L), if anything."""
    if not known.bias:
        return None
    module: Any = layer.get_submodule(known.bias)
    # BEiT's also takes the size of a picture; here that of its configuration
    return (module() if known.windows else module(module.window_size))[0]


def parts_of(model: nn.Module, block: Block, bits: int) -> Parts:
    """The parts of a layer whose activations are codes of so many bits.

    Raises:
        NotFoldable: it is another layer.
    """
    part = model.get_submodule
    layer, attention = part(block.layer), part(block.attention)
    known, reason = known_layer(layer)
    require(known is not None, reason)
    assert known is not None
    binary: Any = getattr(attention, "binary", None)
    require(type(binary) is BinaryAttention, "attention of its own kind")
    signs = ElasticSigned, BNN
    for role in ("query", "key", "value"):
        require_bits(getattr(binary, f"{role}_binarizer"), bits, *signs)
    qkv = [Linear(part(path), bits, *signs) for path in (block.query, block.key, block.value)]
    attn_out, fc1 = (Linear(part(path), bits, *signs) for path in (block.attn_out, block.fc1))
    fc2 = Linear(part(block.fc2), bits, *signs, ElasticUnsigned)
    for linear, gain in zip((attn_out, fc2), known.gains, strict=False):
        owner, _, name = gain.rpartition(".")
        factor = getattr(layer.get_submodule(owner), name)
        if isinstance(factor, Tensor):  # BEiT without gains has the number 1
            linear.multiply(factor.detach())
    # CLIP calls it scale
    scaling = float(attention.scaling if hasattr(attention, "scaling") else attention.scale)  # type: ignore[arg-type]
    inner, head = qkv[0].scale.numel(), round(scaling**-2)
    require(
        head**-0.5 == scaling and inner % head == 0,
        "scores that are not divided by the root of the head size",
    )
    before, after = (require_affine(layer.get_submodule(norm)) for norm in known.norms)
    require(before.eps == after.eps, "norms with different epsilons")
    activation = getattr(part(block.act[0]), block.act[1])
    return Parts(
        binary, head, scaling, qkv, attn_out, fc1, fc2, activation, (before, after), known.norm_first,
        bias_of(layer, known),
    )  # fmt: skip


def low_rank_terms(parts: Parts, context_scale: Tensor) -> LowRank | None:
    """What a layer's estimators add to its scores and contexts, if it has any.

    Raises:
        NotFoldable: others than BiPFT's, or their scores are not followed by a softmax and BiT's binarizer.
    """
    binary, estimators = parts.binary, parts.binary.estimators
    if estimators is None:
        return None
    require(type(estimators) is LowRankEstimators, "estimators of another kind")
    require(parts.bias is None, "estimators under a bias of positions")
    elastic = type(binary.attention_binarizer) is ElasticUnsigned and binary.attention_on == "probs"
    require(elastic, "estimators of scores that BiT's binarizer does not read")
    names = "q_main", "q_residual", "k_main", "k_residual", "v_residual"
    linears = [estimators.get_submodule(name) for name in names]
    weights, bias = (torch.cat([getattr(part, of).detach() for part in linears]) for of in ("weight", "bias"))
    on_cpu = weights.dtype == torch.float32 and weights.device.type == "cpu"
    require(on_cpu, "estimators that are not float32 on the CPU")
    step = scale_of(binary.query_binarizer, 1) * scale_of(binary.key_binarizer, 1) * parts.scaling
    # Else a score that the estimators make the largest could be too small for a float beside the others
    require(float(2 * parts.head * step) < -FORBIDDEN, "scores as large as what forbids them")
    inner = parts.qkv[0].scale.numel()
    least = least_input(parts.attn_out.inputs, inner)
    return LowRank(weights.numpy(), bias.numpy(), parts.scaling, float(context_scale), least.numpy())


def fold_layer(parts: Parts, longest: int) -> EncoderLayer:
    """One layer of one-bit activations as integers and ranges.

    Raises:
        NotFoldable: it has to run as it is.
    """
    binary, head, scaling, qkv, attn_out, fc1, fc2, activation, (before, after), _, bias = parts
    inner = qkv[0].scale.numel()
    hidden = attn_out.weights.words.shape[0]
    least = torch.stack([least_input(linear.inputs, hidden) for linear in qkv])
    if (least == least[0]).all():
        least = least[:1]
    # context = dot · (attention scale · value scale), then the next layer's code
    context_scale = scale_of(binary.value_binarizer, 1)
    attended = binary.attention_binarizer
    per_row = isinstance(attended, BiViTAttention) and attended.scale_kind == "per_row"
    if not per_row:
        context_scale = scale_of(attended, 1) * context_scale

    def codes(binarizer: Binarizer, values: Tensor) -> Tensor:
        return binarizer.encode(values).q

    def context_codes(scale: Tensor) -> Range:
        return fold(longest, False, lambda dot: codes(attn_out.inputs, (dot * scale).expand(-1, inner)))

    low_rank = low_rank_terms(parts, context_scale)
    context_range = None if low_rank else context_codes(context_scale)
    if per_row and context_range is not None:
        # The mean of the probabilities under a row's ones is from beta / L to 1; codes grow with their input
        least_factor = context_codes(context_scale * attended.beta / longest)
        require(np.array_equal(least_factor, context_range), "a scale per row that the next codes see")
    dots = products(hidden)
    fc1_range, doubts = range_and_doubts(
        dots, codes(fc2.inputs, activation(fc1.outputs(dots.float()[:, None]))) > 0
    )
    return EncoderLayer(
        input_least=least.numpy(),
        qkv=[linear.weights for linear in qkv],
        qkv_range=[
            fold(hidden, True, lambda dot: codes(binary.query_binarizer, qkv[0].outputs(dot))),
            fold(hidden, True, lambda dot: codes(binary.key_binarizer, qkv[1].outputs(dot))),
            fold(hidden, True, lambda dot: codes(binary.value_binarizer, qkv[2].outputs(dot))),
        ],
        **score_terms(binary, head, scaling, bias),  # type: ignore[arg-type]
        context_range=context_range,
        attn_out=attn_out.weights,
        attn_out_scale=attn_out.scale.numpy(),
        attn_out_bias=attn_out.bias.numpy(),
        attention_gain=before.weight.detach().numpy(),
        attention_bias=before.bias.detach().numpy(),
        ffn_least=least_input(fc1.inputs, hidden).numpy(),
        fc1=fc1.weights,
        fc1_range=fc1_range,
        fc2=fc2.weights,
        fc2_signed=fc2.inputs.levels == (-1, 1),
        fc2_scale=fc2.scale.numpy(),
        fc2_bias=fc2.bias.numpy(),
        ffn_gain=after.weight.detach().numpy(),
        ffn_bias=after.bias.detach().numpy(),
        fc1_doubts=doubts,
        low_rank=low_rank,
    )


def elastic_of(binarizer: Binarizer, features: int) -> Elastic:
    """An elastic binarizer's shift and alpha."""
    beta = binarizer.learned_shift
    shift = torch.zeros(features) if beta is None else beta.detach().expand(features)
    return Elastic(shift.numpy(), float(scale_of(binarizer, features)))


def fold_code_layer(parts: Parts, bits: int) -> CodeLayer:
    """One layer whose activations are codes of several bits: what stands between its products, as numbers.

    Raises:
        NotFoldable: it has to run as it is.
    """
    binary, head, scaling, qkv, attn_out, fc1, fc2, activation, (before, after), _, bias = parts
    inner, hidden = qkv[0].scale.numel(), attn_out.scale.numel()
    require(bias is None, "codes of several bits under a bias of positions")
    require(binary.estimators is None, "codes of several bits beside estimators")
    require(largest_score(head, bits) < 2**15, "scores that do not fit 16 bits")
    require(type(activation) is nn.ReLU, "another activation than a ReLU")
    probs = require_bits(binary.attention_binarizer, bits, ElasticUnsigned)
    require(binary.attention_on == "probs", "codes of scores")
    require(type(fc2.inputs) is ElasticUnsigned, "codes of both signs after the ReLU")
    roles = [binary.query_binarizer, binary.key_binarizer, binary.value_binarizer, probs]
    for binarizer in [*roles, attn_out.inputs, fc1.inputs, *(linear.inputs for linear in qkv)]:
        require(type(binarizer) in (ElasticSigned, ElasticUnsigned), "codes that are not elastic")
    for binarizer in roles:
        require(binarizer.learned_shift is None, "a shift of queries, keys, values or probabilities")
    alphas = [scale_of(binarizer, 1) for binarizer in roles]
    inputs = [elastic_of(linear.inputs, hidden) for linear in qkv]
    if all(i.alpha == inputs[0].alpha and (i.shift == inputs[0].shift).all() for i in inputs):
        inputs = inputs[:1]

    def linear(folded: Linear) -> CodeLinear:
        return CodeLinear(folded.weights, folded.scale.contiguous().numpy(), folded.bias.numpy())

    return CodeLayer(
        inputs=inputs,
        qkv=[linear(projection) for projection in qkv],
        heads=(float(alphas[0]), float(alphas[1]), float(alphas[2])),
        step=float(alphas[0] * alphas[1]) * scaling,
        probs=float(alphas[3]),
        context_factor=float(alphas[3] * alphas[2]),
        context=elastic_of(attn_out.inputs, inner),
        attn_out=linear(attn_out),
        attention_gain=before.weight.detach().numpy(),
        attention_bias=before.bias.detach().numpy(),
        ffn_in=elastic_of(fc1.inputs, hidden),
        fc1=linear(fc1),
        ffn=elastic_of(fc2.inputs, fc1.scale.numel()),
        fc2=linear(fc2),
        ffn_gain=after.weight.detach().numpy(),
        ffn_bias=after.bias.detach().numpy(),
    )


@torch.no_grad()
def fold_blocks(model: nn.Module, blocks: Sequence[Block], longest: int) -> PackedEncoder | PackedCodeEncoder:
    """Layers of a binarized encoder that the kernels know, for one call.

    Args:
        model: on the CPU, in float32, as `binarize_` made it; it is not changed.
        blocks: of its layout, which layers.
        longest: the most positions that a key may have.

    Raises:
        NotFoldable: some part of them has to run as it is.
    """
    require(bool(blocks), "no encoder")
    first = getattr(model.get_submodule(blocks[0].query), "activation_binarizer", None)
    bits = getattr(first, "bits", 1)
    parts = [parts_of(model, block, bits) for block in blocks]
    for what in (
        [part.head for part in parts],
        [part.norms[0].eps for part in parts],
        [part.norm_first for part in parts],
        [part.fc2.inputs.levels for part in parts],
        [part.bias is None for part in parts],
        [
            0 if each is None else each.q_main.out_features
            for each in (part.binary.estimators for part in parts)
        ],
    ):
        require(len(set(what)) == 1, "layers that differ")
    options: dict[str, Any] = {
        "head": parts[0].head, "norm_first": parts[0].norm_first, "epsilon": parts[0].norms[0].eps,
    }  # fmt: skip
    if bits == 1:
        return prepare_encoder([fold_layer(part, longest) for part in parts], **options)
    return prepare_code_encoder([fold_code_layer(part, bits) for part in parts], bits=bits, **options)
