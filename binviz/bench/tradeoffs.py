"""Accuracy against what it costs: every published number and every recorded run that has both.

What a network costs is counted here under one rule for all, from the recipe that its record or its paper names; where
a paper's method has no recipe here, its own printed figure stands under its own rule. Times are those of the accepted
records of `binviz bench`, of the same architecture and the very same recipe, and of nothing else.
"""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from statistics import fmean
from typing import Any, Literal

from torch import nn

from binviz import costs, plots, recipes, tasks, zoo
from binviz.bench.models import TOKENS
from binviz.costs import Costs
from binviz.costs.trace import without_numbers
from binviz.data import solids
from binviz.data import speech as sounds
from binviz.errors import UserError
from binviz.evidence import names, papers
from binviz.evidence.headline import METRICS, SHARES, headline
from binviz.evidence.noise import wilson
from binviz.evidence.runs import Run, runs
from binviz.tasks import speech

Axis = Literal["operations", "memory", "time"]
#: Of the GLUE tables, and of BiViT's.
BERT, IMAGENET = "BERT-base", "ImageNet"
TITLES = names.TASKS | {"mnli-m": "MNLI-m", "mnli-mm": "MNLI-mm", "qnli": "QNLI", "qqp": "QQP"}
#: Of one input, where networks take any number of frames or points.
SHAPES = dict.fromkeys(map(speech.name_of, ("", speech.UNHEARD)), (sounds.MELS, sounds.FRAMES))
SHAPES |= {"points": (solids.POINTS, 3)}
#: Of a batch of one on one thread; the time of a float network is that of torch's float32.
THREADS, BATCH = 1, 1


@dataclass(frozen=True)
class Row:
    """A network on a task, before it is known what it costs.

    task: key of it. name: short. network: its architecture. recipe: its name, "float" for none. metric: of value.
    value: mean over seeds. low, high: 95 % interval of a share, NaN of others. of_float: value over the float network's
    of the same architecture, None where that is not known. published: by a paper. source: where it stands. setting: in
    words. counted: what `count` takes, None where it cannot be counted. printed: rule -> quantity -> the paper's own
    figure, in operations or bytes.
    """

    task: str
    name: str
    network: str
    recipe: str
    metric: str
    value: float
    published: bool
    source: str
    setting: str
    low: float = float("nan")
    high: float = float("nan")
    of_float: float | None = None
    counted: tuple[str, str, str] | None = None
    printed: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """Of network: "float" or "1-bit"."""
        return "float" if self.recipe == "float" else "1-bit"


def rows(found: Iterable[Run] | None = None) -> list[Row]:
    """Everything that was published or recorded, in the order of tasks; the records shipped with the package if none
    are given.

    >>> {row.task for row in rows([])} >= {"sst2", "imagenet"}
    True
    """
    return [*_glue(), *_imagenet(), *_recorded(runs() if found is None else found)]


def titles(found: Sequence[Row]) -> dict[str, str]:
    """Task -> its title, those with runs of ours first and then those with the most rows."""
    ours = [row.task for row in found if not row.published]
    every = [row.task for row in found]
    order = sorted(set(every), key=lambda task: (-ours.count(task), -every.count(task), task))
    return {task: IMAGENET if task == "imagenet" else TITLES.get(task, task) for task in order}


def cost(row: Row, axis: Axis, rule: str, record: Mapping[str, Any] | None = None) -> float | None:
    """What a network costs: operations in the rule's unit, bytes, or milliseconds; None where nothing says it.

    Args:
        row: whose.
        axis: what is paid.
        rule: of `costs.rules`, for operations and bytes.
        record: of `binviz bench`, for times.

    >>> [round(cost(row, "memory", "bert-line") / 2**20, 2) for row in rows([]) if row.name == "BiT"][:1]
    [13.43]
    """
    if axis == "time":
        return _milliseconds(row, record or {})
    if row.counted is not None and (counted := count(*row.counted)):
        under = counted.under(rule)
        return under.operations if axis == "operations" else under.bytes
    return row.printed.get(rule, {}).get(axis)


