"""Pictures in a row, two models' answers, and accuracy against size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from binviz.plots.figure import axis_from_chance, builder, describe, sized
from binviz.plots.theme import BINARY, FLOAT
from binviz.words import percent

#: Points whose distance is less than these shares of the axes share a label, of at most so many names.
NEAR, MOST_NAMES = (0.08, 0.12), 3
_TICKS = [digit * 10**power for power in range(-3, 4) for digit in (1, 2, 5)]


@builder
def pictures(
    images: Sequence[Sequence[Sequence[float]]], titles: Sequence[str], columns: int = 8
) -> go.Figure:
    """Grey pictures with a title each.

    Args:
        images: each (height, width); darker is more, as with ink. Bytes stay bytes, which take an eighth of a figure.
        titles: one per image.
        columns: how many stand side by side.

    >>> pictures([np.eye(2), 1 - np.eye(2)], ["falls", "rises"]).layout.meta["alt"]
    '2 pictures: falls, rises.'
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
        values = np.asarray(image)
        figure.add_heatmap(
            z=values if values.dtype == np.uint8 else values.astype(float),
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
    sized(figure, 60 + 150 * rows, left=16, bottom=16)
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

    >>> answers(["no", "yes"], [0.25, 0.75], [0.5, 0.5]).layout.meta["alt"]
    'float says yes with 75.0 %; 1-bit says no with 50.0 %.'
    """
    figure = go.Figure()
    said = []
    for name, values, colour in ((names[0], floats, FLOAT), (names[1], binaries, BINARY)):
        shares = np.asarray(values, dtype=float)
        figure.add_bar(
            x=list(labels),
            y=100 * shares,
            name=name,
            marker={"color": colour},
            customdata=[percent(float(share)) for share in shares],
            hovertemplate="%{x}: %{customdata}<extra>" + name + "</extra>",
        )
        best = int(shares.argmax())
        said.append(f"{name} says {labels[best]} with {percent(float(shares[best]))}")
    figure.update_xaxes(title="answer (class)", type="category")
    figure.update_yaxes(title="probability (%)", range=[0, 100])
    sized(figure, 340)
    figure.update_layout(bargap=0.35, bargroupgap=0.05)
    return describe(figure, alt="; ".join(said) + ".")


@builder
def accuracy_size(
    names: Sequence[str],
    megabytes: Sequence[float],
    accuracy: Sequence[float],
    binary: Sequence[bool],
    labelled: Sequence[str] | None = None,
    chance: float | None = None,
) -> go.Figure:
    """Accuracy against the size of the file, one point per model; points that lie on one another share a label.

    Args:
        names: of the models.
        megabytes: size on disk, 1 MB = 10^6 bytes.
        accuracy: in percent.
        binary: whether the model is a 1-bit one.
        labelled: the models whose name stands beside their point, the others are paler; None is all.
        chance: accuracy of an answer that is always the same, where the axis begins; at 0 with None.

    >>> accuracy_size(["float", "1-bit"], [16.0, 0.5], [98.0, 96.5], [False, True]).layout.meta["alt"]
    'Accuracy against size of the file: float 16 MB 98.0 %; 1-bit 0.5 MB 96.5 %.'
    """
    figure = go.Figure()
    reach = np.log10([0.5 * min(megabytes, default=1), 2 * max(megabytes, default=1)])
    middle = 10 ** reach.mean()
    start = min([0.0 if chance is None else chance, *accuracy])
    groups = _piles(megabytes, accuracy, reach[1] - reach[0], max(accuracy, default=1) - start)
    pile = {index: group for group in groups for index in group}
    for kind, wanted, colour, symbol in (
        ("float", False, FLOAT, "circle"),
        ("1-bit", True, BINARY, "diamond"),
    ):
        chosen = [index for index, flag in enumerate(binary) if bool(flag) is wanted]
        shown = [labelled is None or names[index] in labelled for index in chosen]
        figure.add_scatter(
            x=[megabytes[index] for index in chosen],
            y=[accuracy[index] for index in chosen],
            customdata=[
                "<br>".join(
                    f"{names[i]}: {megabytes[i]:.3g} MB, {percent(accuracy[i] / 100)}" for i in pile[index]
                )
                for index in chosen
            ],
            name=kind,
            mode="markers",
            cliponaxis=False,
            marker={
                "color": colour,
                "symbol": symbol,
                "size": 12,
                "opacity": [1.0 if label else 0.35 for label in shown],
            },
            hovertemplate="%{customdata}<extra></extra>",
        )
    for group in groups:
        told = [names[index] for index in group if labelled is None or names[index] in labelled]
        if told:
            first = group[0]
            left = megabytes[first] < middle
            told = told[:MOST_NAMES]
            more = len(group) - len(told)
            figure.add_annotation(
                x=float(np.log10(megabytes[first])),
                y=accuracy[first],
                text="<br>".join([*told, *([f"and {more} more here"] if more else [])]),
                showarrow=False,
                align="left" if left else "right",
                xanchor="left" if left else "right",
                yanchor="top",
                xshift=8 if left else -8,
            )
    figure.update_xaxes(
        title="size of the file (MB, logarithmic)", type="log", tickvals=_TICKS, range=reach.tolist()
    )
    axis_from_chance(figure, accuracy, "accuracy", "%", chance)
    sized(figure, 340)
    listing = "; ".join(
        f"{n} {m:.3g} MB {percent(a / 100)}" for n, m, a in zip(names, megabytes, accuracy, strict=True)
    )
    return describe(figure, alt=f"Accuracy against size of the file: {listing}.")


def _piles(
    megabytes: Sequence[float], accuracy: Sequence[float], width: float, height: float
) -> list[list[int]]:
    """Points so near to one another that their labels would lie on each other: groups, the highest point first.

    >>> _piles([1.0, 1.02, 9.0], [90.0, 90.5, 95.0], width=2.0, height=100.0)
    [[2], [1, 0]]
    """
    groups: list[list[int]] = []
    for index in sorted(range(len(accuracy)), key=lambda each: -accuracy[each]):
        for group in groups:
            away = abs(np.log10(megabytes[index] / megabytes[group[0]])) / (width or 1)
            if away < NEAR[0] and abs(accuracy[index] - accuracy[group[0]]) < NEAR[1] * (height or 1):
                group.append(index)
                break
        else:
            groups.append([index])
    return groups
