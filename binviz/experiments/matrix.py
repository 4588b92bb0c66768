"""A matrix of cells: every row on every task and architecture, trained for its share of what the task is given.

A claim on two rows is asked on every column, a task with its architecture.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from binviz.evidence.claims import Claim, Verdict
from binviz.experiments.cells import Cell
from binviz.losses import LossChoice
from binviz.recipes import Recipe
from binviz.training.settings import TrainConfig
from binviz.training.stages import Stage


@dataclass(frozen=True)
class Budget:
    """What every row of a task is given.

    steps: optimisation steps of a binary row. batch_size: examples a step. lr: peak rate. float_steps, float_lr: of
    a float row. weight_decay, precision: see `TrainConfig`.
    """

    steps: int
    batch_size: int
    lr: float
    float_steps: int = 1
    float_lr: float = 5e-5
    weight_decay: float = 0.01
    precision: Any = "no"


@dataclass(frozen=True)
class Row:
    """What is done, whichever the task.

    Args:
        name: of the row.
        recipe: "float", the name of a recipe, or a Recipe.
        teacher: row whose model it starts from; "" for none.
        loss: what it learns from.
        group: priority, see `Cell`.
        share: of the task's steps.
        lr: times the task's own.
        scale_lr: of learned scales.
        train: further settings of its training: optimizer, schedule.
        stage: further settings of the stage: dropout, frozen, keep_alphas.
        start, augment, why, taught_by, search: see `Cell`.
    """

    name: str
    recipe: str | Recipe
    teacher: str = "float"
    loss: LossChoice = field(default_factory=lambda: LossChoice("bit"))
    group: int = 1
    share: float = 1.0
    lr: float = 1.0
    scale_lr: float = 1e-4
    train: dict[str, Any] = field(default_factory=dict)
    stage: dict[str, Any] = field(default_factory=dict)
    start: str = ""
    augment: str = ""
    why: str = ""
    taught_by: str = ""
    search: tuple[str, ...] = ()


def matrix(
    budgets: Mapping[str, Budget], rows: Iterable[Row], architectures: Iterable[str] = ("",), later: int = 0
) -> list[Cell]:
    """The cells in the order of tasks, architectures, rows; each is run with any seed.

    Args:
        budgets: task -> what its rows are given.
        rows: what is done on each.
        architectures: of the tasks; "" is the usual one.
        later: added to every row's group.

    >>> rows = (Row("float", "float", teacher=""), Row("bit", "bit-w1a1", share=0.5))
    >>> cells = matrix({"digits": Budget(100, 64, 1e-3)}, rows, ("vit", "cnn"))
    >>> [(cell.name, cell.teacher, cell.stage.train.steps) for cell in cells[1:]]
    [('digits-vit.bit', 'float', 50), ('digits-cnn.float', '', 1), ('digits-cnn.bit', 'float', 50)]
    """
    rows = tuple(rows)
    return [
        _cell(task, architecture, row, budget, later)
        for task, budget in budgets.items()
        for architecture in architectures
        for row in rows
    ]


def on_columns(
    columns: Iterable[str],
    text: str,
    source: str,
    better: str,
    worse: str,
    expected: Iterable[Verdict],
    **options: Any,
) -> dict[Claim, Verdict]:
    """A claim on each column, and the verdict that is expected there.

    Args:
        columns: their cells' names up to the row.
        text, source, options: see `Claim`.
        better, worse: rows.
        expected: a verdict for each column.

    Raises:
        ValueError: more verdicts than columns, or fewer.

    >>> found = on_columns(["digits-vit", "sst2"], "Scales help", "asked here", "xnor", "bnn", ["holds", "weak"])
    >>> [(claim.better, claim.worse, verdict) for claim, verdict in found.items()]
    [('digits-vit.xnor', 'digits-vit.bnn', 'holds'), ('sst2.xnor', 'sst2.bnn', 'weak')]
    """
    return {
        Claim(text, source, f"{column}.{better}", f"{column}.{worse}", **options): verdict
        for column, verdict in zip(columns, expected, strict=True)
    }


def _cell(task: str, architecture: str, row: Row, budget: Budget, later: int) -> Cell:
    is_float = row.recipe == "float"
    train = TrainConfig(
        steps=round(row.share * (budget.float_steps if is_float else budget.steps)),
        lr=row.lr * (budget.float_lr if is_float else budget.lr),
        batch_size=budget.batch_size,
        scale_lr=row.scale_lr,
        weight_decay=budget.weight_decay,
        precision=budget.precision,
        checkpoint_every=250,
        **row.train,
    )
    return Cell(
        task,
        row.name,
        row.group + later,
        Stage(row.recipe, train, LossChoice("labels") if is_float else row.loss, **row.stage),
        architecture=architecture,
        teacher=row.teacher,
        start=row.start,
        augment=row.augment,
        why=row.why,
        taught_by=row.taught_by,
        search=row.search,
    )
