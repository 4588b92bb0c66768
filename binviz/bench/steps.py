"""What a training step of a binary model costs beside one of its float model.

Latent weights are floats in training, and multiplied as floats: binarizing weights and activations comes on top, the
distillation loss with its teacher as well. Size, precision and dropout are those of the bundled text models' training.
"""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from binviz.bench.kernels import set_threads
from binviz.bench.models import minilm
from binviz.bench.timing import interleave, ratios, spreads
from binviz.losses import Batch, Loss, LossChoice
from binviz.tasks import Problem
from binviz.training.loop import parameter_groups
from binviz.training.settings import TrainConfig
from binviz.training.stages import Stage, prepare

BATCH, TOKENS = 32, 32
CONFIG = TrainConfig(steps=1, lr=1e-6, precision="bf16")


def contestants(model: nn.Module, batch: Batch) -> dict[str, Callable[[], object]]:
    """A step of the float model, of its binary student, and of the student with its teacher."""
    student, labels = copy.deepcopy(model), LossChoice("labels").make()
    problem = Problem("steps", lambda step: batch, lambda model: ({}, np.empty(0)), {}, batch)
    distillation = prepare(student, Stage("bit-w1a1", CONFIG, LossChoice("bit")), problem)
    return {
        "float": step(model, labels, batch),
        "binary": step(copy.deepcopy(student), labels, batch),
        "distilled": step(student, distillation, batch),
    }


def step(model: nn.Module, loss_of: Loss, batch: Batch) -> Callable[[], object]:
    """One step as `binviz.training.loop` takes it: forward, backward, clipping, Adam."""
    optimizer = torch.optim.AdamW(parameter_groups(model.train(), CONFIG), fused=True)

    def take() -> object:
        with torch.autocast("cpu", torch.bfloat16, enabled=CONFIG.precision == "bf16"):
            loss = loss_of(model, batch)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), CONFIG.clip)
        optimizer.step()
        return loss.item()

    return take


def measure(threads: int, rounds: int) -> dict[str, Any]:
    """Returns threads, batch, tokens, seconds of each step, and ratio of the others to the float model's."""
    set_threads(threads)
    torch.manual_seed(0)
    model = minilm()
    ids = torch.randint(1000, (BATCH, TOKENS))
    labels = torch.arange(BATCH) % 2
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}
    times = interleave(contestants(model, batch), rounds)
    return {
        "threads": threads, "batch": BATCH, "tokens": TOKENS,
        "seconds": spreads(times), "ratio": ratios(times, "float"),
    }  # fmt: skip
