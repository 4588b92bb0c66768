"""Figures of the same kind side by side: their axes and colours mean the same numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

#: Part of an axis that stays free beyond the data, as for the numbers behind bars.
ROOM = 0.06
Span = tuple[float, float]


def same_scales(figures: Sequence[go.Figure]) -> list[go.Figure]:
    """Copies in which an axis, or a colour, that all figures have spans what it spans in any of them.

    Axes are the same where they have the same name in the layout and the same title; those of names stay as they are.

    Args:
        figures: of one builder of `binviz.plots`.

    >>> one, other = same_scales([go.Figure(go.Bar(x=["a"], y=[height])) for height in (1.0, 4.0)])
    >>> one.layout.yaxis.range == other.layout.yaxis.range, one.layout.yaxis.range[0]
    (True, 0.0)
    >>> one, other = same_scales([go.Figure(go.Heatmap(z=[[value]])) for value in (1.0, 4.0)])
    >>> (one.data[0].zmin, one.data[0].zmax), (other.data[0].zmin, other.data[0].zmax)
    ((1.0, 4.0), (1.0, 4.0))
    """
    new = [go.Figure(figure) for figure in figures]
    for name in sorted(set.intersection(*({*_axes(figure)} for figure in new))):
        axes = [figure.layout[name] for figure in new]
        if len({axis.title.text for axis in axes}) > 1:
            continue
        if (span := _union(_axis_span(figure, name) for figure in new)) is not None:
            for axis in axes:
                down = axis.range is not None and axis.range[0] > axis.range[1]
                axis.range = span[::-1] if down else span
    maps = [[trace for trace in figure.data if trace.type == "heatmap"] for figure in new]
    for alike in zip(*maps, strict=False):
        if (span := _union(map(_map_span, alike))) is not None:
            for trace in alike:
                trace.update(zmin=span[0], zmax=span[1])
    colours = [figure.layout.coloraxis for figure in new]
    if all(each.cmin is not None and each.cmax is not None for each in colours):
        low, high = min(each.cmin for each in colours), max(each.cmax for each in colours)
        for each in colours:
            each.update(cmin=low, cmax=high)
    return new


def _axes(figure: go.Figure) -> list[str]:
    """Names of the axes that a figure's traces use."""
    return [
        (getattr(trace, f"{letter}axis", None) or letter).replace(letter, f"{letter}axis", 1)
        for trace in figure.data
        for letter in "xy"
    ]


def _axis_span(figure: go.Figure, name: str) -> Span | None:
    """What an axis spans, in its own units: of a logarithmic one powers of ten; None where it has no numbers."""
    axis, letter = figure.layout[name], name[0]
    if axis.range is not None:
        low, high = sorted(map(float, axis.range))
        return low, high
    if axis.type == "category" or axis.autorange == "reversed":
        return None
    ident, values, zero = name.replace("axis", ""), [], axis.rangemode == "tozero"
    for trace in figure.data:
        if (getattr(trace, f"{letter}axis", None) or letter) != ident:
            continue
        if letter not in trace:  # a picture, whose axes are its pixels
            return None
        along = trace.type == "bar" and (trace.orientation == "h") == (letter == "x")
        zero |= along
        given = np.ravel(np.asarray([] if trace[letter] is None else list(trace[letter]), dtype=object))
        if any(isinstance(value, str) for value in given):
            return None
        half = 0.0 if along or trace.type not in ("bar", "heatmap") or len(given) < 2 else _half(given)
        values += [float(value) + side for value in given if value is not None for side in (-half, half)]
    for shape in figure.layout.shapes:
        if getattr(shape, f"{letter}ref") == ident:
            values += [float(shape[f"{letter}0"]), float(shape[f"{letter}1"])]
    log = axis.type == "log"
    found = np.asarray(values)
    found = found[np.isfinite(found) & ((found > 0) | (not log))]
    if not found.size:
        return None
    found = np.log10(found) if log else found
    low, high = float(found.min()), float(found.max())
    room = ROOM * (high - low) or ROOM
    if zero and not log:
        return (0.0 if low >= 0 else low - room), (0.0 if high <= 0 else high + room)
    return low - room, high + room


def _half(values: Any) -> float:
    """Half the distance between two bars or cells."""
    steps = np.diff(np.unique(np.asarray(values, dtype=float)))
    return float(steps.min()) / 2 if steps.size else 0.5


def _map_span(trace: go.Heatmap) -> Span | None:
    """The numbers between which a map's own colours lie; None where it has none, or the layout has the colours."""
    if trace.coloraxis is not None or trace.z is None:
        return None
    if trace.zmin is not None and trace.zmax is not None:
        return float(trace.zmin), float(trace.zmax)
    found = np.asarray([value for row in trace.z for value in row if value is not None], dtype=float)
    found = found[np.isfinite(found)]
    return (float(found.min()), float(found.max())) if found.size else None


def _union(spans: Iterable[Span | None]) -> Span | None:
    """The least span that holds all; None where one is none."""
    known = list(spans)
    if any(span is None for span in known):
        return None
    lows, highs = zip(*(span for span in known if span is not None), strict=True)
    return min(lows), max(highs)
