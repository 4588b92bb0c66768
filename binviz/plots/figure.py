"""What all builders share: the template, the description and the code that draws the figure again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from inspect import signature
from math import ceil, cos, isfinite, radians, sin
from typing import Any, Literal, ParamSpec

import numpy as np
import plotly.graph_objects as go

from binviz.plots.theme import GREY

P = ParamSpec("P")


def builder(build: Callable[P, go.Figure]) -> Callable[P, go.Figure]:
    """Decorator of a figure builder: sets the template and `layout.meta.code`, the call as Python that runs.

    The code holds the plain data. `describe` replaces it where a shorter way to the same data is known.

    >>> @builder
    ... def dots(heights):
    ...     return describe(go.Figure(go.Scatter(y=heights)), alt="two dots")
    >>> dots([1.0, 0.5]).layout.meta["code"].splitlines()[2:]
    ['figure = plots.dots(', '    heights=[1, 0.5],', ')']
    """

    @wraps(build)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> go.Figure:
        bound = signature(build).bind(*args, **kwargs)
        given = ",\n    ".join(f"{name}={literal(value)}" for name, value in bound.arguments.items())
        figure = build(*args, **kwargs)
        figure.update_layout(template="binviz")
        code = f"from binviz import plots\n\nfigure = plots.{build.__name__}(\n    {given},\n)\n"
        return describe(figure, code=code)

    return drawn


def describe(figure: go.Figure, *, alt: str | None = None, code: str | None = None) -> go.Figure:
    """Set the description (for people who do not see it) or the code of a figure; returns the figure.

    >>> figure = describe(go.Figure(), alt="an empty figure", code="figure = go.Figure()")
    >>> figure.layout.meta["alt"]
    'an empty figure'
    """
    meta = dict(figure.layout.meta or {})
    meta.update({name: text for name, text in (("alt", alt), ("code", code)) if text is not None})
    figure.layout.meta = meta
    return figure


def sized(
    figure: go.Figure, height: int, *, left: int = 62, right: int = 16, top: int = 44, bottom: int = 56
) -> go.Figure:
    """Fix the height and the margins, in pixels; call it last. What longer names of ticks need is added.

    With margins that follow the labels, plotly.js draws twice. They do so only below names whose angle it chooses by
    the width of the page.

    >>> figure = go.Figure(go.Bar(x=[1, 2], y=["a", "a rather long name"], orientation="h"))
    >>> figure = sized(figure.update_yaxes(type="category"), 300)
    >>> figure.layout.height, figure.layout.margin.l, figure.layout.margin.r
    (300, 143, 16)
    """
    figure.update_xaxes(automargin=False)
    figure.update_yaxes(automargin=False)
    below = bottom
    for axis, labels in named_ticks(figure):
        title = 28 if axis.title.text else 8
        if axis.plotly_name.startswith("yaxis"):
            left = max(left, title + longest(labels))
            axis.title.standoff = 4  # else the title may lie on the names
        elif axis.tickangle is None:
            axis.automargin = True
        else:
            turned = radians(abs(axis.tickangle))
            below = max(below, title + ceil(sin(turned) * longest(labels) + cos(turned) * LINE))
    height += below - bottom
    return figure.update_layout(height=height, margin={"l": left, "r": right, "t": top, "b": below})


def named_ticks(figure: go.Figure) -> Iterator[tuple[Any, list[str]]]:
    """The axes at the left and lower edge of a figure whose ticks are names, and these names."""
    for name in figure.layout:
        if not name.startswith(("xaxis", "yaxis")):
            continue
        axis, letter = figure.layout[name], name[0]
        if axis.visible is False or axis.showticklabels is False or axis.side in ("right", "top"):
            continue
        across = figure.layout[(axis.anchor or "").replace("x", "xaxis").replace("y", "yaxis") or name]
        if across.domain and across.domain[0] > 0.001:
            continue
        if axis.ticktext is not None:
            yield axis, list(axis.ticktext)
        elif axis.type == "category":
            own = name.replace("axis", "")
            on_it = [trace for trace in figure.data if (trace[f"{letter}axis"] or letter) == own]
            found = [trace[letter] for trace in on_it if trace[letter] is not None]
            yield axis, [str(label) for labels in found for label in labels if label is not None]


def log_axis(values: Sequence[float] | np.ndarray) -> dict[str, Any]:
    """A logarithmic axis that names powers of ten, and 2 and 5 times them where there are few.

    >>> log_axis([3.0, 40.0])["ticktext"]
    ['1', '2', '5', '10', '20', '50', '100', '200', '500']
    >>> log_axis([1.0, 5000.0])["ticktext"]
    ['1', '10', '100', '1000', '10000']
    """
    numbers = np.asarray(values, dtype=float)
    decades = np.log10(numbers[np.isfinite(numbers) & (numbers > 0)])
    if not decades.size:
        return {"type": "log"}
    powers = 10.0 ** np.arange(np.floor(decades.min()), np.ceil(decades.max()) + 1)
    ticks = powers if np.ptp(decades) > 2.5 else np.outer(powers, [1, 2, 5]).ravel()
    return {"type": "log", "tickvals": ticks.tolist(), "ticktext": [f"{tick:g}" for tick in ticks]}


def axis_from_chance(
    figure: go.Figure,
    values: Sequence[float] | np.ndarray,
    what: str,
    unit: str,
    chance: float | None = None,
    along: Literal["x", "y"] = "y",
) -> go.Figure:
    """An axis of accuracies that begins where knowing nothing ends, and says so; at 0 where chance is not known.

    Args:
        figure: to be given the axis.
        values: on it, NaN among them or not.
        what: is shown. unit: of it.
        chance: what an answer that is always the same gets, drawn as a line.
        along: which axis.

    >>> figure = axis_from_chance(go.Figure(), [60.0, 81.0], "accuracy", "%", 51.0)
    >>> figure.layout.yaxis.title.text, figure.layout.yaxis.range
    ('accuracy (%, from chance)', (50.0, 83.0))
    """
    numbers = np.asarray(values, dtype=float)
    known = numbers[np.isfinite(numbers)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    update = figure.update_yaxes if along == "y" else figure.update_xaxes
    if chance is None:
        return update(title=f"{what} ({unit})", rangemode="tozero")
    start = min(chance, low)
    room = (high - start or 1.0) / 15
    remark = "from chance" if start == chance else "from the lowest"
    update(title=f"{what} ({unit}, {remark})", range=[float(np.floor(start - room / 2)), high + room])
    if unit != "%":
        update(range=[start - room, high + room])
    line = figure.add_hline if along == "y" else figure.add_vline
    position = "top right" if along == "y" else "bottom right"
    line(
        chance,
        line={"color": GREY, "dash": "dot", "width": 1.5},
        annotation_text="chance",
        annotation_position=position,
    )
    return figure


#: Pixels of a letter, on average, and of a line, at the template's size.
LETTER, LINE = 7.5, 18
#: Annotations of this name name a point; where there is little room they are left out.
POINT = "point"


def longest(labels: Sequence[str]) -> int:
    """Pixels that the longest label takes, roughly.

    >>> longest(["a", "abc"])
    23
    """
    return ceil(LETTER * max(map(len, labels), default=0))


def distinct(labels: Sequence[str]) -> list[str]:
    """The labels, with their position behind those that occur twice: an axis of categories has each name once.

    >>> distinct(["the", "cat", "the"])
    ['the', 'cat', 'the 2']
    """
    return [f"{label} {i}" if label in labels[:i] else label for i, label in enumerate(labels)]


def literal(value: Any) -> str:
    """Python source of plain data; arrays become lists, floats keep six digits.

    >>> import numpy as np
    >>> literal({"a": np.array([0.1, 1 / 3])})
    "{'a': [0.1, 0.333333]}"
    """
    if isinstance(value, np.ndarray | np.generic):
        return literal(value.tolist())
    if isinstance(value, float):
        return f"{value:.6g}" if isfinite(value) else f"float('{value}')"
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        fields = ", ".join(f"{name}={literal(part)}" for name, part in zip(value._fields, value, strict=True))
        return f"plots.{type(value).__name__}({fields})"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key!r}: {literal(part)}" for key, part in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(literal(part) for part in value) + "]"
    return repr(value)


def reference_line(figure: go.Figure, value: float | None, means: str, axis: str = "y") -> go.Figure:
    """A dashed line at the value of an answer that is of no use, and what that is; none where there is no such value.

    >>> reference_line(go.Figure(), 1.0, "as wrong as answering zero").layout.annotations[0].text
    '1: as wrong as answering zero'
    """
    if value is None:
        return figure
    line = {"line_dash": "dash", "line_color": GREY, "line_width": 2}
    text = f"{value:g}: {means}" if means else f"{value:g}"
    if axis == "y":
        return figure.add_hline(value, annotation_text=text, annotation_position="top left", **line)
    return figure.add_vline(value, annotation_text=text, annotation_position="top", **line)


def clickable(
    x: Sequence[Any], y: Sequence[Any], customdata: Sequence[Any], texts: Sequence[str], size: int = 34
) -> go.Scatter:
    """Points that nobody sees, for the middles of a heat map's cells: plotly gives clicks on points, not on cells.

    Args:
        x, y: where they are. customdata: what a click gives. texts: what pointing at them says. size: in pixels.

    >>> clickable([0], [1], [["layers.0.q"]], ["0.92"]).marker.opacity
    0
    """
    seen = {"marker": {"opacity": 0}}
    return go.Scatter(
        x=list(x),
        y=list(y),
        mode="markers",
        marker={"size": size, "symbol": "square", "opacity": 0},
        customdata=list(customdata),
        text=list(texts),
        hovertemplate="%{text}<extra></extra>",
        showlegend=False,
        selected=seen,
        unselected=seen,
    )


def percent(part: float, whole: float) -> float:
    """100 * part / whole, and 0 where there is no whole.

    >>> percent(1, 4), percent(0, 0)
    (25.0, 0.0)
    """
    return 100 * part / whole if whole else 0.0
