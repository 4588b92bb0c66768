"""Other batches than a task has, by name: (problem, seed, model that starts) -> the same problem with those."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from binviz.errors import UserError
from binviz.losses import Batch, inputs_of
from binviz.registry import Registry
from binviz.tasks import Judged, Problem
from binviz.tasks.causal import require_decoder

Augmentation = Callable[[Problem, int, nn.Module], Problem]
REGISTRY: Registry[Augmentation] = Registry("augmentation")
register, get, names = REGISTRY.register, REGISTRY.get, REGISTRY.names
#: The metric of `without_last`: no other than its own runs have it, so that nobody takes it for that of the task.
HELD_OUT = "accuracy_held_out"


def without_last(problem: Problem, share: float) -> Problem:
    """The first epoch's batches but the last ones, over and over, judged on these: for choosing a rate.

    The task's own evaluation split is not looked at.

    Args:
        problem: with one class an example.
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
    return replace(
        problem,
        batch_of=lambda step: problem.batch_of(step % kept),
        evaluate=evaluate,
        data=data,
        indices_of=None,
    )


@register("numbered")
def numbered(problem: Problem, seed: int, start: nn.Module | None = None) -> Problem:
    """Every batch says which examples it has, and for each of these some of other classes, for `binviz.losses.cmim`.

    A batch has "index" (B,), numbers from 0 to N - 1 of the N examples, and "others" (B, K), drawn without repetition,
    as large a share of N as CMIM's 4,096 of 50,000.

    Args:
        problem: with one class an example, that tells its examples' numbers.
        seed: of the others; those of a step are the same in every run.
        start: unused.

    Raises:
        UserError: a problem that does not tell them.
    """
    return _numbered(problem, seed, share=1.0)


@register("numbered-tenth")
def numbered_tenth(problem: Problem, seed: int, start: nn.Module | None = None) -> Problem:
    """The first tenth of the first epoch's batches, over and over as they are, of which N counts the examples.

    For networks that would see all of a large set but once; otherwise as `numbered`.

    Args:
        problem, seed, start: see there.

    Raises:
        UserError: see there.
    """
    return _numbered(problem, seed, share=0.1)


def _numbered(problem: Problem, seed: int, share: float) -> Problem:
    if problem.indices_of is None or problem.labels is None:
        raise UserError(f"{problem.name} does not tell which examples a batch has; take digits or pictures")
    given, kept = problem.indices_of, max(1, round(share * problem.per_epoch))
    pool = np.arange(len(problem.labels)) if share == 1 else np.concatenate([given(i) for i in range(kept)])
    place = np.full(len(problem.labels), -1)
    place[pool] = np.arange(len(pool))
    classes = problem.labels[pool]
    apart = [np.flatnonzero(classes != label) for label in range(problem.classes)]
    count = min(round(4096 / 50_000 * len(pool)), *map(len, apart))

    def batch_of(step: int) -> Batch:
        at = step if share == 1 else step % kept
        random, index = np.random.default_rng((seed, step, 2)), place[given(at)]
        drawn = [random.choice(apart[classes[i]], count, replace=False, shuffle=False) for i in index]
        numbers = {"index": torch.from_numpy(index), "others": torch.from_numpy(np.stack(drawn))}
        return dict(problem.batch_of(at)) | numbers

    targets = (*problem.targets, "index", "others")
    return replace(problem, batch_of=batch_of, targets=targets, indices_of=None)


@register("held-out")
def held_out(problem: Problem, seed: int, start: nn.Module | None = None) -> Problem:
    """The problem without a twentieth of its batches, see `without_last`."""
    return without_last(problem, 0.05)


@register("held-out-fifth")
def held_out_fifth(problem: Problem, seed: int, start: nn.Module | None = None) -> Problem:
    """The problem without a fifth of its batches: of few data a twentieth says nothing."""
    return without_last(problem, 0.2)


