"""Figures of something that is learned: curves, a distribution that moves, and bars to compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from binviz.plots.figure import builder, describe, log_axis, longest, sized
from binviz.plots.summaries import Histogram, spread
from binviz.plots.theme import GREY, colours, strokes


@builder
def lines(
    x: Sequence[float],
    curves: Mapping[str, Sequence[float]],
    x_title: str,
    y_title: str,
    log: str = "",
    network: str = "",
) -> go.Figure:
    """One line for each name, over the same x.

    Args:
        x: rising.
        curves: name -> a value for each x; those that are not finite leave a gap.
        x_title, y_title: what the axes show, with the unit in brackets.
        log: the logarithmic axes, "", "x", "y" or "xy".
        network: "float" or "1-bit" where all curves are of one; else names of networks have their colours.

    >>> lines([1, 2], {"float": [3, 1], "1-bit": [4, 2]}, "step", "loss").layout.meta["alt"]
    'loss against step: float goes from 3 to 1; 1-bit goes from 4 to 2.'
    """
    figure, said = go.Figure(), []
    drawn = [(colour, "solid", "") for colour in colours(curves)]
    if network:
        drawn = strokes([network] * len(curves))
    for (name, values), (colour, dash, of) in zip(curves.items(), drawn, strict=True):
        numbers = np.asarray(values, dtype=float)
        known = numbers[np.isfinite(numbers)]
        figure.add_scatter(
            x=np.asarray(x, dtype=float),
            y=[float(number) if np.isfinite(number) else None for number in numbers],
            name=name,
            mode="lines+markers" if len(numbers) <= 12 else "lines",
            line={"color": colour, "dash": dash, "width": 2.5},
            meta={"network": of} if of else None,
        )
        if known.size:
            said.append(f"{name} goes from {known[0]:.3g} to {known[-1]:.3g}")
    figure.update_xaxes(title=x_title, **(log_axis(x) if "x" in log else {}))
    figure.update_yaxes(title=y_title, **(log_axis(np.concatenate([*curves.values()])) if "y" in log else {}))
    figure.update_layout(showlegend=True)
    # A row of the legend holds about five short names.
    sized(figure, 380, top=44 + 20 * (longest([" " * sum(len(name) + 6 for name in curves)]) // 640))
    return describe(figure, alt=f"{y_title} against {x_title}: {'; '.join(said)}.")


@builder
def moving_histogram(
    steps: Sequence[int],
    histograms: Sequence[Histogram],
    y_title: str,
    x_title: str = "step (number)",
    levels: Sequence[float] = (0,),
) -> go.Figure:
    """How a distribution moves: one column for each histogram, its colour the share on a logarithmic scale.

    Args:
        steps: of each column, rising.
        histograms: of each column, all with the same edges.
        y_title: what is counted, with the unit in brackets.
        x_title: what the columns are.
        levels: values with a line, of those that lie within the edges: where a sign changes, or where codes are.

    >>> parts = [Histogram([-1, 0, 1], [5, 5]), Histogram([-1, 0, 1], [10, 0])]
    >>> moving_histogram([0, 100], parts, "weight (no unit)").layout.meta["alt"].split(". ")[1]
    'Its standard deviation goes from 0.5 at 0 to 0 at 100.'
    """
    edges = np.asarray(histograms[0].edges, dtype=float)
    counts = np.asarray([part.counts for part in histograms], dtype=float).T
    shares = 100 * counts / counts.sum(0).clip(min=1)
    smallest = shares[shares > 0].min()
    ticks = [tick for tick in (0.01, 0.1, 1.0, 10.0, 100.0) if smallest <= tick <= shares.max()]
    figure = go.Figure(
        go.Heatmap(
            x=list(steps),
            y=(edges[:-1] + edges[1:]) / 2,
            # Empty places have no colour.
            z=[[round(float(v), 2) if v > -np.inf else None for v in row] for row in _log10(shares)],
            colorbar={
                "title": {"text": "values (%)"},
                "tickvals": np.log10(ticks).tolist(),
                "ticktext": [f"{tick:g}" for tick in ticks],
                "thickness": 12,
                "outlinewidth": 0,
            },
            customdata=[[round(float(v), 3) for v in row] for row in shares],
            hovertemplate="step %{x}, around %{y:.2f}: %{customdata:.3g} % of the values<extra></extra>",
        )
    )
    for level in levels:
        if edges[0] < level < edges[-1]:
            figure.add_hline(level, line_color=GREY, line_width=1.5, line_dash="dash")
    figure.update_xaxes(title=x_title)
    figure.update_yaxes(title=y_title)
    sized(figure, 400, right=80)
    first, last = (spread(part) for part in (histograms[0], histograms[-1]))
    return describe(
        figure,
        alt=f"Distribution of {y_title} at {len(steps)} times. Its standard deviation goes from {first:.3g} "
        f"at {steps[0]} to {last:.3g} at {steps[-1]}.",
    )


@builder
def bars(
    groups: Sequence[str],
    series: Mapping[str, Sequence[float]],
    x_title: str,
    y_title: str,
    text: str = "",
) -> go.Figure:
    """Bars side by side: in each group one for each name.

    Args:
        groups: along the x axis.
        series: name -> a value for each group.
        x_title, y_title: what the axes show, with the unit in brackets.
        text: format of the number above each bar, such as ".1f"; "" writes none.

    >>> bars(["SST-2", "CoLA"], {"float": [92, 58], "1-bit": [87, 25]}, "task", "score (%)").layout.meta["alt"]
    'score (%) of SST-2, CoLA: float 92, 58; 1-bit 87, 25.'
    """
    figure = go.Figure()
    for (name, values), colour in zip(series.items(), colours(series), strict=True):
        figure.add_bar(
            x=list(groups),
            y=np.asarray(values, dtype=float),
            name=name,
            marker={"color": colour},
            texttemplate=f"%{{y:{text}}}" if text else None,
            textposition="outside",
            cliponaxis=False,
        )
    figure.update_xaxes(title=x_title, type="category")
    figure.update_yaxes(title=y_title, rangemode="tozero")
    figure.update_layout(barmode="group", bargap=0.3, showlegend=len(series) > 1)
    sized(figure, 380)
    said = [f"{name} {', '.join(f'{value:.3g}' for value in values)}" for name, values in series.items()]
    return describe(figure, alt=f"{y_title} of {', '.join(groups)}: {'; '.join(said)}.")


def _log10(values: np.ndarray) -> np.ndarray:
    return np.log10(values, out=np.full(values.shape, -np.inf), where=values > 0)
