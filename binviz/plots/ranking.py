"""A ranking with its ties: who is ahead, and whose lead is settled."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from binviz.plots.figure import builder, describe, sized
from binviz.plots.theme import GREY, of_network


class Place(NamedTuple):
    """One of a ranking. rank: shared by those that are tied. low, high: 95 % interval, NaN where it is not known.

    >>> Place("ReActNet", "1–2", 97.0, 96.0, 98.0).rank
    '1–2'
    """

    name: str
    rank: str
    value: float
    low: float = float("nan")
    high: float = float("nan")


@builder
def ranking(places: Sequence[Place], what: str, unit: str) -> go.Figure:
    """Values with their intervals, the best on top; those that share a rank lie in one band.

    Args:
        places: at least one, the best first.
        what: is ranked.
        unit: of it.

    >>> places = [Place("a", "1–2", 97.0, 96.0, 98.0), Place("b", "1–2", 96.5), Place("c", "3", 90.0, 88.0, 92.0)]
    >>> for part in ranking(places, "score", "% of float's").layout.meta["alt"].split("; "):
    ...     print(part)
    Score in % of float's: rank 1–2 a 97.0, 95 % between 96.0 and 98.0
    rank 1–2 b 96.5
    rank 3 c 90.0, 95 % between 88.0 and 92.0.
    """
    figure, said = go.Figure(), []
    sure = [place for place in places if np.isfinite([place.low, place.high]).all()]
    for place in places:
        within = f", 95 % between {place.low:.1f} and {place.high:.1f}" if place in sure else ""
        said.append(f"rank {place.rank} {place.name} {place.value:.1f}{within}")
    mark = of_network("1-bit")
    names = [f"{place.rank}  {place.name}" for place in places]
    heights = dict(zip(places, range(len(places) - 1, -1, -1), strict=True))
    for place in sure:
        figure.add_scatter(
            x=[place.low, place.high], y=[heights[place]] * 2, mode="lines", showlegend=False, hoverinfo="skip",
            line={"color": mark["marker"]["color"], "width": 2}, meta=mark["meta"],
        )  # fmt: skip
    figure.add_scatter(
        x=[place.value for place in places], y=list(heights.values()), mode="markers", showlegend=False, text=said,
        hovertemplate="%{text}<extra></extra>", **mark | {"marker": mark["marker"] | {"size": 12, "symbol": "diamond"}},
    )  # fmt: skip
    for _, group in groupby(places, key=lambda place: place.rank):
        tied = [heights[place] for place in group]
        if len(tied) > 1:
            figure.add_hrect(
                min(tied) - 0.45, max(tied) + 0.45, fillcolor=GREY, opacity=0.22, line_width=0, layer="below"
            )
    ends = [each for place in places for each in place[2:] if np.isfinite(each)]
    room = (max(ends) - min(ends) or 1.0) / 20
    figure.update_xaxes(title=f"{what} ({unit})", range=[min(ends) - room, max(ends) + room])
    figure.update_yaxes(
        tickvals=list(heights.values()), ticktext=names, showgrid=False, zeroline=False,
        range=[-0.6, len(places) - 0.4],
    )  # fmt: skip
    sized(figure, 80 + 30 * len(places), top=12, right=20)
    return describe(figure, alt=f"{what.capitalize()} in {unit}: {'; '.join(said)}.")
