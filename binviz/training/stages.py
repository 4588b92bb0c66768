"""Train a chain of stages, each student the next one's teacher (BiT's multi-distillation, 2205.13016, algorithm 1).

    float -> bit-w1a2 -> bit-w1a1

The first stage, "float", learns from the labels; every other one is a recipe's name, starts from the previous
stage's weights and shifts and learns from the previous stage. A finished stage is kept, an interrupted one goes on.

Where the number of bits changes, every alpha starts anew from data. The official code loads the previous student's
whole state instead, and an alpha that is no longer exactly 1 counts as started: it keeps the 2-bit alphas. That is
`Stage.keep_alphas`.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import PartialState
from torch import nn

import binviz
from binviz import recipes
from binviz.adapters import layout_of
from binviz.errors import UserError
from binviz.evidence import runs
from binviz.recipes import Recipe
from binviz.training.direction import bibert_loss
from binviz.training.distill import bit_loss, task_loss
from binviz.training.loop import Batch, Loss, TrainConfig, fit

SELECTION = "the last step; the evaluation split is looked at once, afterwards"
DISTILLATIONS = {"bit": bit_loss, "bibert": bibert_loss}


@dataclass(frozen=True)
class Problem:
    """What a chain of stages is trained and judged on.

    name: of the task, in file names. batch_of: step -> batch with "labels". evaluate: model -> (metrics,
    values of the examples, see `runs.of_examples`). data: split -> sha256. calibration: a batch with examples of every
    kind, from which a fresh binary model's scales start. tokenizer: saved with every stage, or None.
    """

    name: str
    batch_of: Callable[[int], Batch]
    evaluate: Callable[[nn.Module], tuple[dict[str, float], np.ndarray]]
    data: dict[str, str]
    calibration: Batch
    tokenizer: Any = None


@dataclass(frozen=True)
class Stage:
    """How one stage is trained.

    Args:
        recipe: "float", the name of a recipe, or a Recipe.
        train: length and speed.
        distillation: what a binary stage learns from its teacher: "bit" or "bibert".
        hidden_weight, label_weight: of that loss, see `bit_loss` and `bibert_loss`.
        dropout: of a binary stage.
        frozen: last names of parameters that are not trained, such as "alpha".
        keep_alphas: a binary student starts from its binary teacher's alphas, as in BiT's official code.

    Raises:
        UserError: unknown recipe or distillation.
    """

    recipe: str | Recipe
    train: TrainConfig
    distillation: str = "bit"
    hidden_weight: float = 1.0
    label_weight: float = 0.0
    dropout: float = 0.0
    frozen: tuple[str, ...] = ()
    keep_alphas: bool = False

    def __post_init__(self) -> None:
        check_stages((self.recipe,) if isinstance(self.recipe, str) else ("float",), self.distillation)

    @property
    def name(self) -> str:
        return self.recipe if isinstance(self.recipe, str) else self.recipe.name

    def identity(self) -> dict[str, Any]:
        """The settings that make it another run, JSON-serialisable."""
        settings: dict[str, Any] = {"train": asdict(self.train)}
        del settings["train"]["checkpoint_every"]
        if self.train.optimizer == "adamw":
            del settings["train"]["optimizer"]
        if self.name != "float":
            settings |= {
                key: getattr(self, key)
                for key in ("distillation", "hidden_weight", "label_weight", "dropout")
            }
            settings["frozen"] = list(self.frozen)
            settings |= {"keep_alphas": True} if self.keep_alphas else {}
        if isinstance(self.recipe, Recipe):
            settings["recipe"] = self.recipe.to_dict()
        return settings


def check_stages(stages: tuple[str, ...], distillation: str = "bit") -> None:
    """Raise UserError unless every stage is "float", first, or the name of a recipe, and the loss is known."""
    if not stages:
        raise UserError("name at least one stage, such as float,bit-w1a1")
    for index, stage in enumerate(stages):
        if stage == "float" and index:
            raise UserError("the stage 'float' can only come first")
        if stage != "float":
            recipes.get(stage)
    if distillation not in DISTILLATIONS:
        raise UserError(f"no distillation {distillation!r}; choose one of: {', '.join(DISTILLATIONS)}")


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
def calibrate(model: nn.Module, batch: Batch) -> None:
    """One forward in eval mode, so that scales which start from data start from `batch`."""
    model.eval()
    model(**{name: value for name, value in batch.items() if name != "labels"})


def prepare(model: nn.Module, stage: Stage, calibration: Batch) -> Loss:
    """Make `model`, in place, the untrained student of what it was; returns its loss."""
    if stage.name == "float":
        return task_loss
    teacher = copy.deepcopy(model).eval()
    torch.manual_seed(stage.train.seed)  # some recipes draw weights of their own
    binviz.binarize_(model, stage.recipe)
    if stage.keep_alphas:
        keep_alphas(model, teacher)
    calibrate(model, calibration)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = stage.dropout
    for name, parameter in model.named_parameters():
        if name.rpartition(".")[-1] in stage.frozen:
            parameter.requires_grad_(False)
    return DISTILLATIONS[stage.distillation](teacher, stage.hidden_weight, stage.label_weight)


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
) -> tuple[runs.Run, nn.Module]:
    """Train one stage unless it is finished; its model folder and run record go under `out`.

    Args:
        problem: data and evaluation.
        stage: how it is trained.
        start: the model it starts from, and its teacher. Changed in place.
        out: folder of this and earlier results.
        cell, experiment: of the record.
        config: further settings, recorded.
        identify: those that, beside the stage's own and the data, make it another run: a finished or
            interrupted stage with others is refused.

    Returns:
        Its record and the trained model.

    Raises:
        UserError: another run of the same name in `out`, or interrupted: the same call goes on.
    """
    seed = stage.train.seed
    # As a checkpoint and a record have it after reading, where tuples are lists.
    identity = json.loads(json.dumps(identify | stage.identity() | {"data": problem.data}))
    folder, record = out / f"{cell}.seed{seed}", out / "runs" / experiment / f"{cell}.seed{seed}.json"
    if record.exists() and folder.is_dir():
        run = runs.read(record)
        if run.config.get("identity") != identity:
            raise UserError(f"{out} holds {cell} with other settings; choose another folder with --out")
        return run, binviz.load(folder)
    loss, checkpoint = prepare(start, stage, problem.calibration), out / f"{folder.name}.checkpoint"
    history = fit(start, problem.batch_of, loss, stage.train, checkpoint, label=cell, identity=identity)
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
        binviz.save(start, folder, problem.tokenizer)
        runs.write(run, out / "runs")
        checkpoint.unlink(missing_ok=True)
    processes.wait_for_everyone()
    return run, start


def run_stages(
    problem: Problem,
    stages: tuple[str, ...],
    start: nn.Module,
    out: Path,
    *,
    experiment: str,
    config: dict[str, Any],
    identify: dict[str, Any],
    float_stage: TrainConfig,
    binary_stage: TrainConfig,
    distillation: str = "bit",
    hidden_weight: float = 1.0,
    label_weight: float = 0.0,
    dropout: float = 0.0,
    keep_alphas: bool = False,
) -> dict[str, runs.Run]:
    """Train every stage that is not finished, one after the other, see `run_stage`.

    Args:
        problem, out, experiment, config, identify: see `run_stage`; a cell is named after its chain.
        stages: see `check_stages`.
        start: the model before the first stage; the teacher if that is a recipe. Changed in place.
        float_stage, binary_stage: length and speed of either kind of stage.
        distillation, hidden_weight, label_weight, dropout, keep_alphas: of the binary stages, see `Stage`.

    Returns:
        stage -> its record.

    Raises:
        UserError: unknown stage, another run of the same name in `out`, or interrupted: the same command
            goes on.
    """
    check_stages(stages)
    if set(stages) != {"float"}:
        layout_of(start)  # a model that cannot be binarized is refused before it is trained
    records: dict[str, runs.Run] = {}
    model = start
    for index, name in enumerate(stages):
        done = stages[: index + 1]
        stage = Stage(
            name,
            float_stage if name == "float" else binary_stage,
            distillation=distillation,
            hidden_weight=hidden_weight,
            label_weight=label_weight,
            dropout=dropout,
            keep_alphas=keep_alphas,
        )
        records[name], model = run_stage(
            problem,
            stage,
            model,
            out,
            cell=f"{problem.name}.{'+'.join(done)}",
            experiment=experiment,
            config=config | {"stages": list(done)},
            identify=identify,
        )
    return records
