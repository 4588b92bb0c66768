"""The GLUE tasks (Wang et al. 2018, 1804.07461): sentences or pairs of sentences, a label, a metric."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from binviz.data import sources
from binviz.errors import UserError

if TYPE_CHECKING:
    from datasets import Dataset

HUB_ID = "nyu-mll/glue"


@dataclass(frozen=True)
class Task:
    """One task.

    columns: of its texts. num_labels: 1 = regression. max_length: usual limit in word pieces. validation: the
    split that is reported on.
    """

    name: str
    columns: tuple[str, ...]
    num_labels: int
    max_length: int = 128
    validation: str = "validation"


TASKS = {
    task.name: task
    for task in (
        Task("sst2", ("sentence",), 2, 64),
        Task("cola", ("sentence",), 2, 64),
        Task("mrpc", ("sentence1", "sentence2"), 2),
        Task("rte", ("sentence1", "sentence2"), 2),
        Task("wnli", ("sentence1", "sentence2"), 2),
        Task("stsb", ("sentence1", "sentence2"), 1),
        Task("qnli", ("question", "sentence"), 2),
        Task("qqp", ("question1", "question2"), 2),
        Task("mnli", ("premise", "hypothesis"), 3, validation="validation_matched"),
    )
}


@dataclass(frozen=True)
class Examples:
    """Texts (one tuple of 1 or 2 strings an example), labels (int, float for regression), their digest.

    >>> examples = Examples([("a fine film",), ("a dull film",)], [1, 0], "")
    >>> len(examples)
    2
    """

    texts: list[tuple[str, ...]]
    labels: list[float]
    sha256: str

    def __len__(self) -> int:
        return len(self.labels)


def task(name: str) -> Task:
    """The task of that name.

    Raises:
        UserError: unknown name.

    >>> task("mrpc").columns, task("stsb").num_labels, task("mnli").validation
    (('sentence1', 'sentence2'), 1, 'validation_matched')
    """
    if name not in TASKS:
        raise UserError(f"no GLUE task {name!r}; choose one of: {', '.join(TASKS)}")
    return TASKS[name]


def load(name: str, split: str) -> Examples:
    """A split ("train", "validation") of a task, from a mirror or the hub.

    Raises:
        UserError: unknown task, or the data cannot be had or are damaged.
    """
    columns = task(name).columns
    split = task(name).validation if split == "validation" else split
    table = sources.load_dataset(HUB_ID, name, split)
    found = [_column(table, column, f"{HUB_ID} {name} {split}") for column in (*columns, "label")]
    texts, labels = list(zip(*found[:-1], strict=True)), found[-1]
    check_examples(task(name), texts, labels, split)
    return Examples(texts, labels, sources.sha256(texts, labels))


def _column(table: Dataset, name: str, source: str) -> list[Any]:
    if name not in table.column_names:
        raise UserError(f"the data of {source} have no column {name!r}; fetch them again")
    try:
        return list(table[name])
    except Exception as error:  # bytes that are no UTF-8, a type that says it is another
        raise UserError(f"the column {name!r} of {source} cannot be read: {error}; fetch it again") from error


def check_examples(about: Task, texts: list[tuple[Any, ...]], labels: list[Any], split: str) -> None:
    """Raise UserError unless there are examples, every text is one, and every label is the task's.

    >>> check_examples(TASKS["sst2"], [("good",)], [2], "train")
    Traceback (most recent call last):
    binviz.errors.UserError: example 0 of sst2 train has the label 2, not 0 to 1; fetch the data again
    """
    where = f"{about.name} {split}"
    if not labels:
        raise UserError(f"there is no example in {where}; fetch the data again")
    for i, (row, label) in enumerate(zip(texts, labels, strict=True)):
        if not all(isinstance(text, str) for text in row):
            raise UserError(f"example {i} of {where} has no text; fetch the data again")
        if about.num_labels == 1:
            right, wanted = isinstance(label, float) and math.isfinite(label), "a number"
        else:
            right, wanted = (
                type(label) is int and 0 <= label < about.num_labels,
                f"0 to {about.num_labels - 1}",
            )
        if not right:
            raise UserError(
                f"example {i} of {where} has the label {str(label)[:40]}, not {wanted}; fetch the data again"
            )
