"""What padding changes in BiT's loss: the official code averages the hidden states' distance over padded positions too.

    python -m binviz.experiments.padding

Its batches are padded to 64 word pieces, and most SST-2 phrases have about ten: most of what its loss compares is
padding. Here padding is left out (`binviz.losses.bit`). Both losses of one student on the same phrases, drawn at
random; their gradients over all parameters are compared as vectors.
"""

from __future__ import annotations

import argparse
import copy
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import binviz
from binviz.data import glue
from binviz.errors import UserError
from binviz.evidence import runs
from binviz.losses import Batch
from binviz.losses.bit import hidden_loss, logit_loss, outputs
from binviz.tasks.text import collate, encode
from binviz.training.stages import calibrate

#: What the official scripts pad SST-2 to, and how many phrases a step has.
LENGTH, BATCH = 64, 16


def padded(batch: Batch, length: int) -> dict[str, Tensor]:
    """The same examples with more padding, (B, length); zeros are padding in every input of a BERT.

    >>> batch = {"input_ids": torch.tensor([[5, 7]]), "attention_mask": torch.tensor([[1, 1]])}
    >>> {name: value.tolist() for name, value in padded(batch, 4).items()}
    {'input_ids': [[5, 7, 0, 0]], 'attention_mask': [[1, 1, 0, 0]]}
    """
    return {name: F.pad(value, (0, length - value.shape[1])) for name, value in batch.items()}


def gradient(student: nn.Module, teacher: nn.Module, batch: Batch, padding: bool) -> Tensor:
    """Gradient of BiT's loss over all parameters, one float64 vector.

    Args:
        student, teacher: as for `binviz.losses.bit.BitLoss`.
        batch: inputs without labels.
        padding: whether padded positions count, as in the official code.
    """
    got, wanted = outputs(student, teacher, batch)
    mask = None if padding else batch["attention_mask"]
    hidden = hidden_loss(got.hidden_states, wanted.hidden_states, mask)
    parameters = [parameter for parameter in student.parameters() if parameter.requires_grad]
    loss = logit_loss(got.logits.float(), wanted.logits.float()) + hidden
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
    return torch.cat([g.flatten().double() for g in gradients if g is not None])


def compare(student: nn.Module, teacher: nn.Module, batch: Batch, length: int) -> dict[str, float]:
    """The official loss on a batch padded to `length` beside ours.

    Returns:
        padding: share of positions. difference: |official - ours| / |ours|. cosine: between them. ratio: of lengths.
    """
    ours = gradient(student, teacher, batch, padding=False)
    longer = padded(batch, length)
    official = gradient(student, teacher, longer, padding=True)
    return {
        "padding": 1 - float(longer["attention_mask"].double().mean()),
        "difference": float((official - ours).norm() / ours.norm()),
        "cosine": float(F.cosine_similarity(official, ours, dim=0)),
        "ratio": float(official.norm() / ours.norm()),
    }


def measure(batches: int = 4, seed: int = 0) -> runs.Run:
    """Mean of `compare` over batches of SST-2, for an untrained bit-w1a1 student of the bundled float model.

    Args:
        batches: how many.
        seed: of the phrases that are drawn.

    Raises:
        UserError: no data.
    """
    started = time.perf_counter()
    name, train = "sst2-minilm.float", glue.load("sst2", "train")
    tokenizer, student = binviz.load_tokenizer(name), binviz.load(name)
    teacher = copy.deepcopy(student)
    rng = np.random.default_rng(seed)

    def draw(count: int) -> Batch:
        chosen = rng.choice(len(train), size=count, replace=False)
        texts = glue.Examples([train.texts[i] for i in chosen], [0] * count, "")
        return collate(tokenizer, encode(tokenizer, texts, LENGTH))

    binviz.binarize_(student, "bit-w1a1")
    calibrate(student, draw(256))
    drawn = [draw(BATCH) for _ in range(batches)]
    found = {
        "longest": [compare(student, teacher, batch, batch["input_ids"].shape[1]) for batch in drawn],
        str(LENGTH): [compare(student, teacher, batch, LENGTH) for batch in drawn],
    }
    return runs.Run(
        experiment="padding",
        cell="sst2.bit-w1a1.untrained",
        seed=seed,
        config={"teacher": name, "batches": batches, "batch_size": BATCH, "length": LENGTH},
        selection="none: gradients are compared, nothing is trained",
        data={"train": train.sha256},
        metrics={
            f"{key}_{length}": float(np.mean([row[key] for row in rows]))
            for length, rows in found.items()
            for key in rows[0]
        },
        seconds=round(time.perf_counter() - started, 1),
        examples=batches * BATCH,
        code=runs.code_state(),
        machine=runs.machine(),
    )


def main(arguments: list[str] | None = None) -> None:
    """Print what was measured and write it as a run record."""
    parser = argparse.ArgumentParser(
        prog="python -m binviz.experiments.padding", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--out", type=Path, default=Path("runs-out"), help="folder for the record")
    options = parser.parse_args(arguments)
    try:
        run = measure()
        runs.write(run, options.out / "runs")
        print(run.cell, *(f"{name} {value:.3f}" for name, value in run.metrics.items()))
    except UserError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
