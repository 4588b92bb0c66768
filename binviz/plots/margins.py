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
    names: Sequence[str], flips: Sequence[float], needed: Sequence[float], what: str = "layer"
) -> go.Figure:
    """A bar for each layer, or for each other answer: flips that change the answer; full where fewer are proven not to.

    Args:
        names: of the layers or answers.
        flips: how many bits turn the answer; nan where none were found.
        needed: without how many it stays, proven; nan where nothing is proven, inf where no number turns it.
        what: is named.

    >>> margins(["pooler", "fc2", "fc1"], [12, 9, 3], [12, 8, float("nan")]).layout.meta["alt"]
    'Flips that change the answer, by layer: pooler exactly 12; fc2 8 to 9; fc1 at most 3.'
    """
    numbers, least = np.asarray(flips, dtype=float), np.asarray(needed, dtype=float)
    exact = (numbers == least) | np.isposinf(least)
    figure = go.Figure()
    for sure, label in ((True, "exactly"), (False, "not sure to be the least")):
        chosen = [at for at, flag in enumerate(exact) if bool(flag) is sure]
        figure.add_bar(
            x=[float(numbers[at]) if np.isfinite(numbers[at]) else START for at in chosen],
            y=[names[at] for at in chosen],
            orientation="h",
            name=label,
            marker={"color": BINARY if sure else pale(BINARY), "line": {"color": BINARY, "width": 1}},
            text=[
                _said(numbers[at], least[at]).removeprefix("exactly ").removeprefix("at most ")
                for at in chosen
            ],
            textposition="outside",
            cliponaxis=False,
            customdata=[_said(numbers[at], least[at]) for at in chosen],
            hovertemplate="%{y}: %{customdata}<extra></extra>",
            meta={"network": "1-bit"},
        )
    said = [f"{name} {_said(*pair)}" for name, *pair in zip(names, numbers, least, strict=True)]
    known = numbers[np.isfinite(numbers) & (numbers > 0)]
    figure.update_xaxes(title="flips (bit, logarithmic)", **log_axis([0.8, 2, *known]))
    figure.update_xaxes(range=[np.log10(START), np.log10(12 * max([2, *known]))])
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


def _said(flips: float, needed: float) -> str:
    """What is known.

    >>> _said(1200, 1200), _said(9, 8), _said(3, float("nan")), _said(float("nan"), float("inf"))
    ('exactly 1,200', '8 to 9', 'at most 3', 'no number does')
    """
    if np.isposinf(needed):
        return "no number does"
    if not np.isfinite(flips):
        return "none found"
    if needed == flips:
        return f"exactly {flips:,.0f}"
    return f"{needed:,.0f} to {flips:,.0f}" if np.isfinite(needed) else f"at most {flips:,.0f}"
