"""What a task is: data, a model to start from, a problem to learn, an example to look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from binviz import zoo
from binviz.data.corruptions import PICTURES
from binviz.data.corruptions.corruption import Corruptions
from binviz.data.pictures import squared
from binviz.losses import Batch, LossChoice
from binviz.registry import Registry

#: What an evaluation gives: metrics, and values of the examples, see `binviz.evidence.runs.of_examples`.
Judged = tuple[dict[str, float], np.ndarray]
Shows = Literal["text", "picture", "points", "sound", "noise", "table"]
#: What is shown -> the main input of models that take it.
TAKES: dict[Shows, str] = {
    "text": "input_ids",
    "picture": "pixel_values",
    "points": "points",
    "sound": "input_values",
    "table": "bits",
    "noise": "noisy",
}
#: Inputs that a model is asked at once.
BATCH = 256


@dataclass(frozen=True)
class Problem:
    """What a chain of stages is trained and judged on.

    name: of the task. batch_of: step -> batch. evaluate: model -> metrics and values of the examples.
    data: split -> sha256. calibration: a batch with examples of every kind, from which a fresh binary model's
    scales start. tokenizer: saved with every stage, or None. targets: entries of a batch that the model is not
    given. loss: what a stage learns from that names no loss. per_epoch: batches that show every example once.
    classes: how many a label may be of; 0 where labels are no classes. indices_of: step -> numbers of its batch's
    examples, and labels: (N,) of all examples by these numbers; None where they are not told.
    """

    name: str
    batch_of: Callable[[int], Batch]
    evaluate: Callable[[nn.Module], Judged]
    data: dict[str, str]
    calibration: Batch
    tokenizer: Any = None
    targets: tuple[str, ...] = ("labels",)
    loss: LossChoice = field(default_factory=lambda: LossChoice("labels"))
    per_epoch: int = 1
    classes: int = 0
    indices_of: Callable[[int], list[int]] | None = None
    labels: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Example:
    """One input, ready for a model, and what is known of it.

    key: names it in caches. inputs: of the forward call, batch 1. code: Python that makes `inputs`. imports: lines
    that the code needs before it. truth: the right answer where it is known. tokens: of a text, between its first
    and last mark. cut: how many of them were left out. texts: as they were written. picture: (H, W) or (H, W, 3) as one
    sees it, 0 black and 255 white, and Python that makes it.
    """

    key: str
    inputs: dict[str, torch.Tensor]
    code: str
    imports: str = ""
    truth: str | None = None
    tokens: tuple[str, ...] = ()
    cut: int = 0
    texts: tuple[str, ...] = ()
    picture: NDArray[np.uint8] | None = None
    picture_code: str = ""

    def position(self, index: int, count: int) -> str:
        """What stands at a position of the sequence of `count` that a model makes of it: a token, or a patch.

        >>> text = Example("a", {}, "", tokens=("good",))
        >>> text.position(1, 3), Example("b", {}, "").position(6, 17)
        ('token 1, “good”,', 'the patch in row 1, column 1')
        """
        if self.tokens:
            return f"token {index}, “{['[CLS]', *self.tokens, '[SEP]'][index]}”,"
        if index == 0:
            return "the class token"
        row, column = divmod(index - 1, round((count - 1) ** 0.5))
        return f"the patch in row {row}, column {column}"


@dataclass(frozen=True)
class HeldOut:
    """The inputs of the evaluation split in the order in which they are judged, and how some become a batch."""

    examples: Sequence[Any]
    collate: Callable[[Sequence[Any]], dict[str, torch.Tensor]]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What the inputs of a task are like before a model's processing, where whoever corrupts or replaces one begins.

    read: (inputs (N, ...), the model's tokenizer, which texts need) -> inputs of the forward call. held_out: () ->
    those that models are judged on, (N, ...), and their labels (N,); a UserError where they are not to be had.
    corruptions: those that there are of them.
    """

    read: Callable[..., dict[str, torch.Tensor]]
    held_out: Callable[[], tuple[NDArray[Any], NDArray[np.int64]]]
    corruptions: Corruptions

    @torch.inference_mode()
    def logits(self, model: nn.Module, raw: NDArray[Any], tokenizer: Any = None) -> NDArray[np.float32]:
        """(N, classes) of a model, put in eval mode, for inputs (N, ...)."""
        model.eval()
        parts = (raw[start : start + BATCH] for start in range(0, len(raw), BATCH))
        return np.concatenate([model(**self.read(part, tokenizer)).logits.float().numpy() for part in parts])


