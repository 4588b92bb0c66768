"""A task whose held-out inputs are corrupted: what a model that learned the task makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from binviz.errors import UserError
from binviz.tasks import text
from binviz.tasks.task import REGISTRY, Example, HeldOut, Judged, Kind, Problem, Task


def kind_of(task: Task) -> Kind:
    """What the inputs of a task are like, and which corruptions there are of them.

    Raises:
        UserError: there are none.

    >>> from binviz import tasks
    >>> list(kind_of(tasks.get("points")).corruptions.known)
    ['dropout', 'jitter', 'rotation']
    """
    if task.kind is None:
        known = [name for name in REGISTRY.names() if REGISTRY.get(name).kind is not None]
        raise UserError(f"there are no corruptions of {task.name}; choose one of: {', '.join(known)}")
    return task.kind


def raw_of(example: Example, index: int, kind: Kind) -> NDArray[Any]:
    """An example before a model's processing, (1, ...): its picture, its texts, or the held-out input of its number."""
    if example.picture is not None:
        return example.picture[None]
    if example.texts:
        return np.array([example.texts], dtype=object)
    return kind.held_out()[0][index : index + 1]


def corrupted(task: Task, name: str, severity: int, seed: int = 0) -> Task:
    """A task that is judged on corrupted inputs, by accuracy; its training stays as it is.

    It is not registered: give the task itself, not its name, to what judges a model.

    Args:
        task: with inputs that can be corrupted.
        name: of a corruption of such inputs, see `Kind.corruptions`.
        severity: 1 to 5; 0 is the task itself.
        seed: of the corruption's random numbers.

    Raises:
        UserError: the task's inputs cannot be corrupted, or there is no such corruption of them.

    >>> from binviz import tasks, zoo
    >>> foggy = corrupted(tasks.get("digits"), "fog", 3)
    >>> foggy.name, foggy.title
    ('digits.fog-3', 'Which digit is this? (fog, severity 3)')
    >>> accuracy = foggy.judge(zoo.load("digits-vit.float"), None)[0]["accuracy"]
    >>> 0.2 < accuracy < 0.6
    True
    """
    kind = kind_of(task)
    corruptions = kind.corruptions
    corruptions.check_choice(name, severity)

    def spoilt() -> tuple[NDArray[Any], NDArray[np.int64]]:
        raw, labels = kind.held_out()
        return corruptions.corrupt(raw, name, severity, seed), labels

    def judge(model: nn.Module, tokenizer: Any) -> Judged:
        raw, labels = spoilt()
        correct = kind.logits(model, raw, tokenizer).argmax(-1) == labels
        return {"accuracy": float(correct.mean())}, correct

    def problem(tokenizer: Any, batch_size: int, seed_of_training: int) -> Problem:
        found = task.problem(tokenizer, batch_size, seed_of_training)
        data = found.data | {"corruption": f"{name} {severity}, seed {seed}"}
        return replace(found, name=named, evaluate=lambda model: judge(model, tokenizer), data=data)

    def held_out(tokenizer: Any) -> HeldOut:
        def collate(part: Sequence[NDArray[Any]]) -> dict[str, torch.Tensor]:
            return kind.read(np.stack(list(part)), tokenizer)

        return HeldOut(list(spoilt()[0]), collate)

    def example(index: int, model: str, tokenizer: Any) -> Example:
        found = task.example(index, model, tokenizer)
        raw = corruptions.corrupt(raw_of(found, index, kind), name, severity, seed, first=index)
        reader = "None" if tokenizer is None else f"zoo.load_tokenizer({model!r})"
        made = (
            f"corrupted(tasks.get({task.name!r}), {name!r}, {severity}, seed={seed})"
            f".example({index}, {model!r}, {reader})"
        )
        if found.texts:
            shown = text.sentence(tuple(raw[0]), model, tokenizer, found.truth)
        else:
            shown = replace(found, inputs=kind.read(raw))
        if found.picture is not None:
            shown = replace(shown, picture=raw[0], picture_code=f"{made}.picture")
        return replace(
            shown,
            key=f"{found.key}, {name} {severity}, seed {seed}",
            code=f"inputs = {made}.inputs\n",
            imports="from binviz import tasks, zoo\nfrom binviz.tasks.corrupted import corrupted\n",
        )

    if severity == 0:
        return task
    named = f"{task.name}.{name}-{severity}"
    return replace(
        task,
        name=named,
        title=f"{task.title} ({corruptions.known[name].title}, severity {severity})",
        judge=judge,
        problem=problem,
        held_out=held_out,
        example=example,
        kind=replace(kind, held_out=spoilt),
    )
