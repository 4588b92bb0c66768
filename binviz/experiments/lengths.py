"""Where SST-2 students go wrong: their accuracy by the length of the sentence, and what attention's scale has to do
with it.

    python -m binviz.experiments.lengths runs-out/sst2.bit-w1a2.seed0 --factors 1 0.85

SST-2 trains on phrases (median 11 word pieces) and is judged on sentences (median 26). A probability of attention
is about 1 / length; BiT rounds it to multiples of one learned scale, whatever the length. What lies below half of that
scale is lost.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

import binviz
from binviz.binarizers.elastic import ElasticUnsigned
from binviz.data import glue
from binviz.errors import UserError
from binviz.evidence import runs
from binviz.layers.attention import BinaryAttention
from binviz.tasks.glue import metrics_of
from binviz.tasks.text import encode, logits_of

#: The longest sentences of each class, in word pieces; the last one has no end.
ENDS = (16, 22, 30)


def by_length(correct: np.ndarray, lengths: np.ndarray) -> dict[str, float]:
    """Share of right answers in each class of lengths that has any.

    Args:
        correct: bool (examples,).
        lengths: (examples,).

    >>> by_length(np.array([True, False, True]), np.array([3, 16, 40]))
    {'accuracy_1_16': 0.5, 'accuracy_31_': 1.0}
    """
    classes = np.digitize(lengths, ENDS, right=True)
    names = [f"accuracy_{a + 1}_{b}" for a, b in zip((0, *ENDS), (*ENDS, ""), strict=True)]
    return {name: float(correct[classes == i].mean()) for i, name in enumerate(names) if (classes == i).any()}


@torch.no_grad()
def scale_attention_(model: nn.Module, factor: float) -> None:
    """Multiply the learned scale of attention's probabilities, in every layer.

    Raises:
        UserError: the model has no such scale.
    """
    attention = [part.attention_binarizer for part in model.modules() if isinstance(part, BinaryAttention)]
    scaled = [binarizer for binarizer in attention if isinstance(binarizer, ElasticUnsigned)]
    if not scaled:
        raise UserError("this model's attention has no learned scale; only BiT's recipes have one")
    for binarizer in scaled:
        binarizer.alpha.mul_(factor)


def measure(folder: Path, factor: float) -> runs.Run:
    """Judge a trained model on all 872 sentences, with attention's scale times a factor.

    Args:
        folder: of a trained cell, such as runs-out/sst2.bit-w1a2.seed0.
        factor: 1 leaves the model as it is.

    Raises:
        UserError: no model there, a name that is not a cell's, or no data.
    """
    cell, _, seed = folder.name.rpartition(".seed")
    if not (cell and seed.isdigit()):
        raise UserError(f"{folder.name} is not named as a trained cell is, such as sst2.bit-w1a2.seed0")
    model, tokenizer, examples = (
        binviz.load(folder),
        binviz.load_tokenizer(folder),
        glue.load("sst2", "validation"),
    )
    if factor != 1:
        scale_attention_(model, factor)
    started = time.perf_counter()
    longest, labels = glue.task("sst2").max_length, np.asarray(examples.labels)
    logits = logits_of(model, tokenizer, examples, longest)
    lengths = np.array([len(row["input_ids"]) for row in encode(tokenizer, examples, longest)])
    correct = logits.argmax(-1) == labels
    return runs.Run(
        experiment="lengths",
        cell=f"{cell}.attention-{factor:g}",
        seed=int(seed),
        config={"model": cell, "attention_scale_times": factor},
        selection="none: a trained model is looked at again",
        data={"validation": examples.sha256},
        metrics=metrics_of("sst2", labels, logits) | by_length(correct, lengths),
        seconds=round(time.perf_counter() - started, 1),
        **runs.of_examples(correct),
        code=runs.code_state(),
        machine=runs.machine(),
    )


def main(arguments: list[str] | None = None) -> None:
    """Print a line for each model and factor, and write it as a run record."""
    parser = argparse.ArgumentParser(
        prog="python -m binviz.experiments.lengths", description=__doc__.split("\n")[0]
    )
    parser.add_argument(
        "folders", nargs="+", type=Path, help="trained cells, such as runs-out/sst2.bit-w1a2.seed0"
    )
    parser.add_argument("--factors", nargs="+", type=float, default=[1.0], help="of attention's scale")
    parser.add_argument("--out", type=Path, default=Path("runs-out"), help="folder for the records")
    options = parser.parse_args(arguments)
    try:
        for folder in options.folders:
            for factor in options.factors:
                run = measure(folder, factor)
                runs.write(run, options.out / "runs")
                print(run.cell, *(f"{name} {value:.4f}" for name, value in run.metrics.items()), flush=True)
    except UserError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
