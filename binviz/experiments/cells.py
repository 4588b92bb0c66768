"""An experiment is a list of cells in order of priority; running it trains those that have no record yet.

A cell is one stage that starts from another cell's model, its teacher. The record of a cell is
`<experiment>/<cell>.seed<N>.json`; those shipped with the package count as well as those in the user's folder.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from torch import nn

from binviz import tasks, zoo
from binviz.errors import UserError
from binviz.evidence import runs
from binviz.evidence.claims import Claim
from binviz.training import augment
from binviz.training.stages import Stage, identity_of, other_settings, run_stage


@dataclass(frozen=True)
class Cell:
    """One experiment of a matrix: data alone, so that it can be shown, compared, and sent to another process.

    Args:
        task: a name of `binviz.tasks`.
        row: what is done there.
        group: priority, 1 first; within a group the order of the list.
        stage: how it is trained.
        architecture: of the task's; "" is its usual one, and is left out of the cell's name.
        teacher: row of the cell, of the same task and architecture, whose model it starts from.
        taught_by: row of the cell whose model is the teacher, where it is not the one that it starts from.
        start: what it starts from where no cell is its teacher: name of a bundled model, of which another task's
            gives its encoder, or of the folder beside the cells' own in which `binviz pretrain` left one; with
            neither it starts from the task's own.
        bundled: name of a bundled model that is this cell's result, if there is one; the teacher of its
            students whatever their seed.
        augment: a name of `binviz.training.augment`, of other batches than the task's; "" for its own.
        why: what the row is, in a few words.

    >>> from binviz.training.settings import TrainConfig
    >>> Cell("digits", "bnn", 1, Stage("bnn", TrainConfig(10, 0.1)), architecture="vit").name
    'digits-vit.bnn'
    """

    task: str
    row: str
    group: int
    stage: Stage
    architecture: str = ""
    teacher: str = ""
    start: str = ""
    bundled: str = ""
    augment: str = ""
    why: str = ""
    taught_by: str = ""

    def name_of(self, row: str) -> str:
        """The name of the cell of that row, of the same task and architecture.

        >>> from binviz.training.settings import TrainConfig
        >>> Cell("digits", "bnn", 1, Stage("bnn", TrainConfig(10, 0.1)), architecture="vit").name_of("float")
        'digits-vit.float'
        """
        return f"{self.task}-{self.architecture}.{row}" if self.architecture else f"{self.task}.{row}"

    @property
    def name(self) -> str:
        return self.name_of(self.row)

    def identity(self) -> dict[str, Any]:
        """What makes it another run, beside its stage, its seed and its data.

        >>> from binviz.training.settings import TrainConfig
        >>> Cell("digits", "bnn", 1, Stage("bnn", TrainConfig(10, 0.1)), teacher="float").identity()
        {'task': 'digits', 'architecture': '', 'teacher': 'float', 'start': '', 'augment': ''}
        """
        names = ("task", "architecture", "teacher", "start", "augment")
        other = {"taught_by": self.taught_by} if self.taught_by else {}
        return {name: getattr(self, name) for name in names} | other


@dataclass(frozen=True)
class Experiment:
    """A paper's cells and claims.

    Args:
        name: of the experiment, and of its folder of records.
        cells: in order of priority.
        claims: written down before their runs.
        settings: further settings that make a run another one, JSON-serialisable.
        notes: printed above the list of cells: budgets, selection rule.
        gap: how the setting differs from the paper's, in words.
    """

    name: str
    cells: tuple[Cell, ...]
    claims: tuple[Claim, ...]
    settings: dict[str, Any]
    notes: str = ""
    gap: str = ""

    def chosen(self, pattern: str = "*") -> list[Cell]:
        """The cells whose names match a shell-style pattern, in order of priority.

        Raises:
            UserError: none does.

        >>> from binviz.training.settings import TrainConfig
        >>> stage = Stage("bnn", TrainConfig(10, 0.1))
        >>> cells = (Cell("digits", "late", 2, stage), Cell("digits", "bnn", 1, stage), Cell("sst2", "bnn", 1, stage))
        >>> [cell.name for cell in Experiment("own", cells, (), {}).chosen("digits.*")]
        ['digits.bnn', 'digits.late']
        """
        found = [cell for cell in self.cells if fnmatchcase(cell.name, pattern)]
        if not found:
            names = ", ".join(cell.name for cell in self.cells)
            raise UserError(f"no cell of {self.name} matches {pattern!r}; its cells: {names}")
        return sorted(found, key=lambda cell: cell.group)

    def cell(self, name: str) -> Cell:
        """The cell of that name."""
        return next(cell for cell in self.cells if cell.name == name)

    def identity(self, cell: Cell, seed: int, data: dict[str, str]) -> dict[str, Any]:
        """What a record of the cell has under "identity", given the digests of its data."""
        return identity_of(cell.stage, self.settings | cell.identity(), data, seed)

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
        UserError: no such cell, data or models not to be had, a record in `out` of another run under the same
            name, or interrupted.
    """
    for cell in experiment.chosen(pattern):
        run = experiment.records(out).get((cell.name, seed))
        if run is None:
            yield from _run(experiment, cell, out, seed)
        elif not cell.bundled and run.config.get("identity") != experiment.identity(cell, seed, run.data):
            raise other_settings(cell.name, out)


def _run(experiment: Experiment, cell: Cell, out: Path, seed: int) -> Iterator[runs.Run]:
    task, place, taught_by = tasks.get(cell.task), cell.start, ""
    if cell.teacher:
        place = yield from _trained(experiment, cell.name_of(cell.teacher), out, seed)
    if cell.taught_by:
        taught_by = yield from _trained(experiment, cell.name_of(cell.taught_by), out, seed)
    if cell.start and not (cell.start in zoo.names() and zoo.describe(cell.start).task == cell.task):
        model, tokenizer = _pretrained(cell, out, seed)
    elif place:
        model, tokenizer = zoo.load(place), task.tokenizer(place)
    else:
        model, tokenizer = task.start(cell.architecture, seed)
    problem = task.problem(tokenizer, cell.stage.train.batch_size, seed)
    if cell.augment:
        problem = augment.get(cell.augment)(problem, seed)
    run, _ = run_stage(
        problem,
        cell.stage,
        model,
        out,
        cell=cell.name,
        experiment=experiment.name,
        config={"teacher": cell.teacher and cell.name_of(cell.teacher), "why": cell.why},
        identify=experiment.settings | cell.identity(),
        seed=seed,
        teacher=zoo.load(taught_by) if taught_by else None,
    )
    yield run


def _trained(experiment: Experiment, name: str, out: Path, seed: int) -> Generator[runs.Run, None, str]:
    """Where the model of a cell is; the cell is run first if it is not there."""
    cell = experiment.cell(name)
    place = cell.bundled or str(out / f"{name}.seed{seed}")
    if not (cell.bundled or Path(place).is_dir()):
        yield from _run(experiment, cell, out, seed)
    return place


def _pretrained(cell: Cell, out: Path, seed: int) -> tuple[nn.Module, Any]:
    """A model of the cell's task around the encoder that it starts from.

    Raises:
        UserError: there is none.
    """
    place = cell.start if cell.start in zoo.names() else str(out / cell.start)
    if place != cell.start and not Path(place).is_dir():
        raise UserError(
            f"{cell.name} starts from {cell.start}, which is not in {out}; make it with binviz pretrain"
        )
    return tasks.get(cell.task).start(place, seed)
