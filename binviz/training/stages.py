"""Train a chain of stages, each student the next one's teacher (BiT's multi-distillation, 2205.13016, algorithm 1).

    float -> bit-w1a2 -> bit-w1a1

The first stage, "float", learns from the labels; every other one is a recipe's name, starts from the previous
stage's weights and learns from the previous stage. A finished stage is kept, an interrupted one goes on.
"""

from __future__ import annotations

import copy
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
from binviz.training.distill import bit_loss, task_loss
from binviz.training.loop import Batch, Loss, TrainConfig, fit

SELECTION = "the last step; the evaluation split is looked at once, afterwards"


@dataclass(frozen=True)
class Problem:
    """What a chain of stages is trained and judged on.

    name: of the task, in file names. batch_of: step -> batch with "labels". evaluate: model -> (metrics,
    whether each example is right). data: split -> sha256. calibration: a batch with examples of every
    kind, from which a fresh binary model's scales start. tokenizer: saved with every stage, or None.
    """

    name: str
    batch_of: Callable[[int], Batch]
    evaluate: Callable[[nn.Module], tuple[dict[str, float], np.ndarray]]
    data: dict[str, str]
    calibration: Batch
    tokenizer: Any = None


def check_stages(stages: tuple[str, ...]) -> None:
    """Raise UserError unless every stage is "float", first, or the name of a recipe."""
    if not stages:
        raise UserError("name at least one stage, such as float,bit-w1a1")
    for index, stage in enumerate(stages):
        if stage == "float" and index:
            raise UserError("the stage 'float' can only come first")
        if stage != "float":
            recipes.get(stage)


@torch.no_grad()
def calibrate(model: nn.Module, batch: Batch) -> None:
    """One forward in eval mode, so that scales which start from data start from `batch`."""
    model.eval()
    model(**{name: value for name, value in batch.items() if name != "labels"})


def folder_of(out: Path, problem: str, stages: tuple[str, ...], seed: int) -> Path:
    """Where a chain's last stage is saved."""
    return out / f"{problem}.{'+'.join(stages)}.seed{seed}"


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
    hidden_weight: float = 1.0,
    label_weight: float = 0.0,
    dropout: float = 0.0,
) -> dict[str, runs.Run]:
    """Train every stage that is not finished; model folders and run records go under `out`.

    Args:
        problem: data and evaluation.
        stages: see `check_stages`.
        start: the model before the first stage; the teacher if that is a recipe. Changed in place.
        out: folder of this and earlier results.
        experiment: the records' folder.
        config: every setting, recorded.
        identify: those that, beside the stage's own and the data, make it another run: a finished or
            interrupted stage with others is refused.
        float_stage, binary_stage: length and speed of either kind of stage.
        hidden_weight, label_weight: of the distillation loss, see `bit_loss`.
        dropout: of the binary stages.

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
    processes = PartialState()
    model = start
    for index, stage in enumerate(stages):
        done = stages[: index + 1]
        settings = float_stage if stage == "float" else binary_stage
        identity = identify | {"train": asdict(settings), "data": problem.data}
        if stage != "float":
            identity |= {"hidden_weight": hidden_weight, "label_weight": label_weight, "dropout": dropout}
        folder, cell = folder_of(out, problem.name, done, settings.seed), f"{problem.name}.{'+'.join(done)}"
        record = out / "runs" / experiment / f"{cell}.seed{settings.seed}.json"
        if record.exists() and folder.is_dir():
            records[stage], model = runs.read(record), binviz.load(folder)
            if records[stage].config.get("identity") != identity:
                raise UserError(f"{out} holds {cell} with other settings; choose another folder with --out")
            continue
        loss: Loss = task_loss
        if stage != "float":
            teacher = copy.deepcopy(model).eval()
            torch.manual_seed(settings.seed)  # some recipes draw weights of their own
            binviz.binarize_(model, stage)
            calibrate(model, problem.calibration)
            for module in model.modules():
                if isinstance(module, nn.Dropout):
                    module.p = dropout
            loss = bit_loss(teacher, hidden_weight, label_weight)
        checkpoint = out / f"{folder.name}.checkpoint"
        history = fit(model, problem.batch_of, loss, settings, checkpoint, label=cell, identity=identity)
        metrics, correct = problem.evaluate(model)
        run = runs.Run(
            experiment=experiment,
            cell=cell,
            seed=settings.seed,
            config=config | {"stages": list(done), "train": asdict(settings), "identity": identity},
            selection=SELECTION,
            data=problem.data,
            metrics=metrics,
            seconds=round(history.seconds, 1),
            predictions=runs.correct_bits(correct),
            curves={"step": history.steps, "loss": history.loss},
            code=runs.code_state(),
            machine=runs.machine(),
        )
        if processes.is_main_process:
            binviz.save(model, folder, problem.tokenizer)
            runs.write(run, out / "runs")
            checkpoint.unlink(missing_ok=True)
        processes.wait_for_everyone()
        records[stage] = run
    return records
