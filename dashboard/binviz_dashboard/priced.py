"""Operations and bytes of the models that the dashboard knows, gathered by layer; no Streamlit here."""

from __future__ import annotations

import inspect
import re

import pandas as pd
from torch import nn

from binviz import costs
from binviz.costs import Costs
from binviz.costs.table import cells
from binviz.costs.units import count, memory

#: Architectures of the papers, counted without weights: name -> class of the configuration and its options.
CONFIGURATIONS: dict[str, tuple[str, dict[str, int]]] = {
    "BERT-base": ("BertConfig", {}),
    "ViT-B/16": ("ViTConfig", {"num_labels": 1000}),
}
_NUMBER = re.compile(r"layers?\.(\d+)\.")


def bundled(model: nn.Module, tokens: int) -> Costs:
    """Costs of a bundled model by the rule "everything".

    Args:
        model: with a configuration, which says what it reads.
        tokens: length of the text, where it reads text.
    """
    return costs.of(model, tokens=tokens, rule="everything")


def untrained(name: str, recipe: str, tokens: int) -> Costs:
    """Costs of one of the `CONFIGURATIONS` under a recipe, by the rule "everything".

    >>> untrained("BERT-base", "bit-w1a1", 128).under("bert-line").summary()[2]
    "operations: 397.7 M FLOPs, 56.2x less than float's 22.35 G FLOPs [rule bert-line]"
    """
    import transformers  # takes seconds, and most pages do without

    kind, options = CONFIGURATIONS[name]
    return costs.of(getattr(transformers, kind)(**options), recipe, tokens=tokens, rule="everything")


def by_layer(counted: Costs, what: str) -> tuple[list[str], dict[str, list[float]], str]:
    """Operations or memory of each layer, apart by its operands.

    Args:
        counted: under the rule to use.
        what: "operations" or "memory".

    Returns:
        Names of layers; "1-bit", "mixed" or "float" -> one amount for each; their unit.

    >>> from binviz.costs.parts import Part
    >>> parts = (Part("layers.0.fc1", "", "", 64000, 1, 1), Part("head", "", "", 1000, 32, 32))
    >>> by_layer(Costs("Net", "bnn", "one row", costs.rules.get("bivit"), parts), "operations")
    (['0', 'head'], {'1-bit': [1.0, 0.0], 'float': [0.0, 1.0]}, 'thousand OPs')
    """
    amounts: dict[str, dict[str, float]] = {"1-bit": {}, "mixed": {}, "float": {}}
    layers: dict[str, None] = {}
    for row in counted.rows:
        number = _NUMBER.search(f"{row.layer}.")
        layer = number[1] if number else row.layer if len(row.layer) < 16 else row.layer.split(".")[-1]
        if row.operations or row.bytes:
            layers[layer] = None
        bits = {row.weight_bits, row.activation_bits} - {None}
        kind = "1-bit" if bits == {1} else "float" if bits <= {32} else "mixed"
        amount = row.operations if what == "operations" else row.bytes
        amounts[kind][layer] = amounts[kind].get(layer, 0.0) + amount
    factor, unit = _unit(counted, what, max(max(values.values(), default=0.0) for values in amounts.values()))
    found = {kind: [values.get(layer, 0.0) / factor for layer in layers] for kind, values in amounts.items()}
    return list(layers), {kind: values for kind, values in found.items() if any(values)}, unit


def _unit(counted: Costs, what: str, largest: float) -> tuple[float, str]:
    """A unit in which the largest amount is not below 1, and how much of it one is."""
    if what == "operations":
        return (
            (1e6, f"million {counted.rule.unit}")
            if largest >= 1e6
            else (1e3, f"thousand {counted.rule.unit}")
        )
    base, names = (1024, ("KiB", "MiB")) if counted.rule.memory_unit == "MiB" else (1000, ("kB", "MB"))
    return (base**2, names[1]) if largest >= base**2 else (base, names[0])


def totals(counted: Costs) -> tuple[tuple[str, str], tuple[str, str]]:
    """Operations and memory, each beside the float network's, for reading.

    >>> totals(untrained("BERT-base", "bit-w1a1", 128).under("bert-line"))[1]
    ('13.43 MiB', '31.1x less than 417.64 MiB')
    """
    unit, size = counted.rule.unit, counted.rule.memory_unit
    return (
        (
            count(counted.operations, unit),
            f"{counted.operations_ratio:.1f}x less than {count(counted.float_operations, unit)}",
        ),
        (
            memory(counted.bytes, size),
            f"{counted.memory_ratio:.1f}x less than {memory(counted.float_bytes, size)}",
        ),
    )


def about(rule: str) -> str:
    """The first sentence of a rule, and whose it is.

    >>> about("reactnet").split(". ")[1]
    'Bi-Real Net and ReActNet: OPs = BOPs / 64 + FLOPs, where a MAC is one of either'
    """
    found = costs.rules.get(rule)
    said = (inspect.getdoc(type(found)) or "").split("\n\n")[0].replace("\n", " ")
    return f"Rule {rule}. {said} Source: {found.source}."


def table(counted: Costs) -> pd.DataFrame:
    """Every layer as larq's summary shows it, with units and the rule in the heads of the columns."""
    header, lines, total = cells(counted)
    *names, operations, size = header
    rule = counted.rule.name
    return pd.DataFrame([*lines, total], columns=[*names, f"{operations} [{rule}]", f"{size} [{rule}]"])
