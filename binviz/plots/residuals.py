"""What binarized attention leaves out: the size of each term, and how much of it a low rank would give back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from binviz.plots.figure import builder, describe, log_axis, sized
from binviz.plots.theme import BINARY, CATEGORICAL, GREY, NETWORKS, OPTIMUM
from binviz.words import percent

#: Of terms, none of which is a network's tensor.
TERMS = [colour for colour in CATEGORICAL if colour not in (*NETWORKS.values(), OPTIMUM)]


@builder
def residuals(
    singular_values: Mapping[str, Sequence[float]],
    left: Sequence[float],
    estimators: tuple[int, float] | None = None,
) -> go.Figure:
    """Singular values of each term; beside them what the best matrix of each rank leaves of the residual.

    Args:
        singular_values: term -> falling values, of `analysis.residual_polynomial`.
        left: shares of the residual's energy, from rank 0 on.
        estimators: rank of the learned ones as a matrix, and the share that they leave; None without any.

    >>> residuals({"main x main": [3, 1]}, [1, 0.2, 0], (1, 0.6)).layout.meta["alt"].split(". ")[1]
    'The best matrix of rank 1 leaves 20.0 % of the residual, the learned estimators 60.0 %.'
    """
    figure = make_subplots(rows=1, cols=2, horizontal_spacing=0.14)
    every = np.concatenate([np.asarray(values, dtype=float) for values in singular_values.values()])
    smallest = 1e-6 * every.max(initial=0)  # below it is what rounding makes of 0
    for (name, values), colour in zip(singular_values.items(), TERMS, strict=False):
        numbers = np.asarray(values, dtype=float)
        figure.add_scatter(
            x=np.arange(1, len(numbers) + 1),
            y=[float(number) if number > smallest else None for number in numbers],
            name=name,
            mode="lines+markers" if len(numbers) <= 12 else "lines",
            line={"color": colour, "width": 2.5},
            row=1,
            col=1,
        )
    shares = 100 * np.asarray(left, dtype=float)
    figure.add_scatter(
        x=np.arange(len(shares)),
        y=shares,
        name="best of its rank",
        mode="lines+markers" if len(shares) <= 12 else "lines",
        line={"color": OPTIMUM, "width": 2.5, "dash": "dash"},
        row=1,
        col=2,
    )
    largest = [f"{name} {max(values, default=0.0):.3g}" for name, values in singular_values.items()]
    said = f"Largest singular values: {'; '.join(largest)}."
    if estimators is not None:
        rank, share = estimators
        figure.add_scatter(
            x=[rank],
            y=[100 * share],
            name="learned estimators",
            mode="markers",
            marker={"color": BINARY, "size": 12, "symbol": "diamond"},
            row=1,
            col=2,
        )
        best = percent(left[min(rank, len(left) - 1)])
        said += f" The best matrix of rank {rank} leaves {best} of the residual"
        said += f", the learned estimators {percent(share)}."
    figure.update_xaxes(title="rank of the value (number)", row=1, col=1)
    figure.update_yaxes(title="singular value (no unit)", **log_axis(every[every > smallest]), row=1, col=1)
    figure.update_xaxes(title="rank (number)", row=1, col=2)
    figure.update_yaxes(title="energy left of the residual (%)", rangemode="tozero", row=1, col=2)
    figure.add_hline(100, line_dash="dash", line_color=GREY, line_width=2, row=1, col=2)
    figure.update_layout(showlegend=True)
    sized(figure, 400, top=64)
    return describe(figure, alt=said)
