"""Train and binarize small models on scikit-learn's digits, stage by stage: the command's settings and its chain."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from binviz import tasks, zoo
from binviz.errors import UserError
from binviz.evidence import runs
from binviz.losses import LossChoice
from binviz.tasks.digits import architecture
from binviz.training.settings import TrainConfig, check_numbers, check_seed
from binviz.training.stages import Stage, check_stages, run_stages


@dataclass(frozen=True)
class ImagesConfig:
    """A chain of stages on the digits.

    Args:
        arch: "vit" (4 layers, 2x2 patches) or "cnn" (4 residual convolutions).
        stages: "float" and names of recipes, in order; without "float" the bundled float model is the start.
        width: of the ViT's hidden states, a multiple of its 4 heads; channels of the CNN's second half, even. The
            bundled models have 64.
        steps: of the float stage.
        lr: of the float stage.
        binary_steps: of every binary stage.
        binary_lr: of every binary stage.
        weight_decay: of matrices.
        batch_size: examples in a step.
        hidden_weight: of the hidden states in the distillation loss (only the ViT has them); a recipe
            without scales cannot match their size, and learns with 0.
        label_weight: of the labels' cross-entropy in the binary stages.
        precision: "bf16" or "no".
        seed: of everything.

    Raises:
        UserError: a number out of range.

    >>> ImagesConfig().name, ImagesConfig("cnn", width=32).name
    ('digits-vit', 'digits-cnn-32')
    """

    arch: str = "vit"
    stages: tuple[str, ...] = ("float", "bit-w1a1")
    width: int = 64
    steps: int = 2500
    lr: float = 1e-3
    binary_steps: int = 2500
    binary_lr: float = 5e-3
    weight_decay: float = 0.05
    batch_size: int = 64
    hidden_weight: float = 1.0
    label_weight: float = 1.0
    precision: str = "no"
    seed: int = 0

    def __post_init__(self) -> None:
        check_numbers(
            self,
            positive=("width", "steps", "lr", "binary_steps", "binary_lr", "batch_size"),
            not_negative=("weight_decay", "hidden_weight", "label_weight"),
        )
        check_seed(self.seed)
        if self.width % 4:
            raise UserError(f"width must be a multiple of 4, not {self.width}")

    @property
    def name(self) -> str:
        return f"digits-{self.architecture}"

    @property
    def architecture(self) -> str:
        return architecture(self.arch, self.width)


def stages_of(config: ImagesConfig) -> list[Stage]:
    """The stages in order.

    >>> [(stage.name, stage.train.lr) for stage in stages_of(ImagesConfig(binary_lr=0.002))]
    [('float', 0.001), ('bit-w1a1', 0.002)]
    """
    common: dict[str, Any] = {
        key: getattr(config, key) for key in ("batch_size", "weight_decay", "precision")
    }
    weights = {"hidden_weight": config.hidden_weight, "label_weight": config.label_weight}
    binary = TrainConfig(config.binary_steps, config.binary_lr, scale_lr=1e-3, **common)
    return [
        Stage("float", TrainConfig(config.steps, config.lr, **common), LossChoice("labels"))
        if name == "float"
        else Stage(name, binary, LossChoice("bit", weights))
        for name in config.stages
    ]


def identify(config: ImagesConfig) -> dict[str, Any]:
    """What makes it another run, beside its stages.

    >>> identify(ImagesConfig(stages=("bit-w1a1",)))
    {'task': 'digits', 'architecture': 'vit', 'start': 'digits-vit.float'}
    """
    start = "" if config.stages[0] == "float" else f"{config.name}.float"
    return {"task": "digits", "architecture": config.architecture, "start": start}


def train(config: ImagesConfig, out: Path, experiment: str = "digits") -> dict[str, runs.Run]:
    """Run every stage; see `run_stages`.

    Raises:
        UserError: unknown architecture or stage, or interrupted.
    """
    check_stages(config.stages)
    task, start = tasks.get("digits"), identify(config)["start"]
    if start and start not in zoo.names():
        raise UserError(f"there is no float model {config.name} here; begin with the stage 'float'")
    model = zoo.load(start) if start else task.start(config.architecture, config.seed)[0]
    return run_stages(
        task.problem(None, config.batch_size, config.seed),
        stages_of(config),
        model,
        out,
        name=config.name,
        experiment=experiment,
        config=asdict(config),
        identify=identify(config),
        seed=config.seed,
    )
