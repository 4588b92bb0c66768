"""How much a model still has right where its inputs are corrupted: all corruptions of them at five severities.

    binviz robustness digits-vit.float digits-vit.bit-w1a1
    binviz robustness --task sst2 --out found runs-out/sst2.*.seed0

A record has the name of its model, and of one in a folder or file, the name of that.

Models of one task are measured together: each corruption is made once, and asked of all.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean

import numpy as np
from torch import nn

from binviz import zoo
from binviz.data.corruptions import ALL
from binviz.data.corruptions.corruption import SEVERITIES
from binviz.errors import UserError
from binviz.evidence import runs
from binviz.evidence.robustness import Robustness
from binviz.tasks import Task
from binviz.tasks.corrupted import kind_of
from binviz.words import percent


def measure(
    models: Mapping[str, nn.Module],
    task: Task,
    examples: int | None = None,
    seed: int = 0,
    tell: Callable[[float, str], object] = lambda share, text: None,
) -> dict[str, Robustness]:
    """Ask models all corrupted inputs of their task.

    Args:
        models: name -> model; the name is that of a bundled one, or a path, for the record and for a tokenizer.
        task: of all of them, with inputs that can be corrupted.
        examples: how many of its held-out inputs, the first ones; None for all.
        seed: of the corruptions.
        tell: called before each corruption and severity with the share that is done, and with their names.

    Returns:
        Name -> record.

    Raises:
        UserError: there are no corruptions of the task's inputs, or its data is not to be had; two models of one name,
            or one of another task.

    >>> from binviz import tasks
    >>> name = "digits-cnn.float"
    >>> found = measure({name: zoo.load(name)}, tasks.get("digits"), examples=2)[name]
    >>> found.examples, found.clean, len(found.right)
    (2, 2, 15)
    """
    kind, code, called = kind_of(task), runs.code_state(), names_of(models)
    tokenizers = {name: task.tokenizer(name) for name in models}
    raw, labels = kind.held_out()
    data = {"test": digest(raw, labels)}
    raw, labels = raw[:examples], labels[:examples]
    took = dict.fromkeys(models, 0.0)
    for name, model in models.items():
        try:
            kind.logits(model, raw[:1], tokenizers[name])
        except (RuntimeError, ValueError) as error:  # torch's and transformers' own, of another shape
            raise UserError(
                f"{name} does not read what {task.name} holds ({error}); give its own task"
            ) from error

    def right(asked: np.ndarray) -> dict[str, int]:
        found = {}
        for name, model in models.items():
            started = time.perf_counter()
            found[name] = int((kind.logits(model, asked, tokenizers[name]).argmax(-1) == labels).sum())
            took[name] += time.perf_counter() - started
        return found

    clean, known = right(raw), kind.corruptions.known
    counts: dict[str, dict[str, list[int]]] = {name: {each: [] for each in known} for name in models}
    cells = [(each, severity) for each in known for severity in SEVERITIES]
    for done, (each, severity) in enumerate(cells):
        tell(done / len(cells), f"{known[each].title}, severity {severity}")
        for name, count in right(kind.corruptions.corrupt(raw, each, severity, seed)).items():
            counts[name][each].append(count)
    machine, chance = runs.machine(), float(np.bincount(labels).max() / len(labels))
    return {
        name: Robustness(
            called[name],
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


def names_of(models: Iterable[str]) -> dict[str, str]:
    """What records of models are called: as the models, or as their folders or files.

    Raises:
        UserError: two alike.

    >>> names_of(["digits-cnn.float", "out/digits-cnn.bnn.seed0/"])
    {'digits-cnn.float': 'digits-cnn.float', 'out/digits-cnn.bnn.seed0/': 'digits-cnn.bnn.seed0'}
    """
    found: dict[str, str] = {}
    for name in models:
        called = Path(name).resolve().name
        if called in found.values():
            raise UserError(
                f"two of the models are called {called}; measure one of them alone, or rename its folder"
            )
        found[name] = called
    return found


def digest(raw: np.ndarray, labels: np.ndarray) -> str:
    """sha256 of inputs and labels.

    >>> digest(np.zeros((1, 2, 2), np.uint8), np.zeros(1, np.int64))[:8]
    '15ec7bf0'
    """
    inputs = json.dumps(raw.tolist()).encode() if raw.dtype == object else np.ascontiguousarray(raw).tobytes()
    parts = inputs, labels.astype("<i8").tobytes()
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
        lines += [(ALL[each].title, [percent(fmean(record.accuracy(each)[1:])) for record in records])]
    lines += [("all corruptions", [percent(record.mean) for record in records])]
    rows = ("  ".join(f"{cell:>{w}}" for cell, w in zip(cells, wide, strict=True)) for _, cells in lines)
    return "\n".join(f"{label:18}{row}" for (label, _), row in zip(lines, rows, strict=True))
