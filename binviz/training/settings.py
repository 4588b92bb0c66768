"""How long and how fast; and one line for numbers that cannot be used, before anything is loaded or trained."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from binviz.errors import UserError
from binviz.training import optimizers

#: No rate, count or weight of a run is as large; it keeps products of two settings finite.
LARGEST = 1e9


def check_numbers(config: Any, *, positive: tuple[str, ...] = (), not_negative: tuple[str, ...] = ()) -> None:
    """Raise UserError unless the named settings are numbers in range.

    Args:
        config: a dataclass.
        positive: names of settings above 0.
        not_negative: names of settings that may be 0.

    >>> from types import SimpleNamespace
    >>> check_numbers(SimpleNamespace(lr=float("nan")), positive=("lr",))
    Traceback (most recent call last):
    binviz.errors.UserError: lr must be greater than 0 and at most 1e+09, not nan
    """
    for name in positive + not_negative:
        value, least = getattr(config, name), "greater than" if name in positive else "at least"
        if not 0 <= value <= LARGEST or (name in positive and value == 0):
            raise UserError(f"{name} must be {least} 0 and at most {LARGEST:g}, not {value}")


def check_seed(seed: int) -> None:
    """Raise UserError unless every generator takes the seed."""
    if not 0 <= seed < 2**63:
        raise UserError(f"seed must be at least 0 and less than 2**63, not {seed}")


@dataclass(frozen=True)
class TrainConfig:
    """How long and how fast.

    lr is the peak learning rate; scale_lr that of learned scales (BiT: 1e-4, no decay). schedule "linear": the rate
    rises in the share `warmup` of the steps and falls to zero at the end, "cosine": likewise along half a cosine.
    "constant": it rises in `warmup` steps and stays; such a run has no last step, and goes on where it ended when it is
    given more. precision "bf16" multiplies
    matrices in bfloat16. optimizer: a name of `binviz.training.optimizers`; `clip` is the largest norm of all
    gradients together, or of each tensor's where the optimizer clips by itself.

    Raises:
        UserError: a number out of range, or an unknown word.

    >>> config = TrainConfig(steps=1000, lr=2e-4)
    >>> config.batch_size, config.warmup, config.ends
    (32, 0.1, True)
    """

    steps: int
    lr: float
    batch_size: int = 32
    scale_lr: float = 1e-4
    weight_decay: float = 0.01
    warmup: float = 0.1
    clip: float = 1.0
    precision: Literal["no", "bf16"] = "no"
    optimizer: str = "adamw"
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    checkpoint_every: int = 500

    def __post_init__(self) -> None:
        check_numbers(
            self,
            positive=("steps", "lr", "batch_size", "scale_lr", "clip", "checkpoint_every"),
            not_negative=("weight_decay", "warmup"),
        )
        if self.precision not in ("no", "bf16"):
            raise UserError(f"precision is 'no' or 'bf16', not {self.precision!r}")
        if self.schedule not in ("linear", "cosine", "constant"):
            raise UserError(f"schedule is 'linear', 'cosine' or 'constant', not {self.schedule!r}")
        optimizers.get(self.optimizer)

    @property
    def ends(self) -> bool:
        """Whether the last step is one of the settings: what depends on it cannot go on behind it."""
        return self.schedule != "constant"

    def identity(self) -> dict[str, Any]:
        """What makes it another run: all but how often it is saved, and the length of one that has no end.

        >>> "steps" in TrainConfig(10, 0.1, schedule="constant").identity()
        False
        """
        left_out = {"checkpoint_every"} if self.ends else {"checkpoint_every", "steps"}
        return {name: value for name, value in asdict(self).items() if name not in left_out}


def rate(step: int, config: TrainConfig) -> float:
    """Share of the peak learning rate at a step: up to 1 in the warm-up, then down to 0 at the end, or constant.

    >>> config = TrainConfig(steps=10, lr=1.0, warmup=0.2)
    >>> [rate(step, config) for step in (0, 1, 2, 6, 10)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    >>> [rate(step, TrainConfig(10, 1.0, warmup=2, schedule="constant")) for step in (0, 1, 9)]
    [0.5, 1.0, 1.0]
    >>> config = TrainConfig(steps=10, lr=1.0, warmup=0.2, schedule="cosine")
    >>> [round(rate(step, config), 3) for step in (0, 2, 6, 9)]
    [0.5, 1.0, 0.5, 0.038]
    """
    if not config.ends:
        return min((step + 1) / max(1, round(config.warmup)), 1.0)
    rising = max(1, round(config.warmup * config.steps))
    left = (config.steps - step) / max(1, config.steps - rising)
    if config.schedule == "cosine" and left < 1:
        left = (1 - math.cos(math.pi * left)) / 2
    return min((step + 1) / rising, left)
