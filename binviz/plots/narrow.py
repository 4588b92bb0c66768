"""Figures with little room: on a phone panels side by side stand under one another, and long labels wrap.

On a projector titles wrap beside panels that are lower than they are long.
"""

from __future__ import annotations

from textwrap import wrap
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from binviz.plots.figure import LINE, POINT, longest, named_ticks
from binviz.plots.theme import SIZE

#: Pixels that a phone has for a figure, and that a letter of an axis's title takes on average.
WIDTH, LETTER = 350, 8.2
#: Width of a letter, of the size of its type.
LETTER_SHARE = 0.52
#: Letters of a line of a tick's name.
NAME = 16
#: Share of the width between two panels side by side.
BETWEEN = 0.1


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
        x, y = (getattr(trace, f"{letter}axis", letter) or letter for letter in "xy")
        names = x.replace("x", "xaxis", 1), y.replace("y", "yaxis", 1)
        (left, right), (bottom, top) = (figure.layout[name].domain or (0.0, 1.0) for name in names)
        found[names] = Panel(*names, left, right, bottom, top)
    return sorted(found.values(), key=lambda panel: (-round(panel.top, 6), panel.left))


def narrowed(figure: go.Figure) -> go.Figure:
    """A copy for a phone. A panel keeps its height, its heading and its ticks, and the figure grows; points lose their
    names, which hover and the description keep.

    Args:
        figure: of `binviz.plots`, with a height.

    >>> from binviz.plots import attention
    >>> wide = attention(["the", "cat"], [[0.9, 0.1], [0.5, 0.5]], [[0.6, 0.4], [0.5, 0.5]], [[1, 0], [1, 1]])
    >>> narrow = narrowed(wide)
    >>> [(panel.left, panel.right) for panel in panels(narrow)], narrow.layout.height > 2 * wide.layout.height
    ([(0.0, 1.0), (0.0, 1.0), (0.0, 1.0)], True)
    """
    new = go.Figure(figure)
    new.layout.annotations = [note for note in new.layout.annotations if note.name != POINT]
    _stack(new)
    _wrap(new)
    return new


def wrapped(figure: go.Figure) -> go.Figure:
    """A copy in which no title of a vertical axis is longer than its panel is high: it has lines, and smaller type.

    Args:
        figure: of `binviz.plots`, with a height.

    >>> low = go.Figure(go.Scatter(y=[1]), {"yaxis_title_text": "slope (output per input)", "height": 240})
    >>> wrapped(low.update_layout(template="binviz", margin={"l": 60, "t": 40, "b": 10})).layout.yaxis.title.text
    'slope (output per<br>input)'
    """
    new, more = go.Figure(figure), 0.0
    size = 1.2 * (new.layout.font.size or SIZE)
    for panel in panels(new):
        title, room = new.layout[panel.y].title, (panel.top - panel.bottom) * _area(new)
        if title.text and LETTER_SHARE * size * len(title.text) > room:
            lines = wrap(title.text, max(1, int(room / (LETTER_SHARE * size))), break_long_words=False)
            title.text = "<br>".join(lines)
            title.standoff = 6  # else plotly.js makes room for one line
            title.font.size = min(size, room / (LETTER_SHARE * max(map(len, lines))))
            more = max(more, 1.3 * title.font.size * (len(lines) - 1))
    new.layout.margin.l += round(more)
    return new


