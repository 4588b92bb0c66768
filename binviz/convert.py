"""Turn a loaded model into a binary one, in place.

    model = AutoModelForSequenceClassification.from_pretrained(...)
    print(binviz.binarize_(model, "bit-w1a1"))

Convert after loading: what a binarizer learns starts from the loaded weights. A model that is binary already
can be given another recipe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, TypeGuard

import torch
from torch import nn

from binviz import recipes
from binviz.adapters import Block, layout_of
from binviz.binarizers.stored import Stored
from binviz.errors import UserError
from binviz.layers import BinaryConv2d, BinaryEmbedding, BinaryLayer, BinaryLinear, BinaryProduct
from binviz.recipes import Choice, Recipe

if TYPE_CHECKING:
    from binviz.layers.attention import BinaryAttention

SHARED = "counted with the layer that it shares with"
#: (module, canonical name) -> whether to convert it.
Filter = Callable[[nn.Module, str], bool]


@dataclass(frozen=True)
class Row:
    """One layer of a conversion.

    name: canonical. module: path in the model. kind: of layer. shape: of its weight. weight, activation:
    binarizers ("float" where none). weights: how many are 1-bit, of each basis. floats: parameters that stay float.
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
    """Binarize an encoder (BERT family, ViT, DeiT, Swin), a decoder (OPT, LLaMA) or a plain torch network in place.

    A refused model is left as it was. Of a model that is binary already, latent weights and whatever the two
    recipes share (shifts, learned scales) are kept, and a layer that the new recipe leaves out is float again.

    Args:
        model: loaded; float32 is meant. Moved or trained afterwards as usual.
        recipe: a name of `binviz.recipes.names()` or a Recipe.
        filter_fn: (module, canonical name) -> False leaves that layer float; names are "embed",
            "layers.3.fc1", "layers.3.attention", "pooler", or module paths in a plain network.

    Returns:
        The table of what became 1-bit and what stayed float, and why.

    Raises:
        UserError: unknown recipe, an unknown model, or a recipe that matches no layer.

    >>> from transformers import BertConfig, BertModel
    >>> model = BertModel(BertConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
    ...                              intermediate_size=64, vocab_size=50))
    >>> binarize_(model, "bit-w1a1").bits
    10816
    """
    recipe = recipes.get(recipe)
    layout = layout_of(model)
    layers: dict[str, nn.Module] = {}
    attentions: dict[str, BinaryAttention] = {}
    rows: dict[str, Row] = {}
    left: list[str] = []

    def wanted(path: str, name: str) -> bool:
        if _matches(recipe.keep_float, name, path):
            return False
        if filter_fn is not None and not filter_fn(model.get_submodule(path), name):
            left.append(name)
            return False
        return True

    def convert(path: str, name: str, nonneg: bool = False) -> None:
        if not wanted(path, name):
            return
        activation = recipe.nonneg_activation if nonneg and recipe.nonneg_activation else recipe.activation
        if _matches(recipe.float_activations, name, path):
            activation = None
        layers[path] = _binary_layer(path, model.get_submodule(path), recipe, activation)
        rows[path] = _row(name, path, layers[path], recipe.weight.binarizer, activation)

    if layout.words and recipe.embedding and wanted(layout.words, "embed"):
        table = _binary_embedding(layout.words, model.get_submodule(layout.words), recipe.embedding)
        layers[layout.words] = table
        rows[layout.words] = _row("embed", layout.words, table, recipe.embedding.binarizer, None)
    for block in layout.blocks:
        for name, path in block.linears().items():
            # A gated product has both signs, whatever the activation
            nonneg = recipe.ffn_activation == "relu" and path == block.fc2 and not block.gate
            convert(path, name, nonneg=nonneg)
        if wanted(block.attention, f"{block.name}.attention"):
            binary = _binary_attention(model.get_submodule(block.attention), recipe)
            attentions[block.attention] = binary
            row = _attention_row(f"{block.name}.attention", f"{block.attention}.binary", binary, recipe)
            rows[row.module] = row
    for name, path in layout.others.items():
        convert(path, name)
    if not any(row.weights for row in rows.values()):
        raise UserError(f"recipe {recipe.name!r} converts no layer here; look at keep_float and filter_fn")
    activation = {
        block.name: _feed_forward_activation(model, block, recipe, layers) for block in layout.blocks
    }

    # Nothing can be refused from here on.
    staying = {id(model.get_submodule(path)) for path in layers}
    for path, module in model.named_modules():
        if _is_binary(module) and id(module) not in staying:
            layers[path] = _float_layer(module)
    _replace(model, layers)
    for block in layout.blocks:
        _set_attention(model.get_submodule(block.attention), attentions.get(block.attention))
        owner, attribute = block.act
        if activation[block.name] is not None:
            setattr(model.get_submodule(owner), attribute, activation[block.name])
    if layout.blocks:
        from binviz.layers.attention import use_binviz_attention

        use_binviz_attention(model)
    # What the filter left alone is part of the recipe, so that a saved model is rebuilt as it is.
    model.binviz_recipe = replace(recipe, keep_float=(*recipe.keep_float, *left))  # type: ignore[assignment]
    return Conversion(recipe.name, layout.architecture, tuple(_rows(model, rows, layout.stay)))


