"""Scikit-learn's handwritten digits: 8x8 grey pictures, ten classes; needs no network."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from binviz.data import digits, sources
from binviz.errors import UserError
from binviz.losses import Batch
from binviz.networks import DigitsCNN, DigitsCNNConfig, Mixer, MixerConfig, ResNet, ResNetConfig
from binviz.networks.resnet import AROUND
from binviz.tasks.batches import LengthBuckets
from binviz.tasks.task import Example, HeldOut, Judged, PictureKind, Problem, Task, register

ARCHITECTURES = ("vit", "cnn", "mixer", "resnet", "birealnet")
#: Width of the bundled models, which names leave out.
WIDTH = 64


def start(name: str, seed: int) -> tuple[nn.Module, None]:
    """An untrained model.

    Args:
        name: "vit" or "mixer" (4 layers, 2x2 patches), "cnn" (4 residual convolutions), "resnet" or "birealnet" (6
            convolutions in 3 stages, with shortcuts around two or one), or one of them with its width, such as
            "vit-32": of the hidden states, or channels at the end. It is a multiple of the ViT's 4 heads.
        seed: of its weights.

    Raises:
        UserError: unknown architecture.

    >>> model, tokenizer = start("vit-32", seed=0)
    >>> model.config.hidden_size, model.config.num_hidden_layers, tokenizer
    (32, 4, None)
    """
    found = re.fullmatch(rf"({'|'.join(ARCHITECTURES)})(?:-([1-9]\d{{0,3}}))?", name or "vit")
    arch, width = (found[1], int(found[2] or WIDTH)) if found else ("", 0)
    if not width or width % 4:
        raise UserError(
            f"no architecture {name!r}; choose one of: {', '.join(ARCHITECTURES)}, or one with a width that is a "
            "multiple of 4, such as vit-32"
        )
    torch.manual_seed(seed)
    if arch == "cnn":
        return DigitsCNN(DigitsCNNConfig(width=width // 2, depth=2)), None
    if arch == "mixer":
        return Mixer(MixerConfig(width=width)), None
    if arch in AROUND:
        return ResNet(ResNetConfig(width=width // 4, around=AROUND[arch])), None
    from transformers import ViTConfig, ViTForImageClassification

    config = ViTConfig(
        image_size=8,
        patch_size=2,
        num_channels=1,
        hidden_size=width,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=2 * width,
        num_labels=10,
    )
    return ViTForImageClassification(config), None


def shifted(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Every (1, 8, 8) image moved by up to one pixel each way, background filled in; values start at -1.

    >>> pictures = torch.zeros(3, 1, 8, 8)
    >>> moved = shifted(pictures, np.random.default_rng(0))
    >>> moved.shape, sorted(set(moved.flatten().tolist()))
    (torch.Size([3, 1, 8, 8]), [-1.0, 0.0])
    """
    padded = torch.nn.functional.pad(images, (1, 1, 1, 1), value=-1.0)
    moves = rng.integers(0, 3, size=(len(images), 2))
    return torch.stack([image[:, y : y + 8, x : x + 8] for image, (y, x) in zip(padded, moves, strict=True)])


@torch.no_grad()
def logits(model: nn.Module, images: Tensor) -> np.ndarray:
    """Logits (examples, labels) of (examples, C, H, W) images, in batches of 256.

    >>> model, _ = start("cnn-16", seed=0)
    >>> logits(model, torch.zeros(5, 1, 8, 8)).shape
    (5, 10)
    """
    model.eval()
    return np.concatenate([model(pixel_values=part).logits.float().numpy() for part in images.split(256)])


def judge(model: nn.Module, tokenizer: None = None) -> Judged:
    """Accuracy on the 450 held-out digits, and whether each is right."""
    images, labels = digits.load("test")
    correct = logits(model, torch.as_tensor(images)).argmax(-1) == labels
    return {"accuracy": float(correct.mean())}, correct


