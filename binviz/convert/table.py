"""The table of a conversion: what became 1-bit, what stayed float, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from binviz.layers import BinaryLayer
from binviz.recipes import Choice, Recipe

if TYPE_CHECKING:
    from binviz.layers.attention import BinaryAttention

SHARED = "counted with the layer that it shares with"


@dataclass(frozen=True)
class Converted:
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
    """What became 1-bit and what stayed float. Prints as a table; `rows` holds the data.

    without_place: fields of the recipe for which the model has no place. unstarted: paths of the binarizers whose
    scale starts from the first batch. new: names of the parameters that the model did not have before.
    """

    recipe: str
    architecture: str
    rows: tuple[Converted, ...]
    without_place: tuple[str, ...] = ()
    unstarted: tuple[str, ...] = ()
    new: tuple[str, ...] = ()

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
        last = [f"{self.architecture}, {self.recipe}: {total}"]
        if self.without_place:
            last.append(f"no place here for the recipe's {', '.join(self.without_place)}")
        if self.unstarted:
            last.append(f"run one batch first: {len(self.unstarted)} scales start from it")
        if self.new:
            last.append(f"make the optimizer now: {len(self.new)} parameters are new")
        return "\n".join([*table, "; ".join(last)])


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def row_of(name: str, path: str, layer: nn.Module, weight: str, activation: Choice | None) -> Converted:
    """The row of a binary layer whose weight has that binarizer."""
    assert isinstance(layer, BinaryLayer)
    kind, shape, weights = type(layer).__name__, tuple(layer.weight.shape), layer.weight.numel()
    if (group := layer.weight_binarizer.group) is not None:
        weight = f"{weight} in groups of {group}"
    shown = "-" if kind == "BinaryEmbedding" else (activation.binarizer if activation else "float")
    return Converted(
        name,
        path,
        kind,
        shape,
        weight,
        shown,
        weights * layer.weight_binarizer.bit_count,
        _count(layer) - weights,
    )


def attention_row(name: str, path: str, binary: BinaryAttention, recipe: Recipe) -> Converted:
    """The row of a binary attention."""
    used = [getattr(recipe, role) for role in ("query", "key", "value", "attention")]
    shown = ", ".join(dict.fromkeys(choice.binarizer if choice else "float" for choice in used))
    return Converted(name, path, "BinaryAttention", (), "-", shown, 0, _count(binary))


def rows_of(
    model: nn.Module, converted: dict[str, Converted], why_float: Callable[[str, nn.Module], str]
) -> list[Converted]:
    """Converted layers and every other module with parameters of its own, in module order.

    `why_float` says of a path and its module why it stays float.
    A parameter that several modules share is counted once, with a converted layer if there is one.
    """
    rows: list[Converted] = []
    counted: set[int] = set()

    def count(parameters: Iterable[torch.Tensor]) -> int:
        new = {id(parameter): parameter for parameter in parameters if id(parameter) not in counted}
        counted.update(new)
        return sum(parameter.numel() for parameter in new.values())

    for path, row in converted.items():
        module = model.get_submodule(path)
        bits = 0
        if isinstance(module, BinaryLayer):
            bits = count([module.weight]) * module.weight_binarizer.bit_count
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
            why = why_float(path, module) if floats else SHARED
            rows.append(Converted(path, path, type(module).__name__, shape, "float", "float", 0, floats, why))
    return rows
