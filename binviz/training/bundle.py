"""Add a trained model to the package: its packed file, its manifest entry, its run record.

The record's metrics and predictions are those of the bytes that ship: a float model is rounded to float16, which can
turn an example.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from torch import nn

from binviz import tasks, zoo
from binviz.binarizers import Binarizer
from binviz.evidence import runs
from binviz.saving import load_packed, save_packed

Evaluate = Callable[[nn.Module], tasks.Judged]


def float_bytes(model: nn.Module) -> int:
    """Four bytes for each parameter outside binarizers: what the float model takes in float32.

    An output layer of words that shares its table in the float model is not counted twice.

    >>> float_bytes(nn.Linear(3, 2))
    32
    """
    added = {
        id(parameter)
        for module in model.modules()
        if isinstance(module, Binarizer)
        for parameter in module.parameters()
    }
    given: Any = model
    words = getattr(given, "get_output_embeddings", lambda: None)()
    if words is not None and getattr(given.config, "tie_word_embeddings", False):
        added |= {id(words.weight)} - {id(given.get_input_embeddings().weight)}
    return 4 * sum(parameter.numel() for parameter in model.parameters() if id(parameter) not in added)


def parts_of(name: str) -> tuple[str, str, str]:
    """Task, architecture and recipe of a bundled model's name; of several tasks that it begins with the longest.

    >>> parts_of("digits-vit.float"), parts_of("digits-diffusion.binarydm-w1a8")
    (('digits', 'vit', 'float'), ('digits-diffusion', '', 'binarydm-w1a8'))
    """
    kind, _, recipe = name.partition(".")
    known = (task for task in tasks.names() if f"{kind}-".startswith(f"{task}-"))
    task = max(known, key=len, default=kind.partition("-")[0])
    return task, kind[len(task) + 1 :], recipe


def judged(run: runs.Run, path: Path, evaluate: Evaluate) -> runs.Run:
    """A record with the metrics and the examples of the file that ships.

    Its `file` has the name and sha256 of that file, the metrics of the model as it was trained, and the code and the
    machine that looked again. Nothing is chosen by this look.

    Args:
        run: of the training.
        path: of the packed file.
        evaluate: on the split that the run was judged on.
    """
    metrics, values = evaluate(load_packed(path))
    file = {
        "name": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "note": "metrics and predictions are this file's, measured after it was written",
        "trained": run.file.get("trained", run.metrics),
        "code": runs.code_state(),
        "machine": runs.machine(),
    }
    return replace(run, metrics=metrics, file=file, **runs.of_examples(values))


def bundle(
    name: str,
    model: nn.Module,
    run: runs.Run,
    evaluate: Evaluate,
    tokenizer: Any = None,
    half_head: bool = False,
) -> zoo.Entry:
    """Write `<name>.safetensors`, the run record and the manifest into the source tree.

    Args:
        name: `<task>-<arch>.<recipe>`.
        model: float models are stored in float16, binary ones packed.
        run: of its training; what is recorded is `judged` from the file.
        evaluate: see `judged`.
        tokenizer: stored with the model.
        half_head: see `save_packed`.
    """
    task, arch, recipe = parts_of(name)
    zoo.FOLDER.mkdir(exist_ok=True)
    path = zoo.FOLDER / f"{name}.safetensors"
    half = getattr(model, "binviz_recipe", None) is None
    size = save_packed(model, path, tokenizer, half=half, half_head=half_head)
    entry = zoo.Entry(
        name=name,
        task=task,
        arch=arch,
        recipe=recipe,
        bytes=size,
        float_bytes=float_bytes(model),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        licence=tasks.get(task).licence,
        provenance=tasks.get(task).source,
        run=(run.experiment, run.cell, run.seed),
    )
    runs.write(judged(run, path, evaluate), runs.SHIPPED)
    manifest = Path(zoo.FOLDER / "manifest.json")
    entries = json.loads(manifest.read_text("utf-8")) if manifest.exists() else []
    entries = [other for other in entries if other["name"] != name] + [asdict(entry)]
    manifest.write_text(json.dumps(entries, indent=1) + "\n", "utf-8")
    zoo._manifest.cache_clear()
    return entry
