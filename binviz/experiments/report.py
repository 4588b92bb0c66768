"""An experiment as text: its cells with what was measured, and the verdicts on its claims."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from binviz.evidence import runs
from binviz.evidence.claims import ACCURACY, Finding, judge
from binviz.evidence.noise import SEEDS
from binviz.experiments.cells import Experiment


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
