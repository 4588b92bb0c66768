"""Operations and bytes of the models that the dashboard knows, gathered by layer; no Streamlit here."""

from __future__ import annotations

import inspect
import re
from typing import NamedTuple

import pandas as pd
import plotly.graph_objects as go
from torch import nn

from binviz import costs, plots
from binviz.costs import Costs
from binviz.costs.parts import Quantity
from binviz.costs.table import cells
from binviz.costs.units import count, memory
from binviz.words import percent, times

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
    "operations: 397.7 M FLOPs (12.2 % fitted), 56.2x less than float's 22.35 G FLOPs [rule bert-line]"
    """
    import transformers  # takes seconds, and most pages do without

    kind, options = CONFIGURATIONS[name]
    return costs.of(getattr(transformers, kind)(**options), recipe, tokens=tokens, rule="everything")


def most_tokens(name: str) -> int | None:
    """The longest text that one of the `CONFIGURATIONS` takes; None where it reads none.

    >>> most_tokens("BERT-base"), most_tokens("ViT-B/16")
    (512, None)
    """
    import transformers

    kind, options = CONFIGURATIONS[name]
    return getattr(getattr(transformers, kind)(**options), "max_position_embeddings", None)


class Layers(NamedTuple):
    """What each layer costs, as `plots.costs` takes it.

    names: of the layers. amounts: "1-bit", "mixed" or "float" -> one for each. unit: of them. origins: the same
    kinds -> where each amount comes from.

    >>> Layers(["fc"], {"float": [1.0]}, "MiB", {"float": ["counted"]}).unit
    'MiB'
    """

    names: list[str]
    amounts: dict[str, list[float]]
    unit: str
    origins: dict[str, list[str]]


def by_layer(counted: Costs, what: Quantity) -> Layers:
    """Operations or memory of each layer, apart by its operands.

    Args:
        counted: under the rule to use.
        what: is priced.

    >>> from binviz.costs.parts import Part
    >>> parts = (Part("layers.0.fc1", "", "", 64000, 1, 1), Part("head", "", "", 1000, 32, 32))
    >>> by_layer(Costs("Net", "bnn", "one row", costs.rules.get("bivit"), parts), "operations")[:3]
    (['0', 'head'], {'1-bit': [1.0, 0.0], 'float': [0.0, 1.0]}, 'thousand OPs')
    """
    amounts: dict[str, dict[str, float]] = {"1-bit": {}, "mixed": {}, "float": {}}
    layers: dict[str, str] = {}
    for row in counted.rows:
        number = _NUMBER.search(f"{row.layer}.")
        layer = number[1] if number else row.layer if len(row.layer) < 16 else row.layer.split(".")[-1]
        if row.operations or row.bytes:
            layers[layer] = row.operations_from if what == "operations" else row.bytes_from
        bits = {row.weight_bits, row.activation_bits} - {None}
        kind = "1-bit" if bits == {1} else "float" if bits <= {32} else "mixed"
        amount = row.operations if what == "operations" else row.bytes
        amounts[kind][layer] = amounts[kind].get(layer, 0.0) + amount
    factor, unit = _unit(counted, what, max(max(values.values(), default=0.0) for values in amounts.values()))
    found = {kind: [values.get(layer, 0.0) / factor for layer in layers] for kind, values in amounts.items()}
    found = {kind: values for kind, values in found.items() if any(values)}
    return Layers(list(layers), found, unit, {kind: list(layers.values()) for kind in found})


def figure(counted: Costs, what: Quantity) -> go.Figure:
    """The bars of `by_layer`, hatched where an amount is not counted."""
    found = by_layer(counted, what)
    return plots.costs(found.names, found.amounts, what, found.unit, counted.rule.name, found.origins)


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
    ('13.43 MiB', '1/31 of 417.64 MiB')
    """
    unit, size = counted.rule.unit, counted.rule.memory_unit
    return (
        (
            count(counted.operations, unit),
            f"1/{times(counted.operations_ratio)} of {count(counted.float_operations, unit)}",
        ),
        (
            memory(counted.bytes, size),
            f"1/{times(counted.memory_ratio)} of {memory(counted.float_bytes, size)}",
        ),
    )


def about(rule: str) -> str:
    """The first sentence of a rule, and whose it is.

    >>> about("reactnet").split(". ")[1]
    'Bi-Real Net and ReActNet: OPs = BOPs / 64 + FLOPs, where a MAC is one of either'
    """
    found = costs.rules.get(rule)
    said = (inspect.getdoc(type(found)) or "").split("\n\n")[0].replace("\n", " ")
    return f"Rule {found.title}. {said} Source: {found.source}."


def not_counted(counted: Costs) -> str:
    """What of the figures is fitted or assumed and so hatched, in words; nothing where all is counted.

    >>> bert = untrained("BERT-base", "bit-w1a1", 128)
    >>> not_counted(bert.under("bert-line")).partition(",")[0], not_counted(bert.under("bivit"))
    ('Hatched: 12.2 % of the operations are fitted', '')
    """
    said = []
    if fitted := counted.not_counted("operations").get("fitted"):
        share = percent(fitted / counted.operations)
        said.append(
            f"{share} of the operations are fitted, chosen so that the printed total comes out; "
            "no source says what they are"
        )
    for quantity in counted.rule.unconfirmed:
        said.append(f"the rule of {quantity} is unconfirmed: it was not found in its source")
    return f"Hatched: {'; '.join(said)}." if said else ""


def table(counted: Costs) -> pd.DataFrame:
    """Every layer as larq's summary shows it, with units and the rule in the heads of the columns."""
    header, lines, total = cells(counted)
    *names, operations, size, origin = header
    rule = counted.rule
    heads = f"{operations} [{rule.label('operations')}]", f"{size} [{rule.label('memory')}]"
    return pd.DataFrame([*lines, total], columns=[*names, *heads, origin])
