"""Fine-tune and binarize a BERT-family model on a GLUE task, stage by stage: the command's settings and its chain."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from accelerate import Accelerator
from torch import nn

from binviz import tasks, zoo
from binviz.data import glue
from binviz.errors import UserError
from binviz.evidence import runs
from binviz.losses import LossChoice
from binviz.tasks.glue import START, pretrained, with_head
from binviz.training.settings import TrainConfig, check_numbers, check_seed
from binviz.training.stages import Stage, check_stages, run_stages

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase


@dataclass(frozen=True)
class GlueConfig:
    """A chain of stages on one task.

    Args:
        task: a name of `binviz.data.glue.TASKS`.
        stages: "float" and names of recipes, in order.
        start: hub id or folder of a pre-trained model; where the first stage is not "float", a model
            already fine-tuned on the task, as `binviz.load` takes it, or a folder that `binviz pretrain` left.
        epochs: of the float stage.
        lr: of the float stage.
        binary_steps: of every binary stage.
        binary_epochs: of every binary stage, in place of its steps; 0 = count steps.
        binary_lr: of every binary stage.
        scale_lr: of learned scales.
        batch_size: examples in a step.
        distillation: loss of the binary stages, "bit", "bibert" or "labels".
        hidden_weight, label_weight: of the hidden states and of the labels in it.
        pieces: size of the word-piece table after cutting, 0 = not cut.
        positions: of the position table after cutting, 0 = not cut.
        dropout: of the binary stages; the float stage keeps the model's own.
        keep_alphas: a binary stage after a binary one starts from its alphas, see `binviz.training.stages`.
        optimizer: "adamw" or "bert-adam".
        precision: "bf16" or "no".
        seed: of everything.

    Raises:
        UserError: a number out of range.

    >>> config = GlueConfig("sst2", stages=("float", "bit-w1a2", "bit-w1a1"))
    >>> config.binary_steps, config.loss.name
    (2000, 'bit')
    """

    task: str
    stages: tuple[str, ...] = ("float", "bit-w1a1")
    start: str = START
    epochs: float = 3.0
    lr: float = 8e-5
    binary_steps: int = 2000
    binary_epochs: float = 0.0
    binary_lr: float = 2e-4
    scale_lr: float = 1e-4
    batch_size: int = 32
    distillation: str = "bit"
    hidden_weight: float = 1.0
    label_weight: float = 0.0
    pieces: int = 0
    positions: int = 0
    dropout: float = 0.0
    keep_alphas: bool = False
    optimizer: str = "adamw"
    precision: str = "bf16"
    seed: int = 0

    def __post_init__(self) -> None:
        check_numbers(
            self,
            positive=("epochs", "lr", "binary_steps", "binary_lr", "scale_lr", "batch_size"),
            not_negative=("binary_epochs", "hidden_weight", "label_weight", "pieces", "positions"),
        )
        check_seed(self.seed)
        if not 0 <= self.dropout < 1:
            raise UserError(f"dropout must be at least 0 and less than 1, not {self.dropout}")

    @property
    def loss(self) -> LossChoice:
        """What the binary stages learn from.

        Raises:
            UserError: no such distillation.
        """
        if self.distillation == "labels":
            return LossChoice("labels")
        weights = {"hidden_weight": self.hidden_weight, "label_weight": self.label_weight}
        return LossChoice(self.distillation, weights)


def start_model(config: GlueConfig) -> tuple[nn.Module, PreTrainedTokenizerBase]:
    """The model before the first stage and its tokenizer, cut to `config.pieces` if asked.

    Raises:
        UserError: the model cannot be found or read, or is fine-tuned for another number of labels.
    """
    if config.stages[0] == "float":
        return pretrained(config.task, config.start, config.seed, config.pieces, config.positions)
    start = f"{config.task}-minilm.float" if config.start == START else config.start
    if start == config.start or start in zoo.names():
        model: Any = zoo.load(start)
        if hasattr(model, "get_output_embeddings") and model.get_output_embeddings() is not None:
            model = with_head(config.task, model, config.seed)
        return model, zoo.load_tokenizer(start)
    raise UserError(
        f"there is no float model of {config.task} here; begin with the stage 'float' or name a start"
    )


def check_fit(model: nn.Module, tokenizer: PreTrainedTokenizerBase, config: GlueConfig) -> None:
    """Raise UserError unless the model gives the task's labels and knows every piece of its tokenizer."""
    wanted, found = glue.task(config.task).num_labels, cast("PreTrainedConfig", model.config)
    if not type(model).__name__.endswith("ForSequenceClassification"):
        raise UserError(
            f"{config.start} is a {type(model).__name__}, which gives no labels; begin with 'float'"
        )
    if found.num_labels != wanted:
        raise UserError(
            f"{config.start} gives {found.num_labels} labels, {config.task} has {wanted}; "
            "begin with the stage 'float' or name another start"
        )
    largest = max(tokenizer.get_vocab().values())
    if largest >= found.vocab_size:
        raise UserError(
            f"the tokenizer of {config.start} has piece {largest}, its model only {found.vocab_size}; "
            "give the folder of the tokenizer that the model was trained with"
        )


def stages_of(config: GlueConfig, loss: LossChoice, per_epoch: float) -> list[Stage]:
    """The stages that a process trains whose epoch has so many batches.

    >>> config = GlueConfig("sst2", epochs=2.0)
    >>> [(stage.name, stage.train.steps) for stage in stages_of(config, config.loss, per_epoch=100)]
    [('float', 200), ('bit-w1a1', 2000)]
    """
    common = {key: getattr(config, key) for key in ("batch_size", "precision", "optimizer")}
    float_steps = max(1, round(config.epochs * per_epoch))
    binary_steps = (
        max(1, round(config.binary_epochs * per_epoch)) if config.binary_epochs else config.binary_steps
    )
    binary = TrainConfig(binary_steps, config.binary_lr, scale_lr=config.scale_lr, **common)
    return [
        Stage("float", TrainConfig(float_steps, config.lr, **common), LossChoice("labels"))
        if name == "float"
        else Stage(name, binary, loss, dropout=config.dropout, keep_alphas=config.keep_alphas)
        for name in config.stages
    ]


def train(config: GlueConfig, out: Path, experiment: str = "glue") -> dict[str, runs.Run]:
    """Run every stage; see `run_stages`.

    Raises:
        UserError: unknown task or stage, data or model not to be had, or interrupted.
    """
    glue.task(config.task)
    check_stages(config.stages)
    loss = config.loss
    model, tokenizer = start_model(config)
    check_fit(model, tokenizer, config)
    problem = tasks.get(config.task).problem(tokenizer, config.batch_size, config.seed)
    processes = Accelerator(mixed_precision="no").num_processes  # each takes batches of its own
    return run_stages(
        problem,
        stages_of(config, loss, problem.per_epoch / processes),
        model,
        out,
        name=config.task,
        experiment=experiment,
        config=asdict(config),
        identify={
            "task": config.task,
            "start": config.start,
            "pieces": config.pieces,
            "positions": config.positions,
        },
        seed=config.seed,
    )
