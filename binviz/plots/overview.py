"""Pictures in a row, two models' answers, and accuracy against size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from binviz.plots.figure import builder, describe
from binviz.plots.theme import BINARY, FLOAT

_TICKS = [digit * 10**power for power in range(-3, 4) for digit in (1, 2, 5)]


@builder
def pictures(
    images: Sequence[Sequence[Sequence[float]]], titles: Sequence[str], columns: int = 8
) -> go.Figure:
    """Grey pictures with a title each.

    Args:
        images: each (height, width); darker is more, as with ink.
        titles: one per image.
        columns: how many stand side by side.
    """
    rows = -(-len(images) // columns)
    figure = make_subplots(
        rows=rows,
        cols=min(columns, len(images)),
        subplot_titles=list(titles),
        horizontal_spacing=0.02,
        vertical_spacing=0.3 / rows,
    )
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        figure.add_heatmap(
            z=np.asarray(image, dtype=float),
            colorscale="Greys",
            showscale=False,
            hovertemplate="row %{y}, column %{x}: %{z}<extra></extra>",
            row=row + 1,
            col=column + 1,
        )
        number = "" if index == 0 else str(index + 1)
        figure.update_layout({f"yaxis{number}": {"scaleanchor": f"x{number}"}})
    figure.update_xaxes(visible=False, constrain="domain")
    figure.update_yaxes(visible=False, constrain="domain", constraintoward="top", autorange="reversed")
    figure.update_layout(height=60 + 150 * rows)
    return describe(figure, alt=f"{len(images)} pictures: " + ", ".join(titles) + ".")


@builder
def answers(
    labels: Sequence[str],
    floats: Sequence[float],
    binaries: Sequence[float],
    names: Sequence[str] = ("float", "1-bit"),
) -> go.Figure:
    """Class probabilities of two models for one input, side by side.

    Args:
        labels: of the classes.
        floats: probabilities of the float model, summing to one.
        binaries: of the 1-bit model.
        names: of the two models.
    """
    figure = go.Figure()
    said = []
    for name, values, colour in ((names[0], floats, FLOAT), (names[1], binaries, BINARY)):
        shares = 100 * np.asarray(values, dtype=float)
        figure.add_bar(
            x=list(labels),
            y=shares,
            name=name,
            marker={"color": colour},
            hovertemplate="%{x}: %{y:.1f}%<extra>" + name + "</extra>",
        )
        best = int(shares.argmax())
        said.append(f"{name} says {labels[best]} with {shares[best]:.1f}%")
    figure.update_xaxes(title="answer (class)", type="category")
    figure.update_yaxes(title="probability (%)", range=[0, 100])
    figure.update_layout(height=340, bargap=0.35, bargroupgap=0.05)
    return describe(figure, alt="; ".join(said) + ".")


@builder
def accuracy_size(
    names: Sequence[str], megabytes: Sequence[float], accuracy: Sequence[float], binary: Sequence[bool]
) -> go.Figure:
    """Accuracy against the size of the file, one point per model.

    Args:
        names: of the models.
        megabytes: size on disk, 1 MB = 10^6 bytes.
        accuracy: in percent.
        binary: whether the model is a 1-bit one.
    """
    figure = go.Figure()
    reach = np.log10([0.5 * min(megabytes, default=1), 2 * max(megabytes, default=1)])
    low, high = min(accuracy, default=0), max(accuracy, default=100)
    room = 0.15 * (high - low) + 0.5
    across = ((np.log10(megabytes) - reach[0]) / np.ptp(reach)).tolist()
    up = ((np.asarray(accuracy) - low) / (high - low + 2 * room)).tolist()
    texts = _shared_labels(names, across, up)
    for kind, wanted, colour, symbol in (
        ("float", False, FLOAT, "circle"),
        ("1-bit", True, BINARY, "diamond"),
    ):
        chosen = [index for index, flag in enumerate(binary) if bool(flag) is wanted]
        figure.add_scatter(
            x=[megabytes[index] for index in chosen],
            y=[accuracy[index] for index in chosen],
            text=[texts[index] for index in chosen],
            customdata=[names[index] for index in chosen],
            name=kind,
            mode="markers+text",
            textposition=["middle right" if across[index] < 0.6 else "middle left" for index in chosen],
            cliponaxis=False,
            marker={"color": colour, "symbol": symbol, "size": 12},
            hovertemplate="%{customdata}<br>%{x:.3g} MB, %{y:.1f}%<extra></extra>",
        )
    figure.update_xaxes(
        title="size of the file (MB, logarithmic)", type="log", tickvals=_TICKS, range=reach.tolist()
    )
    figure.update_yaxes(title="accuracy (%)", range=[low - room, high + room])
    figure.update_layout(height=340)
    listing = "; ".join(
        f"{n} {m:.3g} MB {a:.1f}%" for n, m, a in zip(names, megabytes, accuracy, strict=True)
    )
    return describe(figure, alt=f"Accuracy against size of the file: {listing}.")


def _shared_labels(names: Sequence[str], across: Sequence[float], up: Sequence[float]) -> list[str]:
    """A label per point; of points that lie close together the rightmost one carries all names, a line each.

    >>> _shared_labels(["a", "b", "c"], [0.1, 0.12, 0.8], [0.5, 0.5, 0.5])
    ['', 'a<br>b', 'c']
    """
    labels, open_points = [""] * len(names), set(range(len(names)))
    for index in sorted(open_points, key=lambda point: -across[point]):
        if index in open_points:
            near = [
                n
                for n in open_points
                if abs(across[n] - across[index]) < 0.15 and abs(up[n] - up[index]) < 0.13
            ]
            labels[index] = "<br>".join(names[n] for n in sorted(near))
            open_points -= set(near)
    return labels