def problem(tokenizer: None, batch_size: int, seed: int) -> Problem:
    """Batches of the training three quarters, shifted at random; evaluation on the held-out quarter.

    >>> found = problem(None, batch_size=16, seed=0)
    >>> {name: tuple(value.shape) for name, value in found.batch_of(0).items()}, found.per_epoch
    ({'pixel_values': (16, 1, 8, 8), 'labels': (16,)}, 84)
    """
    images, labels = map(torch.as_tensor, digits.load("train"))
    held_out, truth = map(torch.as_tensor, digits.load("test"))
    batches = LengthBuckets([1] * len(labels), batch_size, seed)

    def batch_of(step: int) -> Batch:
        chosen = batches(step)
        return {
            "pixel_values": shifted(images[chosen], np.random.default_rng((seed, step))),
            "labels": labels[chosen],
        }

    data = {
        "train": sources.sha256(images.flatten(1).tolist(), labels.tolist()),
        "test": sources.sha256(held_out.flatten(1).tolist(), truth.tolist()),
    }
    return Problem(
        "digits",
        batch_of,
        judge,
        data,
        calibration=batch_of(0),
        per_epoch=batches.per_epoch,
        classes=len(digits.CLASSES),
        indices_of=batches,
        labels=labels.numpy(),
    )


def held_out(tokenizer: None = None) -> HeldOut:
    """The 450 held-out pictures.

    >>> found = held_out()
    >>> len(found.examples), found.collate(found.examples[:3])["pixel_values"].shape
    (450, torch.Size([3, 1, 8, 8]))
    """
    images, _ = digits.load("test")

    def collate(part: Sequence[Any]) -> dict[str, Tensor]:
        return {"pixel_values": torch.stack(list(part))}

    return HeldOut(list(torch.as_tensor(images)), collate)


def seen(ink: np.ndarray) -> np.ndarray:
    """Ink of 0..16 as grey levels of a page, uint8: paper is 255, full ink 15, so that no level is lost.

    >>> seen(np.array([0, 8, 16])).tolist()
    [255, 135, 15]
    """
    return (255 - 15 * np.asarray(ink)).astype(np.uint8)


def read(raw: np.ndarray, tokenizer: None = None) -> dict[str, Tensor]:
    """Grey pictures of a page, (N, 8, 8) uint8, as a model reads them: `seen` the other way round, at most full ink.

    >>> pictures, _ = digits.raw("test")
    >>> torch.equal(read(seen(pictures))["pixel_values"], torch.from_numpy(digits.normalise(pictures)))
    True
    """
    ink = np.minimum((255 - raw.astype(np.float32)) / 15, 16)
    return {"pixel_values": torch.from_numpy(digits.normalise(ink))}


def held_out_pictures() -> tuple[np.ndarray, np.ndarray]:
    """The held-out digits, dark on white paper.

    >>> raw, labels = held_out_pictures()
    >>> raw.shape, int(raw.max()), labels.shape
    ((450, 8, 8), 255, (450,))
    """
    ink, labels = digits.raw("test")
    return seen(ink), labels


def example(index: int, model: str = "", tokenizer: None = None) -> Example:
    """A held-out picture, by its number.

    Raises:
        UserError: there is no picture of that number.

    >>> example(0).truth
    '1'
    """
    ink, labels = digits.raw("test")
    if not 0 <= index < len(ink):
        raise UserError(f"no picture has the number {index}; choose one from 0 to {len(ink) - 1}")
    code = (
        "images, labels = digits.load('test')\n"
        f"inputs = {{'pixel_values': torch.from_numpy(images[{index} : {index + 1}])}}\n"
    )
    return Example(
        f"digit {index}",
        {"pixel_values": torch.from_numpy(digits.normalise(ink[index : index + 1]))},
        code,
        imports="from binviz import tasks\nfrom binviz.data import digits\n",
        truth=str(labels[index]),
        picture=seen(ink[index]),
        picture_code=f"tasks.get('digits').pictures.held_out()[0][{index}]",
    )


TASK = register(
    Task(
        name="digits",
        title="Which digit is this?",
        shows="picture",
        labels=digits.CLASSES,
        start=start,
        problem=problem,
        judge=judge,
        held_out=held_out,
        example=example,
        example_count=lambda: len(digits.raw("test")[0]),
        kind=PictureKind(read=read, held_out=held_out_pictures, shape=(8, 8)),
        licence="CC-BY-4.0 data",
        source="trained from scratch on scikit-learn's digits (UCI, 1998)",
    )
)