def _matches(patterns: tuple[str, ...], *names: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns for name in names)


def _is_binary(module: nn.Module) -> TypeGuard[BinaryLayer]:
    return isinstance(module, BinaryLayer)


def _replace(model: nn.Module, layers: dict[str, nn.Module]) -> None:
    """Put every new layer in the place of the old one of that path, under all names that the old one has."""
    new = {id(model.get_submodule(path)): layer for path, layer in layers.items()}
    for parent in list(model.modules()):
        for name, child in list(parent._modules.items()):
            if id(child) in new:
                setattr(parent, name, new[id(child)])


def _plain_weight(layer: nn.Module) -> nn.Parameter:
    """The layer's weight; signs from a packed file with their scale, since no latent weight is left."""
    binarizer = getattr(layer, "weight_binarizer", None)
    if isinstance(binarizer, Stored):
        return nn.Parameter(binarizer(layer.weight.detach()))  # type: ignore[operator]
    return layer.weight  # type: ignore[return-value]


def _like(new: nn.Module, old: nn.Module) -> nn.Module:
    """The new layer with the old one's parameters, device, dtype and mode."""
    new.to(old.weight.device, old.weight.dtype)  # type: ignore[arg-type]
    if isinstance(getattr(old, "bias", None), nn.Parameter):
        new.bias = old.bias
    if not _is_binary(new):
        new.weight = _plain_weight(old)
        return new.train(old.training)
    again = _is_binary(old) and _keep(old.weight_binarizer, new.weight_binarizer)
    new.weight = old.weight if again else _plain_weight(old)  # type: ignore[assignment]
    if not again and not new.weight.is_meta:
        new.weight_binarizer.initialize(new.weight.detach())
    if isinstance(old, BinaryProduct) and isinstance(new, BinaryProduct):
        _keep(old.activation_binarizer, new.activation_binarizer)
        if old.output_scale is not None and new.output_scale is not None:
            new.output_scale = old.output_scale
    return new.train(old.training)


def _keep(old: Any, new: Any) -> bool:
    """Give a new binarizer what an old one has learned: all of it if they are alike, else the shift.

    Returns:
        Whether they are alike.
    """
    if old is None or new is None:
        return False
    before, after = old.state_dict(), new.state_dict()
    alike = type(old) is type(new) and getattr(old, "levels", None) == getattr(new, "levels", None)
    if alike and [value.shape for value in before.values()] == [value.shape for value in after.values()]:
        new.load_state_dict(before)
        return True
    shift, place = (getattr(binarizer, "learned_shift", None) for binarizer in (old, new))
    if shift is not None and place is not None and shift.shape == place.shape:
        place.detach().copy_(shift.detach())
    return False


def _require_plain(path: str, layer: nn.Module, *kinds: type[nn.Module]) -> None:
    if type(layer) not in kinds:
        raise UserError(
            f"{path} is a {type(layer).__name__}, no plain {kinds[0].__name__}; merge adapters or keep it float"
        )


def _binary_layer(path: str, layer: nn.Module, recipe: Recipe, activation: Choice | None) -> nn.Module:
    _require_plain(path, layer, nn.Linear, BinaryLinear, nn.Conv2d, BinaryConv2d)
    if isinstance(layer, nn.Conv2d):
        return _like(
            BinaryConv2d(
                *_conv_options(layer),
                weight=recipe.weight.make(layer.out_channels, channel_axis=0),
                activation=activation.make(layer.in_channels, channel_axis=1) if activation else None,
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
            activation=activation.make(layer.in_features) if activation else None,
            output_scale=recipe.output_scale,
        ),
        layer,
    )


def _conv_options(layer: nn.Conv2d) -> tuple[Any, ...]:
    return (
        layer.in_channels,
        layer.out_channels,
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.dilation,
        layer.groups,
        layer.bias is not None,
        layer.padding_mode,
    )


def _embedding_options(table: nn.Embedding) -> dict[str, Any]:
    return {
        "padding_idx": table.padding_idx,
        "max_norm": table.max_norm,
        "norm_type": table.norm_type,
        "scale_grad_by_freq": table.scale_grad_by_freq,
        "sparse": table.sparse,
    }


def _binary_embedding(path: str, table: nn.Module, choice: Choice) -> nn.Module:
    _require_plain(path, table, nn.Embedding, BinaryEmbedding)
    assert isinstance(table, nn.Embedding)
    weight = choice.make(table.num_embeddings, channel_axis=0)
    if weight.scale_kind != "per_row":
        raise UserError(f"an embedding needs a scale for each row, which {choice.binarizer!r} has not")
    sizes = table.num_embeddings, table.embedding_dim
    return _like(BinaryEmbedding(*sizes, weight=weight, **_embedding_options(table)), table)


