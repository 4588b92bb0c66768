"""Accuracy under corruptions: one small panel for each, the float network's curve and the 1-bit network's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from binviz.plots.figure import builder, describe, sized
from binviz.plots.theme import GREY, NETWORKS, SIZE
from binviz.words import percent

#: Panels side by side; three fit on a telephone.
COLUMNS = 3


@builder
def robustness(
    curves: Mapping[str, Mapping[str, Sequence[float]]],
    chance: float,
    severity: int | None = None,
    columns: int = COLUMNS,
) -> go.Figure:
    """Accuracy against the severity of a corruption, a panel for each. A click gives (corruption, severity).

    Args:
        curves: corruption -> "float" and "1-bit" -> accuracy in percent at severity 0, the clean inputs, 1, 2, ...
        chance: accuracy in percent of an answer that is always the same, a line in each panel.
        severity: with a line in each panel.
        columns: how many panels stand side by side, at most; fewer where as few fill as many rows.

    >>> figure = robustness({"fog": {"float": [98, 60], "1-bit": [92, 40]}, "frost": {"float": [98, 90]}}, 10)
    >>> figure.data[0].customdata
    (['fog', 0], ['fog', 1])
    >>> figure.layout.meta["alt"].split(". ")[1]
    'fog: float from 98.0 % to 60.0 %, 1-bit from 92.0 % to 40.0 %'
    """
    rows = -(-len(curves) // columns)
    columns = -(-len(curves) // rows)
    figure = make_subplots(
        rows=rows,
        cols=columns,
        shared_xaxes=True,
        shared_yaxes=True,
        subplot_titles=list(curves),
        horizontal_spacing=0.04,
        vertical_spacing=0.24 / rows,
    )
    figure.update_annotations(font_size=SIZE, yshift=2)
    line = {"type": "line", "line_width": 1.5, "line_color": GREY}
    said, across = [], []
    for place, (name, lines) in enumerate(curves.items()):
        row, column = divmod(place, columns)
        told = []
        for network, values in lines.items():
            numbers = np.asarray(values, dtype=float)
            figure.add_scatter(
                x=list(range(len(numbers))),
                y=numbers.round(2).tolist(),
                name=network,
                legendgroup=network,
                showlegend=place == 0,
                mode="lines+markers",
                line={
                    "color": NETWORKS[network],
                    "width": 2.5,
                    "dash": "solid" if network == "float" else "dot",
                },
                marker={"size": 7, "symbol": "circle" if network == "float" else "diamond"},
                customdata=[[name, at] for at in range(len(numbers))],
                hovertemplate=f"{name}, severity %{{x}}: %{{y:.1f}} %<extra>{network}</extra>",
                meta={"network": network},
                row=row + 1,
                col=column + 1,
            )
            told.append(f"{network} from {percent(numbers[0] / 100)} to {percent(numbers[-1] / 100)}")
        x, y = figure.data[-1].xaxis, figure.data[-1].yaxis
        level = {"xref": f"{x} domain", "x0": 0, "x1": 1, "yref": y, "y0": chance, "y1": chance}
        across.append(line | level | {"line_dash": "dash"})
        if severity is not None:
            across.append(
                line | {"xref": x, "x0": severity, "x1": severity, "yref": f"{y} domain", "y0": 0, "y1": 1}
            )
        said.append(f"{name}: {', '.join(told)}")
    figure.update_layout(shapes=across)  # at once: add_hline takes longer with each line that is there
    most = max(len(values) for lines in curves.values() for values in lines.values()) - 1
    figure.update_xaxes(range=[-0.3, most + 0.3], dtick=1, tickangle=0)
    figure.update_yaxes(range=[0, 103], tickvals=[0, 50, 100])
    figure.update_xaxes(title="severity (0 = clean)", row=rows, col=(columns + 1) // 2)
    figure.update_yaxes(title="accuracy (%)", row=(rows + 1) // 2, col=1)
    sized(figure, 96 + 108 * rows, left=66, top=64)
    figure.update_layout(legend_y=1 + 34 / (108 * rows))
    return describe(
        figure,
        alt=f"Accuracy under {len(curves)} corruptions, from clean inputs to severity {most}. {'. '.join(said)}. "
        f"Chance is {percent(chance / 100)}.",
    )
