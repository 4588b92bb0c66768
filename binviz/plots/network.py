"""A network drawn as a map of its places, the causes of a layer's errors, and which part may be 1-bit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from binviz.plots.figure import builder, clickable, describe, reference_line, sized
from binviz.plots.theme import BINARY, DIVERGING, GREEN, GREY, PURPLE, SEQUENTIAL, SIZE, SKY, pale

#: Cause -> how it is called, colour, pattern: told apart on a grey print too.
_CAUSES = {
    "function": ("another function alone", GREY, "/"),
    "weights": ("1-bit weights alone", PURPLE, "x"),
    "activations": ("1-bit activations alone", GREEN, "."),
    "both": ("both, the float function", SKY, "\\"),
    "all": ("all together", BINARY, ""),
}


@builder
def network(
    places: Sequence[str],
    layers: Sequence[str],
    values: Sequence[Sequence[float]],
    names: Sequence[Sequence[str]],
    measure: str = "relative error",
    unit: str = "no unit, 0 = equal",
    better: str = "lower",
    reference: float | None = None,
    means: str = "",
    chosen: str = "",
) -> go.Figure:
    """A network as a map: a column for each layer, a row for each place in it. A click gives the place's name.

    With a reference, blue is better than it, red is worse, and white is as good.

    Args:
        places: names of the rows, in the order in which a layer runs them.
        layers: names of the columns.
        values: (places, layers); what is not finite has no colour.
        names: (places, layers), canonical, the customdata of a click; "" where there is no such place.
        measure: what the values are. unit: theirs. better: "lower", "higher", or "" for neither.
        reference: the value of an answer that is of no use. means: what that answer is.
        chosen: a name that has a frame.

    >>> figure = network(["q"], ["0", "1"], [[0.8, 1.2]], [["layers.0.q", "layers.1.q"]], reference=1.0, means="zero")
    >>> figure.data[1].customdata, figure.layout.meta["alt"].split(". ")[1]
    ((['layers.0.q'], ['layers.1.q']), '1 of 2 are no better than 1, zero.')
    """
    table = np.asarray(values, dtype=float)
    known = table[np.isfinite(table)]
    scale: dict[str, object] = {"colorscale": SEQUENTIAL}
    if reference is not None and known.size:
        reach = float(np.abs(known - reference).max()) or 1.0
        scale = {
            "colorscale": DIVERGING,
            "reversescale": better == "lower",
            "zmin": reference - reach,
            "zmax": reference + reach,
        }
    figure = go.Figure(
        go.Heatmap(
            x=list(layers),
            y=list(places),
            z=[[float(value) if np.isfinite(value) else None for value in row] for row in table],
            texttemplate="%{z:.2f}",
            showscale=False,  # each cell says its number
            hoverinfo="skip",
            xgap=3,
            ygap=3,
            **scale,
        )
    )
    cells = [
        (layer, place, name, value)
        for place, line, row in zip(places, names, table, strict=True)
        for layer, name, value in zip(layers, line, row, strict=True)
        if name
    ]
    figure.add_trace(
        clickable(
            [layer for layer, *_ in cells],
            [place for _, place, *_ in cells],
            [[name] for *_, name, _ in cells],
            [f"{name}<br>{measure} {value:.3g}" for *_, name, value in cells],
        )
    )
    if any(name == chosen for *_, name, _ in cells):
        column, row = next(
            (list(layers).index(layer), list(places).index(place))
            for layer, place, name, _ in cells
            if name == chosen
        )
        figure.add_shape(
            type="rect", x0=column - 0.5, x1=column + 0.5, y0=row - 0.5, y1=row + 0.5,
            line={"color": GREY, "width": 4},
        )  # fmt: skip
    figure.update_xaxes(title="layer (number)", type="category", showgrid=False, tickangle=0)
    figure.update_yaxes(title="place (name)", type="category", autorange="reversed", showgrid=False)
    said = f"{measure.capitalize()} ({unit}) at {len(cells)} places of the network"
    if known.size:
        said += f": from {known.min():.3g} to {known.max():.3g}"
    lines = [f"{measure}, {_arrow(better)} ({unit})" if better else f"{measure} ({unit})"]
    if reference is not None:
        lines.append(f"white = {reference:g}: {means}")
        worse = known >= reference if better == "lower" else known <= reference
        said += f". {int(worse.sum())} of {known.size} are no better than {reference:g}, {means}"
    above = {"x": 0, "y": 1, "yanchor": "top", "pad": {"t": 18, "l": 44}, "font": {"size": SIZE}}
    figure.update_layout(title={"text": "<br>".join(lines), **above})
    sized(figure, 88 + 20 * len(lines) + 30 * len(places), top=14 + 20 * len(lines))
    return describe(figure, alt=f"{said}.")


@builder
def causes(
    places: Sequence[str],
    errors: Mapping[str, Sequence[float]],
    measure: str = "relative error",
    unit: str = "no unit, 0 = equal",
    better: str = "lower",
    reference: float | None = None,
    means: str = "",
    names: Sequence[str] | None = None,
) -> go.Figure:
    """Why places of a layer are wrong: bars side by side, one for each cause by itself, and one for all together.

    Args:
        places: labels, in the order in which the layer runs them.
        errors: a cause of `binviz.analysis.CAUSES` -> a value for each place. One that changes nothing, such as a
            function that was not swapped, and "both" where it is "all", has no bars.
        measure: what the values are. unit: theirs. better: "lower" or "higher".
        reference: the value of an answer that is of no use. means: what that answer is.
        names: canonical, the customdata of a click.

    >>> errors = {"function": [0.4], "weights": [0.9], "activations": [1.5], "both": [1.2], "all": [1.3]}
    >>> figure = causes(["ffn_act"], errors, reference=1.0, means="as wrong as answering zero")
    >>> [bar.name for bar in figure.data][:2]
    ['another function alone', '1-bit weights alone']
    """
    figure, said = go.Figure(), []
    clicks = [[name] for name in (places if names is None else names)]
    unlike = {cause: np.asarray(values, dtype=float) for cause, values in errors.items()}
    if "all" in unlike and np.array_equal(unlike.get("both", ()), unlike["all"]):
        unlike = {cause: values for cause, values in unlike.items() if cause not in ("function", "both")}
    for cause, values in unlike.items():
        name, colour, pattern = _CAUSES[cause]
        figure.add_bar(
            x=list(places),
            y=[float(value) if np.isfinite(value) else None for value in values],
            name=name,
            marker={"color": colour, "pattern": {"shape": pattern, "solidity": 0.35}},
            customdata=clicks,
            hovertemplate="%{customdata[0]}: %{y:.3g}<extra>" + name + "</extra>",
        )
        said.append(f"{name} {', '.join(f'{value:.3g}' for value in values)}")
    reference_line(figure, reference, means)
    figure.update_xaxes(title="place (name)", type="category", tickangle=0)
    figure.update_yaxes(title=f"{measure}, {_arrow(better)} ({unit})")
    figure.update_layout(barmode="group", bargap=0.25, showlegend=True)
    sized(figure, 380, top=70)
    return describe(figure, alt=f"{measure.capitalize()} ({unit}) at {', '.join(places)}: {'; '.join(said)}.")


def _arrow(better: str) -> str:
    return "↑ better" if better == "higher" else "↓ better"


@builder
def sensitivity(
    parts: Sequence[str],
    lost: Sequence[float],
    weights: Sequence[int],
    chance: float | None = None,
    chosen: str = "",
) -> go.Figure:
    """What is lost when a single part is 1-bit, part by part; a click gives its name.

    Args:
        parts: names, in the order in which the model runs them; "all" is all of them at once.
        lost: percentage points of right answers, or whatever the score counts in %.
        weights: how many become 1-bit.
        chance: what guessing would lose, a line.
        chosen: a part that is drawn full.

    >>> sensitivity(["layers.0.query", "all"], [1.5, 40.0], [100, 900]).layout.meta["alt"]
    'Lost with one part 1-bit, of 2: most by all, 40 points; least by layers.0.query, 1.5 points.'
    """
    points = np.asarray(lost, dtype=float)
    full = [name in ("all", chosen) for name in parts]
    figure = go.Figure(
        go.Bar(
            x=points,
            y=list(parts),
            orientation="h",
            marker={
                "color": [BINARY if each else pale(BINARY) for each in full],
                "line": {"color": BINARY, "width": 1},
            },
            text=[f"{value:.1f}" for value in points],
            textposition="outside",
            cliponaxis=False,
            customdata=[[name, f"{count:,}"] for name, count in zip(parts, weights, strict=True)],
            hovertemplate="%{customdata[0]}: %{x:.1f} points, %{customdata[1]} weights<extra></extra>",
            meta={"network": "1-bit"},
        )
    )
    reference_line(figure, None if chance is None else round(chance, 1), "guessing", "x")
    figure.update_xaxes(title="lost with only this part 1-bit (percentage points)")
    figure.update_yaxes(autorange="reversed", type="category", showgrid=False)
    sized(figure, 110 + 20 * len(parts), right=40, top=30)
    most, least = int(points.argmax()), int(points.argmin())
    return describe(
        figure,
        alt=f"Lost with one part 1-bit, of {len(parts)}: most by {parts[most]}, {points[most]:.3g} points; "
        f"least by {parts[least]}, {points[least]:.3g} points.",
    )
