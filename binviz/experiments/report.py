"""An experiment as text: its cells with what was measured, and the verdicts on its claims."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from binviz.evidence import overall, runs
from binviz.evidence.claims import ACCURACY, Finding, judge
from binviz.evidence.noise import SEEDS
from binviz.experiments.cells import Experiment, Records


def line(run: runs.Run) -> str:
    """A record in one line.

    >>> line(runs.Run("bit", "sst2.float", 0, {}, "", {}, {"accuracy": 0.891}, 90.0))
    'sst2.float seed 0: accuracy 0.8910 (1.5 min)'
    >>> line(runs.Run("bit", "sst2.bnn", 0, {}, "", {}, {}, 6.0, failed="the loss is nan at step 3"))
    'sst2.bnn seed 0: failed, the loss is nan at step 3 (0.1 min)'
    """
    metrics = ", ".join(f"{name} {value:.4f}" for name, value in run.metrics.items())
    if run.failed:
        metrics = f"failed, {run.failed}"
    return f"{run.cell} seed {run.seed}: {metrics} ({run.seconds / 60:.1f} min)"


def cells(experiment: Experiment, out: Path | None = None, pattern: str = "*", seed: int = 0) -> str:
    """The chosen cells in the order in which they are run, with what is recorded.

    Raises:
        UserError: no cell matches the pattern.

    >>> from binviz.experiments.cells import Cell
    >>> from binviz.training.stages import Stage
    >>> from binviz.training.settings import TrainConfig
    >>> print(cells(Experiment("own", (Cell("digits", "bnn", 1, Stage("bnn", TrainConfig(10, 0.1))),), (), {})))
    <BLANKLINE>
    1  digits.bnn                   not run
    """
    records = experiment.records(out)
    rows = [experiment.notes]
    for cell in experiment.chosen(pattern):
        run = records.get((cell.name, seed))
        found = line(run).partition(": ")[2] if run else "not run"
        rows.append(f"{cell.group}  {cell.name:28} {found:44} {cell.why}")
    return "\n".join(rows)


def table(experiment: Experiment, out: Path | None = None) -> str:
    """The rows that an experiment compares, on every task and network: accuracy in percent, the mean over seeds.

    "failed" where the loss of a seed was no longer a number, whatever the others did; "-" where nothing was run. Behind
    a row that has all numbers stands how much of float it keeps by BiBench's quadratic means (`overall.task`): over
    tasks, and over architectures.
    """
    records = experiment.records(out)
    columns = list({cell.name_of(""): cell for cell in experiment.cells}.values())
    found = {row: [_mean(records, cell.name_of(row)) for cell in columns] for row in experiment.compared}
    groups = [cell.task for cell in columns], [cell.architecture for cell in columns]
    names, floats, said = [cell.name_of("").rstrip(".") for cell in columns], found.get("float"), ""
    if floats:
        names, said = [*names, "over tasks", "over networks"], ", and the share of float's"
    lines = [f"Accuracy in percent{said}:", _columns("", names)]
    for row, values in found.items():
        told = [f"{100 * value:.1f}" if isinstance(value, float) else value for value in values]
        if floats and all(isinstance(value, float) for value in (*values, *floats)):
            told += [f"{_share(values, floats, of):.3f}" for of in groups]
        lines.append(_columns(row, told))
    return "\n".join(lines)


def _columns(first: str, others: Sequence[str]) -> str:
    return "  ".join([f"{first:18}", *(f"{each:>14}" for each in others)]).rstrip()


def _mean(records: Records, cell: str) -> Any:
    """The mean accuracy of a cell over seeds, "failed" if one did, "-" if none was run."""
    seeds = [run for (name, _), run in records.items() if name == cell]
    if any(run.failed for run in seeds):
        return "failed"
    return fmean(run.metrics[ACCURACY] for run in seeds) if seeds else "-"


def _share(values: Sequence[float], floats: Sequence[float], groups: Sequence[str]) -> float:
    """`overall.task` over groups of columns; `overall.architecture` is the same function."""
    of = [[i for i, each in enumerate(groups) if each == group] for group in dict.fromkeys(groups)]
    return overall.task(*([[row[i] for i in part] for part in of] for row in (values, floats)))


def verdicts(experiment: Experiment, out: Path | None = None) -> str:
    """The claims with their verdicts, what was measured, what could have been, and where they stand."""
    records = experiment.records(out)
    lines = [verdict(judge(claim, records)) for claim in experiment.claims]
    return "\n".join([*lines, "What would be seen: a true difference so large, four times in five, at 5 %."])


def verdict(found: Finding) -> str:
    """A verdict in two lines. A difference that is within noise does not contradict a claim that it fails.

    Beside what does not hold stands the smallest difference that the runs would have seen (`Finding.seen`).

    >>> from binviz.evidence.claims import Claim
    >>> claim = Claim("a beats b", "page 1", "a", "b")
    >>> print(verdict(Finding(claim, "fails", -0.02, 0.3, 1, "right or wrong", 0.035)))
    fails, within noise  -2.0 points, p 0.3, 1 seed; 3.5 would be seen        a against b
        a beats b (page 1)
    """
    claim, said, measured = found.claim, str(found.verdict), ""
    if found.failed:
        said += f" ({', '.join(found.failed)} failed)"
    if found.seeds:
        if found.doubt:
            said += f", {found.doubt}"
        p = "" if claim.margin or np.isnan(found.p) else f", p {found.p:.2g}"
        measured = f"{_difference(found)}{p}, {found.seeds} seed{'s' * (found.seeds > 1)}"
        if found.verdict != "holds":
            measured += f"; {would_be_seen(found)}"
    return f"{said:20} {measured:58} {claim.better} against {claim.worse}\n    {claim.text} ({claim.source})"


def _difference(found: Finding) -> str:
    if found.claim.metric == ACCURACY:
        return f"{100 * found.difference:+5.1f} points"
    return f"{found.difference:+.3g} {found.claim.metric}"


def would_be_seen(found: Finding) -> str:
    """The smallest true difference that the runs would have seen four times in five, in the unit of what was tested.

    >>> from binviz.evidence.claims import Claim
    >>> would_be_seen(Finding(Claim("a beats b", "", "a", "b"), "weak", 0.02, 0.3, 1, "right or wrong", 0.035))
    '3.5 would be seen'
    """
    if np.isnan(found.seen):
        return f"{SEEDS} seeds would be tested"
    amount = f"{found.seen:.2g}"
    if found.by == "right or wrong" or found.claim.metric == ACCURACY:
        amount = f"{100 * found.seen:.1f}" + (" points" if found.claim.metric != ACCURACY else "")
    elif found.by == "scores":
        amount += " of the mean score"
    return f"{amount} {'inside the margin ' if found.claim.margin else ''}would be seen"
