"""Which layer suffers most: binarize one at a time and look at what the model still gets right."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from torch import nn

from binviz import recipes
from binviz.adapters import layout_of
from binviz.convert import binarize_
from binviz.errors import UserError
from binviz.recipes import Recipe

if TYPE_CHECKING:
    import pandas as pd


def sensitivity(
    model: nn.Module,
    recipe: str | Recipe,
    evaluate: Callable[[nn.Module], float],
    by: Literal["layer", "block"] = "layer",
    progress: Callable[[int, int, str], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> pd.DataFrame:
    """Accuracy with a single part of the model binarized, for every part.

    Nothing is trained: a scale that starts from data starts from the first batch that `evaluate` runs.

    Args:
        model: float; it is copied, never changed.
        recipe: a name or a Recipe.
        evaluate: model (in eval mode) -> a number, the higher the better; accuracy in [0, 1], say.
        by: "layer": every linear, embedding and attention product by itself. "block": whole transformer layers.
        progress: called before each evaluation with its number, how many there are, and the part's name.
        stop: asked before each evaluation but the first; where it says True, the parts that are left have no row.

    Returns:
        One row for the float model ("float"), one for each part in model order, one for all of them ("all").
        Columns: name; score, as `evaluate` gives it; lost, the float model's score minus this one, in the same
        unit; weights, how many are 1-bit (count). A part in which the recipe binarizes nothing has no row.
        `attrs["stopped"]` says whether `stop` ended it early.

    Raises:
        UserError: an unknown recipe or value of `by`, or a model that cannot be binarized.

    >>> import torch
    >>> network = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 2))
    >>> x = torch.randn(64, 4)
    >>> table = sensitivity(network, "bnn", lambda m: (m(x).argmax(1) == network(x).argmax(1)).float().mean().item())
    >>> table.name.tolist(), table.weights.tolist(), table.lost.tolist()[0]
    (['float', '2', '3', 'all'], [0, 64, 64, 128], 0.0)
    """
    import pandas as pd

    if by not in ("layer", "block"):
        raise UserError(f"by is 'layer' or 'block', not {by!r}")
    recipe = recipes.get(recipe)
    trials = ["float", *_parts(model, by), "all"]
    total = len(trials)
    rows: list[dict[str, Any]] = []
    stopped = False
    for name in trials:
        if stopped := bool(rows and stop is not None and stop()):
            break
        trial, weights = copy.deepcopy(model).eval(), 0
        if name != "float":
            try:
                weights = binarize_(trial, recipe, _filter(name)).bits
            except UserError:
                if name == "all":
                    raise
                total -= 1  # the recipe keeps this part float
                continue
        if progress is not None:
            progress(len(rows), total, name)
        rows.append({"name": name, "score": float(evaluate(trial)), "weights": weights})
    table = pd.DataFrame(rows)
    table["lost"] = table.score[0] - table.score
    table.attrs["stopped"] = stopped
    return table[["name", "score", "lost", "weights"]]


def _filter(part: str) -> Callable[[nn.Module, str], bool] | None:
    """Lets only this part be binarized; "all" is no filter."""
    if part == "all":
        return None
    return lambda module, layer: layer == part or layer.startswith(f"{part}.")


def _parts(model: nn.Module, by: str) -> list[str]:
    layout = layout_of(model)
    parts = list(layout.tables)
    for block in layout.blocks:
        inside = [*list(block.linears())[:3], f"{block.name}.attention", *list(block.linears())[3:]]
        parts += [block.name] if by == "block" else inside
    return parts + list(layout.others)
