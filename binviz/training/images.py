"""Train and binarize models on pictures, stage by stage: the command's settings and its chain."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from binviz import zoo
from binviz.errors import UserError
from binviz.evidence import runs
from binviz.losses import LossChoice
from binviz.tasks import Task, digits, pictures
from binviz.training import augment
from binviz.training.settings import TrainConfig, check_numbers, check_seed
from binviz.training.stages import Stage, check_stages, run_stages

#: Scikit-learn's handwritten digits, which need no network.
DIGITS = "digits"


@dataclass(frozen=True)
class ImagesConfig:
    """A chain of stages on pictures.

    Args:
        arch: "vit", "cnn", "mixer", "resnet" or "birealnet", on other pictures than the digits "swin" too, or the hub
            id or folder of a checkpoint; see `binviz.tasks.digits.start` and `binviz.tasks.pictures.network`.
        stages: "float" and names of recipes, in order; without "float" the checkpoint or the bundled float model is the
            start.
        width: of the hidden states, of the Swin's first stage, of a convolutional network's channels at the end; a
            multiple of 4. 0 is the usual one.
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
        dataset: "digits", a hub id such as "uoft-cs/cifar10", or a folder of pictures, see `binviz.data.pictures`.
        size: height and width to which pictures are scaled; 0 leaves those of the data set.
        mix: "mixup" or "cutmix", a name of `binviz.training.augment`; "" for neither.

    Raises:
        UserError: a number out of range.

    >>> ImagesConfig().name, ImagesConfig("cnn", width=32).name, ImagesConfig("swin", dataset="uoft-cs/cifar10").name
    ('digits-vit', 'digits-cnn-32', 'cifar10-swin')
    """

    arch: str = "vit"
    stages: tuple[str, ...] = ("float", "bit-w1a1")
    width: int = 0
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
    dataset: str = DIGITS
    size: int = 0
    mix: str = ""

    def __post_init__(self) -> None:
        check_numbers(
            self,
            positive=("steps", "lr", "binary_steps", "binary_lr", "batch_size"),
            not_negative=("width", "size", "weight_decay", "hidden_weight", "label_weight"),
        )
        if self.mix:
            augment.get(self.mix)
        check_seed(self.seed)
        if self.width % 4:
            raise UserError(f"width must be a multiple of 4, not {self.width}")

    @property
    def name(self) -> str:
        """Of the task and what learns it."""
        task = DIGITS if self.dataset == DIGITS else pictures.name_of(self.dataset, self.size)
        return f"{task}-{pictures.name_of(self.architecture)}"

    @property
    def architecture(self) -> str:
        """As the task's `start` takes it."""
        usual = digits.WIDTH if self.dataset == DIGITS else pictures.WIDTHS.get(self.arch, 0)
        return self.arch if self.width in (0, usual) else f"{self.arch}-{self.width}"

    @property
    def is_checkpoint(self) -> bool:
        """Whether it starts from weights that have learned something elsewhere."""
        return self.dataset != DIGITS and self.arch not in pictures.WIDTHS

    @property
    def task(self) -> Task:
        """What is learned.

        Raises:
            UserError: the data cannot be had.
        """
        if self.dataset == DIGITS:
            if self.size:
                raise UserError("the digits have 8 pixels a side; leave out --size")
            return digits.TASK
        return pictures.task_of(self.dataset, self.size)


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
    own = config.stages[0] == "float" or config.is_checkpoint
    start = "" if own else f"{config.name}.float"
    task, _, _ = config.name.partition(f"-{pictures.name_of(config.architecture)}")
    mixed = {"augment": config.mix} if config.mix else {}
    return {"task": task, "architecture": config.architecture, "start": start} | mixed


def train(config: ImagesConfig, out: Path) -> dict[str, runs.Run]:
    """Run every stage; see `run_stages`.

    Raises:
        UserError: unknown architecture or stage, or interrupted.
    """
    check_stages(config.stages)
    start = identify(config)["start"]
    if start and start not in zoo.names():
        raise UserError(f"there is no float model {config.name} here; begin with the stage 'float'")
    task = config.task
    model = zoo.load(start) if start else task.start(config.architecture, config.seed)[0]
    problem = task.problem(None, config.batch_size, config.seed)
    return run_stages(
        augment.get(config.mix)(problem, config.seed, model) if config.mix else problem,
        stages_of(config),
        model,
        out,
        name=config.name,
        experiment=identify(config)["task"],
        config=asdict(config),
        identify=identify(config),
        seed=config.seed,
    )
