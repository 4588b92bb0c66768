"""The GLUE tasks (Wang et al. 2018, 1804.07461): sentences or pairs of sentences, a label, a metric."""

from __future__ import annotations

from dataclasses import dataclass

from binviz.data import sources
from binviz.errors import UserError

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
        UserError: unknown task, or the data cannot be had.
    """
    columns = task(name).columns
    split = task(name).validation if split == "validation" else split
    table = sources.load_dataset(HUB_ID, name, split)
    texts = list(zip(*(list(table[column]) for column in columns), strict=True))
    labels = list(table["label"])
    return Examples(texts, labels, sources.sha256(texts, labels))