def count(task: str, architecture: str, recipe: str) -> Costs | None:
    """Operations and bytes by the rule "everything", of a text of 128 tokens or one picture; None where it cannot be.

    Args:
        task: a task's name, or the name of a class of configurations of transformers.
        architecture: of the task's; of a class, "".
        recipe: as JSON, or its name; "float" for none.
    """
    bundled = _bundled(task, architecture)
    return _counted(bundled.name if bundled else "", *("", "") if bundled else (task, architecture), recipe)


@cache
def _counted(bundled: str, task: str, architecture: str, recipe: str) -> Costs | None:
    try:
        network = _network(bundled, task, architecture)
        if network is None:
            return None
        made = recipes.Recipe.from_dict(json.loads(recipe)) if recipe.startswith("{") else recipe
        one = SHAPES.get(task)
        return costs.of(
            network, None if made == "float" else made, tokens=TOKENS, shape=one, rule="everything"
        )
    except UserError:  # a recipe or an architecture that binviz no longer has
        return None


def points(
    found: Sequence[Row], axis: Axis, rule: str, record: Mapping[str, Any] | None = None, share: bool = False
) -> tuple[list[plots.Tradeoff], list[Row]]:
    """What `plots.tradeoff` takes, and the rows whose cost, or whose float network, is not known.

    Args:
        found: of one task, or of several where `share` is true.
        axis, rule, record: as `cost` takes them.
        share: the value is in percent of the float network's; else in percent, or as it is where it is no share.
    """
    shown, left = [], []
    for row in found:
        paid = cost(row, axis, rule, record)
        value = row.of_float if share else row.value
        if paid is None or value is None:
            left.append(row)
            continue
        factor = 100.0 if share or row.metric in SHARES else 1.0
        scale = value / row.value if share and row.value else 1.0
        low, high = (scale * factor * each for each in (row.low, row.high))
        paid /= divisor(axis, rule)
        about = [
            f"{factor * value:.4g}{' % of float' if share else ' %' if factor > 1 else ''} {_metric(row)}",
            f"{_number(paid)} {unit(axis, rule)}",
            row.setting,
            row.source,
        ]
        if share:
            about.insert(0, titles([row])[row.task])
        named = plots.Tradeoff(
            row.name,
            paid,
            factor * value,
            low,
            high,
            row.published,
            row.kind,
            "<br>".join(about),
            row.network,
        )
        shown.append(named)
    return shown, left


def unit(axis: Axis, rule: str) -> str:
    """Of an axis.

    >>> unit("operations", "bert-line"), unit("memory", "bert-line"), unit("time", "")
    ('million FLOPs, rule bert-line', 'MiB, rule bert-line', 'ms')
    """
    if axis == "time":
        return "ms"
    known = costs.rules.get(rule)
    if axis == "operations":
        return f"million {known.unit}, {known.label('operations')}"
    return f"{known.memory_unit}, {known.label('memory')}"


def divisor(axis: Axis, rule: str) -> float:
    """How many operations or bytes the unit of an axis is."""
    if axis == "memory":
        return 2.0**20 if costs.rules.get(rule).memory_unit == "MiB" else 1e6
    return 1e6 if axis == "operations" else 1.0


COLUMNS = ("name", "architecture", "network", "published", "value", "low", "high", "cost", "front", "about")


def _lines(shown: Sequence[plots.Tradeoff]) -> list[tuple[Any, ...]]:
    """The points as `COLUMNS`, by falling value; those on the front of their kind are marked."""
    lines: list[tuple[Any, ...]] = []
    for published in (False, True):
        of = [point for point in shown if point.published is published]
        on = plots.pareto([point.cost for point in of], [point.value for point in of])
        lines += [
            (p.name, p.architecture, p.network, p.published, p.value, p.low, p.high, p.cost, front,
             p.about.replace("<br>", "; "))
            for p, front in zip(of, on, strict=True)
        ]  # fmt: skip
    return sorted(lines, key=lambda line: -line[4])


