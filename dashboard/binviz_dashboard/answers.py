"""What two models say to one input, in a sentence, and on which inputs they differ; no Streamlit here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from binviz.bench.pair import Timed
from binviz.tasks import Example, Task
from binviz.words import counted, percent, times
from binviz_dashboard import models
from binviz_dashboard.subject import Subject

#: Inputs of one shape that are run at once.
BATCH = 64


@torch.inference_mode()
def ask(model: nn.Module, example: Example) -> tuple[float, ...]:
    """Probabilities of a model's classes for an example, in float64: float32 rounds what is nearly sure to 1."""
    return tuple(model(**example.inputs).logits[0].double().softmax(-1).tolist())


def unknown(example: Example, mark: str | None) -> str:
    """How many word pieces of a text a model does not know, in a sentence; nothing where it knows all.

    Args:
        example: a text, or something else that has no word pieces.
        mark: what stands for an unknown one, the tokenizer's `unk_token`.

    >>> unknown(Example("a", {}, "", tokens=("[UNK]", "good", "[UNK]")), "[UNK]")
    '2 of 3 word pieces are unknown to this model.'
    """
    missed = sum(token == mark for token in example.tokens)
    if not missed:
        return ""
    verb = "is" if missed == 1 else "are"
    return f"{missed} of {counted(len(example.tokens), 'word piece')} {verb} unknown to this model."


def verdict(
    labels: Sequence[str],
    floats: Sequence[float],
    bits: Sequence[float],
    truth: str | None = None,
    size: tuple[int, int] | None = None,
    timed: Timed | None = None,
) -> str:
    """What both say, how sure they are, who is right, and what the 1-bit model costs, in one line.

    Args:
        labels: of the classes.
        floats, bits: probabilities that the float model and the 1-bit one give.
        truth: the right label, where it is known.
        size: bytes of the two files.
        timed: of both on this input.

    >>> labels = ["negative", "positive"]
    >>> verdict(labels, [0.002, 0.998], [0.088, 0.912], "positive", (30_456_604, 2_771_605))
    'Both say positive; the 1-bit one is less sure (91.2 % against 99.8 %). Both are right. 1/11 of the bytes.'
    >>> verdict(labels, [0.2, 0.8], [0.6, 0.4], "positive")
    'The float one says positive (80.0 %), the 1-bit one negative (60.0 %). The float one is right.'
    """
    says, says_too = (int(np.argmax(each)) for each in (floats, bits))
    sure, sure_too = percent(floats[says]), percent(bits[says_too])
    same = says == says_too
    if same and sure == sure_too:
        said = f"Both say {labels[says]} and are as sure ({sure})"
    elif same:
        more = "less" if bits[says] < floats[says] else "more"
        said = f"Both say {labels[says]}; the 1-bit one is {more} sure ({sure_too} against {sure})"
    else:
        said = f"The float one says {labels[says]} ({sure}), the 1-bit one {labels[says_too]} ({sure_too})"
    sentences = [said]
    if truth is not None:
        right = labels[says] == truth, labels[says_too] == truth
        if same:
            sentences.append("Both are right" if right[0] else f"Both are wrong: it is {truth}")
        elif any(right):
            sentences.append(f"The {'float' if right[0] else '1-bit'} one is right")
        else:
            sentences.append(f"Neither is right: it is {truth}")
    costs = [f"1/{times(size[0] / size[1])} of the bytes"] if size else []
    costs += [timed.short()] if timed else []
    return ". ".join([*sentences, *([", ".join(costs)] if costs else [])]) + "."