@dataclass(frozen=True, kw_only=True)
class PictureKind(Kind):
    """Pictures, as one sees them: uint8, 0 black and 255 white.

    shape: (side, side) grey, or (side, side, 3) red, green, blue.
    """

    shape: tuple[int, ...]
    corruptions: Corruptions = PICTURES

    def fit(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The middle square of any picture, (H, W, 3), shrunk or enlarged to `shape`.

        >>> photo = np.full((40, 60, 3), 200, np.uint8)
        >>> from binviz import tasks
        >>> tasks.get("digits").pictures.fit(photo).shape
        (8, 8)
        """
        from PIL import Image

        square = squared(picture, self.shape[0])
        return square if len(self.shape) == 3 else np.asarray(Image.fromarray(square).convert("L"))


@dataclass(frozen=True)
class Task:
    """A task.

    Args:
        name: as commands and cells name it.
        title: what is asked, in one line.
        shows: what a page has to show of an example.
        labels: names of the classes, () where the labels are numbers.
        start: (architecture, seed) -> the model before it has learned anything of the task, and its tokenizer or
            None. "" is the usual architecture.
        problem: (tokenizer, batch size, seed) -> what is learned.
        judge: (model, tokenizer) -> what the evaluation split says.
        held_out: tokenizer -> the inputs of that split.
        example: (number, name of the model that reads it, tokenizer) -> an input to look at.
        licence: of what is bundled.
        source: where data and start come from.
        example_count: how many inputs there are to look at.
        kind: of its inputs; None where there are no corruptions of them, or answers are not right or wrong.
        fills: whether its models fill gaps or write on: they give a logit to every word at every place, where others
            give one to each class.
        drawing: (numbers of held-out inputs, name -> folder of a saved model) -> Python that draws what these models
            make of them; None where an answer is no picture.
        about_examples: what is to be known of them where an accuracy on them is shown, in a sentence; "" for nothing.
    """

    name: str
    title: str
    shows: Shows
    labels: tuple[str, ...]
    start: Callable[[str, int], tuple[nn.Module, Any]]
    problem: Callable[[Any, int, int], Problem]
    judge: Callable[[nn.Module, Any], Judged]
    held_out: Callable[[Any], HeldOut]
    example: Callable[[int, str, Any], Example]
    licence: str
    source: str
    example_count: Callable[[], int] = lambda: 0
    kind: Kind | None = None
    fills: bool = False
    drawing: Callable[[Sequence[int], Mapping[str, str]], str] | None = None
    about_examples: str = ""

    @property
    def pictures(self) -> PictureKind | None:
        """Its kind, where that is pictures.

        >>> get("digits").pictures.shape, get("sst2").pictures
        ((8, 8), None)
        """
        return self.kind if isinstance(self.kind, PictureKind) else None

    @property
    def takes(self) -> str:
        """The main input of its models.

        >>> get("digits").takes, get("sst2").takes, get("speech").takes
        ('pixel_values', 'input_ids', 'input_values')
        """
        return TAKES[self.shows]

    @property
    def outputs(self) -> int:
        """How many logits its models give.

        >>> get("digits").outputs, get("sst2").outputs
        (10, 2)
        """
        return len(self.labels) or 1

    def tokenizer(self, model: str | Path) -> Any:
        """The tokenizer of a saved or bundled model, or None where the task needs none.

        Raises:
            UserError: a text model without one.
        """
        return zoo.load_tokenizer(model) if self.shows == "text" else None


REGISTRY: Registry[Task] = Registry("task", lambda one, other: one.title == other.title)
names, get = REGISTRY.names, REGISTRY.get


def register(task: Task) -> Task:
    """Make a task known by its name.

    Raises:
        UserError: the name is taken.
    """
    return REGISTRY.register(task.name)(task)


def of_model(name: str) -> Task:
    """The task of a bundled model.

    Raises:
        UserError: no such model.

    >>> of_model("digits-vit.float").labels[3]
    '3'
    """
    return get(zoo.describe(name).task)
