"""Photographs with one class each: CIFAR-10, and any data set of pictures of the hub or folder of them.

Every picture is a square of red, green and blue, moved by up to an eighth and mirrored at random in training.

CIFAR-10: A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from binviz.data import photos, pictures, sources
from binviz.data.pictures import Split
from binviz.errors import UserError
from binviz.losses import Batch
from binviz.networks import (
    DigitsCNN,
    DigitsCNNConfig,
    Mixer,
    MixerConfig,
    ResNet,
    ResNetConfig,
    StemViT,
    StemViTConfig,
)
from binviz.networks.resnet import AROUND
from binviz.tasks.batches import LengthBuckets
from binviz.tasks.task import Example, HeldOut, Judged, PictureKind, Problem, Task, register

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Architecture -> its usual width: of the hidden states, of Swin's first stage, of the channels at the end.
WIDTHS = {"vit": 96, "swin": 48, "cnn": 64, "mixer": 64, "resnet": 64, "birealnet": 64}
#: Architecture -> what a side is a multiple of, in pixels.
LEAST = {"vit": 8, "swin": 16, "cnn": 2, "mixer": 8, "resnet": 4, "birealnet": 4}
CIFAR10 = "uoft-cs/cifar10"
CIFAR10_CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip


def network(name: str, seed: int, classes: Sequence[str], size: int) -> nn.Module:
    """An untrained network for pictures of that size.

    Args:
        name: "vit" (4 layers behind convolutions that halve the picture twice, or more often where it has over 32
            pixels), "swin" (2 stages of windows of 4x4 patches), "cnn" (4 residual convolutions), "mixer" (4 blocks
            on 8x8 patches), "resnet" or "birealnet" (18 convolutions in 3 stages, with shortcuts around two or one),
            or one of them with a width that is a multiple of 16, such as "vit-64"; or the hub id or folder of a
            checkpoint, which then gets a new head.
        seed: of its weights.
        classes: their names.
        size: height and width in pixels.

    Raises:
        UserError: no such architecture or checkpoint, or one that does not take pictures of that size.

    >>> model = network("vit-32", 0, CIFAR10_CLASSES, 32)
    >>> model.config.hidden_size, model.config.id2label[3]
    (32, 'cat')
    """
    torch.manual_seed(seed)
    name = name or "vit"
    labels = {"id2label": dict(enumerate(classes)), "label2id": {label: i for i, label in enumerate(classes)}}
    found = re.fullmatch(rf"({'|'.join(WIDTHS)})(?:-([1-9]\d{{0,3}}))?", name)
    if found is None:
        return _checkpoint(name, labels, size)
    arch, width = found[1], int(found[2] or WIDTHS[found[1]])
    if width % 16:
        raise UserError(f"the width of {name!r} is no multiple of 16; take such as {arch}-{WIDTHS[arch]}")
    if size % LEAST[arch]:
        raise UserError(f"{arch} takes pictures whose side is a multiple of {LEAST[arch]} pixels, not {size}")
    seen: dict[str, Any] = {"num_channels": 3, "image_size": size, **labels}
    if arch == "cnn":
        return DigitsCNN(DigitsCNNConfig(width // 2, depth=2, **seen))
    if arch == "mixer":
        return Mixer(MixerConfig(width=width, patch_size=size // 8, **seen))
    if arch in AROUND:
        return ResNet(ResNetConfig(width=width // 4, depth=3, around=AROUND[arch], **seen))
    if arch == "vit":
        stem = [32, 64, *[64] * ((size // 32).bit_length() - 1)]
        return StemViT(
            StemViTConfig(
                stem=stem, image_size=size, hidden_size=width, intermediate_size=2 * width, **labels
            )
        )
    from transformers import SwinConfig, SwinForImageClassification

    config = SwinConfig(
        image_size=size,
        patch_size=max(2, size // 16),
        embed_dim=width,
        depths=[2, 2],
        num_heads=[2, 4],
        window_size=4,
        mlp_ratio=2.0,
        **labels,
    )
    return SwinForImageClassification(config)


def _checkpoint(name: str, labels: dict[str, Any], size: int) -> nn.Module:
    """A checkpoint's model with a head for these classes.

    Raises:
        UserError: it cannot be had, or its pictures have another size.
    """
    from transformers import AutoConfig, AutoModelForImageClassification
    from transformers.image_processing_base import ImageProcessingMixin

    if not Path(name).is_dir() and "/" not in name:
        raise UserError(
            f"no architecture {name!r}; choose one of: {', '.join(WIDTHS)}, one with a width such as vit-64, or the "
            "hub id or folder of a checkpoint"
        )
    wanted = sources.pretrained(AutoConfig, name).image_size
    if wanted != size:
        raise UserError(f"{name} takes pictures of {wanted} pixels, not {size}; say --size {wanted}")
    model = sources.pretrained(
        AutoModelForImageClassification,
        name,
        use_safetensors=True,
        dtype=torch.float32,
        ignore_mismatched_sizes=True,
        **labels,
    )
    try:
        about, _ = ImageProcessingMixin.get_image_processor_dict(sources.model_location(name))
    except OSError:  # it says nothing of what its pictures are like
        return model
    if "image_mean" in about and "image_std" in about:
        take_unit_range_(model, about["image_mean"], about["image_std"])
    return model


@torch.no_grad()
def take_unit_range_(model: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
    r"""Make a model that takes $(x - m) / s$ of x in [0, 1] take $y = 2x - 1$, by its patch embedding.

    $$w\,\frac{x - m}{s} + b = \frac{w}{2s}\,y + b + w\,\frac{1/2 - m}{s}$$

    Args:
        model: with a convolution `patch_embeddings.projection` without padding, in place; others stay as they are.
        mean, std: of each colour.

    >>> from transformers import ViTConfig, ViTModel
    >>> settings = {"hidden_size": 8, "num_attention_heads": 1, "num_hidden_layers": 1}
    >>> model = ViTModel(ViTConfig(**settings, image_size=4, patch_size=2))
    >>> x = torch.rand(1, 3, 4, 4)
    >>> before = model((x - 0.4) / 0.2).last_hidden_state
    >>> take_unit_range_(model, [0.4] * 3, [0.2] * 3)
    >>> torch.allclose(model(2 * x - 1).last_hidden_state, before, atol=1e-4)
    True
    """
    for path, part in model.named_modules():
        if (
            path.endswith("patch_embeddings.projection")
            and isinstance(part, nn.Conv2d)
            and part.bias is not None
        ):
            of_colours = (1, -1, 1, 1)
            scale, centre = torch.tensor(std).view(of_colours), torch.tensor(mean).view(of_colours)
            part.bias += (part.weight * ((0.5 - centre) / scale)).sum((1, 2, 3))
            part.weight /= 2 * scale


def normalise(found: NDArray[np.uint8]) -> Tensor:
    """(N, H, W, 3) bytes to (N, 3, H, W) floats in [-1, 1].

    >>> normalise(np.full((1, 2, 2, 3), 255, np.uint8)).unique().tolist()
    [1.0]
    """
    return torch.from_numpy(found).permute(0, 3, 1, 2).float().div_(127.5).sub_(1).contiguous()


def varied(found: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Every (H, W, 3) picture moved by up to an eighth of its side each way, black behind it, half of them mirrored.

    >>> varied(np.ones((2, 8, 8, 3), np.uint8), np.random.default_rng(0)).shape
    (2, 8, 8, 3)
    """
    count, side = found.shape[:2]
    most = side // 8
    padded = np.pad(found, ((0, 0), (most, most), (most, most), (0, 0)))
    tops, lefts = rng.integers(0, 2 * most + 1, (2, count))
    mirrored = np.less(rng.random(count), 0.5)
    moved = np.empty_like(found)
    for i, (top, left, turn) in enumerate(zip(tops, lefts, mirrored, strict=True)):
        part = padded[i, top : top + side, left : left + side]
        moved[i] = part[:, ::-1] if turn else part
    return moved


