"""What the pages that look inside compute from captured arrays; no Streamlit here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from binviz import plots
from binviz.analysis import Attention, Captured, LayerAttention
from binviz.tasks import Example
from binviz_dashboard.subject import Subject

_NUMBER = re.compile(r"(?<![^.])\d+(?![^.])")

#: Measure -> column of the table of errors, unit.
METRICS = {
    "relative error": ("relative_l2", "no unit, 0 = equal"),
    "cosine": ("cosine", "no unit, 1 = same direction"),
    "signal to noise": ("sqnr_db", "dB"),
    "equal signs": ("sign_agreement", "share, 0 to 1"),
    "mean squared error": ("mse", "squared unit of the tensor"),
}
KINDS = {"layers": "layer", "binarizers": "binarizer", "residual stream": "stream"}


def families(names: Iterable[str]) -> dict[str, list[str]]:
    """Names that differ only in their numbers, under one pattern.

    >>> families(["embed", "layers.0.q", "layers.1.q"])
    {'embed': ['embed'], 'layers.*.q': ['layers.0.q', 'layers.1.q']}
    """
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(_NUMBER.sub("*", name), []).append(name)
    return found


def short(name: str) -> str:
    """The numbers in a name, or the name where there are none: a short label.

    >>> short("layers.3.q"), short("embed")
    ('3', 'embed')
    """
    return ".".join(_NUMBER.findall(name)) or name


def histogram(values: NDArray) -> plots.Histogram:
    """Of the central 99.8 %; the rest is counted at the ends.

    >>> counted = histogram(np.arange(1000.0))
    >>> len(counted.counts), sum(counted.counts)
    (48, 1000)
    """
    return plots.histogram(values, bins=48, span=plots.central_span(values))


def in_both(floats: Captured, binaries: Captured) -> dict[str, list[str]]:
    """Families of the names that both models have, those with a binarizer in front.

    Scores are left out: a mask puts them at minus infinity, and their softmax shows the same.
    """
    found = families(name for name in floats if name in binaries and not name.endswith(".scores"))
    return dict(
        sorted(found.items(), key=lambda item: f"{item[1][-1].removesuffix('.in')}.code" not in binaries)
    )


class Binarized(NamedTuple):
    """What a binarizer inside a model got and made."""

    before: plots.Histogram
    after: plots.Histogram
    codes: dict[int, int]


def binarized(seen: Captured, name: str) -> Binarized | None:
    """The binarizer that reads the tensor of that name; None where it stays float."""
    name = name.removesuffix(".in")
    if f"{name}.code" not in seen:
        return None
    codes, before, after = (seen.flat(f"{name}.{part}") for part in ("code", "pre", "decoded"))
    levels, counts = np.unique(codes, return_counts=True)
    low, high = plots.central_span(before)
    span = min(low, float(after.min())), max(high, float(after.max()))
    return Binarized(
        plots.histogram(before, span=span),
        plots.histogram(after, span=span),
        dict(zip(levels.tolist(), counts.tolist(), strict=True)),
    )


def code_of_activations(subject: Subject, example: Example, shown: list[str]) -> str:
    """Python that draws the distributions of the named tensors in both models."""
    return (
        subject.code(example, "binviz.capture({model}, inputs)")
        + f"names = {shown}\n\n\n"
        + "def histogram(values):\n"
        + "    return plots.histogram(values, bins=48, span=plots.central_span(values))\n\n\n"
        + f"figure = plots.activations(\n    {[short(each) for each in shown]},\n"
        + "    [histogram(floats.flat(name)) for name in names],\n"
        + "    [histogram(binaries.flat(name)) for name in names],\n)\n"
    )


def code_of_binarized(subject: Subject, example: Example, shown: str) -> str:
    """Python that draws what one binarizer of the 1-bit model got and made."""
    return (
        subject.code(example, "binviz.capture({model}, inputs)")
        + f"before, after, codes = (binaries.flat(f'{shown.removesuffix('.in')}.{{part}}') "
        + "for part in ('pre', 'decoded', 'code'))\n"
        + "low, high = plots.central_span(before)\n"
        + "span = (min(low, float(after.min())), max(high, float(after.max())))\n"
        + "figure = plots.before_after(\n    plots.histogram(before, span=span),\n"
        + "    plots.histogram(after, span=span),\n"
        + "    {level: int((codes == level).sum()) for level in sorted(set(codes.tolist()))},\n)\n"
    )


def places(table: pd.DataFrame, kind: str, layer: int | None) -> tuple[list[str], list[str]]:
    """Names of the places of that kind (of one layer, or of all), and their short labels."""
    rows = table[table["kind"] == kind]
    if layer is not None:
        rows = rows[rows["layer"] == layer]
    names = list(dict.fromkeys(rows["name"]))
    return names, [name.removeprefix("layers.") for name in names]


def errors_of(table: pd.DataFrame, kind: str, names: list[str], column: str) -> dict[str, list[float] | None]:
    """Local and accumulated values of one column; a stream has no local ones."""
    found: dict[str, list[float] | None] = {}
    for view in ("local", "accumulated"):
        rows = table[(table["kind"] == kind) & (table["view"] == view)].set_index("name")[column]
        found[view] = [float(rows.get(name, np.nan)) for name in names] if len(rows) else None
    return found


def code_of_errors(subject: Subject, example: Example, kind: str, layer: int | None, measure: str) -> str:
    """Python that draws the errors of one kind of place."""
    pair = subject.code(example, "{model}")
    chosen = f"table[table['kind'] == {kind!r}]"
    chosen += f"\ntable = table[table['layer'] == {layer}]" if layer is not None else ""
    column, unit = METRICS[measure]
    return (
        f"{pair}table = analysis.errors(floats, binaries, inputs)\ntable = {chosen}\n"
        "names = list(dict.fromkeys(table['name']))\n"
        f"views = {{view: rows.set_index('name')[{column!r}].reindex(names).tolist() "
        "for view, rows in table.groupby('view')}\n"
        "figure = plots.layer_errors(\n    [name.removeprefix('layers.') for name in names],\n"
        f"    views.get('local'),\n    views['accumulated'],\n    {measure!r},\n    {unit!r},\n)\n"
    )


def labels(attention: Attention, example: Example) -> list[str]:
    """Names of the positions that attention sees: tokens, or the class token and each patch's row and column."""
    if attention.tokens:
        return list(attention.tokens[0])
    side = side_of(attention)
    return ["class", *(f"{row},{column}" for row in range(side) for column in range(side))]


def side_of(attention: Attention) -> int:
    """How many patches lie along one side of a picture, the class token apart."""
    return int(np.sqrt(attention.layers[0].probs.shape[-1] - 1))


def mean_ones(layers: Iterable[LayerAttention]) -> list[list[float]]:
    """(layers, heads): ones per row of the one example, on average."""
    return [layer.ones[0].mean(axis=-1).tolist() for layer in layers if layer.ones is not None]


def code_of_attention(subject: Subject, example: Example, figure: str) -> str:
    """Python that draws a figure of attention, given the last lines."""
    words = ", tokenizer" if example.tokens else ""
    return subject.code(example, f"analysis.attention({{model}}, inputs{words})") + figure