def as_csv(shown: Sequence[plots.Tradeoff], value: str, cost: str) -> str:
    """The points as CSV, with the units in the heads.

    >>> print(as_csv([plots.Tradeoff("BiT", 13.4, 89.9, published=True)], "accuracy (%)", "memory (MB)"), end="")
    name,architecture,network,published,accuracy (%),low,high,memory (MB),front,about
    BiT,,1-bit,True,89.9,,,13.4,True,
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow({"value": value, "cost": cost}.get(column, column) for column in COLUMNS)
    for line in _lines(shown):
        table.writerow(
            "" if cell != cell else f"{cell:.6g}" if type(cell) is float else cell for cell in line
        )
    return text.getvalue()


def as_latex(shown: Sequence[plots.Tradeoff], value: str, cost: str) -> str:
    r"""The points as a LaTeX table (booktabs); what nothing of its kind beats is bold, what is published in italics.

    >>> print(as_latex([plots.Tradeoff("BiT & co", 13.4, 89.9, architecture="ViT")], "accuracy (%)", "memory (MB)"))
    \begin{tabular}{lllrr}
    \toprule
    network & architecture & & accuracy (\%) & memory (MB) \\
    \midrule
    \textbf{BiT \& co} & ViT & measured & 89.9 & 13.4 \\
    \bottomrule
    \end{tabular}
    """
    head = rf"network & architecture & & {_escaped(value)} & {_escaped(cost)} \\"
    body = []
    for name, architecture, _, published, worth, _, _, paid, front, _ in _lines(shown):
        shape = rf"\textbf{{{_escaped(name)}}}" if front else _escaped(name)
        origin = r"\emph{published}" if published else "measured"
        body.append(rf"{shape} & {_escaped(architecture)} & {origin} & {_number(worth)} & {_number(paid)} \\")
    rule = [r"\begin{tabular}{lllrr}", r"\toprule", head, r"\midrule"]
    return "\n".join([*rule, *body, r"\bottomrule", r"\end{tabular}"])


def _number(value: float) -> str:
    """Four digits, and no power of ten."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _escaped(text: str) -> str:
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return "".join(special.get(letter, f"\\{letter}" if letter in "&%$#_{}" else letter) for letter in text)


def _metric(row: Row) -> str:
    return METRICS.get(row.metric, row.metric)


def _glue() -> list[Row]:
    """The rows of the GLUE tables on the tasks of which it is known what they print."""
    found = []
    table = papers.glue()
    floats = next(row for row in table if row.recipe == "float")
    for row in table:
        bits = "/".join(map(str, row.bits))
        printed = {} if row.size_mb is None else {"memory": row.size_mb * 2.0**20}
        if row.flops_g is not None:
            printed["operations"] = row.flops_g * 1e9
        told = [f"{BERT}, {bits} bits of weights, embeddings, activations"]
        told += [row.note] * bool(row.note)
        name = row.model + " with augmentation" * row.augmentation
        if row.bits[2] not in (1, 32):
            name += f", {row.bits[2]}-bit activations"
        for task, score in row.scores.items():
            if task in papers.PRINTED and task not in row.repeated:
                found.append(
                    Row(
                        task,
                        name,
                        BERT,
                        row.recipe or "unknown",
                        papers.PRINTED[task],
                        score / 100,
                        True,
                        f"published: {row.source}",
                        "; ".join(told),
                        of_float=score / floats.scores[task],
                        counted=("BertConfig", "", row.recipe) if row.recipe else None,
                        printed={"bert-line": printed},
                    )
                )
    return found


def _imagenet() -> list[Row]:
    """BiViT's table 3: the figures are the paper's own, by its own rule."""
    table, source = papers.table("bivit")["table 3"], papers.table("bivit")["source"]
    found = []
    for network, values in table.items():
        if network in ("what", "columns"):
            continue
        given = dict(zip(table["columns"], values, strict=True))
        for name, recipe, size in (
            ("float", "float", "float"),
            ("BiBERT", "unknown", "binary"),
            ("BiViT", "unknown", "binary"),
        ):
            printed = {
                "memory": given[f"{size} size"] * 1e6,
                "operations": given[f"{size} operations"] * 1e9,
            }
            top = given[f"{name} top-1"]
            setting = network if name == "float" else f"{network}, inputs of the feed-forward part float"
            found.append(
                Row(
                    "imagenet",
                    name,
                    network,
                    recipe,
                    "accuracy",
                    top / 100,
                    True,
                    f"published: BiViT, {source}, table 3",
                    setting,
                    of_float=top / given["float top-1"],
                    printed={"bivit": printed},
                )
            )
    return found


