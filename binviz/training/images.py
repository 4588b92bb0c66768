"""Train and binarize small image models on scikit-learn's digits, stage by stage."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from transformers import ViTConfig, ViTForImageClassification

import binviz
from binviz import zoo
from binviz.data import digits, sources
from binviz.errors import UserError
from binviz.evidence import runs
from binviz.training.batches import LengthBuckets
from binviz.training.loop import Batch, TrainConfig
from binviz.training.settings import check_numbers
from binviz.training.stages import Problem, check_stages, run_stages
from binviz.zoo.networks import DigitsCNN, DigitsCNNConfig

ARCHITECTURES = ("vit", "cnn")


@dataclass(frozen=True)
class ImagesConfig:
    """A chain of stages on the digits.

    Args:
        arch: "vit" (4 layers, 2x2 patches) or "cnn" (4 residual convolutions).
        stages: "float" and names of recipes, in order; without "float" the bundled float model is the start.
        width: of the ViT's hidden states, a multiple of its 4 heads; channels of the CNN's second half, even. The
            bundled models have 64.
        steps: of the float stage.
        lr: of the float stage.
        binary_steps: of every binary stage.
        binary_lr: of every binary stage.
        weight_decay: of matrices.
        batch_size: examples in a step.
        hidden_weight: of the hidden states in the distillation loss (only the ViT has them); a recipe
            without scales cannot match their size, and learns with 0.
        label_weight: of the labels' cross-entropy in the binary stages.
        precision: "bf16" or "no".
        seed: of everything.

    Raises:
        UserError: a number out of range.
    """

    arch: str = "vit"
    stages: tuple[str, ...] = ("float", "bit-w1a1")
    width: int = 64
    steps: int = 2500
    lr: float = 1e-3
    binary_steps: int = 2500
    binary_lr: float = 5e-3
    weight_decay: float = 0.05
    batch_size: int = 64
    hidden_weight: float = 1.0
    label_weight: float = 1.0
    precision: str = "no"
    seed: int = 0

    def __post_init__(self) -> None:
        check_numbers(
            self,
            positive=("width", "steps", "lr", "binary_steps", "binary_lr", "batch_size"),
            not_negative=("weight_decay", "hidden_weight", "label_weight"),
        )
        if self.width % 4:
            raise UserError(f"width must be a multiple of 4, not {self.width}")

    @property
    def name(self) -> str:
        return f"digits-{self.arch}" + f"-{self.width}" * (self.width != 64)


def start_model(arch: str, seed: int, width: int = 64) -> nn.Module:
    """An untrained model.

    Raises:
        UserError: unknown architecture.
    """
    torch.manual_seed(seed)
    if arch == "cnn":
        return DigitsCNN(DigitsCNNConfig(width=width // 2, depth=2))
    if arch == "vit":
        return ViTForImageClassification(
            ViTConfig(
                image_size=8,
                patch_size=2,
                num_channels=1,
                hidden_size=width,
                num_hidden_layers=4,
                num_attention_heads=4,
                intermediate_size=2 * width,
                num_labels=10,
            )
        )
    raise UserError(f"no architecture {arch!r}; choose one of: {', '.join(ARCHITECTURES)}")


def shifted(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Every (1, 8, 8) image moved by up to one pixel each way, background filled in; values start at -1."""
    padded = torch.nn.functional.pad(images, (1, 1, 1, 1), value=-1.0)
    moves = rng.integers(0, 3, size=(len(images), 2))
    return torch.stack([image[:, y : y + 8, x : x + 8] for image, (y, x) in zip(padded, moves, strict=True)])


@torch.no_grad()
def image_logits(model: nn.Module, images: Tensor) -> np.ndarray:
    """Logits (examples, labels) of (examples, C, H, W) images, in batches of 256."""
    model.eval()
    return np.concatenate([model(pixel_values=part).logits.float().numpy() for part in images.split(256)])


def problem_of(config: ImagesConfig) -> Problem:
    """Batches of the training three quarters, shifted at random; evaluation on the held-out quarter."""
    images, labels = map(torch.as_tensor, digits.load("train"))
    held_out, truth = map(torch.as_tensor, digits.load("test"))
    batches = LengthBuckets([1] * len(labels), config.batch_size, config.seed)

    def batch_of(step: int) -> Batch:
        chosen = batches(step)
        return {
            "pixel_values": shifted(images[chosen], np.random.default_rng((config.seed, step))),
            "labels": labels[chosen],
        }

    def judge(model: nn.Module) -> tuple[dict[str, float], np.ndarray]:
        correct = image_logits(model, held_out).argmax(-1) == truth.numpy()
        return {"accuracy": float(correct.mean())}, correct

    data = {
        "train": sources.sha256(images.flatten(1).tolist(), labels.tolist()),
        "test": sources.sha256(held_out.flatten(1).tolist(), truth.tolist()),
    }
    return Problem(config.name, batch_of, judge, data, calibration=batch_of(0))


def train(config: ImagesConfig, out: Path, experiment: str = "digits") -> dict[str, runs.Run]:
    """Run every stage; see `run_stages`.

    Raises:
        UserError: unknown architecture or stage, or interrupted.
    """
    check_stages(config.stages)
    model = start_model(config.arch, config.seed, config.width)
    if config.stages[0] != "float":
        if f"{config.name}.float" not in zoo.names():
            raise UserError(f"there is no float model {config.name} here; begin with the stage 'float'")
        model = binviz.load(f"{config.name}.float")
    common = {
        "batch_size": config.batch_size,
        "weight_decay": config.weight_decay,
        "seed": config.seed,
        "precision": config.precision,
    }
    return run_stages(
        problem_of(config),
        config.stages,
        model,
        out,
        experiment=experiment,
        config=asdict(config),
        identify={},
        float_stage=TrainConfig(steps=config.steps, lr=config.lr, **common),  # type: ignore[arg-type]
        binary_stage=TrainConfig(steps=config.binary_steps, lr=config.binary_lr, scale_lr=1e-3, **common),  # type: ignore[arg-type]
        hidden_weight=config.hidden_weight,
        label_weight=config.label_weight,
    )
