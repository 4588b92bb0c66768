"""How much a model still has right where its pictures are corrupted: fifteen corruptions at five severities.

    binviz robustness digits-vit.float digits-vit.bit-w1a1

Models of one task are measured together: each corruption is made once, and asked of all.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean

import numpy as np
from torch import nn

from binviz import zoo
from binviz.data.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from binviz.evidence import runs
from binviz.evidence.robustness import Robustness
from binviz.tasks import Task
from binviz.tasks.corrupted import pictures_of
from binviz.words import percent


def measure(
    models: Mapping[str, nn.Module],
    task: Task,
    examples: int | None = None,
    seed: int = 0,
    tell: Callable[[float, str], object] = lambda share, text: None,
) -> dict[str, Robustness]:
    """Ask models all corrupted pictures of their task.

    Args:
        models: name -> model.
        task: of all of them, with pictures.
        examples: how many of its held-out pictures, the first ones; None for all.
        seed: of the corruptions.
        tell: called before each corruption and severity with the share that is done, and with their names.

    Returns:
        Name -> record.

    Raises:
        UserError: the task has no pictures, or its data is not to be had.

    >>> from binviz import tasks
    >>> name = "digits-cnn.float"
    >>> found = measure({name: zoo.load(name)}, tasks.get("digits"), examples=2)[name]
    >>> found.examples, found.clean, len(found.right)
    (2, 2, 15)
    """
    kind, code = pictures_of(task), runs.code_state()
    raw, labels = kind.held_out()
    data = {"test": digest(raw, labels)}
    raw, labels = raw[:examples], labels[:examples]
    took = dict.fromkeys(models, 0.0)

    def right(asked: np.ndarray) -> dict[str, int]:
        found = {}
        for name, model in models.items():
            started = time.perf_counter()
            found[name] = int((kind.logits(model, asked).argmax(-1) == labels).sum())
            took[name] += time.perf_counter() - started
        return found

    clean = right(raw)
    counts: dict[str, dict[str, list[int]]] = {name: {each: [] for each in CORRUPTIONS} for name in models}
    cells = [(each, severity) for each in CORRUPTIONS for severity in SEVERITIES]
    for done, (each, severity) in enumerate(cells):
        tell(done / len(cells), f"{CORRUPTIONS[each].title}, severity {severity}")
        for name, count in right(corrupt(raw, each, severity, seed)).items():
            counts[name][each].append(count)
    machine, chance = runs.machine(), float(np.bincount(labels).max() / len(labels))
    return {
        name: Robustness(
            Path(name).name,
            sha256_of(name),
            task.name,
            data,
            len(raw),
            chance,
            seed,
            clean[name],
            counts[name],
            round(took[name], 1),
            code,
            machine,
        )
        for name in models
    }


def digest(raw: np.ndarray, labels: np.ndarray) -> str:
    """sha256 of pictures and labels.

    >>> digest(np.zeros((1, 2, 2), np.uint8), np.zeros(1, np.int64))[:8]
    '15ec7bf0'
    """
    parts = np.ascontiguousarray(raw).tobytes(), labels.astype("<i8").tobytes()
    return hashlib.sha256(b"".join(parts)).hexdigest()


def sha256_of(name: str) -> str:
    """Of the file of a bundled or packed model; "" of a folder."""
    path = Path(name)
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    return "" if path.exists() else zoo.describe(name).sha256


def table(records: Sequence[Robustness]) -> str:
    """Accuracy in percent, the mean of the five severities: a line for each corruption, a column for each model.

    >>> print(table([Robustness("a", "", "digits", {}, 10, 0.1, 0, 9, {"fog": [8, 6, 5, 3, 1]}, 1.0)]))
                             a
    clean               90.0 %
    fog                 46.0 %
    all corruptions     46.0 %
    """
    wide = [max(len(record.model), 8) for record in records]
    lines = [("", [record.model for record in records])]
    lines += [("clean", [percent(record.clean / record.examples) for record in records])]
    for each in records[0].right:
        lines += [
            (CORRUPTIONS[each].title, [percent(fmean(record.accuracy(each)[1:])) for record in records])
        ]
    lines += [("all corruptions", [percent(record.mean) for record in records])]
    rows = ("  ".join(f"{cell:>{w}}" for cell, w in zip(cells, wide, strict=True)) for _, cells in lines)
    return "\n".join(f"{label:18}{row}" for (label, _), row in zip(lines, rows, strict=True))
