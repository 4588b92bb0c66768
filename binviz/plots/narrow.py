"""Figures on a narrow screen: panels that stand side by side stand under one another."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

#: Pixels between two panels under one another: the ticks and the title of one, the heading of the next.
GAP = 120


class Panel(NamedTuple):
    """Names of a panel's axes in the layout, and the part of the figure that it takes, in [0, 1] both ways."""

    x: str
    y: str
    left: float
    right: float
    bottom: float
    top: float


def panels(figure: go.Figure) -> list[Panel]:
    """The panels of a figure, from left to right and down.

    >>> [panel.x for panel in panels(go.Figure(go.Scatter(y=[1])))]
    ['xaxis']
    """
    found = {}
    for trace in figure.data:
        if trace.type in ("heatmap", "scatter", "bar", "image", "violin", "box"):
            x, y = trace.xaxis or "x", trace.yaxis or "y"
            names = x.replace("x", "xaxis", 1), y.replace("y", "yaxis", 1)
            ends = [figure.layout[name].domain or (0.0, 1.0) for name in names]
            found[x, y] = Panel(*names, *ends[0], *ends[1])
    return sorted(found.values(), key=lambda panel: (-round(panel.top, 6), panel.left))


def narrowed(figure: go.Figure, columns: int = 1) -> go.Figure:
    """A copy in which at most so many panels stand side by side; as it is where no more do, or not all are as wide.

    A panel keeps its height, and the figure grows. A panel's heading goes with it, and each gets its own ticks.

    Args:
        figure: of `binviz.plots`, with a height.
        columns: of panels.

    >>> from binviz.plots import attention
    >>> wide = attention(["the", "cat"], [[0.9, 0.1], [0.5, 0.5]], [[0.6, 0.4], [0.5, 0.5]], [[1, 0], [1, 1]])
    >>> narrow = narrowed(wide)
    >>> [(panel.left, panel.right) for panel in panels(narrow)], narrow.layout.height > 2 * wide.layout.height
    ([(0.0, 1.0), (0.0, 1.0), (0.0, 1.0)], True)
    """
    old = panels(figure)
    tops = [panel.top for panel in old]
    across = max((int(np.isclose(tops, top).sum()) for top in tops), default=0)
    sizes = [(panel.right - panel.left, panel.top - panel.bottom) for panel in old]
    if across <= columns or not np.allclose(sizes, sizes[0], atol=1e-3):
        return figure
    margin = figure.layout.margin
    high = (figure.layout.height - margin.t - margin.b) * sizes[0][1]
    rows = -(-len(old) // columns)
    total = rows * high + (rows - 1) * GAP
    wide = (1 - 0.08 * (columns - 1)) / columns
    new, title = go.Figure(figure), figure.layout[old[0].y].title.text
    corners = [
        (index % columns * (wide + 0.08), 1 - index // columns * (high + GAP) / total)
        for index in range(len(old))
    ]
    for panel, (left, top) in zip(old, corners, strict=True):
        first = {"showticklabels": True, "title": {"text": title}} if left == 0 else {}
        new.layout[panel.x].update(domain=[left, left + wide], showticklabels=True)
        new.layout[panel.y].update(domain=[max(0.0, top - high / total), top], **first)
    for note in new.layout.annotations:
        for panel, (left, top) in zip(old, corners, strict=True):
            at = (panel.left + panel.right) / 2, panel.top
            if note.xref == "paper" and np.allclose((note.x, note.y), at, atol=1e-3):
                note.update(x=left + wide / 2, y=top)
                break
    if figure.layout.coloraxis.colorbar.to_plotly_json():
        new.update_layout(coloraxis_colorbar={"len": high / total, "y": 1, "yanchor": "top"})
    return new.update_layout(height=round(total + margin.t + margin.b))
