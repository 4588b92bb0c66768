"""What the tab Margins computes and says; no Streamlit here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
from torch import nn

from binviz import analysis
from binviz.analysis import Margin
from binviz.tasks import Example
from binviz_dashboard.subject import Subject


class Away(NamedTuple):
    """How far an answer is from each other one, by flips in the last binary layer: its path, weights, and margins."""

    path: str
    weights: int
    margins: list[Margin]


def measure(model: nn.Module, example: Example) -> Away:
    """Of a model's answer to an example.

    Raises:
        UserError: what follows its last binary layer is not known.
    """
    readout = analysis.read_out(model, example.inputs)
    return Away(readout.path, readout.moves.size, analysis.margins(readout))


def nearest(away: Away) -> Margin:
    """The other answer that takes the fewest flips."""
    return min(
        away.margins,
        key=lambda margin: (margin.enough is None, margin.enough or margin.needed or float("inf")),
    )


def in_words(away: Away, labels: Sequence[str]) -> str:
    """The nearest other answer, in a sentence.

    >>> import numpy as np
    >>> one = Margin(1, 0, 3, 3, np.zeros((3, 2), int))
    >>> in_words(Away("fc", 64, [one]), ["no", "yes"])
    'The answer is yes. 3 of the 64 bits here turn it into no, and no fewer do.'
    """
    margin = nearest(away)
    said = f"The answer is {labels[margin.answer]}. "
    if margin.needed is None:
        return f"{said}However many of the {away.weights:,} bits here are flipped, it stays."
    if margin.enough is None:
        return f"{said}No flips of up to {margin.needed - 1:,} of the {away.weights:,} bits here turn it."
    said += f"{margin.enough:,} of the {away.weights:,} bits here turn it into {labels[margin.other]}"
    if margin.exact:
        return f"{said}, and no fewer do."
    return f"{said}; {margin.needed:,} are needed at least."


def bars(away: Away, labels: Sequence[str]) -> tuple[list[str], list[float], list[float]]:
    """Arguments of `plots.margins`: other answers."""
    return (
        [labels[margin.other] for margin in away.margins],
        [float("nan") if margin.enough is None else float(margin.enough) for margin in away.margins],
        [float("inf") if margin.needed is None else float(margin.needed) for margin in away.margins],
    )


def layers(found: pd.DataFrame, away: Away | None) -> tuple[list[str], list[float], list[float]]:
    """Arguments of `plots.margins`: the layers of `analysis.turning_flips`, the last one as it is known from `away`."""
    names, flips, needed = found["layer"].tolist(), found["enough"].tolist(), [float("nan")] * len(found)
    if away is not None and away.path in names:
        at, margin = names.index(away.path), nearest(away)
        flips[at] = float("nan") if margin.enough is None else float(margin.enough)
        needed[at] = float("inf") if margin.needed is None else float(margin.needed)
    top = names[0].partition(".")[0]
    return [name.removeprefix(f"{top}.") for name in names], flips, needed


def code_of(subject: Subject, example: Example) -> str:
    """Python that draws `plots.margins` of the last binary layer."""
    return (
        "import torch\n\nimport binviz\nfrom binviz import analysis, plots, zoo\n"
        "from binviz_dashboard import bits_away\n"
        f"{example.imports}\n{example.code}"
        f"readout = analysis.read_out(binviz.load({subject.name!r}), inputs)\n"
        "away = bits_away.Away(readout.path, readout.moves.size, analysis.margins(readout))\n"
        f"figure = plots.margins(*bits_away.bars(away, {list(subject.task.labels)}), what='other answer')\n"
    )
