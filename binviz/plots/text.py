"""Figures of a detector of text: what it makes of a picture, and the soft step beside a sign's surrogates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from binviz.plots.figure import describe, sized
from binviz.plots.patches import coloured
from binviz.plots.theme import BINARY, SEQUENTIAL, SIZE


def text_maps(
    picture: Sequence[Sequence[Any]] | np.ndarray,
    maps: Mapping[str, np.ndarray],
    boxes: Sequence[Sequence[Sequence[float]]] | np.ndarray = (),
) -> go.Figure:
    """A picture with boxes around its words, and maps of numbers from 0 to 1 beside it.

    Args:
        picture: (H, W, 3), 0 black and 255 white.
        maps: title -> (H, W); kept in hundredths.
        boxes: corners (n, 4, 2), x and y in pixels.

    >>> box, maps = [[0, 0], [2, 0], [2, 1], [0, 1]], {"P": np.array([[0.0, 0.5, 1.0]] * 2)}
    >>> figure = text_maps(np.zeros((2, 3, 3)), maps, [box])
    >>> figure.layout.meta["alt"]
    'A picture with 1 box around text. P: 0.50 on average, at most 1.00.'
    """
    seen = coloured(picture)
    titles = ["picture and boxes", *maps]
    figure = make_subplots(rows=1, cols=len(titles), subplot_titles=titles, horizontal_spacing=0.04)
    figure.update_annotations(font_size=SIZE)
    figure.add_trace(go.Image(z=seen, hoverinfo="skip"), row=1, col=1)
    outline = [[*corners, corners[0], [None, None]] for corners in np.asarray(boxes, float).round(1).tolist()]
    points = [point for each in outline for point in each]
    figure.add_scatter(
        x=[x for x, _ in points],
        y=[y for _, y in points],
        mode="lines",
        line={"color": BINARY, "width": 3},
        name="box",
        hoverinfo="skip",
        showlegend=False,
        row=1,
        col=1,
    )
    for column, values in enumerate(maps.values(), 2):
        figure.add_heatmap(
            z=np.rint(100 * values).astype(np.uint8),
            coloraxis="coloraxis",
            hovertemplate="row %{y}, column %{x}: %{z} %<extra></extra>",
            row=1,
            col=column,
        )
    figure.update_layout(
        coloraxis={"colorscale": SEQUENTIAL, "cmin": 0, "cmax": 100, "colorbar": {"title": {"text": "%"}}},
        template="binviz",
    )
    high, wide = seen.shape[:2]
    figure.update_xaxes(title="column (pixel)", constrain="domain", range=[-0.5, wide - 0.5])
    figure.update_yaxes(range=[high - 0.5, -0.5], constrain="domain", constraintoward="top")
    figure.update_yaxes(title="row (pixel)", row=1, col=1)
    for number in range(len(titles)):
        name = str(number + 1) if number else ""
        figure.update_layout({f"yaxis{name}": {"scaleanchor": f"x{name}"}})
    sized(figure, 340, top=40, right=80)
    count = len(outline)
    told = [
        f"{name}: {values.mean():.2f} on average, at most {values.max():.2f}."
        for name, values in maps.items()
    ]
    return describe(
        figure, alt=" ".join([f"A picture with {count} box{'es' * (count != 1)} around text.", *told])
    )
