"""Where a network's operations and bytes are, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from binviz.plots.figure import builder, describe, longest, sized
from binviz.plots.theme import BINARY, FLOAT, ORANGE


@builder
def costs(
    layers: Sequence[str], amounts: Mapping[str, Sequence[float]], what: str, unit: str, rule: str
) -> go.Figure:
    """Stacked bars, one for each layer, one colour for each kind of operands.

    Args:
        layers: names in the order in which the model runs them.
        amounts: "1-bit", "mixed" or "float" -> its amount in each layer.
        what: is counted, "operations" or "memory".
        unit: of the amounts.
        rule: by which they are counted.

    >>> figure = costs(["fc1", "fc2"], {"1-bit": [64, 128], "float": [0, 10]}, "operations", "OPs", "bivit")
    >>> figure.layout.meta["alt"]
    'Operations in OPs by layer, counted by the rule bivit: 1-bit 192, float 10.'
    """
    figure = go.Figure()
    colours = {"1-bit": BINARY, "mixed": ORANGE, "float": FLOAT}
    totals = {kind: float(np.sum(values)) for kind, values in amounts.items()}
    for kind, values in amounts.items():
        figure.add_bar(
            x=list(layers),
            y=np.asarray(values, dtype=float),
            name=kind,
            marker={"color": colours.get(kind)},
            hovertemplate=f"%{{x}}: %{{y:.4g}} {unit}<extra>{kind}</extra>",
        )
    figure.update_xaxes(title="layer (in the order they run)", type="category", tickangle=-50)
    figure.update_yaxes(title=f"{what} ({unit})", rangemode="tozero")
    room = 56 + longest(layers)
    sized(figure, 300 + room, bottom=room)
    figure.update_layout(barmode="stack", showlegend=True)
    listing = ", ".join(f"{kind} {total:.4g}" for kind, total in totals.items())
    return describe(
        figure, alt=f"{what.capitalize()} in {unit} by layer, counted by the rule {rule}: {listing}."
    )
