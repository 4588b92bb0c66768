"""What the page Inside computes, from captured arrays and tables to the arguments of its figures; no Streamlit here.

The functions called `code_of_...` give Python that draws a figure again. Their first argument, `code`, makes the lines
before it: given an expression of {model}, Python that makes `floats` and `binaries` by it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from binviz import analysis, plots
from binviz.analysis import MEASURES, Attention, Captured, Map, Steps
from binviz.recipes import Recipe
from binviz.words import percent
from binviz_dashboard.activations import short

Code = Callable[[str], str]
BINS = 48
#: Examples that a sensitivity is measured on: with 45 parts a few thousand runs of a small network.
EXAMPLES = 60


# Distributions


def side_by_side(
    floats: Captured, binaries: Captured, names: Sequence[str]
) -> tuple[list[plots.Histogram], list[plots.Histogram]]:
    """Histograms of the named tensors in both networks, on one axis: the central 99 % of each network's values.

    Of 99.8 % a single channel with large values, one of 384, would take the whole axis.
    """
    values = [[seen.flat(name) for name in names] for seen in (floats, binaries)]
    ends = [plots.central_span(np.concatenate(of_network), 0.99) for of_network in values]
    span = min(low for low, _ in ends), max(high for _, high in ends)
    first, second = ([plots.histogram(part, BINS, span) for part in of_network] for of_network in values)
    return first, second


def code_of_distributions(code: Code, names: Sequence[str]) -> str:
    """Python that draws `plots.activations` of the named tensors."""
    return (
        code("binviz.capture({model}, inputs)")
        + f"names = {list(names)}\n"
        + "values = [[seen.flat(name) for name in names] for seen in (floats, binaries)]\n"
        + "ends = [plots.central_span(np.concatenate(each), 0.99) for each in values]\n"
        + "span = min(low for low, _ in ends), max(high for _, high in ends)\n"
        + f"both = [[plots.histogram(part, {BINS}, span) for part in each] for each in values]\n"
        + f"figure = plots.activations({[short(name) for name in names]}, *both)\n"
    ).replace("import torch\n", "import numpy as np\nimport torch\n", 1)


class Place(NamedTuple):
    """One tensor in three states: arguments of `plots.before_after`, and who reads it.

    teacher, before: of the float and of the 1-bit network. after, codes: of the binarizer `reader`; None without one.
    readers: all binarizers that read the tensor.
    """

    teacher: plots.Histogram
    before: plots.Histogram
    after: plots.Histogram | None
    codes: dict[int, int] | None
    reader: str | None
    readers: list[str]

    @property
    def said(self) -> str:
        """Who reads the tensor, and what lies beyond the axis."""
        parts = {"teacher": self.teacher, "1-bit before": self.before}
        if self.reader is None:
            said = "No binarizer reads this tensor: it goes into float parts only."
        elif len(self.readers) == 1:
            said = f"Read by the binarizer {self.reader}."
        else:
            said = f"Read by the binarizers {', '.join(self.readers)}; shown is {self.reader}."
        return f"{said} {plots.outliers(parts)}".strip()


def place(floats: Captured, binaries: Captured, name: str, reader: str | None = None) -> Place:
    """A tensor in the teacher, in the 1-bit network before its binarizer, and behind it.

    Args:
        floats, binaries: everything inside both models.
        name: of the tensor, in both.
        reader: which of its binarizers to show, by default the first.
    """
    readers = analysis.readers(binaries, name)
    reader = reader if reader in readers else next(iter(readers), None)
    own = floats.flat(name), binaries.flat(name)
    decoded = None if reader is None else binaries.flat(f"{reader}.decoded")
    ends = [plots.central_span(part) for part in own]
    ends += [] if decoded is None else [(float(decoded.min()), float(decoded.max()))]
    span = min(low for low, _ in ends), max(high for _, high in ends)
    teacher, before = (plots.histogram(part, BINS, span) for part in own)
    after = None if decoded is None else plots.histogram(decoded, BINS, span)
    codes = None if reader is None else np.unique(binaries.flat(f"{reader}.code"), return_counts=True)
    counted = None if codes is None else dict(zip(*(part.tolist() for part in codes), strict=True))
    return Place(teacher, before, after, counted, reader, readers)


ROWS = ("1-bit, before", "1-bit, after", "teacher")


def code_of_place(code: Code, name: str, reader: str | None) -> str:
    """Python that draws `plots.before_after` of a place."""
    after = f"\nparts += [binaries.flat('{reader}.decoded')]\n" if reader else "\n"
    rest = ", parts[2], codes" if reader else ""
    counts = (
        f"values, counts = np.unique(binaries.flat('{reader}.code'), return_counts=True)\n"
        "codes = dict(zip(values.tolist(), counts.tolist(), strict=True))\n"
    )
    return (
        code("binviz.capture({model}, inputs)")
        + f"parts = [floats.flat({name!r}), binaries.flat({name!r})]{after}"
        + "ends = [plots.central_span(part) for part in parts[:2]]\n"
        + "ends += [(float(part.min()), float(part.max())) for part in parts[2:]]\n"
        + "span = min(low for low, _ in ends), max(high for _, high in ends)\n"
        + f"parts = [plots.histogram(part, {BINS}, span) for part in parts]\n"
        + (counts if reader else "")
        + f"figure = plots.before_after(parts[1]{rest}, teacher=parts[0], names={ROWS})\n"
    ).replace("import torch\n", "import numpy as np\nimport torch\n", 1)


# Errors


class Grid(NamedTuple):
    """Arguments of `plots.network`: places are rows, layers columns."""

    places: list[str]
    layers: list[str]
    values: list[list[float]]
    names: list[list[str]]


def grid(table: pd.DataFrame, kind: str, view: str, measure: str) -> Grid:
    """A table of errors as a map of the network; what is not in a layer stands in a column before or behind them.

    Args:
        table: of `analysis.errors`. kind, view: of its rows. measure: one of `analysis.MEASURES`.

    >>> table = pd.DataFrame({"layer": [0, 1, -1], "name": ["layers.0.q", "layers.1.q", "pooler"], "kind": "layer",
    ...                       "view": "local", "relative_l2": [0.5, 0.7, 0.1]})
    >>> grid(table, "layer", "local", "relative error")[:2]
    (['q', 'pooler'], ['0', '1', 'behind'])
    """
    rows = table[(table["kind"] == kind) & (table["view"] == view)]
    return grid_of(rows, MEASURES[measure].column)


def grid_of(rows: pd.DataFrame, column: str) -> Grid:
    """Rows with `name`, `layer` (-1 for none) and a column of values as a map of the network."""
    inside = np.flatnonzero(rows["layer"] >= 0)
    first = inside[0] if inside.size else 0
    cells: dict[tuple[str, str], tuple[str, float]] = {}
    for at, row in enumerate(rows.to_dict("records")):
        if row["layer"] >= 0:
            where = row["name"].split(f"layers.{row['layer']}.", 1)[-1], str(row["layer"])
        else:
            where = row["name"], "network" if not inside.size else "before" if at < first else "behind"
        cells[where] = row["name"], float(row[column])
    places = list(dict.fromkeys(place for place, _ in cells))
    found = {layer for _, layer in cells}
    numbers = sorted((layer for layer in found if layer.isdigit()), key=int)
    layers = [each for each in ("network", "before", *numbers, "behind") if each in found]
    nothing = "", float("nan")
    return Grid(
        places,
        layers,
        [[cells.get((place, layer), nothing)[1] for layer in layers] for place in places],
        [[cells.get((place, layer), nothing)[0] for layer in layers] for place in places],
    )


def as_arguments(measure: str) -> dict[str, Any]:
    """What `plots.network` and `plots.causes` want to know of a measure."""
    about = MEASURES[measure]
    given = {name: getattr(about, name) for name in ("unit", "better", "reference", "means")}
    return {"measure": measure} | given


def code_of_network(code: Code, kind: str, view: str, measure: str) -> str:
    """Python that draws `plots.network`."""
    return (
        code("{model}").replace("import torch\n", "import torch\nfrom binviz_dashboard import inside\n", 1)
        + "table = analysis.errors(floats, binaries, inputs)\n"
        + f"grid = inside.grid(table, {kind!r}, {view!r}, {measure!r})\n"
        + f"figure = plots.network(*grid, **inside.as_arguments({measure!r}))\n"
    )


class Causes(NamedTuple):
    """Arguments of `plots.causes`: labels of places, cause -> values, canonical names."""

    places: list[str]
    errors: dict[str, list[float]]
    names: list[str]


def causes_of(table: pd.DataFrame, layer: int, measure: str) -> Causes:
    """The causes in one layer, -1 for what is in none."""
    rows = table[table["layer"] == layer]
    wide = rows.pivot(index="name", columns="cause", values=MEASURES[measure].column)
    names = list(dict.fromkeys(rows["name"]))
    errors = {cause: wide.loc[names, cause].tolist() for cause in analysis.CAUSES}
    return Causes([name.removeprefix(f"layers.{layer}.") for name in names], errors, names)


def swapped(table: pd.DataFrame, layer: int, measure: str = "relative error") -> str:
    """What a swapped function does at a place of the layer, in a sentence; "" where none was swapped."""
    found = causes_of(table, layer, measure)
    said = [
        f"At {place} the float network's activation function was swapped for another one: of its {measure} of "
        f"{everything:.2f}, {function:.2f} comes from that alone."
        for place, function, everything, zero in zip(
            found.places,
            found.errors["function"],
            found.errors["all"],
            causes_of(table, layer, "relative error").errors["function"],
            strict=True,
        )
        if zero > 0
    ]
    return " ".join(said)


def code_of_causes(code: Code, layer: int, measure: str) -> str:
    """Python that draws `plots.causes` of one layer."""
    return (
        code("{model}").replace("import torch\n", "import torch\nfrom binviz_dashboard import inside\n", 1)
        + "table = analysis.causes(floats, binaries, inputs)\n"
        + f"places, errors, names = inside.causes_of(table, {layer}, {measure!r})\n"
        + f"figure = plots.causes(places, errors, names=names, **inside.as_arguments({measure!r}))\n"
    )


# Attention


def steps_said(found: Map, steps: Steps, layer: int, head: int) -> str:
    """The two steps of one head in words: what retraining changed, what binarization left, by which threshold."""
    said = [
        f"Retraining: this head's probabilities agree with the teacher's by {steps.agreement[layer, head]:.2f} "
        "(1 the same map, 0 unrelated)."
    ]
    if found.ones is not None:
        said.append(
            f"Binarization: {found.ones.mean():.1f} of {len(found.labels)} keys a query become ones, and keep "
            f"{percent(steps.mass_kept[layer, head])} of its own probability."
        )
    if found.threshold is not None:
        said.append(
            "Its threshold lies between {:.3g} and {:.3g}: no probability here is in between.".format(
                *found.threshold
            )
        )
    elif found.codes is not None and len(np.unique(found.codes)) > 1:
        said.append("Each row has a threshold of its own.")
    if found.scale is not None:
        low, high = found.scale
        said.append(
            f"A one counts as {low:.3g}."
            if low == high
            else f"A one counts as {low:.3g} to {high:.3g}, row by row."
        )
    return " ".join(said)


def maps(attention: Attention, codes: bool = False) -> NDArray:
    """(layers, heads, n, n) of the one example: probabilities, or codes. Arguments of `plots.model_view`."""
    kept = [layer.codes if codes else layer.probs for layer in attention.layers]
    return np.stack([part[0] for part in kept if part is not None])


def notes(steps: Steps) -> list[list[str]]:
    """(layers, heads): the two numbers of each head, for who points at it."""
    return [
        [
            f"agreement with the teacher {agreement:.2f}"
            + ("" if np.isnan(kept) else f", mass kept {percent(kept)}")
            for agreement, kept in zip(*row, strict=True)
        ]
        for row in zip(steps.agreement, steps.mass_kept, strict=True)
    ]


VIEWS = ("teacher", "1-bit, before", "1-bit, after")


def view(teacher: Attention, student: Attention, which: str) -> tuple[NDArray, str, bool]:
    """Maps of all heads, what they are, and whether they are codes; `which` is one of `VIEWS`."""
    codes = which == VIEWS[2]
    return (
        maps(teacher if which == VIEWS[0] else student, codes),
        f"{which}: {'code' if codes else 'probability'}",
        codes,
    )


def code_of_model_view(code: Code, which: str, reads_text: bool) -> str:
    """Python that draws `plots.model_view`."""
    return (
        of_attention(code, reads_text)
        + f"maps, what, codes = inside.view(floats, binaries, {which!r})\n"
        + "figure = plots.model_view(maps, what, inside.notes(analysis.steps(floats, binaries)), codes)\n"
    )


def code_of_head(code: Code, labels: Sequence[str], layer: int, head: int, reads_text: bool) -> str:
    """Python that draws `plots.attention` of one head."""
    return (
        of_attention(code, reads_text)
        + f"teacher, student = floats.map({layer}, {head}), binaries.map({layer}, {head})\n"
        + f"agreement, kept = (float(each[{layer}, {head}]) for each in analysis.steps(floats, binaries))\n"
        + f"labels = {list(labels)}\n"
        + "figure = plots.attention(labels, teacher.probs, student.probs, student.codes, agreement, kept, "
        + f"across={across(len(labels), reads_text)})\n"
    )


def of_attention(code: Code, reads_text: bool) -> str:
    """Python that makes `floats` and `binaries`, attention of both models."""
    words = ", tokenizer" if reads_text else ""
    made = code(f"analysis.attention({{model}}, inputs{words})")
    return made.replace("import torch\n", "import torch\nfrom binviz_dashboard import inside\n", 1)


def across(positions: int, reads_text: bool) -> int | None:
    """How many patches stand in a row of the picture, behind the class token; None of a text.

    >>> across(65, False), across(65, True)
    (8, None)
    """
    return None if reads_text else round((positions - 1) ** 0.5)


class Patches(NamedTuple):
    """Arguments of `plots.patch_attention` behind the picture."""

    query: tuple[int, int] | None
    teacher: NDArray
    before: NDArray
    codes: NDArray
    class_token: tuple[float, float, int]


def patches(teacher: Map, student: Map, position: int) -> Patches:
    """What the query at a position (0 is the class token) attends to, as a map of patches."""
    side = round((len(teacher.probs) - 1) ** 0.5)
    assert student.codes is not None
    rows = teacher.probs[position], student.probs[position], student.codes[position]
    query = None if position == 0 else divmod(position - 1, side)
    apart = float(rows[0][0]), float(rows[1][0]), int(rows[2][0])
    over, before, codes = (row[1:].reshape(side, side) for row in rows)
    return Patches(query, over, before, codes, apart)


def code_of_patches(code: Code, picture: str, layer: int, head: int, position: int) -> str:
    """Python that draws `plots.patch_attention`; `picture` is Python that makes the picture."""
    return (
        of_attention(code, reads_text=False)
        + f"found = inside.patches(floats.map({layer}, {head}), binaries.map({layer}, {head}), {position})\n"
        + f"figure = plots.patch_attention({picture}, *found)\n"
    )


# Sensitivity


def sensitivity(
    floats: nn.Module,
    recipe: Recipe,
    inputs: Sequence[dict[str, Tensor]],
    by: str = "block",
    tell: Callable[[float, str], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> pd.DataFrame:
    """Which part may be 1-bit: the share of answers that stay as the float network gives them, part by part.

    Args:
        floats: the float model.
        recipe: what binarizes, the 1-bit model's `binviz_recipe`, say.
        inputs: of examples, one each; of more than `EXAMPLES` the first are taken.
        by: "block" or "layer".
        tell: called before each part with the share that is done and the part's name; may raise.
        stop: asked between parts; True ends it there.

    Returns:
        The table of `analysis.sensitivity`, and in `attrs` the number of `examples`.
    """
    batch = joined(inputs[:EXAMPLES])
    with torch.inference_mode():
        own = floats.eval()(**batch).logits.argmax(-1)

        def kept(model: nn.Module) -> float:
            return float((model(**batch).logits.argmax(-1) == own).float().mean())

        table = analysis.sensitivity(
            floats,
            recipe,
            kept,
            by,  # type: ignore[arg-type]
            lambda done, total, name: tell(done / total, name) if tell is not None else None,
            stop,
        )
    table.attrs["examples"] = len(own)
    return table


def joined(inputs: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Inputs of one example each as one batch; shorter ones are padded with zeros, which their mask has too.

    >>> joined([{"input_ids": torch.tensor([[1, 2]])}, {"input_ids": torch.tensor([[3]])}])
    {'input_ids': tensor([[1, 2], [3, 0]])}
    """
    return {name: pad_sequence([each[name][0] for each in inputs], batch_first=True) for name in inputs[0]}


def sensitivity_figure(table: pd.DataFrame, classes: int, chosen: str = "") -> Any:
    """`plots.sensitivity` of the table; its line is what guessing among the classes would lose."""
    rows = table.iloc[1:]
    return plots.sensitivity(
        rows["name"].tolist(),
        (100 * rows["lost"]).tolist(),
        rows["weights"].tolist(),
        100 * (1 - 1 / classes),
        chosen,
    )
