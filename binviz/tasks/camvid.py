r"""CamVid: which of eleven classes every pixel of a street scene is of; read from a data set that is not bundled.

Of the matrix n of all held-out pixels, $n_{ij}$ of them of class i and said to be j,

$$\mathrm{IoU}_c = \frac{n_{cc}}{\sum_j n_{cj} + \sum_i n_{ic} - n_{cc}}$$

and `mean_iou` is the mean over the classes that are there or are said to be there. A picture's score is the same of its
own pixels. What has no class is in no number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from binviz.data import scenes
from binviz.errors import UserError
from binviz.losses import Batch
from binviz.losses.labels import NO_LABEL
from binviz.networks import SceneUNet, SceneUNetConfig
from binviz.tasks.batches import LengthBuckets
from binviz.tasks.pictures import normalise
from binviz.tasks.task import Example, HeldOut, Judged, Problem, Task, register

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Architecture -> whether a float way goes around all of its convolutions.
AROUND_ALL = {"unet": False, "bypassunet": True}
#: The usual channels of the first stage, and how many pictures are judged at once.
WIDTH, AT_ONCE = 16, 32


def start(name: str, seed: int) -> tuple[nn.Module, None]:
    """An untrained model: "unet", or "bypassunet" with BiDense's way around every convolution.

    Args:
        name: one of them, or with an even number of channels of its first stage, such as "unet-8".
        seed: of its weights.

    Raises:
        UserError: unknown architecture.

    >>> model, tokenizer = start("bypassunet-8", seed=0)
    >>> model.config.width, model.config.around_all, model.config.num_labels, tokenizer
    (8, True, 11, None)
    """
    found = re.fullmatch(rf"({'|'.join(AROUND_ALL)})(?:-([1-9]\d{{0,3}}))?", name or "unet")
    width = int(found[2] or WIDTH) if found else 1
    if found is None or width % 2:
        raise UserError(
            f"no architecture {name!r}; choose {' or '.join(AROUND_ALL)}, or one with an even width, such as unet-8"
        )
    torch.manual_seed(seed)
    labels = {"id2label": dict(enumerate(scenes.CLASSES))}
    return SceneUNet(SceneUNetConfig(width=width, around_all=AROUND_ALL[found[1]], **labels)), None


def varied(
    pictures: NDArray[np.uint8], labels: NDArray[np.uint8], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Every picture, with its labels, moved by up to an eighth of its sides each way, half of them mirrored.

    Behind the edge it is black and has no label.

    Args:
        pictures, labels: (N, H, W, 3) and (N, H, W).
        rng: decides how.

    >>> moved = varied(np.ones((2, 8, 16, 3), np.uint8), np.ones((2, 8, 16), np.uint8), np.random.default_rng(0))
    >>> [part.shape for part in moved], bool(((moved[0][..., 0] == 1) == (moved[1] == 1)).all())
    ([(2, 8, 16, 3), (2, 8, 16)], True)
    """
    count, high, wide = labels.shape
    pads = (high // 8, high // 8), (wide // 8, wide // 8)
    padded = np.pad(pictures, ((0, 0), *pads, (0, 0)))
    padded_labels = np.pad(labels, ((0, 0), *pads), constant_values=scenes.UNLABELLED)
    tops, lefts = (rng.integers(0, 2 * pad + 1, count) for (pad, _) in pads)
    mirrored = np.less(rng.random(count), 0.5)
    found = []
    for part in (padded, padded_labels):
        cut = [
            one[top : top + high, left : left + wide]
            for one, top, left in zip(part, tops, lefts, strict=True)
        ]
        found.append(
            np.stack([one[:, ::-1] if turn else one for one, turn in zip(cut, mirrored, strict=True)])
        )
    return found[0], found[1]


def targets_of(labels: NDArray[np.uint8]) -> Tensor:
    """Labels (...) as a loss takes them: int64, `NO_LABEL` where a pixel has none.

    >>> targets_of(np.array([3, scenes.UNLABELLED], np.uint8)).tolist()
    [3, -100]
    """
    found = torch.from_numpy(labels.astype(np.int64))
    return found.masked_fill_(found == scenes.UNLABELLED, NO_LABEL)


def confusion(answers: NDArray, labels: NDArray) -> NDArray[np.int64]:
    """Pixels of each class (rows) that are said to be of each (columns), (11, 11); those without a label are left out.

    Args:
        answers, labels: classes, of one shape.

    >>> confusion(np.array([3, 1, 3]), np.array([3, 3, scenes.UNLABELLED]))[3, :4].tolist()
    [0, 1, 0, 1]
    """
    count, labelled = len(scenes.CLASSES), labels != scenes.UNLABELLED
    pairs = labels[labelled].astype(np.int64) * count + answers[labelled]
    return np.bincount(pairs, minlength=count**2).reshape(count, count)


def mean_iou(matrix: NDArray[np.int64]) -> float:
    """The mean over classes of a confusion matrix; 0 where there is no pixel.

    >>> mean_iou(np.array([[3, 1], [0, 4]])), mean_iou(np.zeros((2, 2), np.int64))
    (0.775, 0.0)
    """
    right = np.diag(matrix)
    either = matrix.sum(0) + matrix.sum(1) - right
    return float((right[either > 0] / either[either > 0]).mean()) if either.any() else 0.0


@torch.no_grad()
def judge(model: nn.Module, tokenizer: None = None) -> Judged:
    """Mean IoU and share of right pixels of the held-out scenes, and the mean IoU of each scene by itself.

    `scene_iou` is the mean of these.
    """
    found = scenes.load("test")
    model.eval()
    matrices = []
    for part in np.array_split(np.arange(len(found)), -(-len(found) // AT_ONCE)):
        answers = model(pixel_values=normalise(found.pictures[part])).logits.argmax(1).numpy()
        matrices += [confusion(*pair) for pair in zip(answers, found.labels[part], strict=True)]
    total, each = np.sum(matrices, 0), np.array([mean_iou(matrix) for matrix in matrices])
    right = np.diag(total).sum() / max(total.sum(), 1)
    return {"mean_iou": mean_iou(total), "scene_iou": float(each.mean()), "pixels": float(right)}, each


def problem(tokenizer: None, batch_size: int, seed: int) -> Problem:
    """Batches of the training scenes, moved and mirrored at random; evaluation on those held out."""
    train, test = scenes.load("train"), scenes.load("test")
    batches = LengthBuckets([1] * len(train), batch_size, seed)

    def batch_of(step: int) -> Batch:
        chosen = batches(step)
        found, labels = varied(
            train.pictures[chosen], train.labels[chosen], np.random.default_rng((seed, step))
        )
        return {"pixel_values": normalise(found), "labels": targets_of(labels)}

    return Problem(
        "camvid",
        batch_of,
        judge,
        {"train": train.sha256(), "test": test.sha256()},
        calibration=batch_of(0),
        per_epoch=batches.per_epoch,
        classes=len(scenes.CLASSES),
    )


def held_out(tokenizer: None = None) -> HeldOut:
    """The held-out scenes."""
    found = scenes.load("test")

    def collate(part: Sequence[Any]) -> dict[str, Tensor]:
        return {"pixel_values": normalise(found.pictures[[int(i) for i in part]])}

    return HeldOut(range(len(found)), collate)


def example(index: int, model: str = "", tokenizer: None = None) -> Example:
    """A held-out scene, by its number.

    Raises:
        UserError: there is no scene of that number, or the data cannot be had.
    """
    found = scenes.load("test")
    if not 0 <= index < len(found):
        raise UserError(f"no scene has the number {index}; choose one from 0 to {len(found) - 1}")
    code = f"scenes.load('test').pictures[{index}]"
    return Example(
        f"street scene {index}",
        {"pixel_values": normalise(found.pictures[index : index + 1])},
        f"inputs = {{'pixel_values': normalise({code}[None])}}\n",
        imports="from binviz.data import scenes\nfrom binviz.tasks.pictures import normalise\n",
        picture=found.pictures[index],
        picture_code=code,
    )


def drawing(those: Sequence[int], models: Mapping[str, str]) -> str:
    """Python that draws some held-out scenes with their labels, and what saved models say of them.

    >>> print(drawing([4, 7], {"1-bit": "runs-out/mine"}))
    import binviz
    from binviz import plots
    from binviz.data import scenes
    from binviz.tasks.pictures import normalise
    <BLANKLINE>
    found, models = scenes.load("test"), {'1-bit': binviz.load('runs-out/mine')}
    for i in [4, 7]:
        x = normalise(found.pictures[i : i + 1])
        answers = {name: model(x).logits.argmax(1)[0].tolist() for name, model in models.items()}
        plots.segmentation(found.pictures[i], found.labels[i], answers, scenes.CLASSES).show()
    """
    loaded = ", ".join(f"{name!r}: binviz.load({folder!r})" for name, folder in models.items())
    return (
        "import binviz\nfrom binviz import plots\nfrom binviz.data import scenes\n"
        "from binviz.tasks.pictures import normalise\n\n"
        f'found, models = scenes.load("test"), {{{loaded}}}\n'
        f"for i in {list(those)}:\n"
        "    x = normalise(found.pictures[i : i + 1])\n"
        "    answers = {name: model(x).logits.argmax(1)[0].tolist() for name, model in models.items()}\n"
        "    plots.segmentation(found.pictures[i], found.labels[i], answers, scenes.CLASSES).show()"
    )


TASK = register(
    Task(
        name="camvid",
        title="Of which class is every pixel of a street scene?",
        shows="picture",
        labels=scenes.CLASSES,
        start=start,
        problem=problem,
        judge=judge,
        held_out=held_out,
        example=example,
        example_count=lambda: len(scenes.load("test")),
        drawing=drawing,
        licence="CamVid's own terms; no picture of it is bundled",
        source=f"trained from scratch on {scenes.SOURCE} (CamVid, 11 classes)",
    )
)
