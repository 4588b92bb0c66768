"""Train a chain of stages, each student the next one's teacher (BiT's multi-distillation, 2205.13016, algorithm 1).

    float -> bit-w1a2 -> bit-w1a1

The first stage is "float", every other one a recipe's name; it starts from the previous stage's weights and shifts, and
that is its teacher if its loss has one. A finished stage is kept, an interrupted one goes on.

Where the number of bits changes, every alpha starts anew from data. The official code loads the previous student's
whole state instead, and an alpha that is no longer exactly 1 counts as started: it keeps the 2-bit alphas. That is
`Stage.keep_alphas`.
"""

from __future__ import annotations

import copy
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from torch import nn

from binviz import recipes, zoo
from binviz.adapters import layout_of
from binviz.convert import binarize_
from binviz.errors import UserError
from binviz.evidence import runs
from binviz.losses import Batch, Loss, LossChoice, inputs_of
from binviz.recipes import Recipe
from binviz.saving import save
from binviz.tasks import Problem
from binviz.training.loop import fit
from binviz.training.settings import TrainConfig

SELECTION = "the last step; the evaluation split is looked at once, afterwards"


@dataclass(frozen=True)
class Stage:
    """How one stage is trained.

    Args:
        recipe: "float", the name of a recipe, or a Recipe.
        train: length and speed.
        loss: what it learns from; None is the task's own, the labels as a rule.
        dropout: of a binary stage; a float one keeps the model's own.
        frozen: last names of parameters that are not trained, such as "alpha".
        keep_alphas: a binary student starts from its binary teacher's alphas, as in BiT's official code.

    Raises:
        UserError: unknown recipe.

    >>> stage = Stage("bnn", TrainConfig(10, 0.1))
    >>> stage.name, stage.is_float, Stage("float", TrainConfig(10, 0.1)).is_float
    ('bnn', False, True)
    """

    recipe: str | Recipe
    train: TrainConfig
    loss: LossChoice | None = None
    dropout: float = 0.0
    frozen: tuple[str, ...] = ()
    keep_alphas: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.recipe, str) and not self.is_float:
            recipes.get(self.recipe)

    @property
    def name(self) -> str:
        return self.recipe if isinstance(self.recipe, str) else self.recipe.name

    @property
    def is_float(self) -> bool:
        return self.recipe == "float"

    def identity(self) -> dict[str, Any]:
        """The settings that make it another run, JSON-serialisable: the whole recipe, not its name.

        >>> found = Stage("bnn", TrainConfig(10, 0.1), LossChoice("bit")).identity()
        >>> found["loss"], found["recipe"]["weight"]["binarizer"]
        ({'name': 'bit', 'hidden_weight': 1.0, 'label_weight': 0.0}, 'bnn')
        """
        settings: dict[str, Any] = {"train": self.train.identity()}
        settings["loss"] = self.loss.to_dict() if self.loss else "the task's"
        if self.is_float:
            return settings | {"recipe": "float"}
        recipe = recipes.get(self.recipe) if isinstance(self.recipe, str) else self.recipe
        return settings | {
            "recipe": recipe.to_dict(),
            "dropout": self.dropout,
            "frozen": list(self.frozen),
            "keep_alphas": self.keep_alphas,
        }


def check_stages(stages: tuple[str, ...]) -> None:
    """Raise UserError unless every stage is "float", first, or the name of a recipe."""
    if not stages:
        raise UserError("name at least one stage, such as float,bit-w1a1")
    for index, stage in enumerate(stages):
        if stage == "float" and index:
            raise UserError("the stage 'float' can only come first")
        if stage != "float":
            recipes.get(stage)


def keep_alphas(student: nn.Module, teacher: nn.Module) -> None:
    """Give a student's elastic binarizers the alphas of its teacher's, whatever their numbers of bits.

    Those that the teacher has not, or has not started, start from data as usual.

    >>> from binviz.binarizers import get
    >>> teacher, student = (nn.ModuleList([get("elastic-signed", bits=bits)]) for bits in (2, 1))
    >>> _ = teacher[0](torch.tensor([-1.0, 2.0]))
    >>> keep_alphas(student, teacher)
    >>> student[0](torch.tensor([-10.0, 20.0])).tolist()
    [-3.0, 3.0]
    """
    given = teacher.state_dict()
    owners = [name.removesuffix("alpha") for name in student.state_dict() if name.endswith(".alpha")]
    kept = [
        f"{owner}{part}" for owner in owners if f"{owner}alpha" in given for part in ("alpha", "initialized")
    ]
    student.load_state_dict({name: given[name] for name in kept}, strict=False)


@torch.no_grad()
def calibrate(model: nn.Module, batch: Batch, targets: tuple[str, ...] = ("labels",)) -> None:
    """One forward in eval mode, so that scales which start from data start from `batch`."""
    model.eval()
    model(**inputs_of(batch, targets))


def prepare(
    model: nn.Module, stage: Stage, problem: Problem, seed: int = 0, teacher: nn.Module | None = None
) -> Loss:
    """Make `model`, in place, the untrained student of what it was; returns its loss.

    Args:
        model: the student; what it was is the teacher.
        stage: how it will be trained.
        problem: whose calibration batch its scales start from.
        seed: of weights that the loss or the recipe draws.
        teacher: another one than that.

    >>> batch = {"input": torch.ones(2, 4), "labels": torch.tensor([0, 1])}
    >>> problem = Problem("own", lambda step: batch, lambda model: ({}, None), {}, batch)
    >>> network = nn.Sequential(*(nn.Linear(4, 4) for _ in range(3)))
    >>> type(prepare(network, Stage("bnn", TrainConfig(10, 0.1)), problem)).__name__, type(network[1]).__name__
    ('LabelLoss', 'BinaryLinear')
    """
    torch.manual_seed(seed)
    choice = stage.loss or problem.loss
    was = copy.deepcopy(model).eval() if choice.needs_teacher or stage.keep_alphas else None
    loss = choice.make((teacher or was) if choice.needs_teacher else None, problem.targets)
    if stage.is_float:
        return loss
    binarize_(model, stage.recipe)
    if stage.keep_alphas and was is not None:
        keep_alphas(model, was)
    calibrate(model, problem.calibration, problem.targets)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = stage.dropout
    for name, parameter in model.named_parameters():
        if name.rpartition(".")[-1] in stage.frozen:
            parameter.requires_grad_(False)
    return loss


