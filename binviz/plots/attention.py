"""Attention maps: the teacher's, the 1-bit network's own before its binarizer, and what is left behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from binviz.plots.figure import builder, clickable, describe, distinct, sized
from binviz.plots.theme import BINARY, GREY, ONE, SEQUENTIAL, SIZE, ZERO
from binviz.words import percent

_TWO = [[0.0, ZERO], [1.0, ONE]]
#: Cells of a model view, so that it stays below 100 kB.
_CELLS = 40_000
#: Of a model view's colours; 255, all ones, would be slashes in base64, for each of which plotly writes six letters.
_LEVELS = 240


@builder
def attention(
    labels: Sequence[str],
    teacher: Sequence[Sequence[float]],
    before: Sequence[Sequence[float]],
    codes: Sequence[Sequence[int]] | None = None,
    agreement: float | None = None,
    mass_kept: float | None = None,
    across: int | None = None,
) -> go.Figure:
    """One head's map three times: the teacher's, the 1-bit network's before its binarizer, and its codes.

    From the first to the second leads retraining, from the second to the third binarization.

    Args:
        labels: name of each token or patch, n of them.
        teacher: (n, n), a row per query; probabilities of the float model.
        before: (n, n), probabilities of the 1-bit model, as its binarizer reads them.
        codes: (n, n), {0, 1}, {-1, +1} or more levels; None where attention stays float.
        agreement: of `before` with `teacher`, as `binviz.analysis.steps` gives it.
        mass_kept: share of `before` on the ones, in [0, 1], from there too.
        across: patches in a row of the picture, behind the class token; where there is no room for all names, the
            first of each row has its own. None for tokens.

    >>> before = [[0.6, 0.4], [0.5, 0.5]]
    >>> figure = attention(["the", "cat"], [[0.9, 0.1], [0.5, 0.5]], before, [[1, 0], [1, 1]], 0.5, 0.8)
    >>> figure.layout.meta["alt"].split(". ")[1:]
    ['Retraining: agreement with the teacher 0.50', 'Binarization: 1.5 ones a row keep 80.0 % of the mass.']
    """
    weights = [np.asarray(part, dtype=np.float32).round(4) for part in (teacher, before)]
    names, said = distinct(labels), [f"Attention of {len(labels)} positions"]
    titles = ["teacher<br>probability", "1-bit, before its binarizer<br>probability"]
    if agreement is not None:
        titles[1] = f"1-bit, before its binarizer<br>agreement {agreement:.2f}"
        said.append(f"Retraining: agreement with the teacher {agreement:.2f}")
    if codes is not None:
        bits = np.asarray(codes, dtype=np.int8)
        ones = f"{(bits > 0).sum(axis=1).mean():.1f} ones a row"
        titles.append(f"1-bit, after it<br>{ones}")
        if mass_kept is not None:
            titles[2] = f"1-bit, after it<br>{percent(mass_kept)} of the mass"
            said.append(f"Binarization: {ones} keep {percent(mass_kept)} of the mass")
    figure = make_subplots(
        rows=1, cols=len(titles), shared_yaxes=True, horizontal_spacing=0.03, subplot_titles=titles
    )
    figure.update_annotations(font_size=SIZE)
    fit = LINE_OF_MAP * len(names) <= TALLEST_MAP
    gap = 1 if fit else 0
    grid = {"x": names, "y": names, "xgap": gap, "ygap": gap}
    add_maps(figure, weights, None if codes is None else bits, "query %{y}, key %{x}<br>", 1, grid)
    unit = "token" if across is None else "patch"
    figure.update_xaxes(title=f"key ({unit})", tickangle=-60, type="category")
    figure.update_yaxes(autorange="reversed", type="category")
    figure.update_yaxes(title=f"query ({unit})", row=1, col=1)
    if not fit:
        step = across or -(-LINE_OF_MAP * len(names) // TALLEST_MAP)
        some = names[1 if across else 0 :: step]
        figure.update_xaxes(tickvals=some, ticktext=some)
        figure.update_yaxes(tickvals=some, ticktext=some)
    frames(figure)
    sized(figure, 120 + min(max(LINE_OF_MAP * len(names), 250), TALLEST_MAP), top=56, right=90)
    figure.update_layout(showlegend=False)
    return describe(figure, alt=". ".join(said) + ".")


def add_maps(
    figure: go.Figure,
    weights: Sequence[NDArray[np.float32]],
    bits: NDArray[np.int8] | None,
    where: str,
    first: int,
    grid: dict[str, Any],
) -> None:
    """The teacher's and the 1-bit network's probabilities in one scale of colours, and the codes, from a column on."""
    for column, (network, part) in enumerate(zip(("float", "1-bit"), weights, strict=True), start=first):
        hover = f"{where}probability %{{z:.3f}}<extra></extra>"
        about = {"coloraxis": "coloraxis", "meta": {"network": network}, "hovertemplate": hover}
        figure.add_heatmap(z=part, row=1, col=column, **about, **grid)
    bar = {"title": {"text": "probability (0 to 1)", "side": "right"}, "thickness": 10, "x": 1.02}
    largest = max(float(part.max()) for part in weights)
    figure.update_layout(coloraxis={"colorscale": SEQUENTIAL, "cmin": 0, "cmax": largest, "colorbar": bar})
    if bits is not None:
        figure.add_heatmap(
            z=bits,
            colorscale=_TWO if bits.max() <= 1 else SEQUENTIAL,
            zmin=min(int(bits.min()), 0),
            zmax=max(1, int(bits.max())),
            showscale=False,
            meta={"network": "1-bit"},
            hovertemplate=f"{where}code %{{z}}<extra></extra>",
            row=1,
            col=first + 2,
            **grid,
        )


#: Pixels of a row of a map, so that a name fits, and of a map, so that a screen holds it; then some names are left out.
LINE_OF_MAP, TALLEST_MAP = 18, 450


def frames(figure: go.Figure) -> None:
    """A line around every panel: dark cells end on a dark page, light ones on a white page."""
    line = {"showline": True, "linecolor": GREY, "mirror": True, "showgrid": False, "zeroline": False}
    figure.update_xaxes(**line)
    figure.update_yaxes(**line)


@builder
def model_view(
    maps: Sequence[Sequence[Sequence[Sequence[float]]]],
    what: str,
    notes: Sequence[Sequence[str]] | None = None,
    codes: bool = False,
    chosen: tuple[int, int] | None = None,
) -> go.Figure:
    """All heads of all layers at once, a small map for each. A click gives (layer, head) as customdata.

    Args:
        maps: (layers, heads, n, n), probabilities or codes. Of long inputs a cell is the mean of several.
        what: is shown, such as "teacher: probability".
        notes: (layers, heads), a line on each head for who points at it.
        codes: whether the maps are codes.
        chosen: layer and head that have a frame.

    >>> figure = model_view(np.ones((2, 3, 4, 4)), "1-bit: code", codes=True)
    >>> figure.data[1].customdata[:4], figure.layout.meta["alt"]
    (([0, 0], [0, 1], [0, 2], [1, 0]), 'All 3 heads of 2 layers, 4 positions each. 1-bit: code from 1 to 1.')
    """
    values = np.asarray(maps, dtype=np.float32)
    layers, heads, n = values.shape[:3]
    small = _pooled(values, max(1, int(np.sqrt(_CELLS / (layers * heads)))))
    side = small.shape[-1]
    low, high = min(float(small.min()), 0.0), max(float(small.max()), 1e-9)
    mosaic = small.transpose(0, 2, 1, 3).reshape(layers * side, heads * side)
    ticks = [low, high] if codes else [0.0, high / 2, high]
    figure = go.Figure(
        go.Heatmap(
            z=(_LEVELS * (mosaic - low) / (high - low)).round().astype(np.uint8),
            x0=(1 / side - 1) / 2,
            dx=1 / side,
            y0=(1 / side - 1) / 2,
            dy=1 / side,
            zmin=0,
            zmax=_LEVELS,
            colorscale=_TWO if codes and values.max() <= 1 else SEQUENTIAL,
            colorbar={
                "title": {"text": what, "side": "right"},
                "tickvals": [_LEVELS * (tick - low) / (high - low) for tick in ticks],
                "ticktext": [f"{tick:.2g}" for tick in ticks],
                "thickness": 10,
            },
            hoverinfo="skip",
        )
    )
    places = [(layer, head) for layer in range(layers) for head in range(heads)]
    lines = [notes[layer][head] if notes is not None else "" for layer, head in places]
    figure.add_trace(
        clickable(
            [head for _, head in places],
            [layer for layer, _ in places],
            places,
            [
                f"layer {layer}, head {head}<br>{line}"
                for (layer, head), line in zip(places, lines, strict=True)
            ],
        )
    )
    for count, axis in ((heads, "x"), (layers, "y")):
        other = {"x": "y", "y": "x"}[axis]
        for at in range(1, count):
            line = {f"{axis}0": at - 0.5, f"{axis}1": at - 0.5, f"{other}0": 0, f"{other}1": 1}
            figure.add_shape(
                type="line", **line, **{f"{other}ref": f"{other} domain"}, line={"color": GREY, "width": 2}
            )
    if chosen is not None:
        layer, head = chosen
        figure.add_shape(
            type="rect", x0=head - 0.5, x1=head + 0.5, y0=layer - 0.5, y1=layer + 0.5,
            line={"color": BINARY, "width": 3},
        )  # fmt: skip
    frames(figure)
    figure.update_xaxes(title="head (number)", range=[-0.5, heads - 0.5], dtick=1)
    figure.update_yaxes(title="layer (number)", range=[layers - 0.5, -0.5], dtick=1)
    sized(figure, 90 + 62 * layers, right=90, top=16)
    return describe(
        figure,
        alt=f"All {heads} heads of {layers} layers, {n} positions each. "
        f"{what} from {values.min():.2g} to {values.max():.2g}.",
    )


def _pooled(maps: NDArray[np.float32], most: int) -> NDArray[np.float32]:
    """Maps of at most `most` rows and columns; a cell is the mean of those that it stands for."""
    n = maps.shape[-1]
    step = -(-n // most)
    starts = np.arange(0, n, step)
    sums = np.add.reduceat(np.add.reduceat(maps, starts, axis=-1), starts, axis=-2)
    sizes = np.diff([*starts, n])
    return sums / np.outer(sizes, sizes)
