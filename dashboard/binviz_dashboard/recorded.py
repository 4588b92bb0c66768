"""Recorded runs as the page shows them; no Streamlit here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from binviz import plots
from binviz.evidence.runs import Run


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
            found[title] = plots.Course(run.curves["watched"], list(curves), list(curves.values()))
    return found


def numbers(run: Run) -> dict[str, str]:
    """How a run ended, for reading.

    >>> numbers(Run("e", "c", 0, {"train": {"steps": 9}}, "", {}, {"accuracy": 0.5}, 90.0))
    {'accuracy': '50.0 %', 'steps': '9', 'time': '1.5 min'}
    """
    found = {
        name: f"{100 * value:.1f} %" if name == "accuracy" else f"{value:.3f}"
        for name, value in run.metrics.items()
    }
    steps = run.config.get("train", {}).get("steps")
    return found | ({"steps": f"{steps:,}"} if steps else {}) | {"time": f"{run.seconds / 60:.1f} min"}


def differences(first: Run, second: Run) -> pd.DataFrame:
    """Settings in which two runs differ, one row each."""
    settings = [
        flat({**run.config.get("identity", {}), **run.config.get("train", {})}) for run in (first, second)
    ]
    names = list(dict.fromkeys([*settings[0], *settings[1]]))
    rows = [
        (name, *(str(each.get(name, "-")) for each in settings))
        for name in names
        if settings[0].get(name) != settings[1].get(name)
    ]
    return pd.DataFrame(rows, columns=["setting", "first", "second"])


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