def other_settings(cell: str, out: Path) -> UserError:
    """What to say of a record that is of another run than the one that is asked for."""
    return UserError(
        f"{out} holds {cell} with other settings, or from another version of binviz; "
        "choose another folder with --out"
    )


def _finished(record: Path, folder: Path, stage: Stage, identity: dict[str, Any]) -> runs.Run | None:
    """The record of a stage that has nothing left to do.

    Raises:
        UserError: it is of another run.
    """
    if not (record.exists() and folder.is_dir()):
        return None
    run = runs.read(record)
    if run.config.get("identity") != identity:
        raise other_settings(run.cell, folder.parent)
    return None if run.config.get("train", {}).get("steps", 0) < stage.train.steps else run


def run_stage(
    problem: Problem,
    stage: Stage,
    start: nn.Module,
    out: Path,
    *,
    cell: str,
    experiment: str,
    config: dict[str, Any],
    identify: dict[str, Any],
    seed: int = 0,
    teacher: nn.Module | None = None,
) -> tuple[runs.Run, nn.Module]:
    """Train one stage unless it is finished; its model folder and run record go under `out`.

    A stage with a constant rate keeps its checkpoint: the same stage with more steps goes on from there.

    Args:
        problem: data and evaluation.
        stage: how it is trained.
        start: the model it starts from, and its teacher if there is no other. Changed in place.
        out: folder of this and earlier results.
        cell, experiment: of the record.
        config: further settings, recorded.
        identify: those that, beside the stage's own and the data, make it another run: a finished or
            interrupted stage with others is refused.
        seed: of weights that are drawn, and of dropout; batches have the problem's.
        teacher: another one than `start`.

    Returns:
        Its record and the trained model.

    Raises:
        UserError: another run of the same name in `out`, or interrupted: the same call goes on.
    """
    name = f"{cell}.seed{seed}"
    identity = identity_of(stage, identify, problem.data, seed)
    folder, record = out / name, out / "runs" / experiment / f"{name}.json"
    run = _finished(record, folder, stage, identity)
    if run is not None:
        return run, zoo.load(folder)
    loss, checkpoint = prepare(start, stage, problem, seed, teacher), out / f"{name}.checkpoint"
    history = fit(start, problem.batch_of, loss, stage.train, checkpoint, cell, identity, seed)
    start.requires_grad_(True)
    metrics, values = problem.evaluate(start)
    run = runs.Run(
        experiment=experiment,
        cell=cell,
        seed=seed,
        config=config | {"train": asdict(stage.train), "identity": identity},
        selection=SELECTION,
        data=problem.data,
        metrics=metrics,
        seconds=round(history.seconds, 1),
        **runs.of_examples(values),
        curves={
            "step": history.steps,
            "loss": history.loss,
            **({"accuracy": history.accuracy} if history.accuracy else {}),
            "watched": history.watched,
            **history.curves,
        },
        code=runs.code_state(),
        machine=runs.machine(),
    )
    processes = PartialState()
    if processes.is_main_process:
        save(start, folder, problem.tokenizer)
        runs.write(run, out / "runs")
        if stage.train.ends:
            checkpoint.unlink(missing_ok=True)
    processes.wait_for_everyone()
    return run, start


def identity_of(stage: Stage, identify: dict[str, Any], data: dict[str, str], seed: int) -> dict[str, Any]:
    """What makes a run itself, as a checkpoint and a record have it after reading, where tuples are lists.

    >>> found = identity_of(Stage("float", TrainConfig(10, 0.1)), {"task": "digits"}, {"train": "0ab"}, seed=3)
    >>> found["task"], found["recipe"], found["seed"], found["data"]
    ('digits', 'float', 3, {'train': '0ab'})
    """
    return json.loads(json.dumps(identify | stage.identity() | {"seed": seed, "data": data}))


def run_stages(
    problem: Problem,
    stages: list[Stage],
    start: nn.Module,
    out: Path,
    *,
    name: str,
    experiment: str,
    config: dict[str, Any],
    identify: dict[str, Any],
    seed: int = 0,
) -> dict[str, runs.Run]:
    """Train every stage that is not finished, one after the other, see `run_stage`.

    Args:
        problem, out, experiment, config, identify, seed: see `run_stage`.
        stages: of which only the first may be "float".
        start: the model before the first stage; the teacher if that is a recipe. Changed in place.
        name: of the cells, before the names of their stages.

    Returns:
        Stage -> its record.

    Raises:
        UserError: another run of the same name in `out`, or interrupted: the same command goes on.
    """
    if not all(stage.is_float for stage in stages):
        layout_of(start)  # a model that cannot be binarized is refused before it is trained
    records: dict[str, runs.Run] = {}
    model = start
    for index, stage in enumerate(stages):
        done = [each.name for each in stages[: index + 1]]
        records[stage.name], model = run_stage(
            problem,
            stage,
            model,
            out,
            cell=f"{name}.{'+'.join(done)}",
            experiment=experiment,
            config=config | {"stages": done},
            identify=identify | {"stages": done},
            seed=seed,
        )
    return records
