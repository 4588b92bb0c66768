"""Figures of one binarizer: its curves, what it does to a distribution, and the error it makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from binviz.plots.figure import builder, describe, log_axis, percent, sized
from binviz.plots.summaries import Histogram, Sweep, in_words, outliers
from binviz.plots.theme import BINARY, GREY, KINDS, OPTIMUM, of_network

#: Binarizers side by side: none has the colour of a float network, and on a grey print their dashes differ.
BINARIZERS = KINDS["1-bit"]
AS_WRONG_AS_ZERO = 100.0


@builder
def curves(
    x: Sequence[float], outputs: Mapping[str, Sequence[float]], slopes: Mapping[str, Sequence[float]]
) -> go.Figure:
    """Forward curve above, surrogate slope below, for one or several binarizers.

    Args:
        x: inputs, rising.
        outputs: name -> q(x) at each input.
        slopes: name -> dq/dx used in the backward pass at each input.

    >>> figure = curves([-2, -1, 1, 2], {"sign": [-1, -1, 1, 1]}, {"sign": [0, 1, 1, 0]})
    >>> figure.layout.meta["alt"].split("; ")
    ['sign: the output runs from -1 to 1', 'the surrogate slope is nonzero from -1 to 1, at most 1.']
    """
    inputs = np.asarray(x, dtype=float)
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.08)
    figure.add_scatter(
        x=inputs, y=inputs, name="input itself", line={"color": GREY, "dash": "dot", "width": 1}, row=1, col=1
    )
    for index, (name, output) in enumerate(outputs.items()):
        colour, dash = BINARIZERS[index % len(BINARIZERS)]
        line = {"color": colour, "width": 2.5, "dash": dash}
        hover = "input %{x:.3g}: %{y:.3g}<extra>" + name + "</extra>"
        shared = {"x": inputs, "name": name, "legendgroup": name, "line": line, "hovertemplate": hover}
        figure.add_scatter(y=np.asarray(output, dtype=float), row=1, col=1, **shared)
        figure.add_scatter(
            y=np.asarray(slopes[name], dtype=float), row=2, col=1, showlegend=False, fill="tozeroy", **shared
        )
    figure.update_yaxes(title="output (value)", row=1, col=1)
    figure.update_yaxes(title="slope (output per input)", row=2, col=1)
    figure.update_xaxes(title="input (value)", row=2, col=1)
    sized(figure, 460)
    return describe(
        figure, alt=" ".join(_curve_text(inputs, name, outputs[name], slopes[name]) for name in outputs)
    )


def _curve_text(x: np.ndarray, name: str, output: Sequence[float], slope: Sequence[float]) -> str:
    values, slopes = np.asarray(output, dtype=float), np.asarray(slope, dtype=float)
    active = x[np.abs(slopes) > 1e-6]
    where = f"nonzero from {active.min():.2g} to {active.max():.2g}" if active.size else "zero everywhere"
    return (
        f"{name}: the output runs from {values.min():.3g} to {values.max():.3g}; the surrogate slope is {where}, "
        f"at most {slopes.max():.3g}."
    )


@builder
def before_after(
    before: Histogram,
    after: Histogram | None = None,
    codes: Mapping[int, int] | None = None,
    teacher: Histogram | None = None,
    names: Sequence[str] = ("before", "after", "teacher"),
) -> go.Figure:
    """A tensor of the 1-bit network before its binarizer and behind it, under the teacher's at the same place.

    Args:
        before: histogram of the binarizer's input.
        after: histogram of code * scale + shift; None where no binarizer reads the tensor.
        codes: code -> how many values have it.
        teacher: histogram of the float network's tensor.
        names: of the rows.

    >>> halves, codes = Histogram([-2, 0, 2], [3, 5]), Histogram([-1, 0, 1], [3, 5])
    >>> figure = before_after(halves, codes, {-1: 3, 1: 5}, teacher=halves)
    >>> [trace.meta and trace.meta["network"] for trace in figure.data]
    ['float', '1-bit', '1-bit', '1-bit']
    >>> figure.layout.meta["alt"].split(". ")[1]
    'Share of each code: -1 37.5%, +1 62.5%.'
    """
    rows = [(names[0], before, of_network("1-bit", before=True))]
    if after is not None:
        rows.append((names[1], after, of_network("1-bit")))
    if teacher is not None:
        rows.insert(0, (names[2], teacher, of_network("float")))
    count = len(rows)
    figure = make_subplots(
        rows=count,
        cols=2 if codes else 1,
        shared_xaxes="columns",
        column_widths=[0.72, 0.28] if codes else None,
        specs=[[{}, {"rowspan": count} if row == 0 else None] if codes else [{}] for row in range(count)],
        horizontal_spacing=0.06,
        vertical_spacing=0.2 / count,
    )
    for row, (name, part, style) in enumerate(rows, start=1):
        edges, counts = np.asarray(part.edges, dtype=float), np.asarray(part.counts, dtype=float)
        figure.add_bar(
            x=(edges[:-1] + edges[1:]) / 2,
            y=100 * counts / max(counts.sum(), 1),
            width=np.diff(edges),
            name=name,
            text=in_words(part),
            textposition="none",
            hovertemplate="%{text}<extra>" + name + "</extra>",
            row=row,
            col=1,
            **style,
        )
        figure.update_yaxes(title=f"{name} (%)", row=row, col=1)
    figure.update_xaxes(title="value (unit of the input)", row=count, col=1)
    low, high = (
        pick(edge for _, part, _ in rows for edge in (part.edges[0], part.edges[-1])) for pick in (min, max)
    )
    listing = ", ".join(name for name, *_ in rows)
    said = f"Histogram of {sum(before.counts)} values from {low:.3g} to {high:.3g}: {listing}."
    if codes:
        said += f" Share of each code: {_add_codes(figure, codes)}."
    beyond = outliers({name: part for name, part, _ in rows})
    sized(figure, 120 + 160 * count, right=62)
    figure.update_layout(bargap=0.3, showlegend=False)
    return describe(figure, alt=f"{said} {beyond}".strip())


def _add_codes(figure: go.Figure, codes: Mapping[int, int]) -> str:
    """Bars of how often each code occurs, and the same in words."""
    total, signed = sum(codes.values()), min(codes) < 0
    names = [f"{code:+d}" if signed and code else str(code) for code in codes]
    shares = [percent(count, total) for count in codes.values()]
    figure.add_bar(
        x=names,
        y=shares,
        text=[f"{share:.1f}%" for share in shares] if len(codes) <= 4 else None,
        textposition="outside",
        textangle=0,
        constraintext="none",
        cliponaxis=False,
        name="code",
        customdata=list(codes.values()),
        hovertemplate="code %{x}: %{customdata} values, %{y:.1f}%<extra></extra>",
        row=1,
        col=2,
        **of_network("1-bit"),
    )
    figure.update_xaxes(title="code (level)", type="category", tickangle=0, row=1, col=2)
    figure.update_yaxes(title="share (% of values)", range=[0, 115], side="right", row=1, col=2)
    return ", ".join(f"{name} {share:.1f}%" for name, share in zip(names, shares, strict=True))


@builder
def error_curve(sweep: Sweep, of: str, unit: str = "unit of the input") -> go.Figure:
    """Error against a scale or a threshold, with the least one marked, and the binarizer's own where it is known.

    Axes are logarithmic where the values span more than two powers of ten.

    Args:
        sweep: from `scale_sweep` or `threshold_sweep`.
        of: what was varied: "scale" or "threshold".
        unit: of that.

    >>> sweep = Sweep([0, 1, 2], [100.0, 36.0, 60.0], 1, 36.0, used=2, used_error=60.0)
    >>> error_curve(sweep, "scale").layout.meta["alt"]
    'Error against scale. Least error 36.0% at scale 1. The binarizer uses 2, with an error of 60.0%.'
    """
    figure = go.Figure()
    values, errors = np.asarray(sweep.values, dtype=float), np.asarray(sweep.errors, dtype=float)
    hover = f"{of} %{{x:.3g}}: error %{{y:.3g}} %<extra></extra>"
    figure.add_scatter(
        x=values, y=errors, name="error", line={"color": GREY, "width": 2.5}, hovertemplate=hover
    )
    if errors.max() >= AS_WRONG_AS_ZERO:
        figure.add_scatter(
            x=values[[0, -1]],
            y=[AS_WRONG_AS_ZERO] * 2,
            name="as wrong as answering zero",
            mode="lines",
            line={"color": GREY, "dash": "dot", "width": 1.5},
            hoverinfo="skip",
        )
    figure.add_scatter(
        x=[sweep.best],
        y=[sweep.best_error],
        name=f"least error, {of} {sweep.best:.3g}",
        mode="markers",
        marker={"color": OPTIMUM, "size": 13, "symbol": "star"},
        hovertemplate=hover,
    )
    alt = f"Error against {of}. Least error {sweep.best_error:.1f}% at {of} {sweep.best:.3g}."
    if sweep.used is not None:
        figure.add_scatter(
            x=[sweep.used],
            y=[sweep.used_error],
            name=f"this binarizer, {of} {sweep.used:.3g}",
            mode="markers",
            marker={"color": BINARY, "size": 11, "symbol": "circle"},
            hovertemplate=hover,
        )
        alt += f" The binarizer uses {sweep.used:.3g}, with an error of {sweep.used_error:.1f}%."
    figure.update_xaxes(title=f"{of} ({unit})", **(log_axis(values) if _wide(values) else {}))
    figure.update_yaxes(
        title="error (% of the input's energy)",
        **(log_axis(errors) if _wide(errors) else {"rangemode": "tozero"}),
    )
    sized(figure, 340)
    return describe(figure, alt=alt)


def _wide(values: np.ndarray) -> bool:
    """Whether an axis of these values is to be logarithmic."""
    return bool(values.min() > 0 and values.max() > 100 * values.min())
