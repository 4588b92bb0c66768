"""Pictures that two networks make of the same noise, side by side, and what they differ in."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray
from plotly.subplots import make_subplots

from binviz.plots.figure import builder, describe, sized
from binviz.plots.theme import SIZE


def _tiled(pictures: NDArray, columns: int) -> list[list[float | None]]:
    """(N, H, W) in rows of so many, with a line of nothing between them and where a last row is not full."""
    count, height, width = pictures.shape
    rows = -(-count // columns)
    tiles = np.full((rows, columns, height + 1, width + 1), np.nan, np.float32)
    tiles.reshape(-1, height + 1, width + 1)[:count, :height, :width] = pictures
    sheet = tiles.transpose(0, 2, 1, 3).reshape(rows * (height + 1), columns * (width + 1))[:-1, :-1]
    return [[None if np.isnan(x) else round(x, 5) for x in line] for line in sheet.tolist()]


@builder
def denoising(floats: ArrayLike, binaries: ArrayLike, columns: int = 3, ink: bool = True) -> go.Figure:
    """Pictures of the float network and of the 1-bit one, and the second less the first.

    Args:
        floats, binaries: (N, H, W), of the same noise, -1 to 1; what lies outside is drawn as if it did not.
        columns: pictures side by side.
        ink: 1 is dark, as with ink; else it is bright.

    Raises:
        ValueError: they are not as many, or of another size.

    >>> denoising(np.zeros((2, 4, 4)), np.full((2, 4, 4), 0.5)).layout.meta["alt"]
    '2 pictures of the float network and of the 1-bit one, of the same noise, apart by 0.5 (root mean square).'
    """
    both = [np.asarray(each, np.float32) for each in (floats, binaries)]
    if both[0].shape != both[1].shape:
        raise ValueError(f"{both[0].shape} pictures against {both[1].shape}")
    apart = both[1] - both[0]
    largest = max(float(np.abs(apart).max()), 0.1)
    figure = make_subplots(
        rows=1, cols=3, subplot_titles=["float", "1-bit", "1-bit less float"], horizontal_spacing=0.04
    )
    figure.update_annotations(font_size=SIZE)
    for column, pictures in enumerate((*both, apart), start=1):
        grey = column < 3
        figure.add_heatmap(
            z=_tiled(pictures, columns),
            colorscale=("Greys" if ink else "Greys_r") if grey else "RdBu",
            zmin=-1 if grey else -largest,
            zmax=1 if grey else largest,
            showscale=not grey,
            colorbar={"thickness": 12, "lenmode": "pixels", "len": 240, "y": 0, "yanchor": "bottom"},
            hovertemplate="row %{y}, column %{x}: %{z}<extra></extra>",
            hoverongaps=False,
            row=1,
            col=column,
        )
        number = "" if column == 1 else str(column)
        figure.update_layout({f"yaxis{number}": {"scaleanchor": f"x{number}"}})
    figure.update_xaxes(visible=False, constrain="domain")
    figure.update_yaxes(visible=False, constrain="domain", constraintoward="top", autorange="reversed")
    sized(figure, 300, top=40, left=16, bottom=16, right=90)
    return describe(
        figure,
        alt=f"{len(both[0])} pictures of the float network and of the 1-bit one, of the same noise, "
        f"apart by {np.sqrt(np.square(apart).mean()):.3g} (root mean square).",
    )
