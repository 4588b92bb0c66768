"""The binary attention of a layer, and the activation between its last two linears."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from binviz.adapters import ADAPTERS, Block, Layout
from binviz.adapters.several import encoder_paths
from binviz.convert.layers import is_transposed, keep
from binviz.errors import UserError
from binviz.layers import BinaryConv2d, BinaryLinear
from binviz.layers.called import watch
from binviz.recipes import Recipe

if TYPE_CHECKING:
    from binviz.layers.attention import BinaryAttention

#: Where an activation of a recipe keeps the one in whose place it is.
BEFORE = "binviz_before"


def binary_attention(attention: nn.Module, recipe: Recipe) -> BinaryAttention:
    """The recipe's attention, on the device of the old one; what an older binary one has learned is kept."""
    from binviz.layers.attention import ROLES, BinaryAttention, LowRankEstimators

    projection = next(
        module for module in attention.modules() if isinstance(module, nn.Linear) or is_transposed(module)
    )
    weight = projection.weight
    assert isinstance(weight, torch.Tensor)
    made = {role: choice.make(features=1) if (choice := getattr(recipe, role)) else None for role in ROLES}
    estimators = None
    if recipe.estimator_rank:
        estimators = LowRankEstimators(
            weight.shape[0 if is_transposed(projection) else 1], recipe.estimator_rank
        )
    binary = BinaryAttention(**made, attention_on=recipe.attention_on, estimators=estimators)
    binary.to(weight.device, weight.dtype)
    old = getattr(attention, "binary", None)
    if isinstance(old, BinaryAttention):
        for name in (*(f"{role}_binarizer" for role in ROLES), "estimators"):
            keep(getattr(old, name), getattr(binary, name))
    return binary.train(attention.training)


def set_attention(attention: nn.Module, binary: BinaryAttention | None) -> None:
    """Make `binary` the attention's, with the hooks that see to it that it is called; None makes it float again."""
    from binviz.layers.attention import HOOKS, attention_ends, attention_starts

    for key, hook in list(attention._forward_pre_hooks.items()):
        if hook in HOOKS:
            del attention._forward_pre_hooks[key], attention._forward_pre_hooks_with_kwargs[key]
    for key, hook in list(attention._forward_hooks.items()):
        if hook in HOOKS:
            del attention._forward_hooks[key]
    if hasattr(attention, "binary"):
        del attention.binary
    if binary is not None:
        attention.binary = binary
    if binary is not None and not binary.is_float:
        attention.register_forward_pre_hook(attention_starts, with_kwargs=True)
        attention.register_forward_hook(attention_ends)


def watch_layers(model: nn.Module, layout: Layout) -> None:
    """See to it that no forward goes past binary parts of an encoder's layers, or binary layers of a plain network."""
    if not layout.blocks:
        binary = (BinaryLinear, BinaryConv2d)
        watch(
            model,
            [
                [path]
                for path in (layout.inputs | layout.others).values()
                if isinstance(model.get_submodule(path), binary)
            ],
        )
        return
    for root in encoder_roots(model, layout):
        above = f"{root}." if root else ""
        blocks = (block for block in layout.blocks if block.layer.startswith(above))
        watch(
            model.get_submodule(root),
            [[path.removeprefix(above) for path in _binary_parts(model, block)] for block in blocks],
        )


def _binary_parts(model: nn.Module, block: Block) -> Iterator[str]:
    """Paths of a block's binary linears, and of its binary attention."""
    for path in block.linears().values():
        if isinstance(model.get_submodule(path), BinaryLinear):
            yield path
    if not getattr(getattr(model.get_submodule(block.attention), "binary", None), "is_float", True):
        yield f"{block.attention}.binary"


def encoder_roots(model: nn.Module, layout: Layout) -> list[str]:
    """Paths of the modules that run an encoder's blocks: as small as an adapter knows them, or the model itself."""
    if layout.root is not None:
        return [layout.root]
    return list(layout.encoders) or encoder_paths(model, ADAPTERS) or [""]


def feed_forward_activation(
    model: nn.Module, block: Block, recipe: Recipe, layers: dict[str, nn.Module]
) -> Any | None:
    """The recipe's activation of a block whose second linear is binary, or None where it stays as it is.

    A model that was given another activation than its own gets its own back where the recipe has none.
    """
    from transformers.activations import ACT2FN

    owner, attribute = block.act
    now = getattr(model.get_submodule(owner), attribute)
    own = getattr(now, BEFORE, now)
    name = recipe.ffn_activation if block.fc2 in layers else None
    if name is None:
        return None if own is now else own
    if name not in ACT2FN:
        raise UserError(f"recipe {recipe.name!r} has the unknown ffn_activation {name!r}; use 'relu'")
    activation = ACT2FN[name]
    vars(activation)[BEFORE] = own  # no submodule
    return activation
