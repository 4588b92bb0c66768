"""Adapters: one architecture, one file. `layout_of(model)` finds the one that fits."""

from __future__ import annotations

from torch import nn

from binviz.adapters import bert, plain, swin, vit
from binviz.adapters.layout import Adapter, Block, Layout
from binviz.errors import UserError

ENCODERS: tuple[Adapter, ...] = (bert.layout, swin.layout, vit.layout)


def layout_of(model: nn.Module) -> Layout:
    """The parts of a BERT-family, ViT/DeiT or Swin model, or of a plain torch network.

    Raises:
        UserError: a decoder, an encoder-decoder, or a network in which there is nothing to binarize.
    """
    config = getattr(model, "config", None)
    kind = getattr(config, "model_type", None) or type(model).__name__
    if getattr(config, "is_decoder", False) or getattr(config, "is_encoder_decoder", False):
        raise UserError(f"{kind!r} is a decoder; binviz binarizes encoders: BERT family, ViT, DeiT, Swin")
    for adapter in ENCODERS:
        found = adapter(model)
        if found is not None:
            return found
    foreign = config is not None and type(model).__module__.startswith("transformers.")
    found = None if foreign else plain.layout(model)
    if found is None:
        reason = (
            "is not an encoder that binviz knows"
            if foreign
            else "has fewer than three linears or convolutions"
        )
        raise UserError(
            f"{kind!r} {reason}; use a BERT-family, ViT, DeiT or Swin model, or a plain torch network"
        )
    return found


__all__ = ["Block", "Layout", "layout_of"]
