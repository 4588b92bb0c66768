r"""CamVid twice: the class of every pixel, and where two classes meet; two tasks for one network.

A pixel is on a boundary where one of its four neighbours is of another class. Those without a class are in no number,
and are nobody's neighbours. `boundary_f1` is $2 t / (2 t + f)$ of all held-out pixels, t of them rightly said to be on
a boundary and f wrongly said or left out; `both` is the mean of it and of `mean_iou`, and a scene's score is the same
of its own pixels.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from binviz.data import scenes
from binviz.losses import Batch, LossChoice
from binviz.losses.labels import NO_LABEL
from binviz.networks import TwoHeads, TwoHeadsConfig
from binviz.tasks import camvid
from binviz.tasks.pictures import normalise
from binviz.tasks.task import Judged, Problem, register

if TYPE_CHECKING:
    from numpy.typing import NDArray


def start(name: str, seed: int) -> tuple[nn.Module, None]:
    """An untrained model with two heads: "unet" or "bypassunet", as `binviz.tasks.camvid.start` takes them.

    Raises:
        UserError: unknown architecture.

    >>> model, tokenizer = start("unet-8", seed=0)
    >>> model.config.width, model.config.num_labels, tokenizer
    (8, 11, None)
    """
    config: Any = camvid.start(name, seed)[0].config
    torch.manual_seed(seed)
    labels = {"id2label": dict(enumerate(scenes.CLASSES))}
    return TwoHeads(TwoHeadsConfig(width=config.width, around_all=config.around_all, **labels)), None


def boundaries_of(labels: Tensor) -> Tensor:
    """Of classes (N, H, W), `NO_LABEL` where there is none: 1 on a boundary, else 0, `NO_LABEL` where there is none.

    >>> boundaries_of(torch.tensor([[[3, 3, 5, NO_LABEL, 7]]])).tolist()
    [[[0, 1, 1, -100, 0]]]
    """
    labelled = labels != NO_LABEL
    found = torch.zeros_like(labels)
    for axis in (1, 2):
        size = labels.shape[axis] - 1
        here, there = (slice(None),) * axis + (slice(size),), (slice(None),) * axis + (slice(1, None),)
        differ = (labels[here] != labels[there]) & labelled[here] & labelled[there]
        found[here] |= differ
        found[there] |= differ
    return found.masked_fill_(~labelled, NO_LABEL)


def counted(said: Tensor, boundaries: Tensor) -> NDArray[np.int64]:
    """Pixels rightly said to be on a boundary, and those wrongly said or left out, of each of N: (N, 2).

    >>> counted(torch.tensor([[True, True, False, True]]), torch.tensor([[1, 0, 1, NO_LABEL]])).tolist()
    [[1, 2]]
    """
    there = boundaries == 1
    right, wrong = there & said, (there ^ said) & (boundaries != NO_LABEL)
    return torch.stack([part.flatten(1).sum(1) for part in (right, wrong)], 1).numpy()


def f1(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Of counts (..., 2) as `counted` gives them, (...); 1 where there is no boundary and none is said.

    >>> f1(np.array([[3, 2], [0, 0]])).tolist()
    [0.75, 1.0]
    """
    right, wrong = counts[..., 0], counts[..., 1]
    return np.where(right + wrong == 0, 1.0, 2 * right / np.maximum(2 * right + wrong, 1))


@torch.no_grad()
def judge(model: nn.Module, tokenizer: None = None) -> Judged:
    """Metrics of both tasks on the held-out scenes, and the mean of both for each scene."""
    found = scenes.load("test")
    model.eval()
    matrices, counts = [], []
    for part in np.array_split(np.arange(len(found)), -(-len(found) // camvid.AT_ONCE)):
        output = model(pixel_values=normalise(found.pictures[part]))
        answers = output.logits.argmax(1).numpy()
        matrices += [camvid.confusion(*pair) for pair in zip(answers, found.labels[part], strict=True)]
        wanted = boundaries_of(camvid.targets_of(found.labels[part]))
        counts.append(counted(output.boundary_logits > 0, wanted))
    of_scenes = np.concatenate(counts)
    iou, share = camvid.mean_iou(np.sum(matrices, 0)), float(f1(of_scenes.sum(0)))
    each = (np.array([camvid.mean_iou(matrix) for matrix in matrices]) + f1(of_scenes)) / 2
    return {"both": (iou + share) / 2, "mean_iou": iou, "boundary_f1": share}, each


def problem(tokenizer: None, batch_size: int, seed: int) -> Problem:
    """The batches of `binviz.tasks.camvid` with their boundaries; evaluation of both."""
    classes = camvid.problem(tokenizer, batch_size, seed)

    def batch_of(step: int) -> Batch:
        batch = classes.batch_of(step)
        return {**batch, "boundaries": boundaries_of(batch["labels"])}

    return replace(
        classes,
        name="camvid-boundaries",
        batch_of=batch_of,
        evaluate=judge,
        calibration=batch_of(0),
        targets=("labels", "boundaries"),
        loss=LossChoice("two-tasks"),
    )


TASK = register(
    replace(
        camvid.TASK,
        name="camvid-boundaries",
        title="Of which class is every pixel of a street scene, and where do two meet?",
        start=start,
        problem=problem,
        judge=judge,
    )
)
