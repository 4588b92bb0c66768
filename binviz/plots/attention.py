"""Attention maps before and after binarization, over tokens or over the patches of a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from binviz.plots.figure import builder, describe, longest, sized
from binviz.plots.theme import BINARY, SEQUENTIAL

#: Two colours of the same sequence for the two codes.
_TWO = [[0.0, "#00224e"], [1.0, "#fee838"]]


@builder
def attention(
    labels: Sequence[str], probabilities: Sequence[Sequence[float]], codes: Sequence[Sequence[int]]
) -> go.Figure:
    """The float map, the binary one beside it, and the number of ones in each row of the binary one.

    Args:
        labels: name of each token or patch, n of them.
        probabilities: (n, n), a row per query; rows of the float model.
        codes: (n, n), the 1-bit model's codes, {0, 1} or {-1, +1}.

    >>> figure = attention(["the", "cat"], [[0.9, 0.1], [0.5, 0.5]], [[1, 0], [1, 1]])
    >>> figure.layout.meta["alt"].split(". ")[1]
    'Float: the largest probability is 0.90'
    """
    weights, bits = np.asarray(probabilities, dtype=float), np.asarray(codes, dtype=int)
    low = int(min(bits.min(), 0))
    ones = (bits > 0).sum(axis=1)
    figure = make_subplots(
        rows=1,
        cols=3,
        shared_yaxes=True,
        column_widths=[0.41, 0.41, 0.18],
        horizontal_spacing=0.03,
        subplot_titles=["float probability", f"1-bit code (light 1, dark {low})", "ones per row"],
    )
    grid = {"xgap": 1, "ygap": 1}
    figure.add_heatmap(
        z=weights,
        coloraxis="coloraxis",
        hovertemplate="query %{y}, key %{x}<br>probability %{z:.3f}<extra></extra>",
        row=1,
        col=1,
        **grid,
    )
    figure.add_heatmap(
        z=bits,
        colorscale=_TWO,
        zmin=low,
        zmax=1,
        showscale=False,
        hovertemplate="query %{y}, key %{x}<br>code %{z}<extra></extra>",
        row=1,
        col=2,
        **grid,
    )
    figure.add_bar(
        x=ones,
        y=np.arange(len(labels)),
        orientation="h",
        marker={"color": BINARY},
        text=ones,
        textposition="outside",
        textangle=0,
        cliponaxis=False,
        row=1,
        col=3,
        hovertemplate="query %{y}: %{x} ones<extra></extra>",
    )
    ticks = {
        "tickvals": list(range(len(labels))),
        "ticktext": list(labels),
        "showgrid": False,
        "zeroline": False,
    }
    figure.update_xaxes(title="key (position)", tickangle=-60, row=1, col=1, **ticks)
    figure.update_xaxes(title="key (position)", tickangle=-60, row=1, col=2, **ticks)
    figure.update_xaxes(title="ones (count)", range=[0, 1.25 * max(ones.max(), 1)], row=1, col=3)
    figure.update_yaxes(autorange="reversed", **ticks)
    figure.update_yaxes(title="query (position)", row=1, col=1)
    low_room = 70 + longest(labels)
    height = 44 + max(13 * len(labels), 270) + low_room
    sized(figure, height, left=50 + longest(labels), right=90, bottom=low_room)
    figure.update_layout(
        showlegend=False,
        coloraxis={
            "colorscale": SEQUENTIAL,
            "cmin": 0,
            "cmax": float(weights.max()),
            "colorbar": {
                "title": {"text": "probability (0 to 1)", "side": "right"},
                "thickness": 10,
                "x": 1.02,
            },
        },
    )
    return describe(
        figure,
        alt=f"Attention of {len(labels)} positions. Float: the largest probability is {weights.max():.2f}. "
        f"1-bit: {ones.min()} to {ones.max()} ones per row, {ones.mean():.1f} on average.",
    )


@builder
def ones_of_heads(layers: Sequence[str], ones: Sequence[Sequence[float]], keys: int) -> go.Figure:
    """How many ones a row of each head's binary attention has, on average.

    Args:
        layers: names.
        ones: (layers, heads), mean count of ones per row.
        keys: how many there could be.

    >>> ones_of_heads(["0", "1"], [[1.5, 2.0], [4.0, 3.0]], keys=8).layout.meta["alt"]
    'Ones per row of 4 heads, out of 8 keys: from 1.5 to 4.0.'
    """
    counts = np.asarray(ones, dtype=float)
    figure = go.Figure(
        go.Heatmap(
            z=counts,
            x=[str(head) for head in range(counts.shape[1])],
            y=list(layers),
            zmin=0,
            zmax=max(1.0, float(counts.max())),
            texttemplate="%{z:.1f}",
            colorbar={"title": {"text": "ones (per row)", "side": "right"}},
            hovertemplate="layer %{y}, head %{x}: %{z:.2f} ones per row<extra></extra>",
            xgap=2,
            ygap=2,
        )
    )
    figure.update_xaxes(title="head (number)", type="category", showgrid=False)
    figure.update_yaxes(title="layer (number)", type="category", autorange="reversed", showgrid=False)
    sized(figure, 120 + 32 * len(layers), right=90, top=20)
    return describe(
        figure,
        alt=f"Ones per row of {counts.size} heads, out of {keys} keys: from {counts.min():.1f} to {counts.max():.1f}.",
    )


@builder
def patch_attention(
    picture: Sequence[Sequence[float]],
    query: tuple[int, int] | None,
    probabilities: Sequence[Sequence[float]],
    codes: Sequence[Sequence[int]],
) -> go.Figure:
    """One query's attention laid over the patches of a picture: float and 1-bit.

    Args:
        picture: (height, width); darker is more, as with ink.
        query: row and column of the query's patch; None for the class token.
        probabilities: (rows, columns) of the patches, of the float model.
        codes: (rows, columns), of the 1-bit model.

    >>> figure = patch_attention(np.eye(4), (0, 1), [[0.25, 0.75]], [[0, 1]])
    >>> figure.layout.meta["alt"].split(". ")[2]
    '1-bit: 1 of 2 patches have a one.'
    """
    grey, weights, bits = (
        np.asarray(picture, dtype=float),
        np.asarray(probabilities, dtype=float),
        np.asarray(codes, dtype=int),
    )
    high, wide = grey.shape[0] / weights.shape[0], grey.shape[1] / weights.shape[1]
    figure = make_subplots(
        rows=1, cols=3, subplot_titles=["picture", "float probability", "1-bit code"], horizontal_spacing=0.05
    )
    figure.add_heatmap(z=grey, colorscale="Greys", showscale=False, row=1, col=1)
    x0, y0 = (
        np.arange(n) * step + (step - 1) / 2
        for n, step in ((weights.shape[1], wide), (weights.shape[0], high))
    )
    figure.add_heatmap(
        z=weights, x=x0, y=y0, colorscale=SEQUENTIAL, zmin=0, showscale=False, xgap=2, ygap=2, row=1, col=2
    )
    low = int(min(bits.min(), 0))
    figure.add_heatmap(
        z=bits, x=x0, y=y0, colorscale=_TWO, zmin=low, zmax=1, showscale=False, xgap=2, ygap=2, row=1, col=3
    )
    if query is not None:
        row, column = query
        for column_of_figure in (1, 2, 3):
            figure.add_shape(
                type="rect",
                x0=column * wide - 0.5,
                x1=(column + 1) * wide - 0.5,
                y0=row * high - 0.5,
                y1=(row + 1) * high - 0.5,
                line={"color": BINARY, "width": 3},
                row=1,
                col=column_of_figure,
            )
    figure.update_xaxes(title="column (pixel)", showgrid=False, constrain="domain")
    figure.update_yaxes(autorange="reversed", showgrid=False, constrain="domain", constraintoward="top")
    figure.update_yaxes(title="row (pixel)", row=1, col=1)
    for panel in ("", "2", "3"):
        figure.update_layout({f"yaxis{panel}": {"scaleanchor": f"x{panel}"}})
    sized(figure, 340)
    who = "the class token" if query is None else f"the patch in row {query[0]}, column {query[1]}"
    return describe(
        figure,
        alt=f"Where {who} looks. Float: the largest probability is {weights.max():.2f}. "
        f"1-bit: {int((bits > 0).sum())} of {bits.size} patches have a one.",
    )
