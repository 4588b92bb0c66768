"""An experiment is a list of cells in order of priority; running it trains those that have no record yet.

A cell is one stage that starts from another cell's model, its teacher. The record of a cell is
`<experiment>/<cell>.seed<N>.json`; those shipped with the package count as well as those in the user's folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from torch import nn

import binviz
from binviz.errors import UserError
from binviz.evidence import runs
from binviz.evidence.claims import Claim
from binviz.training.stages import Problem, Stage, run_stage


@dataclass(frozen=True)
class Cell:
    """One experiment of a matrix.

    Args:
        name: `<task>.<row>`.
        group: priority, 1 first; within a group the order of the list.
        stage: seed -> how it is trained.
        teacher: name of the cell whose model it starts from; "" starts from a pre-trained model.
        bundled: name of a bundled model that is this cell's result, if there is one; the teacher of its
            students whatever their seed.
        why: what the row is, in a few words.
        augment: (problem, seed) -> the same task with other batches.
    """

    name: str
    group: int
    stage: Callable[[int], Stage]
    teacher: str = ""
    bundled: str = ""
    why: str = ""
    augment: Callable[[Problem, int], Problem] | None = None

    @property
    def task(self) -> str:
        return self.name.partition(".")[0]

    @property
    def row(self) -> str:
        return self.name.partition(".")[2]


@dataclass(frozen=True)
class Experiment:
    """A paper's cells and claims.

    Args:
        name: of the experiment, and of its folder of records.
        cells: in order of priority.
        claims: written down before their runs.
        start: (task, seed) -> pre-trained model and tokenizer.
        problem: (task, tokenizer, seed) -> data and evaluation.
        settings: further settings that make a run another one, JSON-serialisable.
        notes: printed above the list of cells: budgets, selection rule.
    """

    name: str
    cells: tuple[Cell, ...]
    claims: tuple[Claim, ...]
    start: Callable[[str, int], tuple[nn.Module, Any]]
    problem: Callable[[str, Any, int], Problem]
    settings: dict[str, Any]
    notes: str = ""

    def chosen(self, pattern: str = "*") -> list[Cell]:
        """The cells whose names match a shell-style pattern, in order of priority.

        Raises:
            UserError: none does.
        """
        found = [cell for cell in self.cells if fnmatchcase(cell.name, pattern)]
        if not found:
            names = ", ".join(cell.name for cell in self.cells)
            raise UserError(f"no cell of {self.name} matches {pattern!r}; its cells: {names}")
        return sorted(found, key=lambda cell: cell.group)

    def cell(self, name: str) -> Cell:
        """The cell of that name."""
        return next(cell for cell in self.cells if cell.name == name)

    def records(self, out: Path | None = None) -> dict[tuple[str, int], runs.Run]:
        """(cell, seed) -> record, shipped and in `out`."""
        found = runs.runs(out and out / "runs")
        return {(run.cell, run.seed): run for run in found if run.experiment == self.name}


def reproduce(experiment: Experiment, out: Path, pattern: str = "*", seed: int = 0) -> Iterator[runs.Run]:
    """Run the chosen cells that have no record, in order; a killed cell goes on where it was.

    A teacher that is not there is run first.

    Args:
        experiment: whose cells.
        out: folder for models and records.
        pattern: of cell names.
        seed: of every cell.

    Yields:
        Each record as its cell ends.

    Raises:
        UserError: no such cell, data or models not to be had, or interrupted.
    """
    for cell in experiment.chosen(pattern):
        if (cell.name, seed) not in experiment.records(out):
            yield from _run(experiment, cell, out, seed)


def _run(experiment: Experiment, cell: Cell, out: Path, seed: int) -> Iterator[runs.Run]:
    if not cell.teacher:
        model, tokenizer = experiment.start(cell.task, seed)
    else:
        teacher = experiment.cell(cell.teacher)
        place: Path | str = teacher.bundled or out / f"{teacher.name}.seed{seed}"
        if not (teacher.bundled or Path(place).is_dir()):
            yield from _run(experiment, teacher, out, seed)
        model, tokenizer = binviz.load(place), binviz.load_tokenizer(place)
    problem, batches = experiment.problem(cell.task, tokenizer, seed), {}
    if cell.augment:
        problem, batches = cell.augment(problem, seed), {"batches": cell.augment.__name__}
    run, _ = run_stage(
        problem,
        cell.stage(seed),
        model,
        out,
        cell=cell.name,
        experiment=experiment.name,
        config={"teacher": cell.teacher, "why": cell.why},
        identify=experiment.settings | {"teacher": cell.teacher} | batches,
    )
    yield run
