"""The book of a run: its curves, and when the next point of each is due."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from torch import nn

from binviz.reading import declared, fits
from binviz.training import observe

#: The most points of a curve of losses, and of a curve of what moves in the model.
POINTS, WATCHED = 200, 40


@dataclass
class History:
    """Curves of a run.

    steps, loss: the mean loss between two records (at most 200), and the step each ends at. accuracy: the share of
    right answers in the same batches, each before the model learned from it; empty where labels are no classes.
    watched: the steps (at most 40) of the points in `curves`, whose names `binviz.training.observe` explains.

    >>> history = History([10, 20], [2.3, 1.1], watched=[20], curves={"flips/layers.0.fc1": [0.01]})
    >>> list(zip(history.steps, history.loss))
    [(10, 2.3), (20, 1.1)]
    """

    steps: list[int]
    loss: list[float]
    accuracy: list[float] = field(default_factory=list)
    watched: list[int] = field(default_factory=list)
    curves: dict[str, list[float]] = field(default_factory=dict)
    seconds: float = 0.0

    def thin(self) -> None:
        """Half as many points: the means of two neighbours, and every second watched step.

        >>> history = History([10, 20, 30, 40], [4.0, 2.0, 1.0, 0.5])
        >>> history.thin()
        >>> history.steps, history.loss
        ([20, 40], [3.0, 0.75])
        """
        widths = [end - start for start, end in zip([0, *self.steps], self.steps, strict=False)]
        self.loss = _joined(self.loss, widths)
        self.accuracy = _joined(self.accuracy, widths) if self.accuracy else []
        self.steps = [pair[-1] for pair in _pairs(self.steps)]
        self.watched = [pair[-1] for pair in _pairs(self.watched)]
        self.curves = {name: [pair[-1] for pair in _pairs(points)] for name, points in self.curves.items()}


def _pairs(values: Sequence[Any]) -> list[Sequence[Any]]:
    return [values[i : i + 2] for i in range(0, len(values), 2)]


def _joined(means: list[float], widths: list[int]) -> list[float]:
    """Means over pairs of neighbours.

    >>> _joined([1.0, 4.0, 7.0], [2, 1, 1])
    [2.0, 7.0]
    """
    pairs = zip(_pairs(means), _pairs(widths), strict=True)
    return [round(sum(m * w for m, w in zip(*pair, strict=True)) / sum(pair[1]), 5) for pair in pairs]


class Book:
    """Sums since the last point of each curve, and the curves.

    Args:
        model: that is trained.
        steps: of the whole run.
    """

    def __init__(self, model: nn.Module, steps: int) -> None:
        self.model, self.steps = model, steps
        self.history = History([], [])
        self.sums: dict[str, Any] = {"total": 0.0, "counted": 0, "right": 0, "asked": 0}
        self.record, self.watch = (max(1, math.ceil(steps / most)) for most in (POINTS, WATCHED))
        self.names = observe.layer_names(model)

    def state(self) -> dict[str, Any]:
        """What `go_on` takes, JSON-serialisable."""
        return {**self.sums, "history": vars(self.history)}

    def check(self, state: dict[str, Any]) -> None:
        """Raise ValueError unless a file's state is one that `state` can have given after `state["step"]` steps."""
        history = History(**declared(History, state["history"]))
        sums = [state[name] for name in self.sums]
        if not all(fits(value, float) and 0 <= abs(value) < math.inf for value in sums) or min(sums[1:]) < 0:
            raise ValueError("its sums are no numbers")
        for steps, curves in (
            (history.steps, [history.loss, history.accuracy or history.loss]),
            (history.watched, [*history.curves.values()]),
        ):
            if any(len(points) != len(steps) for points in curves):
                raise ValueError("its curves differ in length")
            if not all(before < step for before, step in pairwise([0, *steps, state["step"] + 1])):
                raise ValueError("the steps of its curves do not rise")

    def go_on(self, state: dict[str, Any]) -> None:
        """Take over the book of a run that was interrupted, or is given more steps; one that passed `check`."""
        self.sums = {name: state[name] for name in self.sums}
        self.history = History(**state["history"])
        done = max([0, *self.history.steps])
        while len(self.history.steps) + math.ceil((self.steps - done) / self.record) > POINTS:
            if len(self.history.steps) > 1:
                self.history.thin()
            else:
                self.record += 1

    def codes(self, step: int) -> observe.WeightCodes:
        """The weights' codes before the optimizer takes that step, if it is to be watched; else nothing.

        >>> from torch import nn
        >>> book = Book(nn.Sequential(nn.Linear(2, 2)), steps=400)
        >>> book.watch, book.codes(1)
        (10, {})
        """
        due = step % self.watch == 0 or step == self.steps
        return observe.weight_codes(self.model) if due else {}

    def note(
        self, step: int, loss: float, answers: tuple[int, int], before: observe.WeightCodes
    ) -> float | None:
        """Enter a step that was taken.

        Args:
            step: its number, 1 for the first one.
            loss: of its batch.
            answers: right ones, and how many were asked for.
            before: what `codes` gave.

        Returns:
            The mean loss since the last point, where this step ends one.
        """
        if before:
            self.history.watched.append(step)
            for name, point in observe.curves(self.model, before, self.names).items():
                self.history.curves.setdefault(name, []).append(point)
        for name, value in zip(self.sums, (loss, 1, *answers), strict=True):
            self.sums[name] += value
        if step % self.record and step != self.steps:
            return None
        mean, asked = self.sums["total"] / self.sums["counted"], self.sums["asked"]
        self.history.steps.append(step)
        self.history.loss.append(round(mean, 5))
        if asked:
            self.history.accuracy.append(round(self.sums["right"] / asked, 5))
        self.sums = {"total": 0.0, "counted": 0, "right": 0, "asked": 0}
        return mean
