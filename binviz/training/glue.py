"""Fine-tune and binarize a BERT-family model on a GLUE task, stage by stage.

    float -> bit-w1a2 -> bit-w1a1

The first stage starts from a pre-trained model and learns from the labels; every later one is a recipe's
name, starts from the previous stage's weights and learns from the previous stage as its teacher (BiT's
multi-distillation, 2205.13016, algorithm 1). A finished stage is kept, an interrupted one goes on.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

import binviz
from binviz import recipes
from binviz.data import glue, sources
from binviz.errors import UserError
from binviz.evidence import runs
from binviz.training import distill, evaluate
from binviz.training.batches import LengthBuckets
from binviz.training.loop import TrainConfig, fit
from binviz.training.vocabulary import choose_pieces, cut_vocabulary

SELECTION = "the last step; validation is looked at once, afterwards"
START = "sentence-transformers/all-MiniLM-L6-v2"

#: Tasks whose training sentences choose the word pieces of a cut table: all that carry labels and are small.
VOCABULARY_TASKS = ("sst2", "cola", "mrpc", "rte", "stsb", "wnli")


@dataclass(frozen=True)
class GlueConfig:
    """A chain of stages on one task.

    Args:
        stages: "float" and names of recipes, in order.
        start: hub id or folder of the model to start from (where the first stage is not "float", a
            model already fine-tuned on the task).
        epochs, lr: of the float stage. binary_steps, binary_lr: of every binary stage.
        pieces: size of the word-piece table after cutting, 0 = not cut; positions likewise.
        dropout: of the binary stages; the float stage keeps the model's own.
    """

    task: str
    stages: tuple[str, ...] = ("float", "bit-w1a1")
    start: str = START
    epochs: float = 3.0
    lr: float = 8e-5
    binary_steps: int = 2000
    binary_lr: float = 2e-4
    batch_size: int = 32
    hidden_weight: float = 1.0
    pieces: int = 0
    positions: int = 0
    dropout: float = 0.0
    precision: str = "bf16"
    seed: int = 0


def start_model(config: GlueConfig) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The pre-trained model with a fresh head, and its tokenizer, cut to `config.pieces` if asked."""
    torch.manual_seed(config.seed)
    tokenizer = sources.pretrained(AutoTokenizer, config.start)
    model = sources.pretrained(
        AutoModelForSequenceClassification,
        config.start,
        num_labels=glue.task(config.task).num_labels,
        dtype=torch.float32,
    )
    if config.pieces:
        texts = [text for name in VOCABULARY_TASKS for row in glue.load(name, "train").texts for text in row]
        pieces = choose_pieces(tokenizer, texts, config.pieces)
        positions = config.positions or model.config.max_position_embeddings
        tokenizer = cut_vocabulary(model, tokenizer, pieces, positions)
    return model, tokenizer


def set_dropout(model: torch.nn.Module, p: float) -> None:
    """Set every dropout of a model."""
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = p


def train(config: GlueConfig, out: Path, experiment: str = "glue") -> dict[str, runs.Run]:
    """Run every stage; model folders and run records go under `out`.

    Returns:
        stage -> its record. Stage i is saved in `out/<task>-<i>-<stage>`, where `binviz.load` reads it.

    Raises:
        UserError: unknown task or stage, data or model not to be had, or interrupted.
    """
    task = glue.task(config.task)
    for stage in config.stages:
        if stage != "float":
            recipes.get(stage)
    if "float" in config.stages[1:]:
        raise UserError("the stage 'float' can only come first")
    records: dict[str, runs.Run] = {}
    teacher: PreTrainedModel | None = None
    for index, stage in enumerate(config.stages):
        folder = out / f"{config.task}-{index}-{stage}"
        cell = f"{config.task}.{'+'.join(config.stages[: index + 1])}"
        record = out / "runs" / experiment / f"{cell}.seed{config.seed}.json"
        if record.exists() and folder.is_dir():
            records[stage], teacher = runs.read(record), binviz.load(folder)
            continue
        if stage == "float":
            model, tokenizer = start_model(config)
        elif teacher is None:
            model, tokenizer = binviz.load(config.start), binviz.load_tokenizer(config.start)
            teacher = binviz.load(config.start)
        else:
            previous = out / f"{config.task}-{index - 1}-{config.stages[index - 1]}"
            model, tokenizer = binviz.load(previous), binviz.load_tokenizer(previous)
        if stage != "float":
            binviz.binarize_(model, stage)
            set_dropout(model, config.dropout)

        data, held_out = glue.load(config.task, "train"), glue.load(config.task, "validation")
        rows = evaluate.encode(tokenizer, data, task.max_length)
        batches = LengthBuckets([len(row["input_ids"]) for row in rows], config.batch_size, config.seed)

        def batch_of(step: int, rows=rows, batches=batches, tokenizer=tokenizer, data=data):  # type: ignore
            chosen = batches(step)
            batch = evaluate.collate(tokenizer, [rows[i] for i in chosen])
            return {**batch, "labels": torch.tensor([data.labels[i] for i in chosen])}

        settings = TrainConfig(
            steps=round(config.epochs * batches.per_epoch) if stage == "float" else config.binary_steps,
            lr=config.lr if stage == "float" else config.binary_lr,
            batch_size=config.batch_size,
            seed=config.seed,
            precision="bf16" if config.precision == "bf16" else "no",
        )
        loss = distill.task_loss if teacher is None else distill.bit_loss(teacher, config.hidden_weight)
        history = fit(model, batch_of, loss, settings, out / f"{folder.name}.checkpoint", label=cell)

        labels = np.asarray(held_out.labels)
        logits = evaluate.glue_logits(model, tokenizer, held_out, task.max_length)
        correct = logits.argmax(-1) == labels if task.num_labels > 1 else np.empty(0)
        run = runs.Run(
            experiment=experiment,
            cell=cell,
            seed=config.seed,
            config={**asdict(replace(config, stages=config.stages[: index + 1])), "train": asdict(settings)},
            selection=SELECTION,
            data={"train": data.sha256, "validation": held_out.sha256},
            metrics=evaluate.glue_metrics(config.task, labels, logits),
            seconds=round(history.seconds, 1),
            predictions=runs.correct_bits(correct),
            curves={"step": history.steps, "loss": history.loss},
            code=runs.code_state(),
            machine=runs.machine(),
        )
        binviz.save(model, folder, tokenizer)
        runs.write(run, out / "runs")
        (out / f"{folder.name}.checkpoint").unlink(missing_ok=True)
        records[stage], teacher = run, model
    return records
