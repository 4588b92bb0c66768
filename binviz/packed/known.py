"""Which layers the kernels know: those whose code is that of a layer listed here, whatever their names.

Transformers copies a layer from one family to the next (RoBERTa, XLM-RoBERTa, ERNIE, ViT-MSN), so a name says little.
Compared is the code of every method, compiled; where the layer comes from transformers and the code is the same, the
same parts are called in the same order.
"""

from __future__ import annotations

import inspect
from importlib import import_module
from types import CodeType
from typing import Any, NamedTuple

from torch import nn

from binviz.adapters.layout import has


class Known(NamedTuple):
    """A layer of transformers whose norms come behind its two residual sums, or before its two parts.

    Attributes:
        home: module of transformers that has its classes.
        classes: path in the layer -> class of that part, "" for the layer.
        norms: paths of the norm of attention and of that of the feed-forward part.
        norm_first: whether they come before these parts.
        gains: paths of what multiplies the outputs of the two parts (DINOv2), or none.
        bias: path of what is added to the scores for each two positions (Swin, BEiT), or none.
        windows: whether a position attends to those in its window alone (Swin).
    """

    home: str
    classes: dict[str, str]
    norms: tuple[str, str]
    norm_first: bool
    gains: tuple[str, ...] = ()
    bias: str = ""
    windows: bool = False

    @property
    def name(self) -> str:
        """Class of the layer."""
        return self.classes[""]


KNOWN = (
    Known(
        "bert.modeling_bert",
        {
            "": "BertLayer",
            "attention": "BertAttention",
            "attention.self": "BertSelfAttention",
            "attention.output": "BertSelfOutput",
            "intermediate": "BertIntermediate",
            "output": "BertOutput",
        },
        ("attention.output.LayerNorm", "output.LayerNorm"),
        norm_first=False,
    ),
    Known(
        "vit.modeling_vit",
        {"": "ViTLayer", "attention": "ViTAttention", "mlp": "ViTMLP"},
        ("layernorm_before", "layernorm_after"),
        norm_first=True,
    ),
    Known(
        "distilbert.modeling_distilbert",
        {"": "TransformerBlock", "attention": "DistilBertSelfAttention", "ffn": "FFN"},
        ("sa_layer_norm", "output_layer_norm"),
        norm_first=False,
    ),
    Known(
        "albert.modeling_albert",
        {"": "AlbertLayer", "attention": "AlbertAttention"},
        ("attention.LayerNorm", "full_layer_layer_norm"),
        norm_first=False,
    ),
    Known(
        "clip.modeling_clip",
        {"": "CLIPEncoderLayer", "self_attn": "CLIPAttention", "mlp": "CLIPMLP"},
        ("layer_norm1", "layer_norm2"),
        norm_first=True,
    ),
    Known(
        "siglip.modeling_siglip",
        {"": "SiglipEncoderLayer", "self_attn": "SiglipAttention", "mlp": "SiglipMLP"},
        ("layer_norm1", "layer_norm2"),
        norm_first=True,
    ),
    Known(
        "dinov2.modeling_dinov2",
        {
            "": "Dinov2Layer",
            "attention": "Dinov2Attention",
            "layer_scale1": "Dinov2LayerScale",
            "mlp": "Dinov2MLP",
            "layer_scale2": "Dinov2LayerScale",
        },
        ("norm1", "norm2"),
        norm_first=True,
        gains=("layer_scale1.lambda1", "layer_scale2.lambda1"),
    ),
    Known(
        "wav2vec2.modeling_wav2vec2",
        {
            "": "Wav2Vec2EncoderLayer",
            "attention": "Wav2Vec2Attention",
            "feed_forward": "Wav2Vec2FeedForward",
        },
        ("layer_norm", "final_layer_norm"),
        norm_first=False,
    ),
    Known(
        "wav2vec2.modeling_wav2vec2",
        {
            "": "Wav2Vec2EncoderLayerStableLayerNorm",
            "attention": "Wav2Vec2Attention",
            "feed_forward": "Wav2Vec2FeedForward",
        },
        ("layer_norm", "final_layer_norm"),
        norm_first=True,
    ),
    Known(
        "swin.modeling_swin",
        {
            "": "SwinLayer",
            "attention": "SwinAttention",
            "attention.relative_position_bias": "SwinRelativePositionBias",
            "mlp": "SwinMLP",
        },
        ("layernorm_before", "layernorm_after"),
        norm_first=True,
        bias="attention.relative_position_bias",
        windows=True,
    ),
    Known(
        "beit.modeling_beit",
        {
            "": "BeitLayer",
            "attention": "BeitAttention",
            "relative_position_bias": "BeitRelativePositionBias",
            "mlp": "BeitMLP",
        },
        ("layernorm_before", "layernorm_after"),
        norm_first=True,
        gains=("lambda_1", "lambda_2"),
        bias="relative_position_bias",
    ),
    Known(
        "beit.modeling_beit",
        {"": "BeitLayer", "attention": "BeitAttention", "mlp": "BeitMLP"},
        ("layernorm_before", "layernorm_after"),
        norm_first=True,
        gains=("lambda_1", "lambda_2"),
    ),
    Known(
        "roberta_prelayernorm.modeling_roberta_prelayernorm",
        {
            "": "RobertaPreLayerNormLayer",
            "attention": "RobertaPreLayerNormAttention",
            "attention.self": "RobertaPreLayerNormSelfAttention",
            "attention.output": "RobertaPreLayerNormSelfOutput",
            "intermediate": "RobertaPreLayerNormIntermediate",
            "output": "RobertaPreLayerNormOutput",
        },
        ("attention.LayerNorm", "intermediate.LayerNorm"),
        norm_first=True,
    ),
    Known(
        "layoutlm.modeling_layoutlm",
        {
            "": "LayoutLMLayer",
            "attention": "LayoutLMAttention",
            "attention.self": "LayoutLMSelfAttention",
            "attention.output": "LayoutLMSelfOutput",
            "intermediate": "LayoutLMIntermediate",
            "output": "LayoutLMOutput",
        },
        ("attention.output.LayerNorm", "output.LayerNorm"),
        norm_first=False,
    ),
)