@register("joined")
def joined(problem: Problem, seed: int, start: nn.Module | None = None, longest: int = 64) -> Problem:
    """Half of every batch followed by the other half, text by text; the other half stays as it is too.

    More kinds of text than a task has, for students that learn from their teacher alone.

    What a pair of texts is about only the teacher can say, so the batches have no labels.

    Args:
        problem: of single texts, whose word pieces stand between a first and a last special one.
        seed: of the pairs.
        start: unused.
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


@register("own-text")
def own_text(problem: Problem, seed: int, start: nn.Module, count: int = 1024) -> Problem:
    """Text that the model itself writes from nothing, over and over, as DB-LLM calibrates without data (2402.11960).

    Args:
        problem: of next tokens; it is still judged on its own text.
        seed: of what is drawn, each token as likely as the model has it.
        start: a decoder, as it is when the batches are made.
        count: of sequences that it writes.

    Raises:
        UserError: no decoder.
    """
    ids = drawn_text(require_decoder(start), count, problem.calibration["input_ids"].shape[1] + 1, seed)
    size = len(problem.batch_of(0)["input_ids"])
    per_epoch = max(1, count // size)

    def batch_of(step: int) -> Batch:
        epoch, place = divmod(step, per_epoch)
        order = np.random.default_rng((seed, epoch)).permutation(count)
        rows = ids[torch.from_numpy(order[place * size : (place + 1) * size])]
        return {"input_ids": rows[:, :-1], "labels": rows[:, 1:]}

    first = batch_of(0)
    data = problem.data | {"train": f"{count} sequences that the model wrote"}
    return replace(problem, batch_of=batch_of, calibration=first, data=data, per_epoch=per_epoch)


@torch.no_grad()
def drawn_text(model: Any, count: int, length: int, seed: int, at_once: int = 64) -> Tensor:
    """(count, length) tokens of a decoder, drawn as likely as it has them; behind an end it goes on.

    Args:
        model: put in eval mode.
        count, length: of what is written.
        seed: of what is drawn.
        at_once: sequences in a batch.
    """
    model.eval()
    found = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for first in range(0, count, at_once):
            begin = torch.full((min(at_once, count - first), 1), model.config.bos_token_id)
            ids = model.generate(
                begin,
                attention_mask=torch.ones_like(begin),
                do_sample=True,
                top_k=0,
                eos_token_id=None,
                pad_token_id=model.config.bos_token_id,
                max_new_tokens=length - 1,
            )
            found.append(ids)
    return torch.cat(found)


@register("mixup")
def mixup(problem: Problem, seed: int, start: nn.Module | None = None, alpha: float = 0.8) -> Problem:
    r"""Every picture mixed with another of its batch, and so are their labels (Zhang et al. 2018, 1710.09412).

    $$x = \lambda x_i + (1 - \lambda) x_j, \quad y = \lambda y_i + (1 - \lambda) y_j, \quad
    \lambda \sim \mathrm{Beta}(\alpha, \alpha)$$

    with one lambda a batch, as DeiT has it.

    Args:
        problem: of pictures with one class each.
        seed: of the mixtures.
        start: unused.
        alpha: of the distribution.
    """

    def mixed(pictures: Tensor, others: Tensor, random: np.random.Generator) -> tuple[Tensor, float]:
        share = random.beta(alpha, alpha)
        return pictures * share + others * (1 - share), share

    return _with_mixtures(problem, seed, mixed)


@register("cutmix")
def cutmix(problem: Problem, seed: int, start: nn.Module | None = None, alpha: float = 1.0) -> Problem:
    """A rectangle of every picture is another's of its batch (Yun et al. 2019, 1905.04899).

    The labels are mixed by area; the rectangle has the picture's shape, and its area, before it is cut at the
    picture's edge, is 1 - lambda of the picture's, lambda of Beta(alpha, alpha), one a batch.

    Args:
        problem: of pictures with one class each.
        seed: of the rectangles.
        start: unused.
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
