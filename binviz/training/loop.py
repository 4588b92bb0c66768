"""The training loop, visible from end to end.

An optimizer, a warm-up, a linear decay of the rate to zero or none, autocast, and a checkpoint from which a killed run
goes on to the same numbers as an unbroken one.
"""

from __future__ import annotations

import json
import math
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object, send_to_device
from torch import Tensor, nn
from tqdm.auto import tqdm

from binviz.binarizers import Binarizer
from binviz.errors import UserError
from binviz.losses import Batch, Loss
from binviz.training import checkpoint, nonfinite, observe, optimizers
from binviz.training.book import Book, History
from binviz.training.settings import TrainConfig, check_seed, rate

#: `binviz.losses.Loss`, or any function of a model and a batch.
LossOf = Callable[[nn.Module, Batch], Tensor]


def parameter_groups(model: nn.Module, config: TrainConfig) -> list[dict[str, Any]]:
    """Learned scales at their own rate; no decay for them, for biases, norms, shifts and thresholds.

    >>> network = nn.Sequential(nn.Linear(4, 2), nn.LayerNorm(2))
    >>> groups = parameter_groups(network, TrainConfig(10, 0.1))
    >>> [(len(group["params"]), group["weight_decay"]) for group in groups]
    [(1, 0.01), (3, 0.0)]
    """
    scales = {
        id(parameter)
        for module in model.modules()
        if isinstance(module, Binarizer)
        for name, parameter in module.named_parameters(recurse=False)
        if name in (*module.scales, *module.of_training)
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


def _check_state(saved: Any, fresh: dict[str, Any], book: Book, config: TrainConfig, path: Path) -> None:
    """Raise UserError unless a checkpoint's state has the fields and the settings of a fresh one."""

    def kinds(fields: Any) -> Any:
        return isinstance(fields, dict) and {name: type(value) for name, value in fields.items()}

    if kinds(saved) != kinds(fresh) or kinds(saved["history"]) != kinds(fresh["history"]):
        raise UserError(f"{path} is not a checkpoint of this run; delete it to start again")
    was, now = saved["config"], fresh["config"]
    for name in {**was, **now}:
        if was.get(name) != now.get(name):
            raise UserError(
                f"{path} belongs to a run with {name} {was.get(name)}, now it is {now.get(name)}; "
                "delete it to start again"
            )
    if saved["step"] not in range(config.steps + (not config.ends)):
        raise UserError(f"{path} has a step {saved['step']} of {config.steps}; delete it to start again")
    try:
        book.check(saved)
    except ValueError as error:
        raise UserError(f"{path} is damaged: {error}; delete it to start again") from error


def _check_ends(binarizers: list[Binarizer], config: TrainConfig) -> None:
    """Raise UserError where a binarizer follows a schedule over a run that has no last step."""
    for binarizer in binarizers:
        if not config.ends and type(binarizer).set_progress is not Binarizer.set_progress:
            raise UserError(
                f"{type(binarizer).__name__} follows a schedule from the first step to the last, and with a constant "
                "rate there is no last one; take the linear schedule"
            )


def _autocast(device: torch.device, config: TrainConfig) -> torch.autocast:
    return torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bf16")


def _follow_schedules(
    binarizers: list[Binarizer], optimizer: Any, peaks: list[float], step: int, config: TrainConfig
) -> None:
    """Set what depends on how far the run is: the binarizers' progress and the rates."""
    for binarizer in binarizers:
        binarizer.set_progress(step / config.steps)
    for group, peak in zip(optimizer.param_groups, peaks, strict=True):
        group["lr"] = peak * rate(step, config)


def _check_numbers(
    model: nn.Module, batch: Batch, loss_of: LossOf, config: TrainConfig, step: int, loss: float, norm: float
) -> None:
    """Raise NotFinite where a loss or a gradient is no number; the step is run again to find the layer."""
    if math.isfinite(loss) and math.isfinite(norm):
        return

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
    raise nonfinite.NotFinite(
        f"the {what} at step {step + 1}{place}; try a lower learning rate than {config.lr}"
    )


def forward_backward(
    net: nn.Module,
    batch: Batch,
    loss_of: LossOf,
    learners: nn.Module,
    optimizer: Any,
    accelerator: Accelerator,
    config: TrainConfig,
    clip: float,
) -> tuple[float, float]:
    """The loss of a batch and the norm of its gradient, which is left on the learners' parameters, clipped.

    The gradient before is there until the backward pass begins, for a binarizer that reads it. A checkpoint holds none:
    a run that goes on begins without.
    """
    with _autocast(accelerator.device, config):
        loss = loss_of(net, batch)
    optimizer.zero_grad(set_to_none=True)
    accelerator.backward(loss)
    norm = accelerator.clip_grad_norm_(learners.parameters(), clip)
    return loss.item(), float(norm)


def fit(
    model: nn.Module,
    batch_of: Callable[[int], Batch],
    loss_of: LossOf,
    config: TrainConfig,
    resume: Path | None = None,
    label: str = "train",
    identity: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> History:
    """Train `model` in place for `config.steps` steps and leave it in eval mode, on the device it came from.

    Args:
        model: its parameters that require a gradient are trained.
        batch_of: the batch of a step; depends on nothing but the step. Tensors are moved to the device. Each
            of several processes takes batches of its own, so that n of them see n batches a step.
        loss_of: scalar loss of a model on a batch; parameters of its own are trained with the model's.
        config: how long and how fast.
        resume: checkpoint file, written every `checkpoint_every` steps and on Ctrl-C, and at the end of a run
            whose schedule has none; if it exists, the run goes on from there.
        label: of the progress bar.
        identity: what makes this run itself beside `config` (the loss, the data); JSON-serialisable. A
            checkpoint with another identity is refused.
        seed: of dropout and all else that is drawn.

    Returns:
        The curves of loss, flips, scales and shifts.

    Raises:
        NotFinite: the loss or its gradient is no longer a number.
        UserError: interrupted (the line says how to go on);
            the checkpoint cannot be written, is none of this loop, or belongs to other settings.

    >>> layer = nn.Linear(1, 1)
    >>> history = fit(layer, lambda step: {"x": torch.ones(4, 1)},
    ...               lambda model, batch: (model(batch["x"]) - 3).square().mean(), TrainConfig(100, 0.1))
    >>> history.loss[-1] < 0.1, len(history.steps), layer.training
    (True, 100, False)
    """
    check_seed(seed)
    # Autocast is torch's own: accelerate allows one precision in a process, and wraps a model's forward for good.
    accelerator = Accelerator(mixed_precision="no")
    torch.manual_seed(seed + accelerator.process_index)
    home = next(model.parameters()).device
    settings = json.loads(json.dumps({**config.identity(), "seed": seed, **(identity or {})}))
    binarizers = [module for module in model.modules() if isinstance(module, Binarizer)]
    _check_ends(binarizers, config)
    method = loss_of if isinstance(loss_of, Loss) else Loss(Loss.Options())
    own = loss_of if isinstance(loss_of, nn.Module) else nn.Module()
    learners = nn.ModuleDict({"model": model, "loss": own})
    optimizer, clip = optimizers.get(config.optimizer)(parameter_groups(learners, config), config.clip)
    peaks = [group["lr"] for group in optimizer.param_groups]
    book, step = Book(model, config.steps), 0

    def state() -> dict[str, Any]:
        return {"step": step, **book.state(), "config": settings}

    if resume is not None and resume.exists():
        saved = checkpoint.load(resume, learners, optimizer)
        _check_state(saved, state(), book, config, resume)
        step = saved["step"]
        book.go_on(saved)
    net, optimizer = accelerator.prepare(model, optimizer)
    own.to(accelerator.device)
    if any(parameter.requires_grad for parameter in own.parameters()):
        loss_of = accelerator.prepare(own)
    learners.train()
    history, started = book.history, time.perf_counter() - book.history.seconds

    def store() -> None:
        history.seconds = time.perf_counter() - started
        if resume is not None:
            checkpoint.save(resume, learners, optimizer.optimizer, state())

    # In a notebook tqdm does not look at its own variable.
    quiet = not accelerator.is_main_process or "TQDM_DISABLE" in os.environ
    bar = tqdm(total=config.steps, initial=step, desc=label, disable=quiet, mininterval=1.0)
    with bar, held_interrupts() as interrupts, last_logits(model) as logits:
        while step < config.steps:
            _follow_schedules(binarizers, optimizer, peaks, step, config)
            turn = step * accelerator.num_processes + accelerator.process_index
            batch = send_to_device(dict(batch_of(turn)), accelerator.device)
            loss, norm = forward_backward(net, batch, loss_of, learners, optimizer, accelerator, config, clip)
            _check_numbers(model, batch, loss_of, config, step, loss, norm)
            before = book.codes(step + 1)
            method.before_step(model)
            optimizer.step()
            with torch.no_grad():
                method.after_step(model)
            step += 1
            answers = observe.right_answers(logits[0], batch.get("labels"))
            mean = book.note(step, loss, answers, before)
            bar.update()
            if mean is not None:
                bar.set_postfix(loss=f"{mean:.3f}", refresh=False)
            if step % config.checkpoint_every == 0 and step < config.steps:
                store()
            # Ctrl-C reaches several processes at several times; all of them stop after the same step.
            if step < config.steps and any(gather_object([bool(interrupts)])):
                store()
                advice = "; the same command goes on from here" if resume is not None else ""
                raise UserError(f"stopped at step {step} of {config.steps}{advice}")
    if not config.ends:
        store()
    optimizer.zero_grad(set_to_none=True)
    for binarizer in binarizers:
        binarizer.set_progress(1.0)
    history.seconds = time.perf_counter() - started
    learners.to(home).eval()
    return history
