"""A task whose held-out pictures are corrupted: what a model that learned the task makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from binviz.data.corruptions import CORRUPTIONS, corrupt
from binviz.errors import UserError
from binviz.tasks.task import Example, HeldOut, Judged, PictureKind, Problem, Task


def pictures_of(task: Task) -> PictureKind:
    """What the pictures of a task are like.

    Raises:
        UserError: it has none.
    """
    if task.pictures is None:
        raise UserError(f"{task.name} has no pictures to corrupt; choose a task of pictures, such as digits")
    return task.pictures


def corrupted(task: Task, name: str, severity: int, seed: int = 0) -> Task:
    """A task that is judged on corrupted pictures; its training stays as it is.

    It is not registered: give the task itself, not its name, to what judges a model.

    Args:
        task: with pictures.
        name: of a corruption, one of `binviz.data.corruptions.NAMES`.
        severity: 1 to 5; 0 is the task itself.
        seed: of the corruption's random numbers.

    Raises:
        UserError: the task has no pictures, or there is no such corruption.

    >>> from binviz import tasks, zoo
    >>> foggy = corrupted(tasks.get("digits"), "fog", 3)
    >>> foggy.name, foggy.title
    ('digits.fog-3', 'Which digit is this? (fog, severity 3)')
    >>> accuracy = foggy.judge(zoo.load("digits-vit.float"), None)[0]["accuracy"]
    >>> 0.2 < accuracy < 0.6
    True
    """
    kind = pictures_of(task)
    corrupt(np.zeros((0, 1, 1), np.uint8), name, severity)  # says what is wrong with these two

    def spoilt() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        raw, labels = kind.held_out()
        return corrupt(raw, name, severity, seed), labels

    def judge(model: nn.Module, tokenizer: Any) -> Judged:
        raw, labels = spoilt()
        correct = kind.logits(model, raw).argmax(-1) == labels
        return {"accuracy": float(correct.mean())}, correct

    def problem(tokenizer: Any, batch_size: int, seed_of_training: int) -> Problem:
        found = task.problem(tokenizer, batch_size, seed_of_training)
        data = found.data | {"corruption": f"{name} {severity}, seed {seed}"}
        return replace(found, name=named, evaluate=lambda model: judge(model, tokenizer), data=data)

    def held_out(tokenizer: Any) -> HeldOut:
        def collate(part: Sequence[NDArray[np.uint8]]) -> dict[str, torch.Tensor]:
            return kind.read(np.stack(list(part)))

        return HeldOut(list(spoilt()[0]), collate)

    def example(index: int, model: str, tokenizer: Any) -> Example:
        found = task.example(index, model, tokenizer)
        assert found.picture is not None
        raw = corrupt(found.picture[None], name, severity, seed, first=index)
        made = f"corrupted(tasks.get({task.name!r}), {name!r}, {severity}, seed={seed}).example({index}, '', None)"
        return replace(
            found,
            key=f"{found.key}, {name} {severity}, seed {seed}",
            inputs=kind.read(raw),
            code=f"inputs = {made}.inputs\n",
            imports="from binviz import tasks\nfrom binviz.tasks.corrupted import corrupted\n",
            picture=raw[0],
            picture_code=f"{made}.picture",
        )

    if severity == 0:
        return task
    named = f"{task.name}.{name}-{severity}"
    return replace(
        task,
        name=named,
        title=f"{task.title} ({CORRUPTIONS[name].title}, severity {severity})",
        judge=judge,
        problem=problem,
        held_out=held_out,
        example=example,
        pictures=replace(kind, held_out=spoilt),
    )
