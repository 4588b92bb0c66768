"""How many bits of each layer turn an answer into another one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from binviz.plots.figure import builder, describe, log_axis, sized
from binviz.plots.theme import BINARY, pale

#: Where the axis begins, and a bar of no length ends.
START = 0.7


@builder
def margins(
    names: Sequence[str], flips: Sequence[float], exact: Sequence[bool], what: str = "layer"
) -> go.Figure:
    """A bar for each layer, or for each other answer: flips that change the answer; full where fewer are proven not to.

    Args:
        names: of the layers or answers.
        flips: how many bits; nan where no number does, or where none was found.
        exact: whether it is the least number, or is proven that none does.
        what: is named.

    >>> margins(["pooler", "fc1"], [12, 3], [True, False]).layout.meta["alt"]
    'Flips that change the answer, by layer: pooler exactly 12; fc1 at most 3.'
    """
    numbers = np.asarray(flips, dtype=float)
    figure, said = go.Figure(), []
    for sure, label in ((True, "exactly"), (False, "at most")):
        chosen = [at for at, flag in enumerate(exact) if bool(flag) is sure]
        figure.add_bar(
            x=[float(numbers[at]) if np.isfinite(numbers[at]) else START for at in chosen],
            y=[names[at] for at in chosen],
            orientation="h",
            name=label,
            marker={"color": BINARY if sure else pale(BINARY), "line": {"color": BINARY, "width": 1}},
            text=[_said(numbers[at], sure) for at in chosen],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: " + label + " %{x:,.0f} bits<extra></extra>",
            meta={"network": "1-bit"},
        )
    for name, number, sure in zip(names, numbers, exact, strict=True):
        found = (
            f"{'exactly' if sure else 'at most'} {number:,.0f}"
            if np.isfinite(number)
            else _said(number, sure)
        )
        said.append(f"{name} {found}")
    known = numbers[np.isfinite(numbers) & (numbers > 0)]
    figure.update_xaxes(title="flips that change the answer (bit, logarithmic)", **log_axis([0.8, 2, *known]))
    figure.update_xaxes(range=[np.log10(START), np.log10(4 * max([2, *known]))])
    figure.update_yaxes(
        type="category",
        categoryorder="array",
        categoryarray=list(names),
        autorange="reversed",
        showgrid=False,
    )
    figure.update_layout(showlegend=True)
    sized(figure, 120 + 24 * len(names))
    return describe(figure, alt=f"Flips that change the answer, by {what}: {'; '.join(said)}.")


def _said(number: float, exact: bool) -> str:
    """What stands beside a bar.

    >>> _said(1200.0, True), _said(float("nan"), True), _said(float("nan"), False)
    ('1,200', 'no number does', 'none found')
    """
    if np.isfinite(number):
        return f"{number:,.0f}"
    return "no number does" if exact else "none found"
