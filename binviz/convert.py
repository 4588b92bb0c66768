"""Turn a loaded model into a binary one, in place.

    model = AutoModelForSequenceClassification.from_pretrained(...)
    print(binviz.binarize_(model, "bit-w1a1"))

Convert after loading: what a binarizer learns starts from the loaded weights. A model that is binary already
can be given another recipe; latent weights and shifts are kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import nn

from binviz import recipes
from binviz.adapters import Block, layout_of
from binviz.errors import UserError
from binviz.layers import BinaryConv2d, BinaryEmbedding, BinaryLinear
from binviz.recipes import Choice, Recipe

#: (module, canonical name) -> whether to convert it.
Filter = Callable[[nn.Module, str], bool]


@dataclass(frozen=True)
class Row:
    """One layer of a conversion.

    name: canonical. module: path in the model. kind: of layer. shape: of its weight. weight, activation:
    binarizers ("float" where none). weights: how many are 1-bit. floats: parameters that stay float.
    """

    name: str
    module: str
    kind: str
    shape: tuple[int, ...]
    weight: str
    activation: str
    weights: int
    floats: int
    why: str = ""


@dataclass(frozen=True)
class Conversion:
    """What became 1-bit and what stayed float. Prints as a table; `rows` holds the data."""

    recipe: str
    architecture: str
    rows: tuple[Row, ...]

    @property
    def bits(self) -> int:
        """Number of 1-bit weights."""
        return sum(row.weights for row in self.rows)

    @property
    def floats(self) -> int:
        """Number of parameters that stay float."""
        return sum(row.floats for row in self.rows)

    def to_records(self) -> list[dict[str, Any]]:
        """Rows as dictionaries, for a data frame."""
        return [vars(row) for row in self.rows]

    def __str__(self) -> str:
        header = ("layer", "kind", "shape", "weight", "activation", "1-bit", "float", "")
        lines = [header]
        for row in self.rows:
            shape = "x".join(map(str, row.shape))
            numbers = (f"{row.weights:,}" if row.weights else "-", f"{row.floats:,}" if row.floats else "-")
            lines.append((row.name, row.kind, shape, row.weight, row.activation, *numbers, row.why))
        widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
        table = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        ]
        share = self.bits / max(self.bits + self.floats, 1)
        total = f"{self.bits:,} weights of 1 bit, {self.floats:,} floats ({share:.1%} binary)"
        return "\n".join([*table, f"{self.architecture}, {self.recipe}: {total}"])


def binarize_(model: nn.Module, recipe: str | Recipe, filter_fn: Filter | None = None) -> Conversion:
    """Binarize an encoder (BERT family, ViT, DeiT, Swin) or a plain torch network in place.

    Args:
        model: loaded, in float32; moved or trained afterwards as usual.
        recipe: a name of `binviz.recipes.names()` or a Recipe.
        filter_fn: (module, canonical name) -> False leaves that layer alone; names are "embed",
            "layers.3.fc1", "layers.3.attention", "pooler", or module paths in a plain network.

    Returns:
        The table of what became 1-bit and what stayed float, and why.

    Raises:
        UserError: unknown recipe, a decoder or unknown model, or a recipe that matches no layer.

    >>> from transformers import BertConfig, BertModel
    >>> model = BertModel(BertConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
    ...                              intermediate_size=64, vocab_size=50))
    >>> binarize_(model, "bit-w1a1").bits
    10816
    """
    recipe = recipes.get(recipe)
    layout = layout_of(model)
    converted: dict[str, Row] = {}
    left: list[str] = []

    def wanted(path: str, name: str) -> bool:
        if any(fnmatchcase(key, pattern) for pattern in recipe.keep_float for key in (name, path)):
            return False
        if filter_fn is not None and not filter_fn(model.get_submodule(path), name):
            left.append(name)
            return False
        return True

    def convert(path: str, name: str, nonneg: bool = False) -> bool:
        if not wanted(path, name):
            return False
        activation = recipe.nonneg_activation if nonneg and recipe.nonneg_activation else recipe.activation
        if any(fnmatchcase(key, pattern) for pattern in recipe.float_activations for key in (name, path)):
            activation = None
        new = _binary_layer(model.get_submodule(path), recipe, activation)
        model.set_submodule(path, new)
        converted[path] = _row(name, path, new, recipe.weight.binarizer, activation)
        return True

    if layout.words and recipe.embedding and wanted(layout.words, "embed"):
        table = _binary_embedding(model.get_submodule(layout.words), recipe.embedding)
        model.set_submodule(layout.words, table)
        converted[layout.words] = _row("embed", layout.words, table, recipe.embedding.binarizer, None)
    for block in layout.blocks:
        nonneg = recipe.ffn_activation == "relu"
        done = [convert(path, name, nonneg and path == block.fc2) for name, path in block.linears().items()]
        if recipe.ffn_activation and done[-1]:
            _replace_activation(model, block, recipe.ffn_activation)
        if wanted(block.attention, f"{block.name}.attention"):
            attention = _binarize_attention(model.get_submodule(block.attention), recipe)
            name, path = f"{block.name}.attention", f"{block.attention}.binary"
            used = {role: getattr(recipe, role) for role in ("query", "key", "value", "attention")}
            shown = ", ".join(
                dict.fromkeys(choice.binarizer if choice else "float" for choice in used.values())
            )
            converted[path] = Row(name, path, "BinaryAttention", (), "-", shown, 0, _count(attention))
    for name, path in layout.others.items():
        convert(path, name)
    if not any(row.weights for row in converted.values()):
        raise UserError(f"recipe {recipe.name!r} converts no layer here; look at keep_float and filter_fn")
    if layout.blocks:
        from binviz.layers.attention import use_binviz_attention

        use_binviz_attention(model)
    # What the filter left alone is part of the recipe, so that a saved model is rebuilt as it is.
    model.binviz_recipe = replace(recipe, keep_float=(*recipe.keep_float, *left))  # type: ignore[assignment]
    return Conversion(recipe.name, layout.architecture, tuple(_rows(model, converted, layout.stay)))


def _like(new: nn.Module, old: nn.Module) -> nn.Module:
    """The new layer with the old one's parameters, device, dtype and mode."""
    new.to(old.weight.device, old.weight.dtype)  # type: ignore[arg-type]
    new.weight = old.weight
    if isinstance(getattr(old, "bias", None), nn.Parameter):
        new.bias = old.bias
    if isinstance(old, BinaryLinear | BinaryConv2d):
        _keep_shift(old.activation_binarizer, new.activation_binarizer)  # type: ignore[arg-type]
    new.weight_binarizer.initialize(new.weight.detach())  # type: ignore[operator, union-attr]
    return new.train(old.training)