def _recorded(found: Iterable[Run]) -> list[Row]:
    """One row for each cell with a task's own metric, whatever its experiment; seeds are averaged."""
    cells: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for run in found:
        if (known := headline(run)) and known.key in METRICS:
            cells[run.experiment, run.cell].append(run)
    by_cell = {cell: group[0] for (_, cell), group in reversed(cells.items())}
    made = [_row(group, by_cell) for group in cells.values()]
    return [replace(row, of_float=_share(row, made)) for row in made]


def _row(group: Sequence[Run], by_cell: Mapping[str, Run]) -> Row:
    run, known = group[0], headline(group[0])
    assert known is not None
    # A record of a trained model that was looked at again names the cell of its training
    trained = by_cell.get(run.config.get("model", ""), run)
    config, identity = trained.config, trained.config.get("identity", {})
    recipe = identity.get("recipe") or (config.get("stages") or ["unknown"])[-1]
    name = recipe if isinstance(recipe, str) else recipe["name"]
    given = name if isinstance(recipe, str) else json.dumps(recipe, sort_keys=True)
    task, architecture = names.task_name(run), names.architecture(trained)
    value = fmean(run.metrics[known.key] for run in group)
    low, high = float("nan"), float("nan")
    if known.key == "accuracy" and run.examples:
        low, high = wilson(value, run.examples)
    train = config.get("train", {})
    told = [_title(task, architecture)]
    if "steps" in train:
        told.append(f"{train['steps']:,} steps of {train.get('batch_size', '?')}")
    told += [f"seeds {', '.join(str(run.seed) for run in group)}", names.what(run), run.selection]
    return Row(
        task,
        "float" if name == "float" else names.method(name),
        _title(task, architecture),
        name,
        known.key,
        value,
        False,
        f"recorded: {run.experiment}/{run.cell}",
        "<br>".join(told),
        low,
        high,
        counted=(task, architecture, given),
    )


def _share(row: Row, among: Sequence[Row]) -> float | None:
    """The value over that of the float network of its architecture: of its own experiment, or else the best."""
    alike = [
        each
        for each in among
        if (each.recipe, each.task, each.network, each.metric) == ("float", row.task, row.network, row.metric)
    ]
    own = [each for each in alike if each.source.partition("/")[0] == row.source.partition("/")[0]]
    best = max((each.value for each in own or alike), default=0.0)
    return row.value / best if best > 0 else None


def _bundled(task: str, architecture: str) -> zoo.Entry | None:
    """The bundled float model of that architecture: of the task, or of another that reads texts of the same length.

    A cell's usual architecture has no name; that of texts is the one that is bundled. The heads of two tasks differ by
    a class, a few hundred parameters of millions.
    """
    if task not in tasks.names():
        return None
    shows = tasks.get(task).shows
    for name in zoo.names("*.float"):
        entry = zoo.describe(name)
        if entry.task not in tasks.names() or tasks.get(entry.task).shows != shows:
            continue
        if entry.task != task and shows != "text":
            continue
        if architecture == entry.arch or (not architecture and shows == "text"):
            return entry
    return None


def _title(task: str, architecture: str) -> str:
    """An architecture for a person."""
    entry = _bundled(task, architecture)
    return names.network_title(entry.arch if entry else architecture) or "usual network"


@cache
def _network(bundled: str, task: str, architecture: str) -> nn.Module | Any | None:
    """A float network without numbers, or a configuration; None where it would have to be downloaded."""
    if bundled:
        return without_numbers(zoo.load(bundled))
    if task == "BertConfig":
        from transformers import BertConfig

        return BertConfig()
    if task not in tasks.names() or architecture.partition("-")[0] not in ("", *names.ARCHITECTURES):
        return None
    known = tasks.get(task)
    return known.start(architecture, 0)[0] if known.shows != "text" else None


def _milliseconds(row: Row, record: Mapping[str, Any]) -> float | None:
    """Of one input on one thread, from a record of `binviz bench`."""
    for line in record.get("models", ()):
        asked = (line["model"], line["threads"], line["batch"]) == (row.network, THREADS, BATCH)
        if asked and row.recipe in ("float", line["recipe"]):
            seconds = line["seconds"]["float32" if row.recipe == "float" else "binviz"]
            return 1e3 * seconds["median"]
    return None