@torch.no_grad()
def judge(model: nn.Module, tokenizer: None = None, *, source: str = CIFAR10, size: int = 0) -> Judged:
    """Accuracy on the held-out pictures, and whether each is right."""
    found = pictures.load(source, "test", size)
    model.eval()
    correct = [
        model(pixel_values=normalise(found.take(part))).logits.argmax(-1).numpy() == found.labels[part]
        for part in np.array_split(np.arange(len(found)), -(-len(found) // 250))
    ]
    values = np.concatenate(correct)
    return {"accuracy": float(values.mean())}, values


def problem(tokenizer: None, batch_size: int, seed: int, *, source: str = CIFAR10, size: int = 0) -> Problem:
    """Batches of the training pictures, moved and mirrored at random; evaluation on those held out."""
    train, test = (pictures.load(source, split, size) for split in ("train", "test"))
    batches = LengthBuckets([1] * len(train), batch_size, seed)

    def batch_of(step: int) -> Batch:
        chosen = batches(step)
        found = varied(train.take(chosen), np.random.default_rng((seed, step)))
        return {"pixel_values": normalise(found), "labels": torch.from_numpy(train.labels[chosen])}

    return Problem(
        name_of(source, size),
        batch_of,
        partial(judge, source=source, size=size),
        {"train": train.sha256(), "test": test.sha256()},
        calibration=batch_of(0),
        per_epoch=batches.per_epoch,
        classes=len(train.classes),
        indices_of=batches,
        labels=train.labels,
    )


def held_out(tokenizer: None = None, *, source: str = CIFAR10, size: int = 0) -> HeldOut:
    """The held-out pictures."""
    found = pictures.load(source, "test", size)

    def collate(part: Sequence[Any]) -> dict[str, Tensor]:
        return {"pixel_values": normalise(found.take([int(i) for i in part]))}

    return HeldOut(range(len(found)), collate)


def read(raw: NDArray[np.uint8], tokenizer: None = None) -> dict[str, Tensor]:
    """What a model reads of pictures, see `normalise`.

    >>> read(np.zeros((2, 4, 4, 3), np.uint8))["pixel_values"].shape
    torch.Size([2, 3, 4, 4])
    """
    return {"pixel_values": normalise(raw)}


def held_out_pictures(*, source: str = CIFAR10, size: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The held-out pictures, (N, size, size, 3), and their labels, (N,)."""
    found = pictures.load(source, "test", size)
    return found.take(np.arange(len(found))), found.labels


def example(index: int, model: str = "", tokenizer: None = None, *, size: int = 32) -> Example:
    """One of scikit-learn's two photographs, shrunk: they are there without the data set, and nobody's class is right.

    Raises:
        UserError: there is no picture of that number.

    >>> found = example(1)
    >>> found.key, found.inputs["pixel_values"].shape, found.truth
    ('flower, 32 pixels', torch.Size([1, 3, 32, 32]), None)
    """
    if not 0 <= index < len(photos.NAMES):
        raise UserError(f"no picture has the number {index}; choose one from 0 to {len(photos.NAMES) - 1}")
    name = photos.NAMES[index]
    picture = pictures.squared(photos.load(name), size)
    code = f"pictures.squared(photos.load({name!r}), {size})"
    return Example(
        f"{name}, {size} pixels",
        {"pixel_values": normalise(picture[None])},
        f"inputs = {{'pixel_values': normalise({code}[None])}}\n",
        imports="from binviz.data import photos, pictures\nfrom binviz.tasks.pictures import normalise\n",
        picture=picture,
        picture_code=code,
    )


def start(
    name: str, seed: int, *, classes: tuple[str, ...] = CIFAR10_CLASSES, size: int = 32
) -> tuple[nn.Module, None]:
    """See `network`."""
    return network(name, seed, classes, size), None


def name_of(source: str, size: int = 0) -> str:
    """The task's name in cells and folders.

    >>> name_of("uoft-cs/cifar10"), name_of("local/tiny-imagenet-32px"), name_of("my pictures/cats", 64)
    ('cifar10', 'tiny-imagenet-32px', 'cats-64px')
    """
    name = re.sub(r"[^A-Za-z0-9-]+", "-", Path(source).name or Path(source).resolve().name).strip("-").lower()
    return f"{name}-{size}px" if size else name


def task_of(source: str, size: int = 0) -> Task:
    """The task of a data set of pictures, which is looked at for its classes.

    Args:
        source: hub id or folder.
        size: height and width in pixels; 0 is that of the first picture.

    Raises:
        UserError: the data cannot be had.
    """
    if (source, size) == (CIFAR10, 0):
        return TASK
    split: Split = "train"
    found = pictures.load(source, split, size)
    return _task(source, size, found.classes, found.size, licence=f"that of {source}")


def _task(source: str, size: int, classes: tuple[str, ...], side: int, **about: Any) -> Task:
    where: dict[str, Any] = {"source": source, "size": size}
    return Task(
        name=name_of(source, size),
        title=f"Which of {len(classes)} things is in the picture?",
        shows="picture",
        labels=classes,
        start=partial(start, classes=classes, size=side),
        problem=partial(problem, **where),
        judge=partial(judge, **where),
        held_out=partial(held_out, **where),
        example=partial(example, size=side),
        example_count=lambda: len(photos.NAMES),
        kind=PictureKind(read=read, held_out=partial(held_out_pictures, **where), shape=(side, side, 3)),
        source=f"trained from scratch on {source}",
        **about,
    )


TASK = register(
    _task(CIFAR10, 0, CIFAR10_CLASSES, 32, licence="CIFAR-10's own terms; no picture of it is bundled")
)
