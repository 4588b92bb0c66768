"""What each word or pixel adds to an answer, in the float network and in the 1-bit one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike
from plotly.subplots import make_subplots

from binviz.plots.figure import builder, describe, sized
from binviz.plots.patches import coloured
from binviz.plots.theme import DIVERGING, GREY, NETWORKS, SIZE


@builder
def word_attribution(tokens: Sequence[str], floats: ArrayLike, binaries: ArrayLike) -> go.Figure:
    """A row for each token, with a bar for each network: right speaks for the answer, left against it.

    Args:
        tokens: in order.
        floats: what each adds to the score in the float network, in nats. binaries: in the 1-bit one.

    >>> figure = word_attribution(["not", "good"], [-1.0, 0.5], [-0.5, 1.5])
    >>> figure.layout.meta["alt"].split(". ")[1]
    'float: most for it “good”, 0.5, most against it “not”, -1'
    """
    figure, said = go.Figure(), []
    for name, values, move in (("float", floats, -0.2), ("1-bit", binaries, 0.2)):
        numbers = np.asarray(values, dtype=float)
        figure.add_bar(
            x=numbers.round(4).tolist(),
            y=[at + move for at in range(len(tokens))],
            width=0.36,
            orientation="h",
            name=name,
            marker={
                "color": NETWORKS[name],
                "pattern": {"shape": "" if name == "float" else "/", "solidity": 0.3, "fillmode": "overlay"},
            },
            text=list(tokens),
            textposition="none",
            hovertemplate="%{text}: %{x:+.3g} nats<extra>" + name + "</extra>",
        )
        said.append(f"{name}: {_extremes(numbers, tokens)}")
    figure.add_vline(0, line={"color": GREY, "width": 1})
    figure.update_xaxes(title="adds to the log-odds of the answer (nat)")
    figure.update_yaxes(
        tickvals=list(range(len(tokens))),
        ticktext=list(tokens),
        range=[len(tokens) - 0.4, -0.6],
        showgrid=False,
        zeroline=False,
    )
    figure.update_layout(barmode="overlay", showlegend=True)
    sized(figure, 110 + 30 * len(tokens))
    return describe(figure, alt=f"What {len(tokens)} tokens add to the answer. {'. '.join(said)}.")


@builder
def pixel_attribution(picture: ArrayLike, floats: ArrayLike, binaries: ArrayLike) -> go.Figure:
    """The picture, and for each network a map of its pixels: blue speaks for the answer, red against it, one scale.

    Args:
        picture: (height, width) grey or (height, width, 3), 0 black and 255 white.
        floats: (height, width), what each pixel adds to the score in the float network, in nats. binaries: in the
            1-bit one.

    >>> figure = pixel_attribution(255 * np.eye(2), [[1.0, 0.0], [0.0, -0.5]], [[2.0, 0.0], [0.0, 0.0]])
    >>> figure.layout.meta["alt"].split(". ")[1]
    'float: most for it row 0, column 0, 1, most against it row 1, column 1, -0.5'
    """
    maps = [np.asarray(values, dtype=float) for values in (floats, binaries)]
    reach = max(float(np.abs(values).max()) for values in maps) or 1.0
    figure = make_subplots(
        rows=1, cols=3, subplot_titles=("picture", "float", "1-bit"), horizontal_spacing=0.05
    )
    figure.update_annotations(font_size=SIZE)
    figure.add_trace(go.Image(z=coloured(picture), hoverinfo="skip"), row=1, col=1)
    said = []
    for panel, (name, values) in enumerate(zip(("float", "1-bit"), maps, strict=True), start=2):
        figure.add_heatmap(
            z=values.round(4).tolist(),
            coloraxis="coloraxis",
            name=name,
            hovertemplate="row %{y}, column %{x}: %{z:+.3g} nats<extra>" + name + "</extra>",
            row=1,
            col=panel,
        )
        places = [f"row {row}, column {column}" for row, column in np.ndindex(values.shape)]
        said.append(f"{name}: {_extremes(values.ravel(), places)}")
    figure.update_xaxes(visible=False, constrain="domain")
    figure.update_yaxes(visible=False, constrain="domain", constraintoward="top", autorange="reversed")
    for number in ("", "2", "3"):
        figure.update_layout({f"yaxis{number}": {"scaleanchor": f"x{number}"}})
    figure.update_layout(
        coloraxis={
            "colorscale": DIVERGING,
            "cmin": -reach,
            "cmax": reach,
            "colorbar": {
                "orientation": "h",
                "title": {"text": "adds to the log-odds of the answer (nat)", "side": "bottom"},
                "thickness": 12,
                "y": 0,
                "yanchor": "top",
            },
        }
    )
    sized(figure, 330, left=8, right=8, bottom=84)
    return describe(figure, alt=f"What {maps[0].size} pixels add to the answer. {'. '.join(said)}.")


def _extremes(values: np.ndarray, names: Sequence[str]) -> str:
    """Which adds most, and which takes most away."""
    most, least = int(values.argmax()), int(values.argmin())
    quoted = [name if name.startswith("row ") else f"“{name}”" for name in (names[most], names[least])]
    return f"most for it {quoted[0]}, {values[most]:.3g}, most against it {quoted[1]}, {values[least]:.3g}"