def known_layer(layer: nn.Module) -> tuple[Known | None, str]:
    """The layer of `KNOWN` whose code a layer has; else None, and how it differs from the one that is most like it.

    >>> from transformers import XLMRobertaConfig
    >>> from transformers.models.xlm_roberta.modeling_xlm_roberta import XLMRobertaLayer
    >>> layer = XLMRobertaLayer(XLMRobertaConfig(hidden_size=8, num_attention_heads=2, intermediate_size=8))
    >>> known_layer(layer)[0].name
    'BertLayer'
    >>> layer.intermediate = nn.Tanh()
    >>> known_layer(layer)
    (None, "Tanh.forward is other code than BertIntermediate's")
    """
    reasons = []
    for known in sorted(KNOWN, key=lambda known: known.name != type(layer).__name__):
        if has(layer, *filter(None, known.classes)):
            reason = _difference(layer, known)
            if not reason:
                return known, ""
            reasons.append(reason)
    return None, reasons[0] if reasons else f"{type(layer).__name__} is no layer that the kernels know"


def _difference(layer: nn.Module, known: Known) -> str:
    """How a layer that has the parts of a known one differs from it; empty where it does not."""
    home = import_module(f"transformers.models.{known.home}")
    for path, name in known.classes.items():
        part = layer.get_submodule(path)
        if "forward" in vars(part):
            return f"{type(part).__name__}.forward was replaced"
        method = _other_method(type(part), getattr(home, name))
        if method:
            return f"{type(part).__name__}.{method} is other code than {name}'s"
        for child_name, child in part.named_children():
            if "drop" in child_name and not _drops(child):
                return f"{type(layer).__name__} has a {type(child).__name__} for {child_name}"
    parts = {path.partition(".")[0] for path in (*known.classes, *known.norms)}
    for name, child in layer.named_children():
        if name not in parts and any(isinstance(part, nn.Linear) for part in child.children()):
            return f"{type(layer).__name__} has a further part, {name}"
    return ""


def _drops(part: nn.Module) -> bool:
    """Whether it does nothing but in training."""
    theirs = type(part).__module__.startswith("transformers.") and type(part).__name__.endswith("DropPath")
    return theirs or type(part) in (nn.Dropout, nn.Identity)


def _other_method(kind: type, known: type) -> str:
    """The first method of a known class that another class has in another form, or none."""
    if kind.__call__ is not known.__call__:
        return "__call__"
    for name, method in vars(known).items():
        if inspect.isfunction(method) and name != "__init__":
            given: Any = getattr(kind, name, None)
            other = inspect.unwrap(given)
            if not inspect.isfunction(other) or not other.__module__.startswith("transformers."):
                return name
            if _compiled(other) != _compiled(inspect.unwrap(method)):
                return name
    return ""


def _compiled(function: Any) -> tuple[Any, ...]:
    return _content(function.__code__, function.__doc__)


def _content(code: CodeType, doc: str | None = None) -> tuple[Any, ...]:
    """What code does, without its lines and its docstring."""
    constants = tuple(
        _content(value) if isinstance(value, CodeType) else value for value in code.co_consts if value != doc
    )
    return code.co_code, code.co_names, code.co_varnames, constants
