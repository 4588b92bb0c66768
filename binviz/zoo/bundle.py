"""Add a trained model to the package: its packed file, its manifest entry, its run record."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import nn

from binviz import zoo
from binviz.binarizers import Binarizer
from binviz.evidence import runs
from binviz.packed import save_packed

PROVENANCE = {
    "digits": ("CC-BY-4.0 data", "trained from scratch on scikit-learn's digits (UCI, 1998)"),
    "sst2": (
        "Apache-2.0 model; SST-2 data",
        "fine-tuned from sentence-transformers/all-MiniLM-L6-v2 on nyu-mll/glue sst2, word pieces cut to 11,000",
    ),
}


def float_bytes(model: nn.Module) -> int:
    """Four bytes for each parameter outside binarizers: what the float model takes in float32."""
    added = {
        id(parameter)
        for module in model.modules()
        if isinstance(module, Binarizer)
        for parameter in module.parameters()
    }
    return 4 * sum(parameter.numel() for parameter in model.parameters() if id(parameter) not in added)


def bundle(name: str, model: nn.Module, run: runs.Run, tokenizer: Any = None) -> zoo.Entry:
    """Write `<name>.safetensors`, the run record and the manifest into the source tree.

    Args:
        name: `<task>-<arch>.<recipe>`.
        model: float models are stored in float16, binary ones packed.
        run: its record.
        tokenizer: stored with the model.
    """
    kind, _, recipe = name.partition(".")
    task, _, arch = kind.partition("-")
    zoo.FOLDER.mkdir(exist_ok=True)
    path = zoo.FOLDER / f"{name}.safetensors"
    size = save_packed(model, path, tokenizer, half=getattr(model, "binviz_recipe", None) is None)
    licence, provenance = PROVENANCE[task]
    entry = zoo.Entry(
        name=name,
        task=task,
        arch=arch,
        recipe=recipe,
        bytes=size,
        float_bytes=float_bytes(model),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        licence=licence,
        provenance=provenance,
        run=(run.experiment, run.cell, run.seed),
    )
    runs.write(run, runs.SHIPPED)
    manifest = Path(zoo.FOLDER / "manifest.json")
    entries = json.loads(manifest.read_text("utf-8")) if manifest.exists() else []
    entries = [other for other in entries if other["name"] != name] + [asdict(entry)]
    manifest.write_text(json.dumps(entries, indent=1) + "\n", "utf-8")
    zoo._manifest.cache_clear()
    return entry
