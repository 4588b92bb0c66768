"""The training loop, visible from end to end.

Adam with decoupled weight decay (or BertAdam), a linear warm-up and a linear decay to zero, autocast, and a checkpoint
from which a killed run goes on to the same numbers as an unbroken one.
"""

from __future__ import annotations

import json
import math
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object, send_to_device
from torch import Tensor, nn
from tqdm.auto import tqdm

from binviz.binarizers import Binarizer
from binviz.errors import UserError
from binviz.training import checkpoint, nonfinite, observe
from binviz.training.bert_adam import BertAdam
from binviz.training.settings import check_numbers

Batch = Mapping[str, Any]
Loss = Callable[[nn.Module, Batch], Tensor]


@dataclass(frozen=True)
class TrainConfig:
    """How long and how fast.

    lr is the peak learning rate; scale_lr that of learned scales (BiT: 1e-4, no decay); warmup the share
    of steps in which the rate rises from zero; precision "bf16" multiplies matrices in bfloat16. optimizer: "adamw",
    with `clip` on the norm of all gradients together, or "bert-adam" of the official codes, with `clip` on each
    tensor's, see `binviz.training.bert_adam`. (Their warm-up begins one step later, with a rate of zero.)
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
    optimizer: Literal["adamw", "bert-adam"] = "adamw"
    checkpoint_every: int = 500

    def __post_init__(self) -> None:
        check_numbers(
            self,
            positive=("steps", "lr", "batch_size", "scale_lr", "clip", "checkpoint_every"),
            not_negative=("weight_decay", "warmup"),
        )
        if self.precision not in ("no", "bf16"):
            raise UserError(f"precision is 'no' or 'bf16', not {self.precision!r}")
        if self.optimizer not in ("adamw", "bert-adam"):
            raise UserError(f"optimizer is 'adamw' or 'bert-adam', not {self.optimizer!r}")


@dataclass
class History:
    """Curves of a run.

    steps, loss: the mean loss between two records (at most 200), and the step each ends at. accuracy: the share of
    right answers in the same batches, each before the model learned from it; empty where labels are no classes.
    watched: the steps (at most 40) of the points in `curves`, whose names `binviz.training.observe` explains.
    """

    steps: list[int]
    loss: list[float]
    accuracy: list[float] = field(default_factory=list)
    watched: list[int] = field(default_factory=list)
    curves: dict[str, list[float]] = field(default_factory=dict)
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


def make_optimizer(model: nn.Module, config: TrainConfig) -> tuple[torch.optim.Optimizer, float]:
    """The optimizer, and the largest norm of all gradients together (BertAdam clips by itself, each tensor's)."""
    groups = parameter_groups(model, config)
    if config.optimizer == "bert-adam":
        return BertAdam(groups, clip=config.clip), math.inf
    return torch.optim.AdamW(groups, fused=True), config.clip


def rate(step: int, config: TrainConfig) -> float:
    """Share of the peak learning rate at a step: up to 1 in the warm-up, then down to 0 at the end.

    >>> config = TrainConfig(steps=10, lr=1.0, warmup=0.2)
    >>> [rate(step, config) for step in (0, 1, 2, 6, 10)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    """
    rising = max(1, round(config.warmup * config.steps))
    return min((step + 1) / rising, (config.steps - step) / max(1, config.steps - rising))


@contextmanager
def held_interrupts() -> Iterator[list[int]]:
    """Within the block Ctrl-C only adds to the list that is given, so that a step is never cut in two.

    A second Ctrl-C interrupts as usual.

    >>> with held_interrupts() as interrupts:
    ...     signal.raise_signal(signal.SIGINT)
    >>> len(interrupts)
    1
    """
    interrupts: list[int] = []

    def hold(number: int, frame: Any) -> None:
        if interrupts:
            raise KeyboardInterrupt
        interrupts.append(number)

    try:
        before = signal.signal(signal.SIGINT, hold)
    except ValueError:  # Ctrl-C reaches the main thread only
        yield interrupts
        return
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def last_logits(model: nn.Module) -> Iterator[list[Tensor | None]]:
    """Within the block the list's only entry is the logits that the model last gave, or None.

    >>> layer = nn.Linear(1, 2)
    >>> with last_logits(layer) as seen:
    ...     _ = layer(torch.zeros(3, 1))
    >>> seen
    [None]
    """
    seen: list[Tensor | None] = [None]

    def keep(module: nn.Module, inputs: Any, output: Any) -> None:
        logits = getattr(output, "logits", None)
        seen[0] = None if logits is None else logits.detach()

    handle = model.register_forward_hook(keep)
    try:
        yield seen
    finally:
        handle.remove()


def _check_state(saved: Any, fresh: dict[str, Any], path: Path) -> None:
    """Raise UserError unless a checkpoint's state has the fields and the settings of a fresh one."""

    def kinds(fields: Any) -> Any:
        return isinstance(fields, dict) and {name: type(value) for name, value in fields.items()}

    if kinds(saved) != kinds(fresh) or kinds(saved["history"]) != kinds(fresh["history"]):
        raise UserError(f"{path} is not a checkpoint of this run; delete it to start again")
    was, now = saved["config"], fresh["config"]
    for name in {**was, **now}:
        if name != "checkpoint_every" and was.get(name) != now.get(name):
            raise UserError(
                f"{path} belongs to a run with {name} {was.get(name)}, now it is {now.get(name)}; "
                "delete it to start again"
            )
    if saved["step"] not in range(now["steps"]):
        raise UserError(f"{path} has a step {saved['step']} of {now['steps']}; delete it to start again")


def _autocast(device: torch.device, config: TrainConfig) -> torch.autocast:
    return torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bf16")


def _no_number(
    model: nn.Module, batch: Batch, loss_of: Loss, config: TrainConfig, step: int, loss: float, norm: float
) -> UserError:
    """What to say of a loss or a gradient that is none; the step is run again to find the layer."""

    def again() -> Tensor:
        with _autocast(next(model.parameters()).device, config):
            return loss_of(model, batch)

    # An infinity inside can leave the loss finite: its sign is one.
    where = nonfinite.first_output(model, again)
    if math.isfinite(loss):
        what, where = f"gradient is {norm}", where or nonfinite.last_gradient(model, again)
    else:
        what = f"loss is {loss}"
    place = f", first in {where}" if where else ""
    return UserError(f"the {what} at step {step + 1}{place}; try a lower learning rate than {config.lr}")


def fit(
    model: nn.Module,
    batch_of: Callable[[int], Batch],
    loss_of: Loss,
    config: TrainConfig,
    resume: Path | None = None,
    label: str = "train",
    identity: Mapping[str, Any] | None = None,
) -> History:
    """Train `model` in place for `config.steps` steps and leave it in eval mode, on the device it came from.

    Args:
        model: its parameters that require a gradient are trained. For several processes it has seen a batch, so
            that scales which start from data are the same in all.
        batch_of: the batch of a step; depends on nothing but the step. Tensors are moved to the device. Each
            of several processes takes batches of its own, so that n of them see n batches a step.
        loss_of: scalar loss of a model on a batch.
        config: how long and how fast.
        resume: checkpoint file, written every `checkpoint_every` steps and on Ctrl-C; if it exists, the
            run goes on from there.
        label: of the progress bar.
        identity: what makes this run itself beside `config` (the loss, the data); JSON-serialisable. A
            checkpoint with another identity is refused.

    Returns:
        The curves of loss, flips, scales and shifts.

    Raises:
        UserError: the loss or its gradient is no longer a number; interrupted (the line says how to go on);
            the checkpoint cannot be written, is none of this loop, or belongs to other settings.

    >>> layer = nn.Linear(1, 1)
    >>> history = fit(layer, lambda step: {"x": torch.ones(4, 1)},
    ...               lambda model, batch: (model(batch["x"]) - 3).square().mean(), TrainConfig(100, 0.1))
    >>> history.loss[-1] < 0.1, len(history.steps), layer.training
    (True, 100, False)
    """
    # Autocast is torch's own: accelerate allows one precision in a process, and wraps a model's forward for good.
    accelerator = Accelerator(mixed_precision="no")
    torch.manual_seed(config.seed + accelerator.process_index)
    home = next(model.parameters()).device
    settings = json.loads(json.dumps({**asdict(config), **(identity or {})}))
    binarizers = [module for module in model.modules() if isinstance(module, Binarizer)]
    optimizer, clip = make_optimizer(model, config)
    peaks = [group["lr"] for group in optimizer.param_groups]
    sums: dict[str, Any] = {"total": 0.0, "counted": 0, "right": 0, "asked": 0}
    state = {"step": 0, **sums, "history": vars(History([], [])), "config": settings}
    if resume is not None and resume.exists():
        saved = checkpoint.load(resume, model, optimizer)
        _check_state(saved, state, resume)
        state = saved
    step, total, counted, right, asked = (state[name] for name in ("step", *sums))
    history = History(**state["history"])
    net, optimizer = accelerator.prepare(model, optimizer)
    net.train()
    record = max(1, math.ceil(config.steps / 200))
    watch, names = max(1, math.ceil(config.steps / 40)), observe.layer_names(model)
    started = time.perf_counter() - history.seconds

    def store() -> None:
        history.seconds = time.perf_counter() - started
        if resume is not None:
            sums = {"total": total, "counted": counted, "right": right, "asked": asked}
            state = {"step": step, **sums, "history": vars(history), "config": settings}
            checkpoint.save(resume, model, optimizer.optimizer, state)

    quiet = not accelerator.is_main_process
    bar = tqdm(total=config.steps, initial=step, desc=label, disable=quiet, mininterval=1.0)
    with bar, held_interrupts() as interrupts, last_logits(model) as logits:
        while step < config.steps:
            for binarizer in binarizers:
                binarizer.set_progress(step / config.steps)
            for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                group["lr"] = peak * rate(step, config)
            turn = step * accelerator.num_processes + accelerator.process_index
            batch = send_to_device(dict(batch_of(turn)), accelerator.device)
            with _autocast(accelerator.device, config):
                loss = loss_of(net, batch)
            accelerator.backward(loss)
            norm = accelerator.clip_grad_norm_(net.parameters(), clip)
            value = loss.item()
            if not (math.isfinite(value) and math.isfinite(float(norm))):
                raise _no_number(model, batch, loss_of, config, step, value, float(norm))
            watched = (step + 1) % watch == 0 or step + 1 == config.steps
            before = observe.weight_codes(model) if watched else {}
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            step += 1
            if before:
                history.watched.append(step)
                for name, point in observe.curves(model, before, names).items():
                    history.curves.setdefault(name, []).append(point)
            total, counted = total + value, counted + 1
            answers = observe.right_answers(logits[0], batch.get("labels"))
            right, asked = right + answers[0], asked + answers[1]
            bar.update()
            if step % record == 0 or step == config.steps:
                history.steps.append(step)
                history.loss.append(round(total / counted, 5))
                bar.set_postfix(loss=f"{total / counted:.3f}", refresh=False)
                if asked:
                    history.accuracy.append(round(right / asked, 5))
                total, counted, right, asked = 0.0, 0, 0, 0
            if step % config.checkpoint_every == 0 and step < config.steps:
                store()
            # Ctrl-C reaches several processes at several times; all of them stop after the same step.
            if step < config.steps and any(gather_object([bool(interrupts)])):
                store()
                advice = "; the same command goes on from here" if resume is not None else ""
                raise UserError(f"stopped at step {step} of {config.steps}{advice}")
    for binarizer in binarizers:
        binarizer.set_progress(1.0)
    history.seconds = time.perf_counter() - started
    model.to(home).eval()
    return history
