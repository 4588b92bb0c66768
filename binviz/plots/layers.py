"""Figures with one entry per layer: errors and distributions of activations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from binviz.plots.figure import builder, describe, sized
from binviz.plots.summaries import Histogram, in_words, outliers, spread
from binviz.plots.theme import NETWORKS, pale


@builder
def activations(
    layers: Sequence[str],
    floats: Sequence[Histogram],
    binaries: Sequence[Histogram],
    names: Sequence[str] = ("float", "1-bit"),
    unit: str = "no unit",
) -> go.Figure:
    """Distributions per layer: one half of each shape is the float model, the other half the 1-bit one.

    Widths are shares of the values per unit, on one scale for all shapes.

    Args:
        layers: names in the order in which the model runs them.
        floats: one histogram per layer of the float model.
        binaries: the same of the 1-bit model, before its binarizers.
        names: of the two models.
        unit: of the activations.

    >>> narrow, wide = Histogram([0, 2, 4], [5, 5]), Histogram([0, 4, 8], [5, 5])
    >>> activations(["fc1"], [narrow], [wide]).layout.meta["alt"].split(". ")[1]
    'Standard deviations: fc1 1 and 2.'
    """
    figure = go.Figure()
    highest = max((_density(part).max() for part in (*floats, *binaries)), default=1.0) or 1.0
    for name, network, parts, side in (
        (names[0], "float", floats, -1),
        (names[1], "1-bit", binaries, 1),
    ):
        points = [_half_violin(part, position, side * 0.46 / highest) for position, part in enumerate(parts)]
        figure.add_scatter(
            x=[value for x, _, _ in points for value in (*x, None)],
            y=[value for _, y, _ in points for value in (*y, None)],
            text=[line for _, _, texts in points for line in (*texts, "")],
            name=name,
            mode="lines",
            fill="toself",
            fillcolor=pale(NETWORKS[network]),
            line={"color": NETWORKS[network], "width": 1},
            meta={"network": network},
            hoveron="points",
            hovertemplate="%{text}<extra>" + name + "</extra>",
        )
    figure.update_xaxes(
        title="layer (in the order they run)",
        tickvals=list(range(len(layers))),
        ticktext=list(layers),
        tickangle=0 if sum(map(len, layers)) < 60 else -50,
        range=[-0.6, len(layers) - 0.4],
        showgrid=False,
    )
    figure.update_yaxes(title=f"activation ({unit})")
    sized(figure, 430)
    beyond = outliers(
        {
            name: Histogram(
                [0, 1], [sum(sum(part.counts) for part in parts)], sum(part.outside for part in parts)
            )
            for name, parts in ((names[0], floats), (names[1], binaries))
        }
    )
    spans = [
        f"{layer} {spread(a):.3g} and {spread(b):.3g}"
        for layer, a, b in zip(layers, floats, binaries, strict=True)
    ]
    return describe(
        figure,
        alt=f"Distributions of the activations of {names[0]} and {names[1]}. Standard deviations: "
        + "; ".join(spans)
        + f". {beyond}".rstrip(),
    )


def _density(part: Histogram) -> np.ndarray:
    """Share of the values per unit, bin by bin."""
    counts = np.asarray(part.counts, dtype=float)
    return counts / max(counts.sum(), 1) / np.diff(np.asarray(part.edges, dtype=float))


def _half_violin(part: Histogram, position: int, width: float) -> tuple[list[float], list[float], list[str]]:
    """Outline, levels, and what pointing at each says."""
    edges = np.asarray(part.edges, dtype=float)
    x = position + np.concatenate([[0.0], width * _density(part), [0.0]])
    y = np.concatenate([edges[:1], (edges[:-1] + edges[1:]) / 2, edges[-1:]])
    return x.round(3).tolist(), y.round(4).tolist(), ["", *in_words(part), ""]
