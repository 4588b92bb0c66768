"""Accuracy against cost, with those that nothing beats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from binviz.plots.figure import POINT, axis_from_chance, builder, describe, log_axis, sized
from binviz.plots.theme import GREY, NETWORKS
from binviz.words import counted

#: Shapes of float and of 1-bit networks; those of published numbers are hollow.
SYMBOLS = {"float": "circle", "1-bit": "diamond"}
#: Of the axes, what a letter and a line of a name take, roughly; of names that would lie on one another one is written.
LETTER, LINE = 0.016, 0.06
#: Names are folded at so many letters; longer ones than two such lines are only said where they are pointed at.
FOLD, LONGEST = 18, 27


class Tradeoff(NamedTuple):
    """One network: what it costs and what it gets right.

    name: short. cost, value: in the units of the axes. low, high: 95 % interval of the value, NaN where there is none.
    published: a paper's number; else one that was measured here. network: "float" or "1-bit". about: source and
    setting, said where it is pointed at. architecture: named beside it where a figure has several.

    >>> Tradeoff("BiT", 13.4, 89.9, published=True).network
    '1-bit'
    """

    name: str
    cost: float
    value: float
    low: float = float("nan")
    high: float = float("nan")
    published: bool = False
    network: str = "1-bit"
    about: str = ""
    architecture: str = ""


def pareto(costs: Sequence[float], values: Sequence[float]) -> list[bool]:
    """Which points nothing beats: no other costs no more and is worth no less, and is better in one of the two.

    Args:
        costs: less is better. values: more is better; as many.

    >>> pareto([1.0, 2.0, 2.0, 3.0], [0.5, 0.8, 0.7, 0.8])
    [True, True, False, False]
    """
    # By rising cost, at equal cost the best first: on the front is what is worth more than all before it
    order = sorted(range(len(costs)), key=lambda index: (costs[index], -values[index]))
    found, best, best_cost = [False] * len(costs), -np.inf, np.nan
    for index in order:
        twin = values[index] == best and costs[index] == best_cost
        found[index] = bool(values[index] > best or twin)
        if found[index]:
            best, best_cost = values[index], costs[index]
    return found


@builder
def tradeoff(
    points: Sequence[Tradeoff],
    cost: str,
    cost_unit: str,
    what: str,
    unit: str,
    chance: float | None = None,
) -> go.Figure:
    """Accuracy against cost, one point for each network, and two lines through those that nothing beats.

    Published numbers are hollow and their line is dotted, for they belong to other settings than those measured here,
    which are filled.

    Args:
        points: at least one.
        cost: what is paid. cost_unit: of it; the axis is logarithmic.
        what: is bought, such as "accuracy". unit: of it.
        chance: value of an answer that is always the same, where the axis begins.

    >>> points = [Tradeoff("float", 60.0, 89.0, network="float"), Tradeoff("BiT", 3.0, 81.0), Tradeoff("bnn", 3.0, 70)]
    >>> tradeoff(points, "memory", "MB", "accuracy", "%").layout.meta["alt"]
    'Accuracy in % against memory in MB: 3 points measured here, nothing beats BiT 3 81, float 60 89.'
    """
    figure, said = go.Figure(), []
    ends = np.log10([max(point.cost, 1e-300) for point in points] or [1.0])
    room = 0.08 * (float(np.ptp(ends)) or 1.0)
    reach = float(ends.min() - room), float(ends.max() + room)
    written: list[tuple[float, float, float, float]] = []
    for published, told in ((False, "measured here"), (True, "published")):
        chosen = [point for point in points if point.published is published]
        several = len({point.architecture for point in chosen}) > 1
        on = pareto([point.cost for point in chosen], [point.value for point in chosen])
        front = sorted(
            {(p.cost, p.value): p for p, nothing_beats in zip(chosen, on, strict=True) if nothing_beats}.values()
            , key=lambda point: point.cost,
        )  # fmt: skip
        if chosen:
            best = ", ".join(f"{_title(p, several)} {p.cost:.3g} {p.value:.3g}" for p in front)
            said.append(f"{counted(len(chosen), 'point')} {told}, nothing beats {best}")
        for network, symbol in SYMBOLS.items():
            of = [point for point in chosen if point.network == network]
            if of:
                figure.add_scatter(**_markers(of, f"{network}, {told}", symbol, published, network))
        if len(front) > 1:
            figure.add_scatter(
                x=[point.cost for point in front],
                y=[point.value for point in front],
                name=f"nothing {told} beats these",
                mode="lines",
                line={"color": GREY, "width": 1.5, "dash": "dot" if published else "solid", "shape": "hv"},
                hoverinfo="skip",
            )
        names = [(_title(point, several), point) for point in front]
        for annotation in _names(names, reach, [point.value for point in points], published, written):
            figure.add_annotation(annotation)
    title = f"{cost} ({cost_unit.replace(', ', ',<br>', 1)}, logarithmic)"
    figure.update_xaxes(title=title, **log_axis([p.cost for p in points]))
    floor = -np.inf if chance is None else chance
    shown = [value for p in points for value in (p.value, max(p.low, min(floor, p.value)), p.high)]
    axis_from_chance(figure, shown, what, unit, chance)
    figure.update_xaxes(range=reach)
    sized(figure, 460, top=72, bottom=56 + 20 * ("<br>" in title))
    figure.update_layout(showlegend=True)
    return describe(
        figure, alt=f"{what.capitalize()} in {unit} against {cost} in {cost_unit}: {'; '.join(said)}."
    )


def _title(point: Tradeoff, several: bool) -> str:
    return f"{point.name}, {point.architecture}" if several and point.architecture else point.name


def _markers(
    points: Sequence[Tradeoff], name: str, symbol: str, published: bool, network: str
) -> dict[str, Any]:
    """A trace of points of one kind, with their intervals where they have any."""
    intervals = [(p.high - p.value, p.value - p.low) if np.isfinite(p.low) else (0.0, 0.0) for p in points]
    return {
        "x": [p.cost for p in points],
        "y": [p.value for p in points],
        "name": name,
        "mode": "markers",
        "meta": {"network": network},
        "marker": {
            "color": NETWORKS[network],
            "symbol": f"{symbol}-open" if published else symbol,
            "size": 11 if published else 10,
            "line": {"width": 2 if published else 0},
        },
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [above for above, _ in intervals],
            "arrayminus": [below for _, below in intervals],
            "thickness": 0.7,
            "width": 0,
            "visible": not published,
        },
        "customdata": ["<br>".join(filter(None, (f"<b>{p.name}</b>", p.about))) for p in points],
        "hovertemplate": "%{customdata}<extra></extra>",
        "cliponaxis": False,
    }


def _names(
    front: Sequence[tuple[str, Tradeoff]],
    reach: tuple[float, float],
    values: Sequence[float],
    above: bool,
    written: list[tuple[float, float, float, float]],
) -> Iterator[dict[str, Any]]:
    """The names of the points on a front that have room beside those that are written, as annotations.

    Args:
        front: its points, each with its name.
        reach: of the logarithmic axis. values: of all points.
        above: the names stand above their points, else below.
        written: left, right, lower and upper end of each name, in shares of the axes; the new ones are added.
    """
    low, height = min(values, default=0.0), float(np.ptp(values)) if len(values) else 1.0
    for name, point in sorted(front, key=lambda pair: -pair[1].value):
        at = float(np.log10(point.cost))
        x, y = (at - reach[0]) / (reach[1] - reach[0]), (point.value - low) / (height or 1.0)
        if len(name) > LONGEST:
            continue
        lines = wrap(name, FOLD)
        width, tall, to_the_right = LETTER * max(map(len, lines)), LINE * len(lines), x < 0.5
        left = x if to_the_right else x - width
        bottom = y if above else y - tall
        box = left, left + width, bottom, bottom + tall
        if any(box[0] < b[1] and b[0] < box[1] and box[2] < b[3] and b[2] < box[3] for b in written):
            continue
        written.append(box)
        yield {
            "name": POINT,
            "x": at,
            "y": point.value,
            "text": "<br>".join(lines),
            "align": "left" if to_the_right else "right",
            "showarrow": False,
            "xanchor": "left" if to_the_right else "right",
            "yanchor": "bottom" if above else "top",
            "xshift": 6 if to_the_right else -6,
            "yshift": 4 if above else -4,
        }
