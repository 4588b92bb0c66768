"""Which solid is a cloud of points? Generated: it needs no file, and no two batches show the same cloud.

The judging clouds are drawn once, with a seed of their own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from binviz.data import solids
from binviz.data.corruptions import POINTS
from binviz.errors import UserError
from binviz.losses import Batch
from binviz.networks import PointNet, PointNetConfig
from binviz.tasks.task import Example, HeldOut, Judged, Kind, Problem, Task, register

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: The usual width of what is known of a single point.
WIDTH = 32
#: Clouds that models are judged on, and seeds of these and of the ones to learn from.
HELD_OUT, TEST, TRAIN = 1000, 1, 0
#: How many batches of a size count as an epoch: together they show so many clouds.
EPOCH = 8192


@cache
def held_out_clouds() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """What models are judged on, see `binviz.data.solids.generate`; not to be written to.

    >>> clouds, labels = held_out_clouds()
    >>> clouds.shape, labels.shape
    ((1000, 128, 3), (1000,))
    """
    return solids.generate(HELD_OUT, np.random.default_rng(TEST))


def start(name: str, seed: int) -> tuple[nn.Module, None]:
    """An untrained model: "pointnet".

    Args:
        name: "pointnet", or with a width, such as "pointnet-64".
        seed: of its weights.

    Raises:
        UserError: unknown architecture.

    >>> model, tokenizer = start("pointnet-16", seed=0)
    >>> model.config.width, model.config.num_labels, tokenizer
    (16, 8, None)
    """
    found = re.fullmatch(r"pointnet(?:-([1-9]\d{0,3}))?", name or "pointnet")
    if found is None:
        raise UserError(
            f"no architecture {name!r}; choose pointnet, or pointnet with a width, such as pointnet-64"
        )
    torch.manual_seed(seed)
    labels = {"id2label": dict(enumerate(solids.CLASSES))}
    return PointNet(PointNetConfig(width=int(found[1] or WIDTH), **labels)), None


@torch.no_grad()
def judge(model: nn.Module, tokenizer: None = None) -> Judged:
    """Accuracy on the held-out clouds, and whether each is right."""
    clouds, labels = held_out_clouds()
    model.eval()
    answers = [model(points=part).logits.argmax(-1) for part in torch.from_numpy(clouds).split(250)]
    correct = torch.cat(answers).numpy() == labels
    return {"accuracy": float(correct.mean())}, correct


def problem(tokenizer: None, batch_size: int, seed: int) -> Problem:
    """Batches of fresh clouds, which step and seed decide; evaluation on those held out.

    >>> found = problem(None, batch_size=16, seed=0)
    >>> {name: tuple(value.shape) for name, value in found.batch_of(0).items()}
    {'points': (16, 128, 3), 'labels': (16,)}
    """

    def batch_of(step: int) -> Batch:
        clouds, labels = solids.generate(batch_size, np.random.default_rng((TRAIN, seed, step)))
        return {"points": torch.from_numpy(clouds), "labels": torch.from_numpy(labels)}

    about = f"generated: {len(solids.CLASSES)} solids, {solids.POINTS} points"
    return Problem(
        "points",
        batch_of,
        judge,
        {"train": f"{about}, seed {seed}", "test": f"{about}, {HELD_OUT} clouds"},
        calibration=batch_of(0),
        per_epoch=max(1, EPOCH // batch_size),
        classes=len(solids.CLASSES),
    )


def read(raw: NDArray[np.float32], tokenizer: None = None) -> dict[str, Tensor]:
    """What a model reads of clouds, (N, points, 3): themselves."""
    return {"points": torch.from_numpy(raw)}


def held_out(tokenizer: None = None) -> HeldOut:
    """The held-out clouds.

    >>> found = held_out()
    >>> len(found.examples), found.collate(found.examples[:3])["points"].shape
    (1000, torch.Size([3, 128, 3]))
    """

    def collate(part: Sequence[Any]) -> dict[str, Tensor]:
        return {"points": torch.stack(list(part))}

    return HeldOut(list(torch.from_numpy(held_out_clouds()[0])), collate)


def example(index: int, model: str = "", tokenizer: None = None) -> Example:
    """A held-out cloud, by its number.

    Raises:
        UserError: there is no cloud of that number.

    >>> found = example(0)
    >>> found.key, found.truth, found.inputs["points"].shape
    ('generated cloud 0', 'torus', torch.Size([1, 128, 3]))
    """
    if not 0 <= index < HELD_OUT:
        raise UserError(f"no cloud has the number {index}; choose one from 0 to {HELD_OUT - 1}")
    clouds, labels = held_out_clouds()
    return Example(
        f"generated cloud {index}",
        {"points": torch.from_numpy(clouds[index : index + 1])},
        f"inputs = {{'points': torch.from_numpy(held_out_clouds()[0][{index} : {index + 1}])}}\n",
        imports="from binviz.tasks.points import held_out_clouds\n",
        truth=solids.CLASSES[labels[index]],
    )


TASK = register(
    Task(
        name="points",
        title="Which solid is this cloud of points?",
        shows="points",
        labels=solids.CLASSES,
        start=start,
        problem=problem,
        judge=judge,
        held_out=held_out,
        example=example,
        example_count=lambda: HELD_OUT,
        kind=Kind(read=read, held_out=held_out_clouds, corruptions=POINTS),
        licence="none: generated",
        source="trained from scratch on generated solids (binviz.data.solids)",
    )
)
