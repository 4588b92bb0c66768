"""Adapters: one architecture, one file. `layout_of(model)` finds the one that fits."""

from __future__ import annotations

import sys
from typing import Any

from torch import nn

from binviz.adapters import (
    bert,
    clip,
    convnet,
    dino,
    distilbert,
    gpt2,
    llama,
    modernbert,
    opt,
    plain,
    swin,
    vit,
)
from binviz.adapters.layout import Adapter, Block, Layout
from binviz.errors import UserError

ADAPTERS: tuple[Adapter, ...] = (
    bert.layout, clip.layout, convnet.layout, dino.layout, distilbert.layout, gpt2.layout, llama.layout,
    modernbert.layout, opt.layout, swin.layout, vit.layout,
)  # fmt: skip
#: For errors.
KNOWN = (
    "a BERT-family, DistilBERT, ModernBERT, ViT, DeiT, DINO, Swin, CLIP, SigLIP, OPT, LLaMA, GPT-2, ResNet, RegNet, "
    "ConvNeXt or MobileNet model"
)
OWN_ATTENTION = "computes attention in its own way"


def layout_of(model: nn.Module) -> Layout:
    """The parts of a model of transformers that binviz knows, of a network that declares them, or of a plain torch one.

    A network declares its own with a method `binviz_layout(self) -> Layout`, which is asked first.

    Args:
        model: such a model, or a module that holds one.

    Raises:
        UserError: an encoder set up as a decoder, an encoder-decoder, a model with an attention of its own, or a
            network in which there is nothing to binarize.

    >>> network = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 2))
    >>> layout_of(network).others
    {'1': '1'}
    """
    declared: Any = getattr(model, "binviz_layout", None)
    if declared is not None:
        return declared()
    configs = [config for part in model.modules() if (config := getattr(part, "config", None)) is not None]
    kind = next(
        (config.model_type for config in configs if hasattr(config, "model_type")), type(model).__name__
    )
    if any(
        getattr(config, mark, False) for config in configs for mark in ("is_decoder", "is_encoder_decoder")
    ):
        raise UserError(f"{kind!r} is set up as a decoder or has one; binviz binarizes {KNOWN}")
    for adapter in ADAPTERS:
        found = adapter(model)
        if found is not None:
            _require_attention_interface(model, found, kind)
            return found
    foreign = configs and any(type(part).__module__.startswith("transformers.") for part in model.modules())
    found = None if foreign else plain.layout(model)
    if found is None:
        reason = "has fewer than three linears or convolutions"
        if foreign:
            attentions = [part for part in model.modules() if "Attention" in type(part).__name__]
            known = all(map(_asks_for_attention, attentions))
            reason = "is not a model that binviz knows" if known else OWN_ATTENTION
        raise UserError(f"{kind!r} {reason}; use {KNOWN}, or a plain torch network")
    return found


def _require_attention_interface(model: nn.Module, layout: Layout, kind: str) -> None:
    """Refuse a model with an attention of its own (Longformer, RoFormer): it would go on in float, unnoticed."""
    for block in layout.blocks:
        if not _asks_for_attention(model.get_submodule(block.attention)):
            raise UserError(f"{kind!r} {OWN_ATTENTION}; use {KNOWN}")


def _asks_for_attention(module: nn.Module) -> bool:
    """Whether its attention function is one that transformers can be given."""
    homes = (sys.modules.get(cls.__module__) for cls in type(module).__mro__)
    return any(hasattr(home, "ALL_ATTENTION_FUNCTIONS") for home in homes)


__all__ = ["Block", "Layout", "layout_of"]
