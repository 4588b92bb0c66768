"""Where a network's operations and bytes are, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from binviz.plots.figure import builder, describe, sized
from binviz.plots.theme import BINARY, FLOAT, GREY, ORANGE

#: What is not counted -> the pattern of its bars.
HATCHING = {"fitted": "/", "assumed": "x"}


@builder
def costs(
    layers: Sequence[str],
    amounts: Mapping[str, Sequence[float]],
    what: str,
    unit: str,
    rule: str,
    origins: Mapping[str, Sequence[str]] | None = None,
) -> go.Figure:
    """Stacked bars, one for each layer, one colour for each kind of operands; hatched where it is not counted.

    Args:
        layers: names in the order in which the model runs them.
        amounts: "1-bit", "mixed" or "float" -> its amount in each layer.
        what: is counted, "operations" or "memory".
        unit: of the amounts.
        rule: by which they are counted.
        origins: kind -> where the amount of each layer comes from: "counted", "fitted", "assumed"; None is counted.

    >>> figure = costs(["fc1", "fc2"], {"1-bit": [64, 128], "float": [0, 10]}, "operations", "OPs", "bivit")
    >>> figure.layout.meta["alt"]
    'Operations in OPs by layer, counted by the rule bivit: 1-bit 192, float 10.'
    >>> figure = costs(["fc1", "rest"], {"float": [8, 2]}, "operations", "OPs", "own", {"float": ["counted", "fitted"]})
    >>> figure.layout.meta["alt"]
    'Operations in OPs by layer, by the rule own: float 10. Not counted: rest (fitted).'
    """
    origins = origins or {}
    figure = go.Figure()
    colours = {"1-bit": BINARY, "mixed": ORANGE, "float": FLOAT}
    totals = {kind: float(np.sum(values)) for kind, values in amounts.items()}
    for kind, values in amounts.items():
        figure.add_bar(
            x=list(layers),
            y=np.asarray(values, dtype=float),
            name=kind,
            marker={"color": colours.get(kind), "pattern": _hatched(origins.get(kind, ()))},
            customdata=[f", {each}" if each in HATCHING else "" for each in origins.get(kind, layers)],
            hovertemplate=f"%{{x}}: %{{y:.4g}} {unit}%{{customdata}}<extra>{kind}</extra>",
        )
    unsure = _not_counted(layers, amounts, origins)
    for origin in dict.fromkeys(unsure.values()):
        marker = {"color": GREY, "pattern": _hatched([origin])}
        figure.add_bar(x=[layers[0]], y=[0], name=f"{origin}, not counted", marker=marker, hoverinfo="skip")
    figure.update_xaxes(title="layer (in the order they run)", type="category", tickangle=-50)
    figure.update_yaxes(title=f"{what} ({unit})", rangemode="tozero")
    sized(figure, 356)
    figure.update_layout(barmode="stack", showlegend=True)
    listing = ", ".join(f"{kind} {total:.4g}" for kind, total in totals.items())
    alt = f"{what.capitalize()} in {unit} by layer, {'by' if unsure else 'counted by'} the rule {rule}: {listing}."
    if unsure:
        alt += f" Not counted: {_listed(unsure, len(layers))}."
    return describe(figure, alt=alt)


def _hatched(origins: Sequence[str]) -> dict[str, object]:
    """A bar's pattern in each layer, light lines on its colour."""
    shapes = [HATCHING.get(each, "") for each in origins]
    return {"shape": shapes, "fillmode": "overlay", "fgcolor": "white", "solidity": 0.35}


def _not_counted(
    layers: Sequence[str], amounts: Mapping[str, Sequence[float]], origins: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    """Layer -> origin, of the amounts that are not counted."""
    return {
        layer: origin
        for kind, each in origins.items()
        for layer, origin, amount in zip(layers, each, amounts[kind], strict=True)
        if origin in HATCHING and amount
    }


def _listed(unsure: Mapping[str, str], of: int) -> str:
    """Which layers they are, or that it is all of them."""
    found = set(unsure.values())
    if len(unsure) == of and len(found) == 1:
        return f"all ({found.pop()})"
    return ", ".join(f"{layer} ({origin})" for layer, origin in unsure.items())
