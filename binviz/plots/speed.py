"""Figures of measured speed: times faster than promised or not, the roofline that explains it, and who wins where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from binviz.plots.figure import builder, describe, sized
from binviz.plots.theme import BINARY, CATEGORICAL, FLOAT, GREEN, GREY, ORANGE, PURPLE, SKY

_COLOURS = {"1-bit": BINARY, "float32": FLOAT, "bfloat16": GREEN, "int8": ORANGE}
#: Narrow formats first: the order of the legend.
_FORMATS = {
    "1 bit": BINARY,
    "2 bits": PURPLE,
    "4 bits": SKY,
    "int8": ORANGE,
    "bfloat16": GREEN,
    "float32": FLOAT,
}
_SYMBOLS = ("circle", "square", "diamond", "cross", "triangle-up")


class Point(NamedTuple):
    """One measured layer on a roofline.

    kind: what it was computed in. label: stands beside it, such as its rows. operations: multiplications and additions.
    bytes: that must be moved at least. seconds: it took.

    >>> point = Point("1-bit", "64 rows", operations=2e9, bytes=1e6, seconds=1e-3)
    >>> point.operations / point.bytes
    2000.0
    """

    kind: str
    label: str
    operations: float
    bytes: float
    seconds: float


@builder
def roofline(points: Sequence[Point], limits: Mapping[str, float], bandwidth: float | None) -> go.Figure:
    """Attained operations per second against operations per byte, under the machine's own limits.

    Args:
        points: measured; those of one kind are joined in the given order.
        limits: kind -> operations per second that its instructions allow on registers.
        bandwidth: bytes per second from memory; None where it was not measured.

    >>> figure = roofline([Point("1-bit", "64 rows", 2e9, 1e6, 1e-3)], {"1-bit": 4e12}, bandwidth=2e10)
    >>> [line.name for line in figure.data], figure.layout.meta["alt"].split("; ")[1]
    (['limit, 1-bit', '1-bit'], '1-bit attains 2 to 2.')
    """
    figure = go.Figure()
    intensities = np.array([point.operations / point.bytes for point in points])
    reach = np.array([min(intensities.min(), 1.0) / 2, intensities.max() * 2])
    said = []
    for kind, limit in limits.items():
        turn = limit / bandwidth if bandwidth else reach[0]
        x = np.array([reach[0], np.clip(turn, *reach), reach[1]])
        figure.add_scatter(
            x=x,
            y=np.minimum(x * (bandwidth or np.inf), limit) / 1e12,
            name=f"limit, {kind}",
            mode="lines",
            line={"color": _COLOURS.get(kind, GREY), "width": 1.5, "dash": "dash"},
            hovertemplate=f"limit of {kind}: {limit / 1e12:.2f} T operations/s<extra></extra>",
        )
        said.append(f"{kind} is limited to {limit / 1e12:.2f}")
    for index, kind in enumerate(dict.fromkeys(point.kind for point in points)):
        chosen = [point for point in points if point.kind == kind]
        attained = [point.operations / point.seconds / 1e12 for point in chosen]
        figure.add_scatter(
            x=[point.operations / point.bytes for point in chosen],
            y=attained,
            text=[point.label for point in chosen],
            name=kind,
            mode="lines+markers+text",
            textposition=["bottom center"] * (len(chosen) - 1) + ["middle right"],
            textfont={"size": 11},
            line={"color": _COLOURS.get(kind, CATEGORICAL[index]), "width": 1},
            marker={"size": 9, "symbol": _SYMBOLS[index % len(_SYMBOLS)]},
            cliponaxis=False,
            hovertemplate="%{text}: %{y:.3g} T operations/s at %{x:.3g} per byte<extra>" + kind + "</extra>",
        )
        said.append(f"{kind} attains {min(attained):.2g} to {max(attained):.2g}")
    figure.update_xaxes(
        title="intensity (operations per byte moved)", type="log", dtick=1, range=np.log10(reach).tolist()
    )
    figure.update_yaxes(title="speed (10<sup>12</sup> operations per second)", type="log", dtick=1)
    sized(figure, 430, top=70)
    memory = f"with {bandwidth / 1e9:.0f} GB/s from memory" if bandwidth else "without a limit of memory"
    return describe(
        figure,
        alt=f"Roofline {memory}. In 10^12 operations per second: " + "; ".join(said) + ".",
    )


@builder
def ratios(theory: Mapping[str, float], measured: Mapping[str, Sequence[float]]) -> go.Figure:
    """How many times less or faster: what is claimed or possible, and what was measured.

    Args:
        theory: what it is -> times.
        measured: what it is -> median, lower and upper quartile of times.

    >>> ratios({"less memory": 32}, {"less time": (9.5, 9.0, 10.0)}).layout.meta["alt"]
    'How many times less or faster: less memory 32; less time 9.5.'
    """
    names = [*theory, *measured]
    values = [*theory.values(), *(median for median, _, _ in measured.values())]
    hover = [f"{value:.3g}" for value in theory.values()]
    hover += [f"{median:.3g}, quartiles {low:.3g} and {high:.3g}" for median, low, high in measured.values()]
    figure = go.Figure(
        go.Bar(
            x=values,
            y=names,
            orientation="h",
            marker={"color": [GREY] * len(theory) + [BINARY] * len(measured)},
            text=[f"{value:.3g} times" for value in values],
            customdata=hover,
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{customdata} times<extra></extra>",
        )
    )
    ceiling = float(np.log10(max(values) * 3))
    figure.update_xaxes(
        title="times less, or faster (ratio, logarithmic)", type="log", range=[0, ceiling],
        tickvals=[1, 2, 4, 8, 16, 32, 64, 128],
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed", type="category", showgrid=False)
    sized(figure, 86 + 38 * len(names), left=14, right=30, top=10)
    listing = "; ".join(f"{name} {value:.3g}" for name, value in zip(names, values, strict=True))
    return describe(figure, alt=f"How many times less or faster: {listing}.")


class Size(NamedTuple):
    """What a layer took in each format.

    rows: M. size: K, its inputs and outputs. seconds: format -> time; formats without a colour of their own are grey.
    """

    rows: int
    size: int
    seconds: Mapping[str, float]


@builder
def crossover(cells: Sequence[Size]) -> go.Figure:
    """Who is fastest at every size: the colour and the name of the winner, and how far it is ahead of the next.

    Args:
        cells: at least one; of each, the formats that are in the race there.

    >>> cells = [Size(1, 64, {"1 bit": 2e-6, "int8": 1e-6}), Size(8, 64, {"1 bit": 2e-6, "int8": 8e-6})]
    >>> crossover(cells).layout.meta["alt"]
    'Fastest of 2 formats at 2 sizes, layers from 64 to 64 wide and 1 to 8 rows: 1 bit at 1; int8 at 1.'
    """
    formats = sorted({name for cell in cells for name in cell.seconds}, key=_place)
    sizes, rows = (sorted({getattr(cell, axis) for cell in cells}) for axis in ("size", "rows"))
    found = {(cell.rows, cell.size): cell for cell in cells}
    grid = [[found.get((m, k)) for k in sizes] for m in rows]
    figure = go.Figure(
        go.Heatmap(
            x=[str(k) for k in sizes],
            y=[str(m) for m in rows],
            z=_each(grid, lambda cell: formats.index(_fastest(cell)), None),
            text=_each(grid, _ahead, ""),
            customdata=_each(grid, _in_words, ""),
            texttemplate="%{text}",
            textfont={"size": 11},
            hovertemplate="%{y} rows, %{x} → %{x}<br>%{customdata}<extra></extra>",
            colorscale=_steps([_colour(name) for name in formats]),
            zmin=-0.5,
            zmax=len(formats) - 0.5,
            showscale=False,
            xgap=1,
            ygap=1,
        )
    )
    for name in formats:
        marker = {"color": _colour(name), "symbol": "square", "size": 11}
        figure.add_scatter(x=[None], y=[None], mode="markers", name=name, marker=marker, hoverinfo="skip")
    figure.update_xaxes(title="layer K → K (inputs and outputs)", type="category", showgrid=False)
    figure.update_yaxes(title="rows at once, M (vectors)", type="category", showgrid=False, zeroline=False)
    sized(figure, 110 + 36 * len(rows), top=50)
    wins = Counter(map(_fastest, found.values()))
    said = "; ".join(f"{name} at {wins[name]}" for name in formats if wins[name])
    where = f"layers from {sizes[0]} to {sizes[-1]} wide and {rows[0]} to {rows[-1]} rows"
    return describe(figure, alt=f"Fastest of {len(formats)} formats at {len(cells)} sizes, {where}: {said}.")


def _place(name: str) -> int:
    return [*_FORMATS, name].index(name)


def _colour(name: str) -> str:
    return _FORMATS.get(name, GREY)


def _steps(colours: Sequence[str]) -> list[tuple[float, str]]:
    """A scale of as many equal steps, without transitions."""
    n = len(colours)
    return [(end / n, colour) for i, colour in enumerate(colours) for end in (i, i + 1)]


def _each(
    grid: Sequence[Sequence[Size | None]], say: Callable[[Size], int | str], none: str | None
) -> list[list[int | str | None]]:
    """What there is to say of every cell of a grid, and what stands where none was measured."""
    return [[none if cell is None else say(cell) for cell in line] for line in grid]


def _fastest(cell: Size) -> str:
    return min(cell.seconds, key=cell.seconds.__getitem__)


def _ahead(cell: Size) -> str:
    """The winner, and how many times longer the next one takes."""
    (first, best), *others = sorted(cell.seconds.items(), key=lambda pair: pair[1])
    return f"{first}<br>{_times(others[0][1] / best)} ×" if others else first


def _in_words(cell: Size) -> str:
    (first, best), *others = sorted(cell.seconds.items(), key=lambda pair: pair[1])
    lines = [f"{first}: {_time(best)}"]
    lines += [f"{name}: {_time(seconds)}, {_times(seconds / best)} times as long" for name, seconds in others]
    return "<br>".join(lines)


def _times(ratio: float) -> str:
    return f"{ratio:.3g}" if ratio < 999 else f"{ratio:,.0f}"


def _time(seconds: float) -> str:
    return f"{1e3 * seconds:.3g} ms" if seconds >= 1e-3 else f"{1e6 * seconds:.3g} µs"
