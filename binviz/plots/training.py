"""Figures of recorded runs: both sides of a claim, a number of several, and what moved in each layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from binviz.plots.figure import LINE, builder, describe, log_axis, sized
from binviz.plots.figure import axis_from_chance as axis
from binviz.plots.theme import GREEN, GREY, ORANGE, PURPLE, SEQUENTIAL, strokes
from binviz.words import counted

#: Of verdicts in their order; none is a network's.
VERDICTS = (GREEN, ORANGE, PURPLE, GREY)


class Course(NamedTuple):
    """What became of something in every layer.

    steps: of the columns, rising. layers: names. values: (layers, steps).
    """

    steps: Sequence[int]
    layers: Sequence[str]
    values: Sequence[Sequence[float]]


@builder
def progress(
    runs: Mapping[str, tuple[Sequence[int], Sequence[float]]],
    what: str,
    unit: str,
    log: bool = False,
    chance: float | None = None,
    networks: Sequence[str] | None = None,
) -> go.Figure:
    """A number against the step, one line for each run.

    Args:
        runs: name -> steps and values, as many of one as of the other; a value that is not finite, or not positive
            where the axis is logarithmic, leaves a gap.
        what: is shown, such as "loss".
        unit: of the values.
        log: their axis is logarithmic.
        chance: value of an answer that is always the same. It is drawn, and the axis begins there or at a lower
            value; with None an axis that is not logarithmic begins at 0.
        networks: "float" or "1-bit" for each run; by default all are 1-bit.

    >>> progress({"seed 0": ([0, 10, 20], [2.0, 1.0, 0.5])}, "loss", "nats").layout.meta["alt"]
    'Loss: seed 0 from 2 to 0.5 in 20 steps.'
    >>> figure = progress({"seed 0": ([0, 10], [60.0, 80.0])}, "accuracy", "%", chance=51.0)
    >>> figure.layout.yaxis.range[0], figure.layout.meta["alt"]
    (50.0, 'Accuracy: seed 0 from 60 to 80 in 10 steps; chance is 51.')
    """
    figure, said = go.Figure(), []
    drawn = strokes(networks or ["1-bit"] * len(runs))
    for (name, (steps, values)), (colour, dash, network) in zip(runs.items(), drawn, strict=True):
        shown = [np.isfinite(value) and (value > 0 or not log) for value in values]
        numbers = [float(value) if one else None for value, one in zip(values, shown, strict=True)]
        figure.add_scatter(
            x=list(steps),
            y=numbers,
            name=name,
            mode="lines",
            line={"color": colour, "dash": dash, "width": 2},
            meta={"network": network},
            hovertemplate="step %{x}: %{y:.4g}<extra>" + name + "</extra>",
        )
        known = [number for number in numbers if number is not None]
        if known:
            said.append(f"{name} from {known[0]:.3g} to {known[-1]:.3g} in {steps[-1]} steps")
    figure.update_xaxes(title="step (number)", rangemode="tozero")
    every = [value for _, values in runs.values() for value in values]
    if log:
        figure.update_yaxes(title=f"{what} ({unit})", **log_axis(every))
    else:
        axis(figure, every, what, unit, chance)
    if chance is not None:
        said.append(f"chance is {chance:.3g}")
    sized(figure, 360)
    figure.update_layout(showlegend=True)
    return describe(figure, alt=f"{what.capitalize()}: {'; '.join(said) or 'no points'}.")


@builder
def courses(runs: Mapping[str, Course], what: str, unit: str) -> go.Figure:
    """One map for each run, a row for each layer and a column for each recorded step, on one scale of colours.

    Every row is labelled: the maps have the same rows, those that any run has, and the row with the largest value of a
    run stands in its title.

    Args:
        runs: name -> course.
        what: is shown, such as "flips".
        unit: of the values.

    >>> course = Course([10, 20], ["fc1", "fc2"], [[9, 4], [7, 2]])
    >>> courses({"bnn": course}, "flips", "% of weights").layout.meta["alt"]
    'Flips (% of weights): bnn 2 to 9 in 2 layers, the most in fc1.'
    """
    names = list(runs)
    layers = list(dict.fromkeys(layer for course in runs.values() for layer in course.layers))
    titles, said = [], []
    for name, course in runs.items():
        values = np.asarray(course.values, dtype=float).reshape(len(course.layers), len(course.steps))
        known = np.isfinite(values)
        titles.append(name)
        if known.any():
            row, most = divmod(int(np.where(known, values, -np.inf).argmax()), len(course.steps))
            low, high = values[known].min(), values[known].max()
            titles[-1] += (
                f"<br><sup>most: {course.layers[row]}, {high:.3g} at step {course.steps[most]}</sup>"
            )
            where = f"the most in {course.layers[row]}"
            said.append(f"{name} {low:.3g} to {high:.3g} in {counted(len(course.layers), 'layer')}, {where}")
    figure = make_subplots(rows=1, cols=max(1, len(names)), subplot_titles=titles, horizontal_spacing=0.03)
    for column, course in enumerate(runs.values(), start=1):
        given = dict(zip(course.layers, course.values, strict=True))
        figure.add_heatmap(
            x=[str(step) for step in course.steps],
            y=layers,
            z=[
                [float(value) if np.isfinite(value) else None for value in given[layer]]
                if layer in given
                else [None] * len(course.steps)
                for layer in layers
            ],
            coloraxis="coloraxis",
            hovertemplate=f"%{{y}}, step %{{x}}: %{{z:.4g}} {unit}<extra></extra>",
            row=1,
            col=column,
        )
    figure.update_xaxes(title="step (number)", type="category", showgrid=False, nticks=6, tickangle=0)
    figure.update_yaxes(
        type="category", autorange="reversed", showgrid=False, showticklabels=False,
        tickmode="array", tickvals=layers,
    )  # fmt: skip
    figure.update_yaxes(title="layer (name)", showticklabels=True, row=1, col=1)
    sized(figure, 150 + max(160, LINE * len(layers)), right=90, top=64)
    figure.update_layout(
        coloraxis={
            "colorscale": SEQUENTIAL,
            "colorbar": {"title": {"text": f"{what} ({unit})", "side": "right"}, "thickness": 10},
        }
    )
    return describe(figure, alt=f"{what.capitalize()} ({unit}): {'; '.join(said) or 'no points'}.")


class Side(NamedTuple):
    """One side of a claim.

    name: of what was done. values: of each seed. low, high: 95 % interval, NaN where there is none. published: what a
    paper printed of it, on its own network, NaN where nothing is known. paper: which row of which paper.
    network: "float" or "1-bit".

    >>> Side("a", [0.5, 0.6]).values
    [0.5, 0.6]
    """

    name: str
    values: Sequence[float]
    low: float = float("nan")
    high: float = float("nan")
    published: float = float("nan")
    paper: str = ""
    network: str = "1-bit"


@builder
def verdicts(papers: Sequence[str], counts: Mapping[str, Sequence[int]]) -> go.Figure:
    """What became of the claims of each paper, as the parts of a bar.

    Args:
        papers: from top to bottom.
        counts: verdict -> how many claims of each paper have it, the best verdict first; at most four.

    >>> verdicts(["BiT", "BiViT"], {"holds": [7, 6], "weak": [7, 0], "fails": [9, 5]}).layout.meta["alt"]
    'Claims: BiT 7 holds, 7 weak, 9 fails; BiViT 6 holds, 0 weak, 5 fails.'
    """
    figure = go.Figure()
    for (verdict, each), colour in zip(counts.items(), VERDICTS, strict=False):
        figure.add_bar(
            x=list(each),
            y=list(papers),
            orientation="h",
            name=verdict,
            marker={"color": colour},
            hovertemplate=f"%{{y}}: %{{x}} {verdict}<extra></extra>",
        )
    figure.update_layout(barmode="stack", legend_traceorder="normal")
    figure.update_xaxes(title="claims (number)")
    figure.update_yaxes(type="category", autorange="reversed")
    sized(figure, 110 + 36 * len(papers))
    rows = zip(papers, zip(*counts.values(), strict=True), strict=True)
    said = [
        f"{paper} " + ", ".join(f"{n} {v}" for n, v in zip(row, counts, strict=True)) for paper, row in rows
    ]
    return describe(figure, alt=f"Claims: {'; '.join(said)}.")


@builder
def claim(sides: Sequence[Side], metric: str, unit: str, chance: float | None = None) -> go.Figure:
    """Both sides of a claim: every seed, their mean with its interval, and hollow what a paper printed.

    Args:
        sides: at least one, the one that is to be better first.
        metric: that is compared.
        unit: of the values.
        chance: value of an answer that is always the same; it is drawn, and the axis begins there or lower.

    >>> sides = [Side("BiT", [79.0, 78.0], 75.0, 81.0, 87.7, "BiT* with BERT-base"), Side("BiBERT", [70.0])]
    >>> for part in claim(sides, "accuracy", "%", chance=51.0).layout.meta["alt"].split("; "):
    ...     print(part)
    Accuracy in %: BiT 78.5, 95 % between 75 and 81, 2 seeds, published 87.7 (BiT* with BERT-base)
    BiBERT 70, 1 seed
    chance is 51.
    """
    figure, said = go.Figure(), []
    rows = [side.name for side in sides]
    for index, (side, (colour, _, network)) in enumerate(
        zip(sides, strokes(side.network for side in sides), strict=True)
    ):
        mean = float(np.mean(side.values)) if len(side.values) else float("nan")
        of = {"network": network}
        told = f"{side.name} {mean:.3g}" if len(side.values) else f"{side.name} not run"
        if np.isfinite(side.low):
            told += f", 95 % between {side.low:.3g} and {side.high:.3g}"
        if len(side.values):
            told += f", {counted(len(side.values), 'seed')}"
            bars = {
                "type": "data",
                "symmetric": False,
                "thickness": 2,
                "visible": bool(np.isfinite(side.low)),
            }
            if np.isfinite(side.low):
                bars |= {"array": [side.high - mean], "arrayminus": [mean - side.low]}
            figure.add_scatter(
                x=[mean], y=[side.name], name="mean and 95 %", legendgroup="mean", showlegend=index == 0,
                mode="markers", marker={"color": colour, "size": 13, "symbol": "diamond"}, error_x=bars,
                hovertemplate=f"{told}<extra></extra>", meta=of,
            )  # fmt: skip
            if len(side.values) > 1:
                figure.add_scatter(
                    x=list(side.values), y=[side.name] * len(side.values), name="each seed", legendgroup="seed",
                    showlegend=not any(trace.name == "each seed" for trace in figure.data), mode="markers",
                    marker={"color": colour, "size": 10, "symbol": "line-ns-open", "line": {"width": 2}},
                    hovertemplate="one seed: %{x:.4g}<extra></extra>", meta=of,
                )  # fmt: skip
        if np.isfinite(side.published):
            told += f", published {side.published:.3g} ({side.paper})"
            figure.add_scatter(
                x=[side.published], y=[side.name], name="published, larger network", legendgroup="published",
                showlegend=not any(trace.legendgroup == "published" for trace in figure.data), mode="markers",
                marker={"color": colour, "size": 12, "symbol": "circle-open", "line": {"width": 2}},
                hovertemplate=f"{side.paper}: %{{x:.4g}}<extra></extra>", meta=of,
            )  # fmt: skip
        said.append(told)
    shown = [each for side in sides for each in (*side.values, side.low, side.high, side.published)]
    axis(figure, shown, metric, unit, chance, along="x")
    if chance is not None:
        said.append(f"chance is {chance:.3g}")
    figure.update_yaxes(type="category", categoryorder="array", categoryarray=rows[::-1], showgrid=False)
    figure.update_yaxes(ticktext=[_folded(name) for name in rows], tickvals=rows)
    sized(figure, 120 + 62 * len(sides), left=190, top=56, right=24)
    figure.update_layout(showlegend=True)
    return describe(figure, alt=f"{metric.capitalize()} in {unit}: {'; '.join(said)}.")


def _folded(name: str, width: int = 26) -> str:
    """A long label in several lines."""
    return "<br>".join(wrap(name, width))
