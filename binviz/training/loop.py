"""The training loop, visible from end to end.

Adam with decoupled weight decay, a linear warm-up and a linear decay to zero, autocast, and a checkpoint
from which a killed run goes on to the same numbers as an unbroken one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from tqdm.auto import tqdm

from binviz.binarizers import Binarizer
from binviz.errors import UserError
from binviz.training import checkpoint

Batch = Mapping[str, Any]
Loss = Callable[[nn.Module, Batch], Tensor]


@dataclass(frozen=True)
class TrainConfig:
    """How long and how fast.

    lr is the peak learning rate; scale_lr that of learned scales (BiT: 1e-4, no decay); warmup the share
    of steps in which the rate rises from zero; precision "bf16" multiplies matrices in bfloat16.
    """

    steps: int
    lr: float
    batch_size: int = 32
    scale_lr: float = 1e-4
    weight_decay: float = 0.01
    warmup: float = 0.1
    clip: float = 1.0
    seed: int = 0
    precision: Literal["no", "bf16"] = "no"
    checkpoint_every: int = 500


@dataclass
class History:
    """Curves of a run: the mean loss between two records (at most 200), the step each ends at."""

    steps: list[int]
    loss: list[float]
    seconds: float = 0.0


def parameter_groups(model: nn.Module, config: TrainConfig) -> list[dict[str, Any]]:
    """Learned scales at their own rate; no decay for them, for biases, norms, shifts and thresholds."""
    scales = {
        id(parameter)
        for module in model.modules()
        if isinstance(module, Binarizer)
        for name, parameter in module.named_parameters(recurse=False)
        if name in ("alpha", "scale")
    }
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    matrices = [p for p in trained if p.ndim >= 2 and id(p) not in scales]
    vectors = [p for p in trained if p.ndim < 2 and id(p) not in scales]
    groups = [
        {"params": matrices, "lr": config.lr, "weight_decay": config.weight_decay},
        {"params": vectors, "lr": config.lr, "weight_decay": 0.0},
        {"params": [p for p in trained if id(p) in scales], "lr": config.scale_lr, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def rate(step: int, config: TrainConfig) -> float:
    """Share of the peak learning rate at a step: up to 1 in the warm-up, then down to 0 at the end."""
    rising = max(1, round(config.warmup * config.steps))
    return min((step + 1) / rising, (config.steps - step) / max(1, config.steps - rising))


def fit(
    model: nn.Module,
    batch_of: Callable[[int], Batch],
    loss_of: Loss,
    config: TrainConfig,
    resume: Path | None = None,
    label: str = "train",
) -> History:
    """Train `model` in place for `config.steps` steps and leave it in eval mode.

    Args:
        batch_of: the batch of a step; depends on nothing but the step.
        loss_of: scalar loss of a model on a batch.
        resume: checkpoint file, written every `checkpoint_every` steps and on Ctrl-C; if it exists, the
            run goes on from there.

    Raises:
        UserError: the loss is no longer a number; interrupted (the line says how to go on).
    """
    torch.manual_seed(config.seed)
    accelerator = Accelerator(mixed_precision=config.precision)
    binarizers = [module for module in model.modules() if isinstance(module, Binarizer)]
    optimizer = torch.optim.AdamW(parameter_groups(model, config), fused=True)
    peaks = [group["lr"] for group in optimizer.param_groups]
    history, step, total, counted = History([], []), 0, 0.0, 0
    if resume is not None and resume.exists():
        state = checkpoint.load(resume, model, optimizer)
        step, total, counted, history = (
            state["step"],
            state["total"],
            state["counted"],
            History(**state["history"]),
        )
    net, optimizer = accelerator.prepare(model, optimizer)
    net.train()
    record = max(1, math.ceil(config.steps / 200))
    started = time.perf_counter() - history.seconds

    def store() -> None:
        history.seconds = time.perf_counter() - started
        if resume is not None and accelerator.is_main_process:
            state = {"step": step, "total": total, "counted": counted, "history": vars(history)}
            checkpoint.save(resume, model, optimizer.optimizer, state)

    quiet = not accelerator.is_main_process
    bar = tqdm(total=config.steps, initial=step, desc=label, disable=quiet, mininterval=1.0)
    try:
        while step < config.steps:
            for binarizer in binarizers:
                binarizer.set_progress(step / config.steps)
            for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                group["lr"] = peak * rate(step, config)
            with accelerator.autocast():
                loss = loss_of(net, batch_of(step))
            accelerator.backward(loss)
            accelerator.clip_grad_norm_(net.parameters(), config.clip)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            step += 1
            value = loss.item()
            if not math.isfinite(value):
                raise UserError(
                    f"the loss is {value} at step {step}; try a lower learning rate than {config.lr}"
                )
            total, counted = total + value, counted + 1
            bar.update()
            if step % record == 0 or step == config.steps:
                history.steps.append(step)
                history.loss.append(round(total / counted, 5))
                bar.set_postfix(loss=f"{total / counted:.3f}", refresh=False)
                total, counted = 0.0, 0
            if step % config.checkpoint_every == 0 and step < config.steps:
                store()
    except KeyboardInterrupt:
        store()
        raise UserError(
            f"stopped at step {step} of {config.steps}; the same command goes on from here"
        ) from None
    finally:
        bar.close()
    for binarizer in binarizers:
        binarizer.set_progress(1.0)
    history.seconds = time.perf_counter() - started
    model.eval()
    return history
