"""An experiment is a list of cells in order of priority; running it trains those that have no record yet.

A cell is one stage that starts from another cell's model, its teacher. The record of a cell is
`<experiment>/<cell>.seed<N>.json`; those shipped with the package count as well as those in the user's folder.

A cell may have its learning rate from a search: short cells, of which the best one's is taken. A cell whose loss is no
longer a number has a record that says so and no number; those that start from it are not run, all others are.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from torch import nn

from binviz import tasks, zoo
from binviz.errors import UserError
from binviz.evidence import runs
from binviz.evidence.claims import Claim
from binviz.tasks import Problem
from binviz.training import augment
from binviz.training.nonfinite import NotFinite
from binviz.training.stages import SELECTION, Stage, identity_of, other_settings, run_stage

#: (cell, seed) -> record.
Records = Mapping[tuple[str, int], runs.Run]


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
        search: rows of the cells, of the same seed, of which the best one's learning rate is this cell's; () where the
            stage's own is.

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
    search: tuple[str, ...] = ()

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
        compared: rows that are printed beside one another, on every task and network.
    """

    name: str
    cells: tuple[Cell, ...]
    claims: tuple[Claim, ...]
    settings: dict[str, Any]
    notes: str = ""
    gap: str = ""
    compared: tuple[str, ...] = ()

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

    def wanted(self, pattern: str = "*") -> list[Cell]:
        """The chosen cells but those whose model is bundled; one of these only if `pattern` is its name.

        Raises:
            UserError: no cell matches.
        """
        return [cell for cell in self.chosen(pattern) if not cell.bundled or pattern == cell.name]

    def cell(self, name: str) -> Cell:
        """The cell of that name."""
        return next(cell for cell in self.cells if cell.name == name)

    def identity(self, cell: Cell, seed: int, data: dict[str, str]) -> dict[str, Any]:
        """What a record of the cell has under "identity", given the digests of its data."""
        return identity_of(cell.stage, self.settings | cell.identity(), data, seed)

    def tuned(self, cell: Cell, seed: int, records: Records) -> Cell:
        """The cell with the learning rate that its search found, see `augment.without_last`.

        The first of equals counts. Those that failed are no candidates; without any other, or without a search, the
        cell stays as it is.
        """
        tried = [records.get((cell.name_of(row), seed)) for row in cell.search]
        found = [run for run in tried if run and not run.failed]
        if not found:
            return cell
        best = max(found, key=lambda run: run.metrics[augment.HELD_OUT])
        train = replace(cell.stage.train, lr=best.config["train"]["lr"])
        return replace(cell, stage=replace(cell.stage, train=train))

    def finished(self, cell: Cell, seed: int, records: Records, out: Path) -> bool:
        """Whether the cell has a record, and so have those of its search.

        Raises:
            UserError: the record, in `out`, is of another run under the same name.
        """
        run = records.get((cell.name, seed))
        if run is None or any((cell.name_of(row), seed) not in records for row in cell.search):
            return False
        identity = self.identity(self.tuned(cell, seed, records), seed, run.data)
        if not cell.bundled and run.config.get("identity") != identity:
            raise other_settings(cell.name, out)
        return True

    def bundled(self) -> dict[tuple[str, int], runs.Run]:
        """(cell, 0) -> record of the bundled model that is the cell's result."""
        found = {(cell.name, 0): zoo.describe(cell.bundled).record for cell in self.cells if cell.bundled}
        return {key: run for key, run in found.items() if run}

    def records(self, out: Path | None = None) -> dict[tuple[str, int], runs.Run]:
        """(cell, seed) -> record, shipped and in `out`."""
        found = runs.runs(out and out / "runs", experiment=self.name)
        return self.bundled() | {(run.cell, run.seed): run for run in found if run.experiment == self.name}


def reproduce(experiment: Experiment, out: Path, pattern: str = "*", seed: int = 0) -> Iterator[runs.Run]:
    """Run the chosen cells that have no record, in order; a killed cell goes on where it was.

    A bundled model is there, and trained with another seed only where `pattern` is its cell's name. A teacher that is
    not there is run first, and so are the cells of a search. A cell whose loss is no longer a number is recorded as
    failed, and cells that start from it are left out.

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
    for cell in experiment.wanted(pattern):
        records = experiment.records(out)
        for row in cell.search:
            if (cell.name_of(row), seed) not in records:
                yield from _run(experiment, experiment.cell(cell.name_of(row)), out, seed)
                records = experiment.records(out)
        if not experiment.finished(cell, seed, records, out):
            yield from _run(experiment, experiment.tuned(cell, seed, records), out, seed)


def _run(experiment: Experiment, cell: Cell, out: Path, seed: int) -> Iterator[runs.Run]:
    task, place, taught_by = tasks.get(cell.task), cell.start, ""
    if cell.teacher:
        place = yield from trained(experiment, cell.name_of(cell.teacher), out, seed)
    if cell.taught_by:
        taught_by = yield from trained(experiment, cell.name_of(cell.taught_by), out, seed)
    if (cell.teacher and not place) or (cell.taught_by and not taught_by):
        return
    if cell.start and not (cell.start in zoo.names() and zoo.describe(cell.start).task == cell.task):
        model, tokenizer = _pretrained(cell, out, seed)
    elif place:
        model, tokenizer = zoo.load(place), task.tokenizer(place)
    else:
        model, tokenizer = task.start(cell.architecture, seed)
    problem = task.problem(tokenizer, cell.stage.train.batch_size, seed)
    if cell.augment:
        problem = augment.get(cell.augment)(problem, seed, model)
    config = {"teacher": cell.teacher and cell.name_of(cell.teacher), "why": cell.why}
    started = time.perf_counter()
    try:
        run, _ = run_stage(
            problem,
            cell.stage,
            model,
            out,
            cell=cell.name,
            experiment=experiment.name,
            config=config,
            identify=experiment.settings | cell.identity(),
            seed=seed,
            teacher=zoo.load(taught_by) if taught_by else None,
        )
    except NotFinite as error:
        run = _failed(experiment, cell, seed, problem, config, str(error), time.perf_counter() - started)
        runs.write(run, out / "runs")
        (out / f"{cell.name}.seed{seed}.checkpoint").unlink(missing_ok=True)
    yield run


def _failed(
    experiment: Experiment,
    cell: Cell,
    seed: int,
    problem: Problem,
    config: dict[str, Any],
    why: str,
    seconds: float,
) -> runs.Run:
    """The record of a cell that has no model."""
    identity = experiment.identity(cell, seed, problem.data)
    return runs.Run(
        experiment=experiment.name,
        cell=cell.name,
        seed=seed,
        config=config | {"train": asdict(cell.stage.train), "identity": identity},
        selection=SELECTION,
        data=problem.data,
        metrics={},
        seconds=round(seconds, 1),
        code=runs.code_state(),
        machine=runs.machine(),
        failed=why,
    )


def trained(experiment: Experiment, name: str, out: Path, seed: int) -> Generator[runs.Run, None, str]:
    """Where the model of a cell is, "" if it failed; the cell is run first if it is not there."""
    cell = experiment.cell(name)
    if cell.bundled:
        return cell.bundled
    place, known = out / f"{name}.seed{seed}", experiment.records(out).get((name, seed))
    if not (place.is_dir() or (known and known.failed)):
        yield from _run(experiment, cell, out, seed)
    return str(place) if place.is_dir() else ""


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