def _keep_shift(old: nn.Module | None, new: nn.Module | None) -> None:
    before, after = getattr(old, "beta", None), getattr(new, "beta", None)
    if before is not None and after is not None and before.shape == after.shape:
        after.data.copy_(before.data)


def _binary_layer(layer: nn.Module, recipe: Recipe, activation: Choice | None) -> nn.Module:
    if isinstance(layer, nn.Conv2d):
        return _like(
            BinaryConv2d(
                layer.in_channels,
                layer.out_channels,
                layer.kernel_size,
                layer.stride,
                layer.padding,
                layer.dilation,
                layer.groups,
                layer.bias is not None,
                layer.padding_mode,
                weight=recipe.weight.make(layer.out_channels, channel_axis=0),
                activation=activation and activation.make(layer.in_channels, channel_axis=1),
                output_scale=recipe.output_scale,
            ),
            layer,
        )
    assert isinstance(layer, nn.Linear)
    return _like(
        BinaryLinear(
            layer.in_features,
            layer.out_features,
            bias=layer.bias is not None,
            weight=recipe.weight.make(layer.out_features, channel_axis=0),
            activation=activation and activation.make(layer.in_features),
            output_scale=recipe.output_scale,
        ),
        layer,
    )


def _binary_embedding(table: nn.Module, choice: Choice) -> BinaryEmbedding:
    assert isinstance(table, nn.Embedding)
    weight = choice.make(table.num_embeddings, channel_axis=0)
    if weight.scale_kind != "per_row":
        raise UserError(f"an embedding needs a scale for each row, which {choice.binarizer!r} has not")
    new = BinaryEmbedding(
        table.num_embeddings, table.embedding_dim, padding_idx=table.padding_idx, weight=weight
    )
    return _like(new, table)  # type: ignore[return-value]


def _binarize_attention(attention: nn.Module, recipe: Recipe) -> nn.Module:
    from binviz.layers.attention import BinaryAttention, LowRankEstimators, remember_input

    heads = [
        choice and choice.make(features=1)
        for choice in (recipe.query, recipe.key, recipe.value, recipe.attention)
    ]
    query = next(module for module in attention.modules() if isinstance(module, nn.Linear))
    estimators = None
    for key, hook in list(attention._forward_pre_hooks.items()):
        if hook is remember_input:
            del attention._forward_pre_hooks[key], attention._forward_pre_hooks_with_kwargs[key]
    if recipe.estimator_rank:
        estimators = LowRankEstimators(query.in_features, recipe.estimator_rank)
        attention.register_forward_pre_hook(remember_input, with_kwargs=True)
    binary = BinaryAttention(*heads, recipe.attention_on, estimators)
    attention.binary = binary.to(query.weight.device).train(attention.training)
    return binary


def _replace_activation(model: nn.Module, block: Block, name: str) -> None:
    from transformers.activations import ACT2FN

    path, attribute = block.act
    setattr(model.get_submodule(path), attribute, ACT2FN[name])
    model.config.hidden_act = name  # type: ignore[union-attr]


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _row(name: str, path: str, layer: nn.Module, weight: str, activation: Choice | None) -> Row:
    bits = layer.weight.numel()  # type: ignore[operator, union-attr]
    kind = type(layer).__name__
    shape = tuple(layer.weight.shape)  # type: ignore[arg-type, union-attr]
    shown = "-" if kind == "BinaryEmbedding" else (activation.binarizer if activation else "float")
    return Row(name, path, kind, shape, weight, shown, bits, _count(layer) - bits)


def _rows(model: nn.Module, converted: dict[str, Row], stay: dict[str, str]) -> list[Row]:
    """Converted layers and every other module with parameters of its own, in module order."""
    rows: list[Row] = []
    for path, module in model.named_modules():
        inside = any(path.startswith(f"{done}.") for done in converted)
        own = sum(parameter.numel() for parameter in module.parameters(recurse=False))
        if path in converted:
            rows.append(converted[path])
        elif own and not inside:
            weight = getattr(module, "weight", None)
            shape = tuple(weight.shape) if isinstance(weight, torch.Tensor) else ()
            rows.append(
                Row(path, path, type(module).__name__, shape, "float", "float", 0, own, stay.get(path, ""))
            )
    return rows


__all__ = ["Conversion", "Row", "binarize_"]