def _stack(new: go.Figure) -> None:
    """Panels of one row become one column, those of several rows two, where all are as large."""
    old = panels(new)
    tops = [panel.top for panel in old]
    across = max((int(np.isclose(tops, top).sum()) for top in tops), default=0)
    columns = 1 if across == len(old) else 2
    sizes = [(panel.right - panel.left, panel.top - panel.bottom) for panel in old]
    if across <= columns or not np.allclose(sizes, sizes[0], atol=1e-3):
        return
    margin, area = new.layout.margin, _area(new)
    high, rows = area * sizes[0][1], -(-len(old) // columns)
    gap = margin.t + margin.b if columns == 1 else 2.6 * LINE
    total = rows * high + (rows - 1) * gap
    wide = (1 - BETWEEN * (columns - 1)) / columns
    title = new.layout[old[0].y].title.text
    corners = [
        (index % columns * (wide + BETWEEN), 1 - index // columns * (high + gap) / total)
        for index in range(len(old))
    ]
    for index, (panel, (left, top)) in enumerate(zip(old, corners, strict=True)):
        x: dict[str, Any] = {"domain": [left, left + wide], "showticklabels": True}
        y: dict[str, Any] = {"domain": [max(0.0, top - high / total), top], "showticklabels": left == 0}
        if columns == 1:
            y["title"] = {"text": new.layout[panel.y].title.text or title}
        elif index < len(old) - columns:
            x["title"] = {"text": None}
        new.layout[panel.x].update(x)
        new.layout[panel.y].update(y)
    for note in new.layout.annotations:
        for panel, (left, top) in zip(old, corners, strict=True):
            at = (panel.left + panel.right) / 2, panel.top
            if note.xref == "paper" and np.allclose((note.x, note.y), at, atol=1e-3):
                note.update(x=left + wide / 2, y=top)
                break
    if new.layout.legend.y is not None:
        new.layout.legend.y = 1 + (new.layout.legend.y - 1) * area / total
    if new.layout.coloraxis.colorbar.to_plotly_json():
        new.update_layout(coloraxis_colorbar={"len": high / total, "y": 1, "yanchor": "top"})
    new.layout.height = round(total + margin.t + margin.b)


def _wrap(new: go.Figure) -> None:
    """Names of ticks at the left, titles of horizontal axes and headings take several lines; names below may turn."""
    margin = new.layout.margin
    for axis, names in named_ticks(new):
        if axis.plotly_name.startswith("xaxis"):
            axis.update(tickangle=None, automargin=True)
        elif longest(names) > LETTER * NAME:
            lines = ["<br>".join(wrap(name.replace("<br>", " "), NAME)) for name in names]
            axis.update(tickmode="array", tickvals=axis.tickvals or names, ticktext=lines)
            margin.l = (28 if axis.title.text else 8) + _widest(lines)
    beside = [
        note
        for note in new.layout.annotations
        if note.xref == "paper" and note.x > 1 and note.xanchor == "left"
    ]
    for note in beside:
        note.text = note.text.replace(", ", "<br>")
    if beside:
        margin.r = 8 + _widest([note.text for note in beside])
    room, more = WIDTH - margin.l - margin.r, 0
    for trace in new.select_traces({"type": "heatmap"}):
        if trace.texttemplate and trace.text is not None:
            most = max(len(str(text)) for row in trace.text for text in row)
            trace.textfont.size = max(8, min(SIZE, room / len(trace.z[0]) / (0.6 * most)))
    for trace in new.select_traces({"type": "bar"}):
        if trace.text is not None and trace.orientation != "h":
            left, right = new.layout[(trace.xaxis or "x").replace("x", "xaxis", 1)].domain or (0, 1)
            most = max((len(str(text)) for text in trace.text), default=1)
            wide = room * (right - left) / max(1, len(trace.text))
            trace.textfont.size = max(8, min(SIZE, wide / (0.6 * most)))
    for panel in panels(new):
        axis, share = new.layout[panel.x], panel.right - panel.left
        if axis.title.text and panel.bottom < 0.01:
            lines = wrap(axis.title.text.replace("<br>", " "), max(10, int(share * room / LETTER)))
            axis.title.text, more = "<br>".join(lines), max(more, len(lines) - 1)
    for note in new.layout.annotations:
        if note.xref == "paper" and note.yref == "paper" and note.xanchor == "center" and note.text:
            parts, middle = note.text.split("<br>"), margin.l + room / 2
            free = 2 * min(middle, WIDTH - middle) if np.isclose(note.x, 0.5) else room
            note.text = "<br>".join("<br>".join(wrap(part, int(free / LETTER * 1.2))) for part in parts)
    margin.b += LINE * more
    new.layout.height += LINE * more


def _widest(labels: list[str]) -> int:
    """Pixels of the longest line of some labels."""
    return longest([line for label in labels for line in label.split("<br>")])


def _area(figure: go.Figure) -> float:
    """Height of all panels together, in pixels."""
    return figure.layout.height - figure.layout.margin.t - figure.layout.margin.b
