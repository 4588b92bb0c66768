"""What a run's one number is, beside what knowing nothing would give: the task's own metric and its chance level.

The evaluation splits are known by the sha256 of their data (`splits.json`): how many examples each class has, and on
which ones an answer that is always the same would be right.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from binviz.evidence.runs import Run, correct_bits, each_example
from binviz.words import percent

#: A task's own metric is the first of these that it has; others are shown as they are named.
METRICS = {
    "matthews": "Matthews correlation",
    "f1": "F1",
    "spearman": "Spearman correlation",
    "accuracy": "accuracy",
    "pearson": "Pearson correlation",
    "both": "mean of both tasks",
    "mean_iou": "mean IoU",
    "scene_iou": "mean IoU of a scene",
    "boundary_f1": "F1 of boundaries",
    "pixels": "right pixels",
    "f_measure": "F-measure",
    "f_of_a_picture": "F-measure of a picture",
}
#: What a model that fills gaps is judged by: its accuracy is one of hidden words, not of examples.
OF_WORDS = "perplexity"
#: Metrics that are shares, shown in percent.
SHARES = (
    *("accuracy", "f1", "both", "mean_iou", "scene_iou", "boundary_f1", "pixels"),
    *("f_measure", "f_of_a_picture"),
)


@dataclass(frozen=True)
class Split:
    """An evaluation split.

    task: whose. split: its name. classes: how many examples each class has, none where labels are numbers. first:
    hexadecimal bits, 1 where the label is the first class (`runs.correct_bits`); only of two classes.

    >>> Split("own", "test", (30, 10), "").commonest
    0.75
    """

    task: str
    split: str
    classes: tuple[int, ...]
    first: str

    @property
    def commonest(self) -> float:
        """Share of the commonest class: the accuracy of always answering it; 0 without classes."""
        return max(self.classes) / sum(self.classes) if self.classes else 0.0


@dataclass(frozen=True)
class Headline:
    """A run's one number.

    key: of `Run.metrics`. name: in words. value: of it. chance: what an answer that is always the same gets, None
    where the split is not known. constant: whether the run's answers are all the same class.

    >>> Headline("accuracy", "accuracy", 0.795, 0.509).shown, Headline("matthews", "Matthews", 0.0, 0.0).shown
    ('79.5 %', '0.000')
    """

    key: str
    name: str
    value: float
    chance: float | None = None
    constant: bool = False

    @property
    def shown(self) -> str:
        """The value for reading."""
        return shown(self.key, self.value)

    @property
    def beside(self) -> str:
        """Its chance level in words, or that it is not known.

        >>> Headline("accuracy", "accuracy", 0.691, 0.691, constant=True).beside
        'gives one answer to everything; chance is 69.1 %'
        """
        if self.chance is None:
            return "chance level not known"
        chance = f"chance is {shown(self.key, self.chance)}"
        return f"gives one answer to everything; {chance}" if self.constant else chance


def shown(key: str, value: float) -> str:
    """A metric's value for reading: shares in percent, correlations with three digits.

    >>> shown("f1", 0.812), shown("spearman", -0.0123)
    ('81.2 %', '-0.012')
    """
    return percent(value) if key in SHARES else f"{value:.3f}"


@cache
def splits() -> dict[str, Split]:
    """sha256 of an evaluation split -> the split.

    >>> {split.task for split in splits().values()} >= {"sst2", "cola", "digits"}
    True
    """
    known = json.loads((Path(__file__).parent / "splits.json").read_text("utf-8"))
    return {sha256: Split(**each | {"classes": tuple(each["classes"])}) for sha256, each in known.items()}


def split_of(run: Run) -> Split | None:
    """The split that a run was evaluated on; None where it is not known."""
    found = [splits()[sha256] for name, sha256 in run.data.items() if name != "train" and sha256 in splits()]
    return found[0] if found else None


def headline(run: Run) -> Headline | None:
    """The one number of a run; None where it has no metrics.

    >>> from binviz.evidence import runs
    >>> found = headline(runs.find("bit", "cola.bit-w1a1"))
    >>> found.name, found.shown, found.beside
    ('Matthews correlation', '0.000', 'gives one answer to everything; chance is 0.000')
    """
    if not run.metrics:
        return None
    key = next((name for name in (OF_WORDS, *METRICS) if name in run.metrics), next(iter(run.metrics)))
    split = split_of(run)
    return Headline(
        key,
        METRICS.get(key, key),
        run.metrics[key],
        chance(key, split),
        constant=split is not None and constant(run, split),
    )


def chance(key: str, split: Split | None) -> float | None:
    """What a metric is where the answer is always the same one, the best of them; None where that is not known.

    F1 is of the second of two classes: with a share p of it, 2 p / (1 + p).

    >>> split = Split("own", "test", (10, 30), "")
    >>> [chance(key, split) for key in ("accuracy", "matthews", "spearman")], round(chance("f1", split), 3)
    ([0.75, 0.0, 0.0], 0.857)
    """
    if key in ("matthews", "spearman", "pearson"):
        return 0.0
    if split is None or not split.classes:
        return None
    if key == "accuracy":
        return split.commonest
    share = split.classes[-1] / sum(split.classes)
    return 2 * share / (1 + share) if key == "f1" and len(split.classes) == 2 else None


def constant(run: Run, split: Split) -> bool:
    """Whether a run gives the same answer to everything: it is right exactly where one class is.

    >>> run = Run("e", "c", 0, {}, "", {}, {"accuracy": 0.75}, 1.0, predictions="07", examples=4)
    >>> constant(run, Split("own", "test", (3, 1), "07")), constant(run, Split("own", "test", (3, 1), "0b"))
    (True, False)
    """
    if not split.first or not run.predictions or run.examples != sum(split.classes):
        return False
    correct = each_example(run)
    assert correct is not None
    return split.first in (correct_bits(correct), correct_bits(~correct))


def all_metrics(run: Run) -> Mapping[str, str]:
    """Every metric for reading, the task's own first.

    >>> all_metrics(Run("e", "c", 0, {}, "", {}, {"accuracy": 0.5, "matthews": 0.1}, 1.0))
    {'Matthews correlation': '0.100', 'accuracy': '50.0 %'}
    """
    order = [name for name in METRICS if name in run.metrics]
    order += [name for name in run.metrics if name not in METRICS]
    return {METRICS.get(name, name): shown(_kind(name), run.metrics[name]) for name in order}


def _kind(name: str) -> str:
    """Metrics of a part of the examples, such as accuracy_1_16, are shown as the whole one's."""
    return next((share for share in SHARES if name.startswith(share)), name)


def labels_as_bits(labels: np.ndarray) -> str:
    """`Split.first` of the labels (examples,), for whoever adds a split.

    >>> labels_as_bits(np.array([0, 0, 1, 0]))
    '0b'
    """
    return correct_bits(labels == 0)
