"""Recorded runs as the page shows them; no Streamlit here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from binviz import plots, zoo
from binviz.evidence import names
from binviz.evidence.claims import Finding
from binviz.evidence.headline import METRICS, SHARES, all_metrics
from binviz.evidence.runs import Run
from binviz.experiments import questions
from binviz.experiments.questions import Question
from binviz.words import counted
from binviz_dashboard import subject


class Moving(NamedTuple):
    """Something that moves in a binary model.

    prefix: first word of its curves' names. shown: what becomes of a curve. unit: of that.
    """

    prefix: str
    shown: Callable[[np.ndarray], np.ndarray]
    unit: str


MOVING = {
    "flips": Moving("flips", lambda share: 100 * share, "% of a layer's weights in one step"),
    "scales": Moving(
        "scale", lambda scale: 100 * (scale / scale[0] - 1), "% of change since the first recorded step"
    ),
    "shifts and thresholds": Moving("shift", lambda shift: shift, "mean magnitude, unit of the activation"),
}


def titles(runs: Iterable[Run]) -> dict[str, Run]:
    """Title -> run, for every run with a curve.

    >>> run = Run("bit", "sst2.bit-w1a1", 1, {}, "", {}, {}, 1.0, curves={"step": [1], "loss": [0.5]})
    >>> list(titles([run]))
    ['bit: sst2.bit-w1a1, seed 1']
    """
    return {
        f"{run.experiment}: {run.cell}" + (f", seed {run.seed}" if run.seed else ""): run
        for run in runs
        if run.curves.get("loss")
    }


#: Points of a run's curve of accuracy that are averaged; one alone is of a few dozen examples.
SMOOTHED = 25


def losses(shown: Mapping[str, Run]) -> dict[str, tuple[Any, Any]]:
    """Steps and losses of each run, as `plots.progress` takes them."""
    return {title: (run.curves["step"], run.curves["loss"]) for title, run in shown.items()}


def accuracies(shown: Mapping[str, Run]) -> dict[str, tuple[Any, Any]]:
    """Steps and training accuracy in percent, the mean of the last `SMOOTHED` points, of each run that recorded it.

    >>> run = Run("e", "c", 0, {}, "", {}, {}, 1.0, curves={"step": list(range(26)), "accuracy": [0.0] * 25 + [1.0]})
    >>> accuracies({"a": run})["a"]
    ([24, 25], [0.0, 4.0])
    """
    found = {}
    for title, run in shown.items():
        points = run.curves.get("accuracy", ())
        if len(points) >= SMOOTHED:
            means = np.convolve(points, np.full(SMOOTHED, 100 / SMOOTHED), mode="valid").round(4)
            found[title] = (list(run.curves["step"][SMOOTHED - 1 :]), means.tolist())
    return found


def missing(shown: Iterable[str], found: Iterable[str], what: str) -> list[str]:
    """A line for each run of which something was not found.

    >>> missing(["a", "b"], ["b"], "flips")
    ['a has no flips on record.']
    """
    there = set(found)
    return [f"{name} has no {what} on record." for name in shown if name not in there]


def courses(shown: Mapping[str, Run], what: str) -> dict[str, plots.Course]:
    """What became of one of `MOVING` in every layer of the runs that recorded it, as `plots.courses` takes it.

    >>> curves = {"watched": [10, 20], "flips/layers.0.fc1": [0.5, 0.25]}
    >>> found = courses({"one": Run("e", "c", 0, {}, "", {}, {}, 1.0, curves=curves)}, "flips")["one"]
    >>> found.steps, found.layers, [float(share) for share in found.values[0]]
    ([10, 20], ['layers.0.fc1'], [50.0, 25.0])
    """
    moving = MOVING[what]
    found = {}
    for title, run in shown.items():
        curves = {
            name.partition("/")[2]: list(moving.shown(np.asarray(values, dtype=float)))
            for name, values in run.curves.items()
            if name.startswith(f"{moving.prefix}/")
        }
        if curves:
            found[title] = plots.Course(
                list(map(int, run.curves["watched"])), list(curves), list(curves.values())
            )
    return found


def numbers(run: Run) -> dict[str, str]:
    """How a run ended, for reading: its task's own metric first.

    >>> numbers(Run("e", "c", 0, {"train": {"steps": 9}}, "", {}, {"accuracy": 0.5}, 90.0))
    {'accuracy': '50.0 %', 'steps': '9', 'time': '1.5 min'}
    """
    steps = run.config.get("train", {}).get("steps")
    found = {"failed": run.failed} if run.failed else dict(all_metrics(run))
    return found | ({"steps": f"{steps:,}"} if steps else {}) | {"time": f"{run.seconds / 60:.1f} min"}


def differences(first: Run, second: Run) -> pd.DataFrame:
    """Settings in which two runs differ, one row each; the columns are named as the runs are."""
    settings = [
        flat({**run.config.get("identity", {}), **run.config.get("train", {})}) for run in (first, second)
    ]
    found = list(dict.fromkeys([*settings[0], *settings[1]]))
    rows = [
        (name, *(str(each.get(name, "-")) for each in settings))
        for name in found
        if settings[0].get(name) != settings[1].get(name)
    ]
    return pd.DataFrame(rows, columns=["setting", *names.short([first, second])])


def has(run: Run) -> str:
    """What a run has on record of how it went, in a sentence.

    >>> has(Run("e", "c", 0, {}, "", {}, {}, 1.0, curves={"step": [1, 2], "loss": [3.0, 2.0]}))
    'On record: its loss at 2 steps. Not on record: accuracy, flips, scales, shifts and thresholds.'
    """
    points = counted(len(run.curves.get("step", ())), "step")
    there = [f"its {name} at {points}" for name in ("loss", "accuracy") if run.curves.get(name)]
    missed = [name for name in ("loss", "accuracy") if not run.curves.get(name)]
    for name, moving in MOVING.items():
        layers = sum(curve.startswith(f"{moving.prefix}/") for curve in run.curves)
        (there.append(f"{name} of {counted(layers, 'layer')}") if layers else missed.append(name))
    said = [f"On record: {', '.join(there)}."] if there else ["Nothing of how it went is on record."]
    if there and missed:
        said.append(f"Not on record: {', '.join(missed)}.")
    return " ".join(said)


def key(run: Run) -> str:
    """What stands for a run in the URL.

    >>> key(Run("bit", "sst2.float", 0, {}, "", {}, {}, 1.0))
    'bit/sst2.float/0'
    """
    return f"{run.experiment}/{run.cell}/{run.seed}"


def old_key(text: str) -> str:
    """Of a title in an older link, such as "bit: sst2.float, seed 1", the key; other texts stay.

    >>> old_key("bit: sst2.float, seed 1"), old_key("bit: sst2.float"), old_key("bit/sst2.float/0")
    ('bit/sst2.float/1', 'bit/sst2.float/0', 'bit/sst2.float/0')
    """
    found = re.fullmatch(r"(\w+): (.+?)(?:, seed (\d+))?", text)
    return f"{found[1]}/{found[2]}/{found[3] or 0}" if found else text


def run_of(model: str) -> Run | None:
    """The run that a bundled model came from; None without a record."""
    return zoo.describe(model).record


def model_of(run: Run) -> str | None:
    """The bundled model that came from a run, if there is one.

    >>> model_of(run_of("digits-vit.bit-w1a1")), model_of(Run("e", "c", 0, {}, "", {}, {}, 1.0))
    ('digits-vit.bit-w1a1', None)
    """
    place = (run.experiment, run.cell, run.seed)
    return next((name for name in zoo.names() if tuple(zoo.describe(name).run) == place), None)


def default() -> Run | None:
    """The run to begin with: that of the bundled 1-bit model that pages show first."""
    return next((run for name in subject.subjects() if (run := run_of(name))), None)


def tasks_of(asked: Question) -> dict[str, Finding]:
    """Task -> what became of the claim on it.

    >>> list(tasks_of(questions.questions()[0]))[:1]
    ['SST-2']
    """
    of = {run.cell: names.task(run) for run in asked.runs}
    return {
        of.get(each.claim.better, of.get(each.claim.worse, each.claim.better)): each
        for each in asked.findings
    }


def claim_figure(finding: Finding, records: Mapping[tuple[str, int], Run]) -> go.Figure | None:
    """Both sides of a claim; None where nothing was run.

    Args:
        finding: of one task.
        records: (cell, seed) -> run, of the claim's experiment.
    """
    found = questions.sides(finding, records)
    if not found:
        return None
    share = finding.claim.metric in SHARES
    times, unit = (100, "%") if share else (1, "no unit")
    sides = [
        plots.Side(
            side.name,
            [times * value for value in side.values],
            times * side.low,
            times * side.high,
            times * (side.published if side.published is not None else float("nan")),
            side.paper,
            names.network(side.runs[0]) if side.runs else "1-bit",
        )
        for side in found
    ]
    level = questions.chance_of(found)
    name = METRICS.get(finding.claim.metric, finding.claim.metric)
    return plots.claim(sides, name, unit, None if level is None else times * level)


def flat(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """A dictionary of dictionaries as one, with dotted names.

    >>> flat({"a": {"b": 1}, "c": 2})
    {'a.b': 1, 'c': 2}
    """
    found: dict[str, Any] = {}
    for name, value in values.items():
        inside = flat(value, f"{before}{name}.") if isinstance(value, Mapping) else {f"{before}{name}": value}
        found |= inside
    return found
