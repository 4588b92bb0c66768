"""Is a tumour benign? Scikit-learn's table of cells' measures, as rows of signs; needs no network.

Two tasks: all 90 signs, or three of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from binviz.data import sources, tumours
from binviz.errors import UserError
from binviz.losses import Batch
from binviz.networks import SignMLP, SignMLPConfig
from binviz.tasks.batches import LengthBuckets
from binviz.tasks.task import Example, HeldOut, Judged, Problem, Task, register

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Columns that a task shows, and the usual width and depth of its network.
SHOWN: dict[str, tuple[tuple[int, ...], int, int]] = {
    "tumours": (tuple(range(90)), 16, 2),
    "tumours-3": (tumours.THREE, 5, 1),
}


def columns(split: str, task: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The rows of a split as a task shows them, and their labels.

    >>> columns("test", "tumours-3")[0].shape
    (190, 3)
    """
    bits, labels = tumours.load(split)
    return bits[:, SHOWN[task][0]], labels


def start(name: str, seed: int, *, task: str = "tumours") -> tuple[nn.Module, None]:
    """An untrained network of signs.

    Args:
        name: "mlp", or with the width and the number of its hidden layers, such as "mlp-128-9".
        seed: of its weights.
        task: whose signs it reads.

    Raises:
        UserError: unknown architecture.

    >>> model, tokenizer = start("mlp-8-3", seed=0)
    >>> [tuple(layer.linear.weight.shape) for layer in model.layers], tokenizer
    ([(8, 90), (8, 8), (8, 8), (1, 8)], None)
    """
    shown, width, depth = SHOWN[task]
    found = re.fullmatch(r"mlp(?:-([1-9]\d{0,3})-([1-9]\d?))?", name or "mlp")
    if found is None:
        raise UserError(
            f"no architecture {name!r}; choose mlp, or mlp with the width and the number of its hidden layers, such "
            "as mlp-128-9"
        )
    sizes = {"width": int(found[1] or width), "depth": int(found[2] or depth)}
    torch.manual_seed(seed)
    labels = dict(enumerate(tumours.CLASSES))
    return SignMLP(SignMLPConfig(inputs=len(shown), id2label=labels, **sizes)), None


@torch.no_grad()
def judge(model: nn.Module, tokenizer: None = None, *, task: str = "tumours") -> Judged:
    """Accuracy on the 190 held-out tumours, and whether each is right."""
    bits, labels = columns("test", task)
    model.eval()
    correct = model(bits=torch.from_numpy(bits)).logits.argmax(-1).numpy() == labels
    return {"accuracy": float(correct.mean())}, correct


def problem(tokenizer: None, batch_size: int, seed: int, *, task: str = "tumours") -> Problem:
    """Batches of the training two thirds; evaluation on the held-out third.

    >>> found = problem(None, batch_size=16, seed=0)
    >>> {name: tuple(value.shape) for name, value in found.batch_of(0).items()}, found.per_epoch
    ({'bits': (16, 90), 'labels': (16,)}, 23)
    """
    splits = {split: columns(split, task) for split in tumours.SPLITS}
    bits, labels = map(torch.from_numpy, splits["train"])
    batches = LengthBuckets([1] * len(labels), batch_size, seed)

    def batch_of(step: int) -> Batch:
        chosen = batches(step)
        return {"bits": bits[chosen], "labels": labels[chosen]}

    return Problem(
        task,
        batch_of,
        partial(judge, task=task),
        {split: sources.sha256(rows.tolist(), truth.tolist()) for split, (rows, truth) in splits.items()},
        calibration=batch_of(0),
        per_epoch=batches.per_epoch,
        classes=len(tumours.CLASSES),
    )


def held_out(tokenizer: None = None, *, task: str = "tumours") -> HeldOut:
    """The 190 held-out rows.

    >>> found = held_out()
    >>> len(found.examples), found.collate(found.examples[:3])["bits"].shape
    (190, torch.Size([3, 90]))
    """

    def collate(part: Sequence[Any]) -> dict[str, Tensor]:
        return {"bits": torch.stack(list(part))}

    return HeldOut(list(torch.from_numpy(columns("test", task)[0])), collate)


def example(index: int, model: str = "", tokenizer: None = None, *, task: str = "tumours") -> Example:
    """A held-out row, by its number.

    Raises:
        UserError: there is no row of that number.

    >>> found = example(0, task="tumours-3")
    >>> found.key, found.truth, found.inputs["bits"].tolist()
    ('tumour 0', 'malignant', [[1.0, -1.0, -1.0]])
    """
    bits, labels = columns("test", task)
    if not 0 <= index < len(labels):
        raise UserError(f"no tumour has the number {index}; choose one from 0 to {len(labels) - 1}")
    return Example(
        f"tumour {index}",
        {"bits": torch.from_numpy(bits[index : index + 1])},
        f"inputs = {{'bits': torch.from_numpy(columns('test', {task!r})[0][{index} : {index + 1}])}}\n",
        imports="from binviz.tasks.tumours import columns\n",
        truth=tumours.CLASSES[labels[index]],
    )


def _task(name: str, title: str) -> Task:
    where: dict[str, Any] = {"task": name}
    return register(
        Task(
            name=name,
            title=title,
            shows="table",
            labels=tumours.CLASSES,
            start=partial(start, **where),
            problem=partial(problem, **where),
            judge=partial(judge, **where),
            held_out=partial(held_out, **where),
            example=partial(example, **where),
            example_count=lambda: len(tumours.load("test")[1]),
            licence="CC BY 4.0 data",
            source="trained from scratch on scikit-learn's table of breast tumours (UCI, Wisconsin Diagnostic)",
        )
    )


TASK = _task("tumours", "Is this tumour benign, by thirty measures of its cells?")
THREE_TASK = _task("tumours-3", "Is this tumour benign, by the radius, texture and smoothness of its cells?")
