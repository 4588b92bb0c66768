"""Saved and bundled models, judged on their task."""

from __future__ import annotations

from typing import Any

from torch import nn

from binviz import tasks, zoo
from binviz.errors import UserError
from binviz.packed import pack
from binviz.tasks import Judged

#: Share of the examples that another processor's rounding may turn, of a model that is the recorded one.
ROUNDING = 0.01


def evaluate_named(name: str, task: str, *, packed: bool = False) -> Judged:
    """What a task's evaluation split says of a saved or bundled model.

    Args:
        name: what `binviz.load` takes.
        task: a name of `binviz.tasks`.
        packed: run on bits, by `binviz.pack`.

    Raises:
        UserError: unknown model or task, a model that takes other inputs or gives another number of labels, a
            float model to be packed, or data not to be had.
    """
    asked, model = tasks.get(task), loaded(name, task)
    return asked.judge(pack(model) if packed else model, asked.tokenizer(name))


def loaded(name: str, task: str) -> nn.Module:
    """A saved or bundled model that fits a task; arguments and errors as `evaluate_named`."""
    asked, model = tasks.get(task), zoo.load(name)
    given: Any = model
    output = getattr(given, "get_output_embeddings", lambda: None)()
    if asked.fills != (output is not None):
        has = "no" if output is None else "an"
        raise UserError(
            f"{name} has {has} output layer for words; {task} has {'one' if asked.fills else 'none'}"
        )
    if asked.fills:
        return model
    if (given.main_input_name, given.config.num_labels) != (asked.takes, asked.outputs):
        raise UserError(
            f"{name} takes {given.main_input_name} and gives {given.config.num_labels} labels; "
            f"{task} has {asked.takes} and {asked.outputs} labels"
        )
    return model
