"""A picture, the class of every pixel, what networks say of it, and where they are wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from binviz.plots.attention import frames
from binviz.plots.figure import builder, describe, sized
from binviz.plots.patches import coloured
from binviz.plots.theme import CATEGORICAL, GREY, SIZE, VERMILLION
from binviz.words import percent

#: Of classes, again from the first where there are more; grey is of pixels without one.
COLOURS = [colour for colour in CATEGORICAL if colour != GREY] + ["#000000", "#332288", "#882255", "#DDDDDD"]
#: Pixels of a row of panels.
HIGH = 220


@builder
def segmentation(
    picture: Sequence[Sequence[Any]],
    labels: Sequence[Sequence[int]],
    answers: Mapping[str, Sequence[Sequence[int]]],
    classes: Sequence[str],
) -> go.Figure:
    """A picture beside its labels, and below, for each network, its answer beside the pixels that it has wrong.

    Args:
        picture: (height, width) grey or (height, width, 3), 0 black and 255 white.
        labels: (height, width), numbers of classes; a pixel with any other number has none and is never wrong.
        answers: name of a network -> (height, width), numbers of classes.
        classes: names.

    >>> figure = segmentation(np.zeros((1, 3)), [[0, 1, 2]], {"1-bit": [[0, 0, 0]]}, ["road", "sky"])
    >>> figure.layout.meta["alt"]
    'A picture of 3 by 1 pixels and the class of each, 2 classes. Wrong: 1-bit 50.0 %.'
    """
    seen, truth = coloured(picture), np.asarray(labels, dtype=np.int16)
    labelled = (truth >= 0) & (truth < len(classes))
    said = {name: np.asarray(answer, dtype=np.int16) for name, answer in answers.items()}
    wrong = {name: (answer != truth) & labelled for name, answer in said.items()}
    titles = ["picture", "labels", *(f"{name}{what}" for name in said for what in ("", ", wrong"))]
    figure = make_subplots(rows=1 + len(said), cols=2, subplot_titles=titles, horizontal_spacing=0.06)
    figure.update_annotations(font_size=SIZE)
    figure.add_trace(go.Image(z=seen, hoverinfo="skip"), row=1, col=1)
    maps = {(1, 2): np.where(labelled, truth, -1)} | {
        (row, 1): answer for row, answer in enumerate(said.values(), start=2)
    }
    for (row, col), numbers in maps.items():
        hover = "class %{z}<extra></extra>"
        figure.add_heatmap(z=numbers, coloraxis="coloraxis", hovertemplate=hover, row=row, col=col)
    for row, errors in enumerate(wrong.values(), start=2):
        figure.add_trace(go.Image(z=seen, hoverinfo="skip", opacity=0.4), row=row, col=2)
        figure.add_heatmap(
            z=errors.astype(np.int8),
            zmin=0,
            zmax=1,
            colorscale=[[0, "rgba(0,0,0,0)"], [1, VERMILLION]],
            showscale=False,
            hoverinfo="skip",
            row=row,
            col=2,
        )
    colours = [GREY, *(COLOURS[i % len(COLOURS)] for i in range(len(classes)))]
    ends = np.arange(len(colours) + 1) / len(colours)
    steps = [[end, colour] for i, colour in enumerate(colours) for end in ends[i : i + 2].tolist()]
    names = ["none", *(f"{number} {name}" for number, name in enumerate(classes))]
    bar = {"tickvals": list(range(-1, len(classes))), "ticktext": names, "thickness": 10, "x": 1.02}
    figure.update_layout(
        coloraxis={"colorscale": steps, "cmin": -1.5, "cmax": len(classes) - 0.5, "colorbar": bar}
    )
    figure.update_xaxes(constrain="domain", range=[-0.5, seen.shape[1] - 0.5])
    figure.update_yaxes(range=[seen.shape[0] - 0.5, -0.5], constrain="domain")
    figure.update_xaxes(title="column (pixel)", row=1 + len(said))
    figure.update_yaxes(title="row (pixel)", col=1)
    for number in ("", *range(2, 2 * (1 + len(said)) + 1)):
        figure.update_layout({f"yaxis{number}": {"scaleanchor": f"x{number}"}})
    frames(figure)
    sized(figure, HIGH * (1 + len(said)) + 100, right=110)
    shares = ", ".join(
        f"{name} {percent(float(errors.sum() / max(labelled.sum(), 1)))}" for name, errors in wrong.items()
    )
    return describe(
        figure,
        alt=f"A picture of {seen.shape[1]} by {seen.shape[0]} pixels and the class of each, {len(classes)} classes. "
        f"Wrong: {shares or 'no network'}.",
    )