class Compared(NamedTuple):
    """What two models answer to the same examples: numbers of classes, (examples,); of the truth -1 is not known.

    >>> found = Compared(np.array([0, 1, 1]), np.array([0, 0, 1]), np.array([0, 1, 0]))
    >>> found.agreeing, found.right, found.next(1), found.next(0)
    (2, (2, 1), 1, 1)
    """

    floats: NDArray[np.int64]
    bits: NDArray[np.int64]
    truths: NDArray[np.int64]

    @property
    def differing(self) -> list[int]:
        """Numbers of the examples that the two answer differently."""
        return np.flatnonzero(self.floats != self.bits).tolist()

    @property
    def agreeing(self) -> int:
        """How many they answer alike."""
        return len(self.floats) - len(self.differing)

    @property
    def right(self) -> tuple[int, int]:
        """How many the float model has right, and the 1-bit one."""
        return int((self.floats == self.truths).sum()), int((self.bits == self.truths).sum())

    def next(self, after: int) -> int | None:
        """The next example that they answer differently, from the beginning again after the last; None without any."""
        found = self.differing
        return next((each for each in found if each > after), found[0] if found else None)

    def in_words(self, about: str = "") -> str:
        """How often they agree and are right.

        Args:
            about: what is to be said of the examples, such as that they are hard.

        >>> Compared(np.array([0, 1]), np.array([0, 0]), np.array([0, 1])).in_words("They are hard on purpose.")
        'They agree on 1 of 2. Right are the float one on 2, the 1-bit one on 1. They are hard on purpose.'
        """
        said = f"They agree on {self.agreeing} of {len(self.floats)}."
        if (self.truths >= 0).any():
            floats, bits = self.right
            said += f" Right are the float one on {floats}, the 1-bit one on {bits}."
        return f"{said} {about}".strip()


@torch.inference_mode()
def compare(
    floats: nn.Module,
    bits: nn.Module,
    examples: Sequence[Example],
    labels: Sequence[str],
    tell: Callable[[float, str], object] = lambda share, text: None,
) -> Compared:
    """Ask two models all the examples; those of one shape are run together, without padding.

    Args:
        floats, bits: the two.
        examples: see `every_example`.
        labels: of the classes.
        tell: called with the share that is done, and with what comes next.
    """
    alike: dict[tuple[torch.Size, ...], list[int]] = defaultdict(list)
    for index, example in enumerate(examples):
        alike[tuple(value.shape for value in example.inputs.values())].append(index)
    answers = np.full((2, len(examples)), -1)
    done = 0
    for numbers in alike.values():
        for start in range(0, len(numbers), BATCH):
            part = numbers[start : start + BATCH]
            tell(done / len(examples), f"{done} of {len(examples)} asked")
            batch = {
                name: torch.cat([examples[each].inputs[name] for each in part])
                for name in examples[part[0]].inputs
            }
            for row, model in enumerate((floats, bits)):
                answers[row, part] = model(**batch).logits.argmax(-1).numpy()
            done += len(part)
    truths = [-1 if each.truth is None else list(labels).index(each.truth) for each in examples]
    return Compared(answers[0], answers[1], np.array(truths))


def every_example(task: Task, model: str, tokenizer: object) -> list[Example]:
    """All the examples that a page offers of a task, in their order.

    >>> from binviz import tasks
    >>> len(every_example(tasks.get("digits"), "digits-vit.float", None))
    450
    """
    return [task.example(index, model, tokenizer) for index in range(task.example_count())]


def costs_of(subject: Subject, timed: Timed | None) -> pd.DataFrame:
    """Size, recorded score and time of both models, a row each; without times where none were measured."""
    rows = []
    for entry, kind in ((subject.teacher, "floats"), (subject.binary, "bits")):
        took = "not measured"
        if timed:
            took = f"{1000 * getattr(timed, kind).median:.1f} ms" if timed.steady else "not steady"
        found = models.recorded(entry.name)
        rows.append(
            {
                "network": "float" if entry.recipe == "float" else "1-bit",
                "file": models.size(entry.bytes),
                "time": took,
                "recorded": f"{found.name} {found.shown}" if found else "nothing",
                "chance": found.beside.removeprefix("chance is ") if found and found.beside else "",
            }
        )
    return pd.DataFrame(rows)
