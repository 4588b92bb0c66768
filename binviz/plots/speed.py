"""Figures of measured speed: times faster beside what theory promises, and the roofline that explains it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from binviz.plots.figure import builder, describe, longest, sized
from binviz.plots.theme import BINARY, CATEGORICAL, FLOAT, GREEN, GREY, ORANGE

_COLOURS = {"1-bit": BINARY, "float32": FLOAT, "bfloat16": GREEN, "int8": ORANGE}
_SYMBOLS = ("circle", "square", "diamond", "cross", "triangle-up")


class Point(NamedTuple):
    """One measured layer on a roofline.

    kind: what it was computed in. label: stands beside it, such as its rows. operations: multiplications and additions.
    bytes: that must be moved at least. seconds: it took.
    """

    kind: str
    label: str
    operations: float
    bytes: float
    seconds: float


@builder
def roofline(points: Sequence[Point], limits: Mapping[str, float], bandwidth: float) -> go.Figure:
    """Attained operations per second against operations per byte, under the machine's own limits.

    Args:
        points: measured; those of one kind are joined in the given order.
        limits: kind -> operations per second that its instructions allow on registers.
        bandwidth: bytes per second from memory.
    """
    figure = go.Figure()
    intensities = np.array([point.operations / point.bytes for point in points])
    reach = np.array([min(intensities.min(), 1.0) / 2, intensities.max() * 2])
    said = []
    for kind, limit in limits.items():
        turn = limit / bandwidth
        x = np.array([reach[0], np.clip(turn, *reach), reach[1]])
        figure.add_scatter(
            x=x,
            y=np.minimum(x * bandwidth, limit) / 1e12,
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
            textposition="bottom center",
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
    return describe(
        figure,
        alt=f"Roofline with {bandwidth / 1e9:.0f} GB/s from memory. In 10^12 operations per second: "
        + "; ".join(said)
        + ".",
    )


@builder
def ratios(theory: Mapping[str, float], measured: Mapping[str, Sequence[float]]) -> go.Figure:
    """How many times less or faster: what is claimed or possible, and what was measured.

    Args:
        theory: what it is -> times.
        measured: what it is -> median, lower and upper quartile of times.
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
    sized(figure, 86 + 38 * len(names), left=14 + longest(names), right=30, top=10)
    listing = "; ".join(f"{name} {value:.3g}" for name, value in zip(names, values, strict=True))
    return describe(figure, alt=f"How many times less or faster: {listing}.")
