"""Other batches than a task has, by name: (problem, seed) -> the same problem with those."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from binviz.losses import Batch
from binviz.registry import Registry
from binviz.tasks import Problem

Augmentation = Callable[[Problem, int], Problem]
REGISTRY: Registry[Augmentation] = Registry("augmentation")
register, get, names = REGISTRY.register, REGISTRY.get, REGISTRY.names


@register("joined")
def joined(problem: Problem, seed: int, longest: int = 64) -> Problem:
    """Half of every batch followed by the other half, text by text; the other half stays as it is too.

    More kinds of text than a task has, for students that learn from their teacher alone.

    What a pair of texts is about only the teacher can say, so the batches have no labels.

    Args:
        problem: of single texts, whose word pieces stand between a first and a last special one.
        seed: of the pairs.
        longest: number of word pieces after which a pair is cut.
    """

    def batch_of(step: int) -> Batch:
        batch = problem.batch_of(step)
        mask = batch["attention_mask"].bool()
        rows = [ids[real].tolist() for ids, real in zip(batch["input_ids"], mask, strict=True)]
        order = np.random.default_rng((seed, step)).permutation(len(rows))
        plain = [rows[i] for i in order[len(rows) // 2 :]]
        pairs = [
            (rows[i][:-1] + other[1:-1])[: longest - 1] + other[-1:]
            for i, other in zip(order, plain[: len(rows) // 2], strict=False)
        ]
        return dict(problem.tokenizer.pad({"input_ids": pairs + plain}, return_tensors="pt"))

    return replace(problem, batch_of=batch_of)
