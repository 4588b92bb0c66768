"""Adapters: one architecture, one file. `layout_of(model)` finds the one that fits."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

from torch import nn

from binviz.adapters import (
    albert,
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
    t5,
    vit,
    wav2vec2,
)
from binviz.adapters.layout import Adapter, Block, Layout, with_binary_inputs
from binviz.adapters.several import encoder_paths, layout_of_several, unknown_layers
from binviz.errors import UserError

ADAPTERS: tuple[Adapter, ...] = (
    albert.layout, bert.layout, clip.layout, convnet.layout, dino.layout, distilbert.layout, gpt2.layout,
    llama.layout, modernbert.layout, opt.layout, swin.layout, t5.layout, vit.layout, wav2vec2.layout,
)  # fmt: skip
#: For errors.
KNOWN = (
    "a BERT-family, ALBERT, DistilBERT, ModernBERT, ViT, DeiT, DINO, Swin, CLIP, SigLIP, wav2vec 2.0, OPT, LLaMA, "
    "GPT-2, ResNet, RegNet, ConvNeXt or MobileNet model, a T5 encoder"
)
OWN_ATTENTION = "computes attention in its own way"


def layout_of(model: nn.Module) -> Layout:
    """The parts of a model of transformers that binviz knows, of a network that declares them, or of a plain torch one.

    Where a model has several encoders (`binviz.adapters.several`), all of them are in it.

    A network declares its own with a method `binviz_layout(self) -> Layout`, which is asked first.

    Args:
        model: such a model, or a module that holds one.

    Raises:
        UserError: an encoder set up as a decoder, an encoder-decoder, a model with an attention of its own, one with
            an encoder that binviz does not know beside one that it knows, or a network in which there is nothing to
            binarize.

    >>> network = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 2))
    >>> layout_of(network).others
    {'1': '1'}
    """
    declared: Any = getattr(model, "binviz_layout", None)
    if declared is not None:
        return with_binary_inputs(model, declared())
    configs = [config for part in model.modules() if (config := getattr(part, "config", None)) is not None]
    kind = next(
        (config.model_type for config in configs if hasattr(config, "model_type")), type(model).__name__
    )
    if _decodes(model, configs):
        raise UserError(f"{kind!r} is set up as a decoder or has one; binviz binarizes {KNOWN}")
    found = encoders_of(model)
    if found is not None:
        _require_attention_interface(model, found, kind)
        if unknown := unknown_layers(model, found):
            parts = ", ".join(encoder_paths(model, ADAPTERS))
            raise UserError(
                f"{kind!r} has layers that binviz does not know ({unknown}); binarize what it knows by itself: {parts}"
            )
        return found
    foreign = configs and any(type(part).__module__.startswith("transformers.") for part in model.modules())
    found = None if foreign else plain.layout(model)
    if found is None:
        reason = "has no linear or convolution between others"
        if foreign:
            reason = OWN_ATTENTION if _own_attention(model) else "is not a model that binviz knows"
        raise UserError(f"{kind!r} {reason}; use {KNOWN}, or a plain torch network")
    return found


def _decodes(model: nn.Module, configs: list[Any]) -> bool:
    """Whether it is set up as a decoder, or has one; an encoder alone may be configured as the half of a pair."""
    pair = any(getattr(config, "is_encoder_decoder", False) for config in configs)
    decoder = any(path.rpartition(".")[2] == "decoder" for path, _ in model.named_modules())
    return (pair and decoder) or any(getattr(config, "is_decoder", False) for config in configs)


def encoders_of(model: nn.Module) -> Layout | None:
    """The layout of the encoder in a model, or of all where it has several; None where no adapter finds one."""
    paths = encoder_paths(model, ADAPTERS)
    if len(paths) > 1:
        return layout_of_several(model, paths, ADAPTERS)
    found = next((found for adapter in ADAPTERS if (found := adapter(model)) is not None), None)
    return found and replace(found, root=next(iter(paths), None))


def _require_attention_interface(model: nn.Module, layout: Layout, kind: str) -> None:
    """Refuse a model with an attention of its own (Longformer, RoFormer): it would go on in float, unnoticed."""
    for block in layout.blocks:
        if not calls_interface(type(model.get_submodule(block.attention))):
            raise UserError(
                f"{kind!r} {OWN_ATTENTION} ({block.attention}); use {KNOWN}, or binarize its known parts one by one"
            )


def _own_attention(model: nn.Module) -> bool:
    """Whether nothing that is called attention there can be given a function."""
    kinds = [type(part) for part in model.modules() if "Attention" in type(part).__name__]
    return bool(kinds) and not any(map(calls_interface, kinds))


def calls_interface(kind: type) -> bool:
    """Whether a class computes its attention by a function that transformers looks up by name.

    Its `forward` names the table of these functions, or leaves the work to that of a parent which does.

    >>> from transformers.models.bert.modeling_bert import BertSelfAttention
    >>> calls_interface(BertSelfAttention), calls_interface(nn.Linear)
    (True, False)
    """
    for cls in kind.__mro__:
        if "forward" in vars(cls):
            code = getattr(inspect.unwrap(vars(cls)["forward"]), "__code__", None)
            names = code.co_names if code is not None else ()
            if "ALL_ATTENTION_FUNCTIONS" in names or "super" not in names:
                return "ALL_ATTENTION_FUNCTIONS" in names
    return False


__all__ = ["Block", "Layout", "encoders_of", "layout_of"]
