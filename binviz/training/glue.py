"""Fine-tune and binarize a BERT-family model on a GLUE task, stage by stage."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

import binviz
from binviz import zoo
from binviz.data import glue, sources
from binviz.errors import UserError
from binviz.evidence import runs
from binviz.training import evaluate
from binviz.training.batches import LengthBuckets
from binviz.training.loop import Batch, TrainConfig
from binviz.training.settings import check_numbers
from binviz.training.stages import Problem, check_stages, run_stages
from binviz.training.vocabulary import choose_pieces, cut_vocabulary

START = "sentence-transformers/all-MiniLM-L6-v2"

#: Tasks whose training sentences choose the word pieces of a cut table: the labelled ones that are small.
VOCABULARY_TASKS = ("sst2", "cola", "mrpc", "rte", "stsb", "wnli")


@dataclass(frozen=True)
class GlueConfig:
    """A chain of stages on one task.

    Args:
        task: a name of `binviz.data.glue.TASKS`.
        stages: "float" and names of recipes, in order.
        start: hub id or folder of a pre-trained model; where the first stage is not "float", a model
            already fine-tuned on the task, as `binviz.load` takes it.
        epochs: of the float stage.
        lr: of the float stage.
        binary_steps: of every binary stage.
        binary_epochs: of every binary stage, in place of its steps; 0 = count steps.
        binary_lr: of every binary stage.
        scale_lr: of learned scales.
        batch_size: examples in a step.
        distillation: loss of the binary stages, "bit" or "bibert".
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
        if not 0 <= self.dropout < 1:
            raise UserError(f"dropout must be at least 0 and less than 1, not {self.dropout}")


def start_model(config: GlueConfig) -> tuple[nn.Module, PreTrainedTokenizerBase]:
    """The model before the first stage and its tokenizer, cut to `config.pieces` if asked.

    Raises:
        UserError: the model cannot be found or read, or is fine-tuned for another number of labels.
    """
    if config.stages[0] != "float":
        start = f"{config.task}-minilm.float" if config.start == START else config.start
        if start == config.start or start in zoo.names():
            return binviz.load(start), binviz.load_tokenizer(start)
        raise UserError(
            f"there is no float model of {config.task} here; begin with the stage 'float' or name a start"
        )
    if config.positions and not config.pieces:
        raise UserError("positions are cut together with the word pieces; give pieces too")
    torch.manual_seed(config.seed)
    wanted, found = glue.task(config.task).num_labels, sources.pretrained(AutoConfig, config.start)
    fine_tuned = any(name.endswith("ForSequenceClassification") for name in found.architectures or ())
    if fine_tuned and found.num_labels != wanted:
        raise UserError(
            f"{config.start} is fine-tuned for {found.num_labels} labels, {config.task} has {wanted}; "
            "start from a pre-trained model"
        )
    tokenizer = sources.pretrained(AutoTokenizer, config.start)
    model: PreTrainedModel = sources.pretrained(
        AutoModelForSequenceClassification,
        config.start,
        num_labels=wanted,
        use_safetensors=True,
        dtype=torch.float32,
    )
    if config.pieces:
        texts = [text for name in VOCABULARY_TASKS for row in glue.load(name, "train").texts for text in row]
        pieces = choose_pieces(tokenizer, texts, config.pieces)
        most = model.config.max_position_embeddings
        positions = config.positions or most
        if not glue.task(config.task).max_length <= positions <= most:
            raise UserError(
                f"positions must lie between the task's {glue.task(config.task).max_length} and {most}"
            )
        tokenizer = cut_vocabulary(model, tokenizer, pieces, positions)
    return model, tokenizer


def check_fit(model: nn.Module, tokenizer: PreTrainedTokenizerBase, config: GlueConfig) -> None:
    """Raise UserError unless the model gives the task's labels and knows every piece of its tokenizer."""
    wanted, found = glue.task(config.task).num_labels, cast(PreTrainedConfig, model.config)
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


def problem_of(config: GlueConfig, tokenizer: PreTrainedTokenizerBase) -> tuple[Problem, int]:
    """The task's batches and evaluation, and the number of batches in an epoch."""
    task = glue.task(config.task)
    train, held_out = glue.load(config.task, "train"), glue.load(config.task, "validation")
    rows = evaluate.encode(tokenizer, train, task.max_length)
    batches = LengthBuckets([len(row["input_ids"]) for row in rows], config.batch_size, config.seed)

    def batch_of(step: int) -> Batch:
        chosen = batches(step)
        labels = torch.tensor([train.labels[i] for i in chosen])
        return {**evaluate.collate(tokenizer, [rows[i] for i in chosen]), "labels": labels}

    def judge(model: nn.Module) -> tuple[dict[str, float], np.ndarray]:
        return evaluate.judge(model, tokenizer, config.task, held_out)

    data = {"train": train.sha256, "validation": held_out.sha256}
    # Sentences of every length: a batch of short ones would start attention's threshold, twice the mean
    # probability, so high that longer sentences attend to nothing.
    mixed = np.random.default_rng(config.seed).choice(len(rows), size=min(256, len(rows)), replace=False)
    calibration = evaluate.collate(tokenizer, [rows[i] for i in mixed])
    return Problem(config.task, batch_of, judge, data, calibration, tokenizer), batches.per_epoch


def train(config: GlueConfig, out: Path, experiment: str = "glue") -> dict[str, runs.Run]:
    """Run every stage; see `run_stages`.

    Raises:
        UserError: unknown task or stage, data or model not to be had, or interrupted.
    """
    glue.task(config.task)
    check_stages(config.stages, config.distillation)
    model, tokenizer = start_model(config)
    check_fit(model, tokenizer, config)
    problem, batches = problem_of(config, tokenizer)
    per_epoch = (
        batches / Accelerator(mixed_precision="no").num_processes
    )  # each process takes batches of its own
    binary_steps = max(1, round(config.binary_epochs * per_epoch))
    common = {key: getattr(config, key) for key in ("batch_size", "seed", "precision", "optimizer")}
    return run_stages(
        problem,
        config.stages,
        model,
        out,
        experiment=experiment,
        config=asdict(config),
        identify={"start": config.start, "pieces": config.pieces, "positions": config.positions},
        float_stage=TrainConfig(steps=max(1, round(config.epochs * per_epoch)), lr=config.lr, **common),
        binary_stage=TrainConfig(
            steps=binary_steps if config.binary_epochs else config.binary_steps,
            lr=config.binary_lr,
            scale_lr=config.scale_lr,
            **common,
        ),
        distillation=config.distillation,
        hidden_weight=config.hidden_weight,
        label_weight=config.label_weight,
        dropout=config.dropout,
        keep_alphas=config.keep_alphas,
    )
