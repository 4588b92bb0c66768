"""How long a new process takes to the first answer of a packed bundled model, with kernels compiled before.

    python -m binviz.bench.first_answer

Imports (torch, transformers with the model's classes, numba, binviz, the digits' scikit-learn) are timed apart: they
are what every program pays that uses these libraries at all.
"""

from __future__ import annotations

import json
import subprocess
import sys

from binviz.bench.timing import spread

MODELS = ("sst2-minilm.bit-w1a1", "digits-vit.bit-w1a1", "digits-cnn.bit-w1a1")
PROGRAM = """
import json, sys, time
times = [time.perf_counter()]
def lap(): times.append(time.perf_counter())
import torch
lap()
from transformers import AutoImageProcessor, AutoTokenizer, BertForSequenceClassification, ViTForImageClassification
lap()
import numba, binviz, binviz.convert, binviz.layers.attention, binviz.packed, binviz.saving, binviz.networks
from binviz import tasks
import sklearn.datasets, sklearn.model_selection
lap()
name = sys.argv[1]
model, task = binviz.load(name), tasks.of_model(name)
given = task.example(0, name, task.tokenizer(name)).inputs
lap()
packed = binviz.pack(model)
lap()
packed(**given)
lap()
print(json.dumps([end - start for start, end in zip(times, times[1:])]))
"""
PARTS = ("torch", "transformers", "numba, binviz", "load", "pack", "answer")


def measure(name: str, rounds: int = 5) -> dict[str, dict[str, float]]:
    """Seconds of each part in new processes: median and quartiles.

    Args:
        name: of a bundled model.
        rounds: processes, after one that leaves compiled kernels behind.
    """

    def once() -> list[float]:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, name],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=True,
        )
        return json.loads(done.stdout)

    once()
    samples = list(zip(*(once() for _ in range(rounds)), strict=True))
    own = [sum(parts) for parts in zip(*samples[3:], strict=True)]
    columns = {**dict(zip(PARTS, samples, strict=True)), "after imports": own}
    return {part: spread(list(seconds))._asdict() for part, seconds in columns.items()}


def main() -> None:
    """Print a line for each model: median seconds."""
    print("Seconds to the first answer of a packed model in a new process\n" + " " * 22, end="")
    print(*(f"{part:>14}" for part in (*PARTS, "after imports")))
    for name in MODELS:
        found = measure(name)
        print(f"{name:22}", *(f"{quartiles['median']:14.2f}" for quartiles in found.values()), flush=True)


if __name__ == "__main__":
    main()
