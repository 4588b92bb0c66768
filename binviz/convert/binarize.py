"""`binarize_`: first everything that can be refused is made beside the model, then the model is changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from binviz import recipes
from binviz.adapters import Layout, layout_of
from binviz.binarizers.start import unstarted
from binviz.convert.attention import (
    binary_attention,
    feed_forward_activation,
    set_attention,
    watch_layers,
)
from binviz.convert.configuration import write_recipe
from binviz.convert.layers import binary_embedding, binary_layer, float_layer
from binviz.convert.table import Conversion, Converted, attention_row, row_of, rows_of
from binviz.convert.why import reasons, without_place
from binviz.errors import UserError
from binviz.layers import BinaryLayer
from binviz.layers.sharded import require_whole
from binviz.recipes import Choice, Recipe

if TYPE_CHECKING:
    from binviz.layers.attention import BinaryAttention

#: (module, canonical name) -> whether to convert it.
Filter = Callable[[nn.Module, str], bool]


def binarize_(model: nn.Module, recipe: str | Recipe, filter_fn: Filter | None = None) -> Conversion:
    """Binarize an encoder, a decoder, a convolutional network or a plain torch one in place.

    A refused model is left as it was. Of a model that is binary already, latent weights and whatever the two
    recipes share (shifts, learned scales) are kept, and a layer that the new recipe leaves out is float again.

    An optimizer is made afterwards (`binviz.training.loop.fit` makes its own). A weight or bias stays the same
    parameter, which an optimizer that was made before goes on training; the learned scales and shifts are new, and so
    are GPT-2's weights, which lie the other way round. The table names them, and prints how many there are:
    `optimizer.add_param_group({"params": [model.get_parameter(name) for name in table.new]})` adds them.

    To split it over processes with torch's `fully_shard` (FSDP), convert it, run one batch so that scales start, and
    give the parameters without axes, which torch does not split, as `ignored_params`; their gradients are averaged by
    `dist.all_reduce`. Three steps of two processes end where those of one do, up to rounding
    (tests/training/test_sharded.py).

    Args:
        model: loaded; float32 is meant. Moved or trained afterwards as usual.
        recipe: a name of `binviz.recipes.names()` or a Recipe.
        filter_fn: (module, canonical name) -> False leaves that layer float; names are "embed",
            "layers.3.fc1", "layers.3.attention", "pooler", or module paths in a plain network. Where a model has
            several encoders, each name begins with the encoder's path: "text_model.layers.3.fc1". The output layers
            of a plain network stay float by themselves; where its `forward` cannot be followed
            (`binviz.adapters.plain`) only the last one does, as its reason in the table says.

    Returns:
        The table of what became 1-bit and what stayed float, and why.

    Raises:
        UserError: unknown recipe, an unknown model, one without weights (on the meta device), one that is split over
            several processes, or a recipe that matches no layer.

    >>> from transformers import BertConfig, BertModel
    >>> model = BertModel(BertConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
    ...                              intermediate_size=64, vocab_size=50))
    >>> binarize_(model, "bit-w1a1").bits
    10816
    """
    recipe = recipes.get(recipe)
    layout = layout_of(model)
    _check_weights(model)
    before = {id(value): value for value in model.parameters()}
    plan = _Plan(model, recipe, filter_fn)
    plan.make(layout)
    if not any(row.weights for row in plan.rows.values()):
        raise UserError(f"recipe {recipe.name!r} converts no layer here; look at keep_float and filter_fn")
    _apply(model, layout, plan)
    # What the filter left alone is part of the recipe, so that a saved model is rebuilt as it is.
    whole = replace(recipe, keep_float=(*recipe.keep_float, *plan.left))
    write_recipe(model, whole)
    rows = rows_of(model, plan.rows, reasons(layout, plan.left))
    without, waiting = without_place(recipe, layout), tuple(unstarted(model))
    new = tuple(name for name, value in model.named_parameters() if id(value) not in before)
    return Conversion(recipe.name, layout.architecture, tuple(rows), without, waiting, new)


def _check_weights(model: nn.Module) -> None:
    """Refuse a model in parts, or whose weights are still to come, unless all is made so: then a frame is wanted."""
    require_whole(model)
    if torch.get_default_device().type != "meta" and any(value.is_meta for value in model.parameters()):
        raise UserError("the model has no weights yet (it is on the meta device); load them first")


@dataclass
class _Plan:
    """What takes the place of what, by module path; making it changes nothing.

    layers: new layers. attentions: of attention modules. activations: of blocks, by name, None where theirs stays.
    rows: of the table. left: names that the filter leaves float.
    """

    model: nn.Module
    recipe: Recipe
    filter_fn: Filter | None
    layers: dict[str, nn.Module] = field(default_factory=dict)
    attentions: dict[str, BinaryAttention] = field(default_factory=dict)
    activations: dict[str, Any | None] = field(default_factory=dict)
    rows: dict[str, Converted] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)

    def make(self, layout: Layout) -> None:
        """Every new part of a model of this layout."""
        recipe = self.recipe
        for name, path in layout.tables.items():
            if recipe.embedding and self._wanted(path, name):
                table = binary_embedding(path, self.model.get_submodule(path), recipe.embedding)
                self._put(name, path, table, recipe.embedding, None)
        for block in layout.blocks:
            for name, path in block.linears().items():
                # A gated product has both signs, whatever the activation
                nonneg = recipe.ffn_activation == "relu" and path == block.fc2 and not block.gate
                self._convert(path, name, "nonneg_activation" if nonneg else "activation")
            name = f"{block.name}.attention"
            if self._wanted(block.attention, name):
                binary = binary_attention(self.model.get_submodule(block.attention), recipe)
                self.attentions[block.attention] = binary
                row = attention_row(name, f"{block.attention}.binary", binary, recipe)
                self.rows[row.module] = row
        for name, path in (layout.inputs | layout.others).items():
            if name not in layout.inputs:
                self._convert(path, name, "activation")
            elif recipe.at(name, path).input is not None:
                self._convert(path, name, "input")
        for block in layout.blocks:
            self.activations[block.name] = feed_forward_activation(self.model, block, recipe, self.layers)

    def _wanted(self, path: str, name: str) -> bool:
        if _matches(self.recipe.keep_float, name, path):
            return False
        if self.filter_fn is not None and not self.filter_fn(self.model.get_submodule(path), name):
            self.left.append(name)
            return False
        return True

    def _convert(self, path: str, name: str, role: str) -> None:
        """Make the layer whose input has that role; a role without a binarizer has the activation's."""
        if not self._wanted(path, name):
            return
        recipe = self.recipe.at(name, path)
        activation = getattr(recipe, role) or recipe.activation
        if _matches(self.recipe.float_activations, name, path):
            activation = None
        layer = binary_layer(path, self.model.get_submodule(path), recipe, activation)
        self._put(name, path, layer, recipe.weight, activation)

    def _put(self, name: str, path: str, layer: nn.Module, weight: Choice, activation: Choice | None) -> None:
        self.layers[path] = layer
        self.rows[path] = row_of(name, path, layer, weight.binarizer, activation)


def _matches(patterns: tuple[str, ...], *names: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns for name in names)


def _apply(model: nn.Module, layout: Layout, plan: _Plan) -> None:
    """Change the model; nothing can be refused from here on."""
    staying = {id(model.get_submodule(path)) for path in plan.layers}
    for path, module in model.named_modules():
        if isinstance(module, BinaryLayer) and id(module) not in staying:
            plan.layers[path] = float_layer(module)
    _replace(model, plan.layers)
    for block in layout.blocks:
        set_attention(model.get_submodule(block.attention), plan.attentions.get(block.attention))
        owner, attribute = block.act
        if (activation := plan.activations[block.name]) is not None:
            setattr(model.get_submodule(owner), attribute, activation)
    if layout.blocks:
        from binviz.layers.attention import use_binviz_attention

        use_binviz_attention(model)
    watch_layers(model, layout)


def _replace(model: nn.Module, layers: dict[str, nn.Module]) -> None:
    """Put every new layer in the place of the old one of that path, under all names that the old one has."""
    new = {id(model.get_submodule(path)): layer for path, layer in layers.items()}
    for parent in list(model.modules()):
        for name, child in list(parent._modules.items()):
            if id(child) in new:
                setattr(parent, name, new[id(child)])
