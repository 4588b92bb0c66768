"""Figures of recorded runs: a number of several, and what moved in each layer, run beside run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from binviz.plots.figure import builder, describe, log_axis, longest, sized
from binviz.plots.theme import CATEGORICAL, SEQUENTIAL


class Course(NamedTuple):
    """What became of something in every layer.

    steps: of the columns, rising. layers: names. values: (layers, steps).
    """

    steps: Sequence[int]
    layers: Sequence[str]
    values: Sequence[Sequence[float]]


@builder
def progress(
    runs: Mapping[str, tuple[Sequence[int], Sequence[float]]], what: str, unit: str, log: bool = False
) -> go.Figure:
    """A number against the step, one line for each run.

    Args:
        runs: name -> steps and values, as many of one as of the other; a value that is not finite, or not positive
            where the axis is logarithmic, leaves a gap.
        what: is shown, such as "loss".
        unit: of the values.
        log: their axis is logarithmic.

    >>> progress({"seed 0": ([0, 10, 20], [2.0, 1.0, 0.5])}, "loss", "nats").layout.meta["alt"]
    'Loss: seed 0 from 2 to 0.5 in 20 steps.'
    """
    figure, said = go.Figure(), []
    for index, (name, (steps, values)) in enumerate(runs.items()):
        shown = [np.isfinite(value) and (value > 0 or not log) for value in values]
        numbers = [float(value) if one else None for value, one in zip(values, shown, strict=True)]
        figure.add_scatter(
            x=list(steps),
            y=numbers,
            name=name,
            mode="lines",
            line={"color": CATEGORICAL[index % len(CATEGORICAL)], "width": 2},
            hovertemplate="step %{x}: %{y:.4g}<extra>" + name + "</extra>",
        )
        known = [number for number in numbers if number is not None]
        if known:
            said.append(f"{name} from {known[0]:.3g} to {known[-1]:.3g} in {steps[-1]} steps")
    figure.update_xaxes(title="step (number)", rangemode="tozero")
    every = [value for _, values in runs.values() for value in values]
    figure.update_yaxes(title=f"{what} ({unit})", **(log_axis(every) if log else {}))
    sized(figure, 360)
    figure.update_layout(showlegend=True)
    return describe(figure, alt=f"{what.capitalize()}: {'; '.join(said) or 'no points'}.")


@builder
def courses(runs: Mapping[str, Course], what: str, unit: str) -> go.Figure:
    """One map for each run, a row for each layer and a column for each recorded step, on one scale of colours.

    Args:
        runs: name -> course.
        what: is shown, such as "flips".
        unit: of the values.

    >>> course = Course([10, 20], ["fc1", "fc2"], [[9, 4], [7, 2]])
    >>> courses({"bnn": course}, "flips", "% of weights").layout.meta["alt"]
    'Flips (% of weights): bnn 2 to 9 in 2 layers.'
    """
    names = list(runs)
    figure = make_subplots(rows=1, cols=len(names), subplot_titles=names, horizontal_spacing=0.03)
    said, label_room = [], 0
    for column, (name, course) in enumerate(runs.items(), start=1):
        values = np.asarray(course.values, dtype=float).reshape(len(course.layers), len(course.steps))
        figure.add_heatmap(
            x=[str(step) for step in course.steps],
            y=list(course.layers),
            z=[[float(value) if np.isfinite(value) else None for value in row] for row in values],
            coloraxis="coloraxis",
            hovertemplate=f"%{{y}}, step %{{x}}: %{{z:.4g}} {unit}<extra></extra>",
            row=1,
            col=column,
        )
        known = values[np.isfinite(values)]
        if known.size:
            said.append(f"{name} {known.min():.3g} to {known.max():.3g} in {len(course.layers)} layers")
        label_room = max(label_room, longest(course.layers))
    figure.update_xaxes(title="step (number)", type="category", showgrid=False, nticks=6, tickangle=0)
    figure.update_yaxes(type="category", autorange="reversed", showgrid=False, showticklabels=False)
    figure.update_yaxes(title="layer (name)", showticklabels=True, row=1, col=1)
    rows = max((len(course.layers) for course in runs.values()), default=1)
    sized(figure, 130 + max(160, 13 * rows), left=50 + label_room, right=90)
    figure.update_layout(
        coloraxis={
            "colorscale": SEQUENTIAL,
            "colorbar": {"title": {"text": f"{what} ({unit})", "side": "right"}, "thickness": 10},
        }
    )
    return describe(figure, alt=f"{what.capitalize()} ({unit}): {'; '.join(said) or 'no points'}.")
