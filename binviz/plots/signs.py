"""What a 1-bit network still gets right with some of its signs flipped."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from binviz.plots.figure import axis_from_chance, builder, describe, sized
from binviz.plots.theme import BINARY, OPTIMUM, pale


@builder
def flips(
    shares: Sequence[float],
    scores: Sequence[Sequence[float]],
    chance: float | None = None,
    chosen: tuple[float, float] | None = None,
) -> go.Figure:
    """Accuracy against the share of signs flipped at random: a point for each draw, and a line through their means.

    Args:
        shares: in %, rising.
        scores: (draws, shares), accuracies in %; NaN where a draw was not made.
        chance: of an answer that is always the same, in %.
        chosen: a share and an accuracy in % that are marked.

    >>> flips([0, 10], [[90, 80], [float("nan"), 70]]).layout.meta["alt"]
    'Accuracy with signs flipped at random, 2 draws: 90 % with 0 % of them, 75 % with 10 %.'
    """
    table = np.asarray(scores, dtype=float)
    means = np.nanmean(table, axis=0)
    figure = go.Figure()
    draws, places = np.nonzero(np.isfinite(table))
    figure.add_scatter(
        x=np.asarray(shares, dtype=float)[places],
        y=table[draws, places],
        name="one draw",
        mode="markers",
        marker={"color": pale(BINARY), "size": 8, "line": {"color": BINARY, "width": 1}},
    )
    figure.add_scatter(
        x=np.asarray(shares, dtype=float),
        y=means,
        name="mean of the draws",
        mode="lines",
        line={"color": BINARY, "width": 2.5},
        meta={"network": "1-bit"},
    )
    if chosen is not None:
        figure.add_scatter(
            x=[chosen[0]],
            y=[chosen[1]],
            name="on the slider",
            mode="markers",
            marker={"color": OPTIMUM, "size": 13, "symbol": "diamond"},
        )
    figure.update_xaxes(title="signs flipped at random (%)")
    known = np.append(table[draws, places], [] if chosen is None else chosen[1])
    axis_from_chance(figure, known, "accuracy", "%", chance)
    figure.update_layout(showlegend=True)
    sized(figure, 380)
    said = [
        f"{mean:.3g} % with {share:g} %{' of them' if i == 0 else ''}"
        for i, (share, mean) in enumerate(zip(shares, means, strict=True))
    ]
    return describe(
        figure, alt=f"Accuracy with signs flipped at random, {len(table)} draws: {', '.join(said)}."
    )
