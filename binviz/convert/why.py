"""Why a layer stays float, and which fields of a recipe have no place in a model."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from binviz.adapters import Layout
from binviz.recipes import Recipe

PRODUCTS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def reasons(layout: Layout, left: list[str]) -> Callable[[str, nn.Module], str]:
    """A function of path and module that says why this module stays float; empty for a norm.

    Args:
        layout: of the model.
        left: canonical names that a filter leaves float.
    """
    names = {path: name for name, path in (layout.tables | layout.others).items()}
    names |= {path: name for block in layout.blocks for name, path in block.linears().items()}
    inside = tuple(f"{block.layer}." for block in layout.blocks)

    def why(path: str, module: nn.Module) -> str:
        if path in layout.stay:
            return layout.stay[path]
        if path in names:
            if names[path] in left:
                return "left float by filter_fn"
            return "kept float by the recipe"
        if "norm" in type(module).__name__.lower():
            return ""
        if layout.blocks and isinstance(module, nn.Embedding):
            return "a table beside the word embedding"
        if layout.blocks and isinstance(module, PRODUCTS):
            place = "beside attention and feed-forward" if path.startswith(inside) else "outside the layers"
            return f"head or projection {place}"
        if getattr(module, "weight", None) is None:
            return "parameters of its own"
        return f"no binary {type(module).__name__}"

    return why


def without_place(recipe: Recipe, layout: Layout) -> tuple[str, ...]:
    """The fields of a recipe for which a model of this layout has no place.

    >>> from binviz import recipes
    >>> without_place(recipes.get("bit-w1a1"), Layout("plain network"))
    ('embedding', 'nonneg_activation', 'query', 'key', 'value', 'attention', 'ffn_activation')
    """
    placed = {
        "embedding": bool(layout.tables),
        "input": bool(layout.inputs),
        # What a gate multiplies has both signs
        "nonneg_activation": recipe.ffn_activation == "relu"
        and any(not block.gate for block in layout.blocks),
    }
    of_layers = ("query", "key", "value", "attention", "ffn_activation", "estimator_rank")
    placed |= dict.fromkeys(of_layers, bool(layout.blocks))
    return tuple(name for name, has_place in placed.items() if getattr(recipe, name) and not has_place)
