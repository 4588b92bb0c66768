r"""Attention on codes, plugged into transformers as the attention implementation "binviz".

$$S = (q_Q q_K^\top)\, s_Q s_K\, /\sqrt d + \text{mask}, \qquad
A = \text{binarize}(\mathrm{softmax}(S))\ \text{or}\ \text{binarize}(S), \qquad
C = (q_A q_V)\, s_A s_V$$

A module that carries no `binary` submodule runs ordinary softmax attention here, so that float and binary
models can be looked into at the same places.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from typing import Literal

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, PreTrainedConfig
from transformers.masking_utils import AttentionMaskInterface, eager_mask

from binviz.binarizers import Binarizer, Code
from binviz.errors import UserError
from binviz.layers.called import answers
from binviz.layers.tap import tap

NAME = "binviz"
#: What is binarized in attention; the submodule for each is called `<role>_binarizer`.
ROLES = ("query", "key", "value", "attention")
#: Additive masks forbid a position with a large negative number: the dtype's lowest in BERT, -100 in Swin.
FORBIDDEN = -50.0
#: What some models do to scores besides: they would compute something else here, unnoticed.
LEFT_OUT = ("softcap", "s_aux")

#: Input (B, T, D) of the attention layer that is running in this thread, until the low-rank estimators take it.
layer_input: ContextVar[Tensor | None] = ContextVar("binviz_attention_input", default=None)
#: The binary attention that has answered within the attention layer that is running in this thread.
_answered: ContextVar[nn.Module | None] = ContextVar("binviz_attention_answered", default=None)


class LowRankEstimators(nn.Module):
    r"""BiPFT's estimators of what binarization leaves out of attention (Xing et al. 2023, 2312.08937).

    Five float linears from the layer's input h, with bias, shared by all heads:
    scores $+\!= q_m k_p^\top + q_p k_m^\top + q_p k_p^\top$ before the division by $\sqrt d$, and
    context $+\!= A_b\, v_p$.

    The pairing of main and residual parts is the official code's.

    Args:
        hidden: width of h. rank: of each estimator (1 in the paper).
    """

    def __init__(self, hidden: int, rank: int) -> None:
        super().__init__()
        self.q_main, self.q_residual = nn.Linear(hidden, rank), nn.Linear(hidden, rank)
        self.k_main, self.k_residual = nn.Linear(hidden, rank), nn.Linear(hidden, rank)
        self.v_residual = nn.Linear(hidden, 1)

    def scores(self, h: Tensor) -> Tensor:
        """(B, T, D) -> (B, 1, T, T)."""
        q_m, q_p, k_m, k_p = self.q_main(h), self.q_residual(h), self.k_main(h), self.k_residual(h)
        return (q_m @ k_p.mT + q_p @ k_m.mT + q_p @ k_p.mT).unsqueeze(1)

    def values(self, h: Tensor) -> Tensor:
        """(B, T, D) -> (B, 1, T, 1)."""
        return self.v_residual(h).unsqueeze(1)


class BinaryAttention(nn.Module):
    """Binarizers of one attention layer; None keeps that operand float.

    Args:
        query, key, value: binarizers of the (B, H, T, D) projections. A scale per row of the values lies
            on the axis that the second product sums over, so it is refused.
        attention: binarizer of the (B, H, T, T) probabilities or scores.
        attention_on: which of the two it sees.
        estimators: BiPFT's, or None.

    Raises:
        UserError: query, key or value has a shift or several bases, the value binarizer scales each row, the
            query's or key's each channel, or scores are kept without a binarizer.
    """

    #: See `binviz.layers.called.watch`.
    place: str = ""

    def __init__(
        self,
        query: Binarizer | None,
        key: Binarizer | None,
        value: Binarizer | None,
        attention: Binarizer | None,
        attention_on: Literal["probs", "scores"] = "probs",
        estimators: LowRankEstimators | None = None,
    ) -> None:
        super().__init__()
        for role, operand in (("query", query), ("key", key), ("value", value)):
            if operand is not None and operand.basis_count != 1:
                raise UserError(
                    f"the {role}'s {type(operand).__name__} has several bases; an activation has one code"
                )
            if operand is not None and operand.shifted:
                raise UserError(
                    f"the {role} has a shift, {type(operand).__name__}'s, which the products of attention leave out; "
                    "use a binarizer without one (subtract_min=False)"
                )
            if role != "value" and operand is not None and operand.scale_kind == "per_channel":
                raise UserError(
                    f"the {role} has a scale for each channel, {type(operand).__name__}'s, which the scores sum over; "
                    "use a binarizer with another"
                )
        if value is not None and value.scale_kind == "per_row":
            raise UserError(
                "values cannot have a scale per row: it would vary along the summed axis; use another"
            )
        if attention_on == "scores" and attention is None:
            raise UserError("attention_on='scores' needs an attention binarizer")
        # No submodule is called as a projection is: tools that are given "query" look for it in the whole model
        self.query_binarizer, self.key_binarizer, self.value_binarizer = query, key, value
        self.attention_binarizer = attention
        self.attention_on = attention_on
        self.estimators = estimators

    @property
    def is_float(self) -> bool:
        """Whether it computes what softmax attention does, so that another implementation may take its place."""
        parts = (getattr(self, f"{role}_binarizer") for role in ROLES)
        return self.estimators is None and all(part is None for part in parts)

    def stood_in(self) -> None:
        """Note that what it computes was computed in its place."""
        _answered.set(self)
        answers(self.place)

    def _drop_scores(self, scores: Tensor, dropout: float) -> Tensor:
        """Dropout whose dropped scores are the lowest number, as if forbidden: the code of a score of 0 is 1."""
        if not self.training or dropout == 0:
            return scores
        kept = nn.functional.dropout(torch.ones_like(scores), dropout)
        return (scores * kept).masked_fill(kept == 0, torch.finfo(scores.dtype).min)

    def forward(
        self,
        owner: nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor | None,
        scaling: float,
        dropout: float,
    ) -> tuple[Tensor, Tensor]:
        """Context (B, H, T, D) and the attention actually used, decoded (B, H, T, T)."""
        self.stood_in()
        by = self.query_binarizer, self.key_binarizer, self.value_binarizer
        q, k, v = map(_encode, by, (query, key, value))
        for part, code, binarizer in zip("qkv", (q, k, v), by, strict=True):
            if binarizer is not None:
                tap(owner, f"{part}.code", code)
        scores = (q.q @ k.q.mT) * (q.scale * _transposed(k.scale))
        if self.estimators is not None:
            h = layer_input.get()
            if key.shape[-2] != query.shape[-2]:
                raise UserError(
                    "low-rank estimators see the whole sequence, not a cache of it; generate with use_cache=False"
                )
            assert h is not None, "the hook that remembers the layer's input was removed"
            layer_input.set(None)  # what stays here stays in memory, with its graph
            scores = scores + self.estimators.scores(h)
            v_residual = self.estimators.values(h)
        scores = scores * scaling
        if mask is not None:
            scores = scores + mask
        tap(owner, "scores", scores)
        if self.attention_on == "probs":
            probs = scores.softmax(-1)
            tap(owner, "probs", probs)
            a = _encode(self.attention_binarizer, nn.functional.dropout(probs, dropout, self.training))
        else:
            a = _encode(self.attention_binarizer, self._drop_scores(scores, dropout))
        if mask is not None and self.attention_binarizer is not None:
            # No binarizer is trusted to say "nothing": forbidden positions are taken out, as AND with the mask does.
            a = a._replace(q=a.q.masked_fill(mask < FORBIDDEN, 0.0))
        if self.attention_binarizer is not None:
            tap(owner, f"{self.attention_on}.code", a)
        context = (a.q @ v.q) * (a.scale * v.scale)
        if self.attention_binarizer is not None and self.attention_binarizer.shifted:
            context = context + a.shift * (v.q.sum(-2, keepdim=True) * v.scale)
        used = a.decode() if self.attention_binarizer is not None else a.q
        if self.estimators is not None:
            context = context + used @ v_residual
        return context.to(value.dtype), used


def _encode(binarizer: Binarizer | None, x: Tensor) -> Code:
    if binarizer is None:
        return Code(x, x.new_ones(()), x.new_zeros(()))
    return binarizer.encode(x)


def name_today(name: str) -> str:
    """The name of a tensor that an earlier version wrote, when binarizers were called as the projections are.

    >>> name_today("layer.0.attention.self.binary.query.alpha"), name_today("layer.0.attention.self.query.weight")
    ('layer.0.attention.self.binary.query_binarizer.alpha', 'layer.0.attention.self.query.weight')
    """
    return re.sub(rf"\.binary\.({'|'.join(ROLES)})\.", r".binary.\1_binarizer.", name)


def _transposed(scale: Tensor) -> Tensor:
    return scale.mT if scale.ndim >= 2 else scale


def attention_forward(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    position_bias: Tensor | None = None,
    **unused: object,
) -> tuple[Tensor, Tensor]:
    """What transformers calls: (B, H, T, D) projections -> context (B, T, H, D), attention (B, H, T, S).

    Keys and values are (B, H / groups, S, D): each is that of several heads where queries are grouped. A bias of
    positions (T5) is added to the scores, as the mask is.

    Raises:
        UserError: the model does more to its scores than a product, a scale, a bias and a mask (Gemma 2).
    """
    for name in LEFT_OUT:
        if unused.get(name) is not None:
            raise UserError(
                f"{type(module).__name__} wants the {name} of its scores, which binviz does not compute"
            )
    scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
    if position_bias is not None:
        attention_mask = position_bias if attention_mask is None else attention_mask + position_bias
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = (part.repeat_interleave(groups, dim=1) for part in (key, value))
    for part, projection in (("q", query), ("k", key), ("v", value)):
        tap(module, part, projection)
    binary = getattr(module, "binary", None)
    if binary is not None and not binary.is_float:
        context, attention = binary(module, query, key, value, attention_mask, scaling, dropout)
    else:
        if binary is not None:
            binary.stood_in()
        scores = query @ key.mT * scaling
        if attention_mask is not None:
            scores = scores + attention_mask
        tap(module, "scores", scores)
        attention = scores.softmax(-1)
        tap(module, "probs", attention)
        context = nn.functional.dropout(attention, dropout, module.training) @ value
    context = context.transpose(1, 2).contiguous()
    tap(module, "context", context.flatten(2))
    return context, attention


def attention_starts(module: nn.Module, args: tuple, kwargs: dict) -> None:
    """Forward pre-hook of a layer with binary attention: keep its input for the estimators, if it has any."""
    _answered.set(None)
    binary = getattr(module, "binary", None)
    if binary is not None and binary.estimators is not None:
        layer_input.set(args[0] if args else kwargs["hidden_states"])


def attention_ends(module: nn.Module, args: tuple, output: object) -> None:
    """Forward hook of a layer with binary attention: refuse what was computed without it.

    Raises:
        UserError: transformers called another attention, or the layer computes its own.
    """
    binary, answered = getattr(module, "binary", None), _answered.get()
    _answered.set(None)
    if binary is None or answered is binary:
        return
    require_binviz_attention(module)
    raise UserError(
        f"{type(module).__name__} computes attention in its own way, so that its binary attention was not called; "
        "leave its attention float with filter_fn or keep_float"
    )


#: What every layer with binary attention has: its pre-hook and its hook.
HOOKS = (attention_starts, attention_ends)


def require_binviz_attention(model: nn.Module) -> None:
    """Refuse a model whose binary attention is switched off.

    Raises:
        UserError: a layer has binary attention, and its configuration names another attention implementation, as
            `set_attn_implementation` leaves it.
    """
    for module in model.modules():
        binary = getattr(module, "binary", None)
        if isinstance(binary, BinaryAttention) and not binary.is_float:
            config = getattr(module, "config", None)
            named = getattr(config, "_attn_implementation", NAME)
            if named != NAME:
                raise UserError(
                    f"attention is set to {named!r}, which leaves the binary attention out; call "
                    "binviz.layers.attention.use_binviz_attention(model)"
                )


def use_binviz_attention(model: nn.Module) -> None:
    """Make a transformers model, or those inside another module, run their attention here.

    The configurations are set, not `set_attn_implementation` called: that does nothing for a model whose class
    was written in a notebook.

    >>> from transformers import BertConfig, BertModel
    >>> model = BertModel(BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
    ...                              intermediate_size=8, vocab_size=9))
    >>> use_binviz_attention(model)
    >>> model.config._attn_implementation
    'binviz'
    """
    for module in model.modules():
        config = getattr(module, "config", None)
        if isinstance(config, PreTrainedConfig) and config._attn_implementation != NAME:
            config._attn_implementation = NAME


AttentionInterface.register(NAME, attention_forward)
AttentionMaskInterface.register(NAME, eager_mask)

__all__ = [
    "NAME",
    "BinaryAttention",
    "LowRankEstimators",
    "attention_forward",
    "require_binviz_attention",
    "use_binviz_attention",
]
