"""An experiment as text: its cells with what was measured, and the verdicts on its claims."""

from __future__ import annotations

from pathlib import Path

from binviz.evidence import runs
from binviz.evidence.claims import LEVEL, Finding, judge
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
    """The claims with their verdicts, what was measured in points of accuracy, and where they stand."""
    records = experiment.records(out)
    return "\n".join(verdict(judge(claim, records)) for claim in experiment.claims)


def verdict(found: Finding) -> str:
    """A verdict in two lines. A difference that is within noise does not contradict a claim that it fails.

    >>> from binviz.evidence.claims import Claim
    >>> print(verdict(Finding(Claim("a beats b", "page 1", "a", "b"), "fails", -0.02, 0.3, 1)))
    fails, within noise   -2.0 points, p 0.3, 1 seed       a against b
        a beats b (page 1)
    """
    claim, said, measured = found.claim, str(found.verdict), ""
    if found.seeds:
        within = said == "fails" and not claim.margin and found.p >= LEVEL
        said = "fails, within noise" if within else said
        p = "" if claim.margin else f", p {found.p:.2g}"
        measured = f"{100 * found.difference:+5.1f} points{p}, {found.seeds} seed{'s' * (found.seeds > 1)}"
    return f"{said:20} {measured:33} {claim.better} against {claim.worse}\n    {claim.text} ({claim.source})"
