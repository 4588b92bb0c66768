r"""How far a binary attention map is from softmax's, row by row: table 1 of BiViT (He et al. 2023, 2211.07091).

    python -m binviz.experiments.rows cifar10-vit.float

$$E = \frac1n \sum (a - v\,b)^2$$

over all entries a of a float model's maps, with codes b and a factor v: of BiBERT (b where a score is not negative),
of the best threshold (coordinate descent) and of a quarter of the row's maximum, each with its row's best factor, and
of a quarter without one. The paper prints 0.683, 2.58e-5, 2.72e-5 and 0.141, of Swin-T on ImageNet, windows of 49
entries a row; how it averages it does not say.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import binviz
from binviz import binarizers, tasks, zoo
from binviz.data import sources
from binviz.errors import UserError
from binviz.evidence import runs

#: Name of a metric -> the binarizer, its options, and what it is given.
WAYS: dict[str, tuple[str, dict[str, Any], str]] = {
    "bibert": ("bibert-attention", {}, "scores"),
    "best_threshold": ("bivit-attention", {"method": "descent", "scale": True}, "probs"),
    "quarter": ("bivit-attention", {"scale": True}, "probs"),
    "quarter_without_factor": ("bivit-attention", {}, "probs"),
    "half_without_factor": ("row-threshold", {}, "probs"),
}


def errors(scores: Tensor, probs: Tensor) -> dict[str, float]:
    """Mean squared error of every way over all entries.

    Args:
        scores, probs: (..., L), before and after softmax.

    >>> scores = torch.tensor([[3.0, 0.0, -1.0]])
    >>> found = errors(scores, scores.softmax(-1))
    >>> found["best_threshold"] <= found["quarter"] < found["quarter_without_factor"] < found["bibert"]
    True
    """
    given = {"scores": scores, "probs": probs}
    return {
        name: float(
            (probs - binarizers.get(binarizer, **options).encode(given[what]).decode())
            .double()
            .square()
            .mean()
        )
        for name, (binarizer, options, what) in WAYS.items()
    }


@torch.no_grad()
def measure(name: str, task: str = "", examples: int = 500) -> runs.Run:
    """`errors` of a float model's maps on the first held-out examples, the mean over its layers.

    Args:
        name: of a bundled model, or its folder.
        task: its task; that of a bundled model is known.
        examples: how many.

    Raises:
        UserError: no such model, one of texts or without attention, or no data.

    >>> found = measure("digits-vit.float", examples=20).metrics
    >>> found["best_threshold"] <= found["quarter"] < found["bibert"]
    True
    """
    started = time.perf_counter()
    about = tasks.get(task) if task else tasks.of_model(name)
    if about.shows != "picture":
        raise UserError(f"{name} reads texts, whose padding is not counted here; name a model of pictures")
    model: nn.Module = zoo.load(name)
    held_out = about.held_out(about.tokenizer(name))
    inputs = held_out.collate(held_out.examples[:examples])
    seen = binviz.capture(model, inputs, ["layers.*.scores", "layers.*.probs"])
    layers = sorted({key.rpartition(".")[0] for key in seen})
    found = [
        errors(*(torch.as_tensor(np.asarray(seen[f"{layer}.{what}"])) for what in ("scores", "probs")))
        for layer in layers
    ]
    return runs.Run(
        experiment="rows",
        cell=Path(name).name.partition(".seed")[0],
        seed=0,
        config={"model": Path(name).name, "task": about.name},
        selection="none: maps are compared, nothing is trained",
        data={"held out": sources.sha256(inputs[about.takes].flatten(1).tolist())},
        metrics={way: float(np.mean([each[way] for each in found])) for way in WAYS},
        seconds=round(time.perf_counter() - started, 1),
        examples=examples,
        code=runs.code_state(),
        machine=runs.machine(),
    )


def main(arguments: list[str] | None = None) -> None:
    """Print what was measured and write it as a run record."""
    parser = argparse.ArgumentParser(
        prog="python -m binviz.experiments.rows",
        description="How far a binary attention map is from softmax's.",
    )
    parser.add_argument("model", help="a bundled float model of pictures, or its folder")
    parser.add_argument("--task", default="", help="its task, where it is a folder")
    parser.add_argument("--examples", type=int, default=500, help="how many held-out ones")
    parser.add_argument("--out", type=Path, default=Path("runs-out"), help="folder for the record")
    options = parser.parse_args(arguments)
    try:
        run = measure(options.model, options.task, options.examples)
        runs.write(run, options.out / "runs")
        print(run.cell, *(f"{name} {value:.3g}" for name, value in run.metrics.items()))
    except UserError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
