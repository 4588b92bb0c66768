r"""Which noise is in a picture, as a diffusion model learns it: digits, and CIFAR-10 at 16 pixels.

A picture $x_0$ in [-1, 1] at step t of 1000 (Ho et al. 2020, 2006.11239), with $\epsilon$ standard normal:

$$x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon, \qquad
\bar\alpha_t = \prod_{s \le t} (1 - \beta_s), \qquad L = \lVert \epsilon - \epsilon_\theta(x_t, t) \rVert^2 / n$$

Held-out pictures are judged at fixed steps with fixed noise, so that two networks are compared on the same inputs; a
picture's score is its mean squared error, with a minus.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from binviz.data import digits, pictures
from binviz.errors import UserError
from binviz.losses import Batch
from binviz.networks import UNet, UNetConfig
from binviz.tasks.batches import LengthBuckets
from binviz.tasks.pictures import CIFAR10, normalise
from binviz.tasks.task import BATCH, Example, HeldOut, Judged, Problem, Task, register

if TYPE_CHECKING:
    from diffusers import DDIMScheduler

#: Steps of the schedule, and at how many of them, one in each equal part, a held-out picture is judged.
STEPS, JUDGED = 1000, 8
#: Of a set with more held-out pictures, so many are judged.
MOST = 1000
#: Height and width of CIFAR-10's pictures here, and the usual width of a network.
SIDE, WIDTH = 16, 24


@cache
def schedule() -> DDIMScheduler:
    """The schedule, diffusers' own, with a beta that rises from 0.0001 to 0.02 along a line; not to be changed.

    >>> [round(float(schedule().alphas_cumprod[t]), 4) for t in (0, 499, 999)]
    [0.9999, 0.0786, 0.0]
    """
    from diffusers import DDIMScheduler

    return DDIMScheduler(
        num_train_timesteps=STEPS,
        beta_schedule="linear",
        beta_start=1e-4,
        beta_end=0.02,
        timestep_spacing="trailing",
    )


@dataclass(frozen=True)
class Pictures:
    """Pictures without noise.

    name: of the task. load: "train" or "test" -> (N, channels, side, side) in [-1, 1]. side, channels: of them.
    widths: of a network's levels, times that of the outermost. dark: whether 1 is ink on paper.
    """

    name: str
    load: Callable[[str], Tensor]
    side: int
    channels: int
    widths: tuple[int, ...]
    dark: bool = False

    def seen(self, found: Tensor) -> NDArray[np.uint8]:
        """Pictures as one sees them: (N, C, H, W) to (N, H, W), or (N, H, W, 3) of three channels, 0 black, 255 white.

        >>> DIGITS.seen(torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1)).flatten().tolist()
        [255, 0]
        """
        grey = ((-found if self.dark else found).clamp(-1, 1) + 1) * 127.5
        return grey.round().to(torch.uint8).permute(0, 2, 3, 1).squeeze(-1).numpy()

    def start(self, name: str, seed: int) -> tuple[nn.Module, None]:
        """An untrained U-Net: "unet", or with the width of its outermost level, such as "unet-16".

        Raises:
            UserError: unknown architecture, or a width that is no multiple of 8.

        >>> DIGITS.start("unet-16", seed=0)[0].config.widths
        [16, 32]
        """
        found = re.fullmatch(r"unet(?:-([1-9]\d{0,3}))?", name or "unet")
        width = int(found[1] or WIDTH) if found else 0
        if not width or width % 8:
            raise UserError(
                f"no architecture {name!r}; choose unet, or one with a width that is a multiple of 8, such as unet-16"
            )
        torch.manual_seed(seed)
        widths = [width * times for times in self.widths]
        sizes = {"image_size": self.side, "num_channels": self.channels, "head_size": width // 2}
        return UNet(UNetConfig(widths=widths, **sizes)), None

    def problem(self, tokenizer: None, batch_size: int, seed: int) -> Problem:
        """Batches of pictures, steps and noise, which step and seed decide.

        >>> found = DIGITS.problem(None, batch_size=4, seed=0)
        >>> {name: tuple(value.shape) for name, value in found.batch_of(0).items()}
        {'noisy': (4, 1, 8, 8), 'timesteps': (4,), 'labels': (4, 1, 8, 8)}
        """
        images = self.load("train")
        batches = LengthBuckets([1] * len(images), batch_size, seed)

        def batch_of(step: int) -> Batch:
            rng = np.random.default_rng((seed, step))
            clean = images[batches(step)]
            steps = torch.from_numpy(rng.integers(0, STEPS, len(clean)))
            noise = torch.from_numpy(rng.standard_normal(clean.shape, np.float32))
            return {"noisy": schedule().add_noise(clean, noise, steps), "timesteps": steps, "labels": noise}

        return Problem(
            self.name,
            batch_of,
            self.judge,
            {split: _digest(self.load(split)) for split in ("train", "test")},
            calibration=batch_of(0),
            per_epoch=batches.per_epoch,
        )

    def judged(self) -> list[dict[str, Tensor]]:
        """What models are judged on: of each held-out picture at each of its steps one input, with its noise as labels.

        >>> found = DIGITS.judged()
        >>> len(found), found[0]["noisy"].shape, [int(each["timesteps"]) // 125 for each in found[:8]]
        (3600, torch.Size([1, 8, 8]), [0, 1, 2, 3, 4, 5, 6, 7])
        """
        clean = self.load("test")[:MOST].repeat_interleave(JUDGED, 0)
        rng = np.random.default_rng(0)
        parts = rng.integers(0, STEPS // JUDGED, len(clean)).reshape(-1, JUDGED)
        steps = torch.from_numpy(parts + STEPS // JUDGED * np.arange(JUDGED)).flatten()
        noise = torch.from_numpy(rng.standard_normal(clean.shape, np.float32))
        noisy = schedule().add_noise(clean, noise, steps)
        return [
            {"noisy": x, "timesteps": t, "labels": e} for x, t, e in zip(noisy, steps, noise, strict=True)
        ]

    @torch.no_grad()
    def judge(self, model: nn.Module, tokenizer: None = None) -> Judged:
        """Mean squared error of the noise, and with a minus each held-out picture's."""
        model.eval()
        inputs, errors = self.judged(), []
        for first in range(0, len(inputs), BATCH):
            batch = _stacked(inputs[first : first + BATCH])
            found = model(noisy=batch["noisy"], timesteps=batch["timesteps"]).logits.squeeze(-1)
            errors.append((found - batch["labels"]).square().mean((1, 2, 3)))
        of_pictures = torch.cat(errors).view(-1, JUDGED).mean(1).double().numpy()
        return {"loss": float(of_pictures.mean())}, -of_pictures

    def held_out(self, tokenizer: None = None) -> HeldOut:
        """The inputs of `judged`."""
        given = [{name: each[name] for name in ("noisy", "timesteps")} for each in self.judged()]
        return HeldOut(given, _stacked)

    def example(self, index: int, model: str = "", tokenizer: None = None) -> Example:
        """A held-out picture at the step in the middle, by its number.

        Raises:
            UserError: there is no picture of that number.

        >>> found = DIGITS.example(0)
        >>> found.key, found.inputs["noisy"].shape, found.picture.shape
        ('picture 0, step 538', torch.Size([1, 1, 8, 8]), (8, 8))
        """
        count = self.count()
        if not 0 <= index < count:
            raise UserError(f"no picture has the number {index}; choose one from 0 to {count - 1}")
        number = JUDGED * index + JUDGED // 2
        inputs = _stacked(self.held_out().examples[number : number + 1])
        split = f"tasks.get({self.name!r}).held_out(None)"
        return Example(
            f"picture {index}, step {int(inputs['timesteps'])}",
            inputs,
            f"held_out = {split}\ninputs = held_out.collate(held_out.examples[{number} : {number + 1}])\n",
            imports="from binviz import tasks\n",
            picture=self.seen(self.load("test")[index : index + 1])[0],
            picture_code=f"tasks.get({self.name!r}).example({index}, '', None).picture",
        )

    def count(self) -> int:
        """How many pictures are judged."""
        return min(MOST, len(self.load("test")))

    def task(self, title: str, licence: str, source: str) -> Task:
        """The task of saying which noise is in these pictures."""
        return Task(
            name=self.name,
            title=title,
            shows="noise",
            labels=(),
            start=self.start,
            problem=self.problem,
            judge=self.judge,
            held_out=self.held_out,
            example=self.example,
            example_count=self.count,
            licence=licence,
            source=source,
        )


def _stacked(inputs: Sequence[Any]) -> dict[str, Tensor]:
    return {name: torch.stack([each[name] for each in inputs]) for name in inputs[0]}


def _digest(images: Tensor) -> str:
    return hashlib.sha256(images.numpy().tobytes()).hexdigest()


@cache
def _digits(split: str) -> Tensor:
    return torch.from_numpy(digits.load(split)[0])


@cache
def _cifar10(split: str) -> Tensor:
    found = pictures.load(CIFAR10, "train" if split == "train" else "test", SIDE)
    return normalise(found.take(range(len(found))))


DIGITS = Pictures("digits-diffusion", _digits, 8, 1, (1, 2), dark=True)
CIFAR = Pictures("cifar10-diffusion", _cifar10, SIDE, 3, (1, 2, 2))

register(
    DIGITS.task(
        "Which noise is in this digit?",
        "CC-BY-4.0 data",
        "a small U-Net from nothing on scikit-learn's digits (UCI, 1998)",
    )
)
register(
    CIFAR.task(
        "Which noise is in this photograph?",
        "CIFAR-10's own terms; no picture of it is bundled",
        f"a small U-Net from nothing on {CIFAR10}, shrunk to {SIDE} pixels",
    )
)
