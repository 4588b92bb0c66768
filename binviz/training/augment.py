"""Other batches than a task has, by name: (problem, seed) -> the same problem with those."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from binviz.errors import UserError
from binviz.losses import Batch, inputs_of
from binviz.registry import Registry
from binviz.tasks import Judged, Problem

Augmentation = Callable[[Problem, int], Problem]
REGISTRY: Registry[Augmentation] = Registry("augmentation")
register, get, names = REGISTRY.register, REGISTRY.get, REGISTRY.names
#: The metric of `held_out`: no other than its own runs have it, so that nobody takes it for that of the task.
HELD_OUT = "accuracy_held_out"


@register("held-out")
def held_out(problem: Problem, seed: int, share: float = 0.05) -> Problem:
    """The first epoch's batches but the last ones, over and over, judged on these: for choosing a rate.

    The task's own evaluation split is not looked at.

    Args:
        problem: with one class an example.
        seed: unused; the batches are the problem's.
        share: of the batches, at least one.
    """
    kept = problem.per_epoch - max(1, round(share * problem.per_epoch))
    if kept < 1:
        raise UserError(
            f"{problem.name} has {problem.per_epoch} batch an epoch, none is left to learn from; take smaller batches"
        )

    @torch.no_grad()
    def evaluate(model: nn.Module) -> Judged:
        model.eval()
        found = []
        for step in range(kept, problem.per_epoch):
            batch = problem.batch_of(step)
            logits = model(**inputs_of(batch, problem.targets)).logits
            found.append((logits.argmax(-1) == batch["labels"]).numpy())
        correct = np.concatenate(found)
        return {HELD_OUT: float(correct.mean())}, correct

    data = {"train": problem.data["train"], "held out": f"{share:g} of train"}
    return replace(problem, batch_of=lambda step: problem.batch_of(step % kept), evaluate=evaluate, data=data)


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


@register("mixup")
def mixup(problem: Problem, seed: int, alpha: float = 0.8) -> Problem:
    r"""Every picture mixed with another of its batch, and so are their labels (Zhang et al. 2018, 1710.09412).

    $$x = \lambda x_i + (1 - \lambda) x_j, \quad y = \lambda y_i + (1 - \lambda) y_j, \quad
    \lambda \sim \mathrm{Beta}(\alpha, \alpha)$$

    with one lambda a batch, as DeiT has it.

    Args:
        problem: of pictures with one class each.
        seed: of the mixtures.
        alpha: of the distribution.
    """

    def mixed(pictures: Tensor, others: Tensor, random: np.random.Generator) -> tuple[Tensor, float]:
        share = random.beta(alpha, alpha)
        return pictures * share + others * (1 - share), share

    return _with_mixtures(problem, seed, mixed)


@register("cutmix")
def cutmix(problem: Problem, seed: int, alpha: float = 1.0) -> Problem:
    """A rectangle of every picture is another's of its batch (Yun et al. 2019, 1905.04899).

    The labels are mixed by area; the rectangle has the picture's shape, and its area, before it is cut at the
    picture's edge, is 1 - lambda of the picture's, lambda of Beta(alpha, alpha), one a batch.

    Args:
        problem: of pictures with one class each.
        seed: of the rectangles.
        alpha: of the distribution.
    """

    def mixed(pictures: Tensor, others: Tensor, random: np.random.Generator) -> tuple[Tensor, float]:
        sides = np.array(pictures.shape[-2:])
        half = sides * np.sqrt(1 - random.beta(alpha, alpha)) / 2
        middle = random.integers(sides)
        (top, left), (bottom, right) = (np.clip(middle + way * half, 0, sides).astype(int) for way in (-1, 1))
        found = pictures.clone()
        found[..., top:bottom, left:right] = others[..., top:bottom, left:right]
        return found, 1 - float((bottom - top) * (right - left) / sides.prod())

    return _with_mixtures(problem, seed, mixed)


def _with_mixtures(
    problem: Problem, seed: int, mixed: Callable[[Tensor, Tensor, np.random.Generator], tuple[Tensor, float]]
) -> Problem:
    """The same problem with pictures mixed with their batch in another order, by `mixed` -> pictures, own share."""
    classes = problem.classes

    def batch_of(step: int) -> Batch:
        batch = problem.batch_of(step)
        random = np.random.default_rng((seed, step, 1))
        pictures, labels = batch["pixel_values"], F.one_hot(batch["labels"], classes).float()
        other = torch.from_numpy(random.permutation(len(pictures)))
        found, share = mixed(pictures, pictures[other], random)
        return dict(batch) | {"pixel_values": found, "labels": share * labels + (1 - share) * labels[other]}

    return replace(problem, batch_of=batch_of)