def _float_layer(layer: BinaryLayer) -> nn.Module:
    """The float layer that a binary one was made from."""
    if isinstance(layer, nn.Conv2d):
        return _like(nn.Conv2d(*_conv_options(layer)), layer)
    if isinstance(layer, nn.Linear):
        return _like(nn.Linear(layer.in_features, layer.out_features, layer.bias is not None), layer)
    assert isinstance(layer, nn.Embedding)
    return _like(nn.Embedding(layer.num_embeddings, layer.embedding_dim, **_embedding_options(layer)), layer)


def _binary_attention(attention: nn.Module, recipe: Recipe) -> BinaryAttention:
    from binviz.layers.attention import BinaryAttention, LowRankEstimators

    projection = next(module for module in attention.modules() if isinstance(module, nn.Linear))
    made = {
        role: choice.make(features=1) if (choice := getattr(recipe, role)) else None
        for role in ("query", "key", "value", "attention")
    }
    estimators = None
    if recipe.estimator_rank:
        estimators = LowRankEstimators(projection.in_features, recipe.estimator_rank)
    binary = BinaryAttention(**made, attention_on=recipe.attention_on, estimators=estimators)
    binary.to(projection.weight.device, projection.weight.dtype)
    old = getattr(attention, "binary", None)
    if isinstance(old, BinaryAttention):
        for name in (*made, "estimators"):
            _keep(getattr(old, name), getattr(binary, name))
    return binary.train(attention.training)


def _set_attention(attention: nn.Module, binary: BinaryAttention | None) -> None:
    """Make `binary` the attention's, with the hook that its estimators need; None makes it float again."""
    from binviz.layers.attention import remember_input

    for key, hook in list(attention._forward_pre_hooks.items()):
        if hook is remember_input:
            del attention._forward_pre_hooks[key], attention._forward_pre_hooks_with_kwargs[key]
    if hasattr(attention, "binary"):
        del attention.binary
    if binary is not None:
        attention.binary = binary
        if binary.estimators is not None:
            attention.register_forward_pre_hook(remember_input, with_kwargs=True)


def _feed_forward_activation(
    model: nn.Module, block: Block, recipe: Recipe, layers: dict[str, nn.Module]
) -> nn.Module | None:
    """The recipe's activation of a block whose second linear is binary, or None where it stays as it is.

    The configuration keeps the model's own activation: a model that was given another one gets it back.
    """
    from transformers.activations import ACT2FN

    name = recipe.ffn_activation if block.fc2 in layers else None
    before = getattr(model, "binviz_recipe", None)
    if name is None and before is not None and before.ffn_activation:
        config = next(module.config for module in model.modules() if hasattr(module, "config"))
        name = getattr(config, "hidden_act", None)
    if name is None:
        return None
    if name not in ACT2FN:
        raise UserError(f"recipe {recipe.name!r} has the unknown ffn_activation {name!r}; use 'relu'")
    return ACT2FN[name]


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _row(name: str, path: str, layer: nn.Module, weight: str, activation: Choice | None) -> Row:
    assert _is_binary(layer)
    kind, shape, weights = type(layer).__name__, tuple(layer.weight.shape), layer.weight.numel()
    shown = "-" if kind == "BinaryEmbedding" else (activation.binarizer if activation else "float")
    return Row(
        name,
        path,
        kind,
        shape,
        weight,
        shown,
        weights * layer.weight_binarizer.basis_count,
        _count(layer) - weights,
    )


def _attention_row(name: str, path: str, binary: BinaryAttention, recipe: Recipe) -> Row:
    used = [getattr(recipe, role) for role in ("query", "key", "value", "attention")]
    shown = ", ".join(dict.fromkeys(choice.binarizer if choice else "float" for choice in used))
    return Row(name, path, "BinaryAttention", (), "-", shown, 0, _count(binary))


def _rows(model: nn.Module, converted: dict[str, Row], stay: dict[str, str]) -> list[Row]:
    """Converted layers and every other module with parameters of its own, in module order.

    A parameter that several modules share is counted once, with a converted layer if there is one.
    """
    rows: list[Row] = []
    counted: set[int] = set()

    def count(parameters: Iterable[nn.Parameter]) -> int:
        new = {id(parameter): parameter for parameter in parameters if id(parameter) not in counted}
        counted.update(new)
        return sum(parameter.numel() for parameter in new.values())

    for path, row in converted.items():
        module = model.get_submodule(path)
        bits = count([module.weight]) * module.weight_binarizer.basis_count if _is_binary(module) else 0  # type: ignore[list-item]
        shared = SHARED if bits < row.weights else row.why
        converted[path] = replace(row, weights=bits, floats=count(module.parameters()), why=shared)
    for path, module in model.named_modules():
        inside = any(path.startswith(f"{done}.") for done in converted)
        own = list(module.parameters(recurse=False))
        if path in converted:
            rows.append(converted[path])
        elif own and not inside:
            weight = getattr(module, "weight", None)
            shape = tuple(weight.shape) if isinstance(weight, torch.Tensor) else ()
            floats = count(own)
            why = stay.get(path, "" if floats else SHARED)
            rows.append(Row(path, path, type(module).__name__, shape, "float", "float", 0, floats, why))
    return rows


__all__ = ["Conversion", "Row", "binarize_"]
