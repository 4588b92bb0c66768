"""Which layers the kernels know: those whose code is that of BERT's layer or of ViT's, whatever their names.

Transformers copies a layer from one family to the next (RoBERTa, XLM-RoBERTa, ERNIE, ViT-MSN), so a name says little.
Compared is the code of every method, compiled; where the layer comes from transformers and the code is the same, the
same parts are called in the same order.
"""

from __future__ import annotations

import inspect
from importlib import import_module
from types import CodeType
from typing import Any

from torch import nn

#: Path in the layer -> class of that part: norms behind the residuals, and norms before the parts.
BERT = (
    "transformers.models.bert.modeling_bert",
    {
        "": "BertLayer",
        "attention": "BertAttention",
        "attention.self": "BertSelfAttention",
        "attention.output": "BertSelfOutput",
        "intermediate": "BertIntermediate",
        "output": "BertOutput",
    },
)
VIT = (
    "transformers.models.vit.modeling_vit",
    {"": "ViTLayer", "attention": "ViTAttention", "mlp": "ViTMLP"},
)


def is_norm_first(layer: nn.Module) -> bool:
    """Whether its norms come before attention and feed-forward, as ViT's do."""
    return hasattr(layer, "layernorm_before")


def why_unknown(layer: nn.Module) -> str:
    """How a layer differs from BERT's, or from ViT's where its norms come first; empty where it does not.

    >>> from transformers import XLMRobertaConfig
    >>> from transformers.models.xlm_roberta.modeling_xlm_roberta import XLMRobertaLayer
    >>> layer = XLMRobertaLayer(XLMRobertaConfig(hidden_size=8, num_attention_heads=2, intermediate_size=8))
    >>> why_unknown(layer)
    ''
    >>> layer.intermediate = nn.Tanh()
    >>> why_unknown(layer)
    "Tanh.forward is other code than BertIntermediate's"
    """
    home, parts = VIT if is_norm_first(layer) else BERT
    for path, known in parts.items():
        try:
            part = layer.get_submodule(path)
        except AttributeError:
            return f"{type(layer).__name__} has no {path}"
        if "forward" in vars(part):
            return f"{type(part).__name__}.forward was replaced"
        method = _other_method(type(part), getattr(import_module(home), known))
        if method:
            return f"{type(part).__name__}.{method} is other code than {known}'s"
        for name, child in part.named_children():
            if "dropout" in name and type(child) not in (nn.Dropout, nn.Identity):
                return f"{type(layer).__name__} has a {type(child).__name__} for dropout"
    return ""


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
