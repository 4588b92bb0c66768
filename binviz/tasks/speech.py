"""Spoken digits: which of ten a recording of about a second says; read from a data set that is not bundled.

Two tasks: every speaker is in training and test, or the test is a speaker of whom nothing was heard.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from binviz.data import speech
from binviz.data.corruptions import SPEECH
from binviz.errors import UserError
from binviz.losses import Batch
from binviz.networks import SpeechCNN, SpeechCNNConfig
from binviz.tasks.batches import LengthBuckets
from binviz.tasks.task import Example, HeldOut, Judged, Kind, Problem, Task, register

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: The usual width of the network's second half.
WIDTH = 64
#: Whom the second task is judged on.
UNHEARD = "theo"
#: Frames that a spectrogram is moved by in training, at most.
MOST = speech.FRAMES // 8


def start(name: str, seed: int) -> tuple[nn.Module, None]:
    """An untrained model: "cnn" (4 residual convolutions over time).

    Args:
        name: "cnn", or with a width of its second half that is even, such as "cnn-32".
        seed: of its weights.

    Raises:
        UserError: unknown architecture.

    >>> model, tokenizer = start("cnn-32", seed=0)
    >>> model.config.width, len(model.blocks), tokenizer
    (16, 4, None)
    """
    found = re.fullmatch(r"cnn(?:-([1-9]\d{0,3}))?", name or "cnn")
    width = int(found[1] or WIDTH) if found else 1
    if width % 2:
        raise UserError(f"no architecture {name!r}; choose cnn, or cnn with an even width, such as cnn-32")
    torch.manual_seed(seed)
    return SpeechCNN(SpeechCNNConfig(mels=speech.MELS, width=width // 2)), None


def moved(features: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Every spectrogram (MELS, FRAMES) earlier or later by up to an eighth; what comes in is like the frame beside it.

    >>> ramp = np.arange(speech.FRAMES, dtype=np.float32).reshape(1, 1, -1)
    >>> found = moved(ramp, np.random.default_rng(2))[0, 0]
    >>> found[:4].tolist(), found[-2:].tolist()
    ([6.0, 7.0, 8.0, 9.0], [63.0, 63.0])
    """
    frames = features.shape[-1]
    padded = np.pad(features, ((0, 0), (0, 0), (MOST, MOST)), mode="edge")
    starts = rng.integers(0, 2 * MOST + 1, len(features))
    return np.stack(
        [row[:, start : start + frames] for row, start in zip(padded, starts.tolist(), strict=True)]
    )


@torch.no_grad()
def judge(model: nn.Module, tokenizer: None = None, *, unheard: str = "") -> Judged:
    """Accuracy on the held-out recordings, and whether each is right."""
    found = speech.load("test", unheard)
    model.eval()
    answers = [
        model(input_values=part).logits.argmax(-1) for part in torch.from_numpy(found.features).split(250)
    ]
    correct = torch.cat(answers).numpy() == found.labels
    return {"accuracy": float(correct.mean())}, correct


def problem(tokenizer: None, batch_size: int, seed: int, *, unheard: str = "") -> Problem:
    """Batches of the training recordings, moved in time at random; evaluation on those held out."""
    train, test = speech.load("train", unheard), speech.load("test", unheard)
    batches = LengthBuckets([1] * len(train), batch_size, seed)

    def batch_of(step: int) -> Batch:
        chosen = batches(step)
        features = moved(train.features[chosen], np.random.default_rng((seed, step)))
        return {"input_values": torch.from_numpy(features), "labels": torch.from_numpy(train.labels[chosen])}

    return Problem(
        name_of(unheard),
        batch_of,
        partial(judge, unheard=unheard),
        {"train": train.sha256(), "test": test.sha256()},
        calibration=batch_of(0),
        per_epoch=batches.per_epoch,
        classes=len(speech.CLASSES),
    )


def read(raw: NDArray[np.int16], tokenizer: None = None) -> dict[str, Tensor]:
    """What a model reads of recordings, (N, samples): their spectrograms."""
    return {"input_values": torch.from_numpy(speech.log_mel(raw))}


def held_out_recordings(*, unheard: str = "") -> tuple[NDArray[np.int16], NDArray[np.int64]]:
    """The held-out recordings, (N, samples), and their labels, (N,)."""
    found = speech.load("test", unheard)
    return found.samples, found.labels


def held_out(tokenizer: None = None, *, unheard: str = "") -> HeldOut:
    """The held-out spectrograms."""

    def collate(part: Sequence[Any]) -> dict[str, Tensor]:
        return {"input_values": torch.stack(list(part))}

    return HeldOut(list(torch.from_numpy(speech.load("test", unheard).features)), collate)


def example(index: int, model: str = "", tokenizer: None = None, *, unheard: str = "") -> Example:
    """A held-out recording, by its number.

    Raises:
        UserError: there is no recording of that number, or the data cannot be had.
    """
    found = speech.load("test", unheard)
    if not 0 <= index < len(found):
        raise UserError(f"no recording has the number {index}; choose one from 0 to {len(found) - 1}")
    made = f"speech.load('test', {unheard!r}).samples[{index} : {index + 1}]"
    return Example(
        f"recording {index} by {speech.SPEAKERS[found.speakers[index]]}",
        {"input_values": torch.from_numpy(speech.log_mel(found.samples[index : index + 1]))},
        f"inputs = {{'input_values': torch.from_numpy(speech.log_mel({made}))}}\n",
        imports="from binviz.data import speech\n",
        truth=speech.CLASSES[found.labels[index]],
    )


def name_of(unheard: str) -> str:
    """Of the task that is judged on that speaker alone, or on all."""
    return "speech-unheard" if unheard else "speech"


def _task(unheard: str, title: str) -> Task:
    where: dict[str, Any] = {"unheard": unheard}
    return register(
        Task(
            name=name_of(unheard),
            title=title,
            shows="sound",
            labels=speech.CLASSES,
            start=start,
            problem=partial(problem, **where),
            judge=partial(judge, **where),
            held_out=partial(held_out, **where),
            example=partial(example, **where),
            example_count=lambda: len(speech.load("test", unheard)),
            kind=Kind(read=read, held_out=partial(held_out_recordings, **where), corruptions=SPEECH),
            licence="CC BY-SA 4.0 data; no recording is bundled",
            source=f"trained from scratch on {speech.SOURCE} (Free Spoken Digit Dataset)",
        )
    )


TASK = _task("", "Which digit is spoken?")
UNHEARD_TASK = _task(UNHEARD, f"Which digit is spoken, by {UNHEARD}, of whom nothing was heard in training?")
