"""An experiment as text: its cells with what was measured, and the verdicts on its claims."""

from __future__ import annotations

from pathlib import Path

from binviz.evidence import runs
from binviz.evidence.claims import judge
from binviz.experiments.cells import Experiment


def line(run: runs.Run) -> str:
    """A record in one line.

    >>> line(runs.Run("bit", "sst2.float", 0, {}, "", {}, {"accuracy": 0.891}, 90.0))
    'sst2.float seed 0: accuracy 0.8910 (1.5 min)'
    """
    metrics = ", ".join(f"{name} {value:.4f}" for name, value in run.metrics.items())
    return f"{run.cell} seed {run.seed}: {metrics} ({run.seconds / 60:.1f} min)"


def cells(experiment: Experiment, out: Path | None = None, pattern: str = "*", seed: int = 0) -> str:
    """The chosen cells in the order in which they are run, with what is recorded.

    Raises:
        UserError: no cell matches the pattern.
    """
    records = experiment.records(out)
    rows = [experiment.notes]
    for cell in experiment.chosen(pattern):
        run = records.get((cell.name, seed))
        found = line(run).partition(": ")[2] if run else "not run"
        rows.append(f"{cell.group}  {cell.name:28} {found:44} {cell.why}")
    return "\n".join(rows)


def verdicts(experiment: Experiment, out: Path | None = None) -> str:
    """The claims with their verdicts and what they rest on."""
    records = experiment.records(out)
    rows = []
    for claim in experiment.claims:
        found = judge(claim, records)
        measured = f"{found.difference:+.1%}, p {found.p:.2g}" if found.seeds else ""
        rows.append(
            f"{found.verdict:8} {claim.better} against {claim.worse}: {claim.text} {measured}".rstrip()
        )
    return "\n".join(rows)
