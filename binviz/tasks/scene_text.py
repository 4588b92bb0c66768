"""Where is text in this picture? Generated scenes: they need no file, and no two batches show the same one.

A model gives two maps, of probabilities and of thresholds, and learns by the three parts of DBNet's loss. It is judged
by the boxes that its probabilities make, on scenes that are drawn once, with a seed of their own. What an example is
worth is the F-measure of its own boxes, 1 where a picture has no text and none is found.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from binviz.data import text_boxes, text_regions
from binviz.data.scene_text import SIZE, Scene, fonts, generate
from binviz.data.text_boxes import Boxes, Matched
from binviz.errors import UserError
from binviz.losses import Batch, LossChoice
from binviz.networks import DBNet, DBNetConfig
from binviz.networks.dbnet import FUSED
from binviz.tasks.pictures import normalise
from binviz.tasks.task import Example, HeldOut, Judged, Problem, Task, register

#: The usual width of the stem.
WIDTH = 12
#: Scenes that models are judged on, and seeds of these and of the ones to learn from.
HELD_OUT, TEST, TRAIN = 500, 1, 0
#: How many batches of a size count as an epoch: together they show so many scenes.
EPOCH = 4096
TARGETS = text_regions.Regions._fields


@cache
def held_out_scenes() -> tuple[Scene, ...]:
    """What models are judged on; not to be written to.

    >>> len(held_out_scenes())
    500
    """
    return tuple(generate(HELD_OUT, np.random.default_rng(TEST)))


def start(name: str, seed: int) -> tuple[nn.Module, None]:
    """An untrained model.

    Args:
        name: "dbnet", or with adaptive scale fusion "dbnet-spatial" or "dbnet-channel-spatial"; or one of them with
            the width of its stem, such as "dbnet-8".
        seed: of its weights.

    Raises:
        UserError: unknown architecture.

    >>> model, tokenizer = start("dbnet-spatial-8", seed=0)
    >>> model.config.width, model.config.fusion, tokenizer
    (8, 'spatial', None)
    """
    found = re.fullmatch(rf"({'|'.join(FUSED)})(?:-([1-9]\d{{0,2}}))?", name or "dbnet")
    if found is None:
        raise UserError(
            f"no architecture {name!r}; choose one of: {', '.join(FUSED)}, or one with a width, such as dbnet-8"
        )
    torch.manual_seed(seed)
    width = int(found[2] or WIDTH)
    return DBNet(DBNetConfig(width=width, fusion=FUSED[found[1]], id2label={0: "text"})), None


def batch_of(scenes: Sequence[Scene]) -> Batch:
    """Pictures of one size and the maps that are learned from them.

    >>> {name: tuple(value.shape) for name, value in batch_of(held_out_scenes()[:2]).items()}["near"]
    (2, 128, 128)
    """
    maps = [text_regions.regions(each.polygons, each.ignored, each.picture.shape[:2]) for each in scenes]
    joined = {
        name: torch.from_numpy(np.stack(part))
        for name, part in zip(TARGETS, zip(*maps, strict=True), strict=True)
    }
    return {"pixel_values": normalise(np.stack([each.picture for each in scenes])), **joined}


@torch.no_grad()
def probabilities(model: nn.Module, pictures: np.ndarray) -> np.ndarray:
    """P of a model, put in eval mode, for pictures (N, H, W, 3); (N, H, W)."""
    model.eval()
    parts = normalise(pictures).split(25)
    return torch.cat([model(pixel_values=part).logits.sigmoid() for part in parts]).squeeze(1).float().numpy()


def found_in(probability: np.ndarray, scene: Scene) -> tuple[Boxes, Matched]:
    """The boxes of a map of probabilities, and what they are worth in a scene."""
    boxes = text_boxes.boxes(probability)
    return boxes, text_boxes.matched(boxes.corners, scene.polygons, scene.ignored)


def measured(of_pictures: Sequence[Matched]) -> Judged:
    """Precision, recall and F-measure over all boxes, the mean F of a picture, and each picture's.

    >>> measured([Matched(1, 1, 2), Matched(0, 1, 0)])[0]
    {'f_measure': 0.5, 'precision': 0.5, 'recall': 0.5, 'f_of_a_picture': 0.3333333333333333}
    """
    total = Matched(*(sum(part) for part in zip(*of_pictures, strict=True)))
    each = np.array([one.f for one in of_pictures])
    return {
        "f_measure": total.f,
        "precision": total.right / max(total.boxes, 1),
        "recall": total.right / max(total.words, 1),
        "f_of_a_picture": float(each.mean()),
    }, each


def judge(model: nn.Module, tokenizer: None = None) -> Judged:
    """`measured` on the held-out scenes."""
    scenes = held_out_scenes()
    maps = probabilities(model, np.stack([scene.picture for scene in scenes]))
    return measured([found_in(*pair)[1] for pair in zip(maps, scenes, strict=True)])


def problem(tokenizer: None, batch_size: int, seed: int) -> Problem:
    """Batches of fresh scenes, which step and seed decide; evaluation on those held out.

    >>> found = problem(None, batch_size=2, seed=0)
    >>> sorted(found.batch_of(0)), found.targets
    (['mask', 'near', 'pixel_values', 'shrunk', 'thresholds'], ('shrunk', 'mask', 'thresholds', 'near'))
    """

    def drawn(step: int) -> Batch:
        return batch_of(generate(batch_size, np.random.default_rng((TRAIN, seed, step))))

    about = f"generated: scenes of {SIZE} pixels, words in {', '.join(fonts())}"
    return Problem(
        "scene-text",
        drawn,
        judge,
        {"train": f"{about}, seed {seed}", "test": f"{about}, {HELD_OUT} scenes"},
        calibration=drawn(0),
        targets=TARGETS,
        loss=LossChoice("dbnet"),
        per_epoch=max(1, EPOCH // batch_size),
    )


def held_out(tokenizer: None = None) -> HeldOut:
    """The held-out scenes.

    >>> found = held_out()
    >>> len(found.examples), found.collate(found.examples[:3])["pixel_values"].shape
    (500, torch.Size([3, 3, 128, 128]))
    """

    def collate(part: Sequence[Any]) -> dict[str, Tensor]:
        return {"pixel_values": normalise(np.stack([scene.picture for scene in part]))}

    return HeldOut(held_out_scenes(), collate)


def example(index: int, model: str = "", tokenizer: None = None) -> Example:
    """A held-out scene, by its number.

    Raises:
        UserError: there is no scene of that number.

    >>> found = example(0)
    >>> found.key, found.inputs["pixel_values"].shape
    ('generated scene 0', torch.Size([1, 3, 128, 128]))
    """
    if not 0 <= index < HELD_OUT:
        raise UserError(f"no scene has the number {index}; choose one from 0 to {HELD_OUT - 1}")
    picture = held_out_scenes()[index].picture
    code = f"held_out_scenes()[{index}].picture"
    return Example(
        f"generated scene {index}",
        {"pixel_values": normalise(picture[None])},
        f"inputs = {{'pixel_values': normalise({code}[None])}}\n",
        imports=(
            "from binviz.tasks.pictures import normalise\nfrom binviz.tasks.scene_text import held_out_scenes\n"
        ),
        picture=picture,
        picture_code=code,
    )


TASK = register(
    Task(
        name="scene-text",
        title="Where is text in this picture?",
        shows="picture",
        labels=("text",),
        start=start,
        problem=problem,
        judge=judge,
        held_out=held_out,
        example=example,
        example_count=lambda: HELD_OUT,
        licence="none: generated; fonts of Pillow (CC0) and matplotlib (Bitstream Vera's licence, OFL 1.1)",
        source="trained from scratch on generated scenes (binviz.data.scene_text)",
    )
)
