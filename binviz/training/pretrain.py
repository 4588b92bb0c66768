"""Pre-train a binary encoder by masked language modelling, distilled from its float self: the command's settings.

    float -> bipft-a        (BiPFT, Xing et al. 2023, 2312.08937)

The float stage gives the encoder an output layer for words; a binary stage starts from it and learns from it.
"""

from __future__ import annotations

import copy
import os
import shutil
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from torch import nn

from binviz import zoo
from binviz.data.corpus import Corpus, files_of, open_corpus
from binviz.data.tokens import digest_of, tokens_of
from binviz.errors import UserError
from binviz.evidence import runs
from binviz.files import alone
from binviz.losses import LossChoice
from binviz.tasks import Problem, language
from binviz.tasks.glue import PIECES, POSITIONS, START
from binviz.training.settings import TrainConfig, check_numbers, check_seed
from binviz.training.stages import Stage, check_stages, run_stages

#: Share of the tokens, at their end, that is held out where no other text is.
HELD_OUT = 0.02


@dataclass(frozen=True)
class PretrainConfig:
    """Stages of pre-training on one text.

    Args:
        text: hub id of a data set; or files, folders of .txt files and patterns, separated by commas.
        subset, column: of a data set.
        held_out: split of the data set, or files, that the model is judged on; "" = the last 2 % of the text.
        start: hub id or folder of a pre-trained encoder.
        stages: "float" and names of recipes, in order, each student the next one's teacher.
        pieces, positions: sizes of the tables after cutting, 0 = not cut; the pieces are those of the GLUE tasks.
        length: tokens of a sequence.
        next_sentence: ask whether the second half of a sequence follows the first one.
        float_steps, lr: of the float stage, whose rate falls to zero.
        steps, binary_lr: of every binary stage.
        scale_lr: of learned scales.
        schedule, warmup: of the binary stages, see `TrainConfig`. With a constant rate, the same command with more
            steps goes on.
        marks: shares of the binary steps after which the model is kept too, with a constant rate.
        batch_size: sequences a step, of each process.
        hidden_weight: of the hidden states in the loss.
        weight_decay, dropout, precision, optimizer: of the binary stages; of the float one, all but dropout.
        checkpoint_every: steps.
        seed: of everything.

    Raises:
        UserError: a number out of range, or settings that do not fit together.

    >>> config = PretrainConfig("some.txt", marks=(0.125, 0.5), steps=80)
    >>> config.ends_of_parts
    [10, 40, 80]
    """

    text: str
    subset: str = ""
    column: str = "text"
    held_out: str = ""
    start: str = START
    stages: tuple[str, ...] = ("float", "bipft-a")
    pieces: int = PIECES
    positions: int = POSITIONS
    length: int = 64
    next_sentence: bool = False
    float_steps: int = 1000
    lr: float = 2e-4
    steps: int = 5000
    binary_lr: float = 5e-4
    scale_lr: float = 1e-4
    schedule: str = "constant"
    warmup: float = 100.0
    marks: tuple[float, ...] = ()
    batch_size: int = 32
    hidden_weight: float = 1.0
    weight_decay: float = 0.01
    dropout: float = 0.0
    precision: str = "no"
    optimizer: str = "adamw"
    checkpoint_every: int = 500
    seed: int = 0

    def __post_init__(self) -> None:
        check_numbers(
            self,
            positive=(
                "float_steps",
                "lr",
                "steps",
                "binary_lr",
                "scale_lr",
                "batch_size",
                "checkpoint_every",
            ),
            not_negative=("pieces", "positions", "warmup", "hidden_weight", "weight_decay", "dropout"),
        )
        check_seed(self.seed)
        if self.length < 8:
            raise UserError(f"length must be at least 8, not {self.length}")
        if self.positions and self.length > self.positions:
            raise UserError(f"length {self.length} is more than the {self.positions} positions that are kept")
        if not all(0 < mark < 1 for mark in self.marks):
            raise UserError(f"marks are shares between 0 and 1, not {list(self.marks)}")
        if self.marks and self.schedule != "constant":
            raise UserError("marks need the constant schedule: a rate that falls to zero has one end")

    @property
    def ends_of_parts(self) -> list[int]:
        """Steps after which a binary stage's model is kept, the last ones among them."""
        return sorted({max(1, round(mark * self.steps)) for mark in self.marks} | {self.steps})

    @property
    def tokens(self) -> int:
        """Tokens that a binary stage sees in one process."""
        return self.steps * self.batch_size * self.length


def stages_of(config: PretrainConfig, steps: int) -> list[Stage]:
    """The stages, their binary ones trained for so many steps.

    >>> [(stage.name, stage.train.steps, stage.train.ends) for stage in stages_of(PretrainConfig("some.txt"), 7)]
    [('float', 1000, True), ('bipft-a', 7, False)]
    """
    names = ("batch_size", "scale_lr", "weight_decay", "optimizer", "precision", "checkpoint_every")
    common: dict[str, Any] = {name: getattr(config, name) for name in names}
    schedule: Any = config.schedule
    binary = TrainConfig(steps, config.binary_lr, schedule=schedule, warmup=config.warmup, **common)
    loss = LossChoice("bipft", {"hidden_weight": config.hidden_weight})
    return [
        Stage("float", TrainConfig(config.float_steps, config.lr, **common), LossChoice("mlm"))
        if name == "float"
        else Stage(name, binary, loss, dropout=config.dropout)
        for name in config.stages
    ]


def start_model(config: PretrainConfig) -> tuple[nn.Module, Any]:
    """The encoder before the first stage, with an output layer for words, and its tokenizer.

    Raises:
        UserError: it cannot be found or read, or has too few positions.
    """
    if config.stages[0] == "float":
        model, tokenizer = language.pretrained(
            config.start, config.seed, config.pieces, config.positions, config.next_sentence
        )
    else:
        model, tokenizer = zoo.load(config.start), zoo.load_tokenizer(config.start)
        if getattr(model, "get_output_embeddings", lambda: None)() is None:
            raise UserError(f"{config.start} has no output layer for words; begin with the stage 'float'")
    about: Any = model.config
    if config.length > (most := about.max_position_embeddings):
        raise UserError(f"{config.start} has {most} positions; length {config.length} is more")
    return model, tokenizer


def make_problem(config: PretrainConfig, tokenizer: Any, cache: Path) -> Problem:
    """What the stages learn, on the tokens of the text, which are made where `cache` has none.

    Raises:
        UserError: text not to be had, none, or a cache that was made from another one.
    """
    train = open_corpus(config.text, config.subset, column=config.column)
    tokens = tokens_of(train, tokenizer, cache / "train")
    if config.held_out:
        other = open_held_out(config)
        held_out, data = tokens_of(other, tokenizer, cache / "held-out"), {"held-out": other.sha256}
    else:
        kept = len(tokens) - max(config.length, round(HELD_OUT * len(tokens)))
        tokens, held_out, data = tokens[: max(0, kept)], tokens[max(0, kept) :], {}

    def sequences(of: Any, seed: int) -> language.Sequences:
        return language.Sequences(of, tokenizer, config.length, seed, config.next_sentence)

    data = {"train": train.sha256, **data}
    return language.problem(
        sequences(tokens, config.seed), sequences(held_out, 0), tokenizer, config.batch_size, data
    )


def open_held_out(config: PretrainConfig) -> Corpus:
    """The text that the model is judged on: a split of the same data set, or files."""
    if files_of(config.text):
        return open_corpus(config.held_out, split="train", column=config.column)
    return open_corpus(config.text, config.subset, config.held_out, config.column)


def identify_of(config: PretrainConfig) -> dict[str, Any]:
    """Settings that make it another run, beside those of its stages."""
    names = ("text", "subset", "held_out", "start", "pieces", "positions", "length", "next_sentence")
    return {name: getattr(config, name) for name in names}


def train(
    config: PretrainConfig, out: Path, cache: Path | None = None, experiment: str = "pretrain"
) -> dict[str, runs.Run]:
    """Run every stage; see `run_stages`. Models of the marks are in folders of their own, "<cell>.at-<steps>.seed<N>".

    Args:
        config: what is trained.
        out: folder for models and records.
        cache: folder for the tokens; `out`/text where it is not given.
        experiment: of the records.

    Raises:
        UserError: unknown stage, text or model not to be had, another run in `out` at this time, or interrupted.
    """
    check_stages(config.stages)
    processes = Accelerator(mixed_precision="no")
    with alone(out) if processes.is_main_process else nullcontext():
        model, tokenizer = start_model(config)
        problem = make_problem(config, tokenizer, cache or out / "text")
        identify = identify_of(config) | {"tokenizer": digest_of(tokenizer)}
        found: dict[str, runs.Run] = {}
        for steps in config.ends_of_parts:
            found = run_stages(
                problem,
                stages_of(config, steps),
                copy.deepcopy(model),
                out,
                name="mlm",
                experiment=experiment,
                config=asdict(config)
                | {"tokens": steps * config.batch_size * config.length * processes.num_processes},
                identify=identify,
                seed=config.seed,
            )
            if processes.is_main_process and steps < config.steps:
                for name, run in found.items():
                    if name != "float" and run.config["train"]["steps"] == steps:
                        keep_mark(run, steps, out)
            processes.wait_for_everyone()
    return found


def keep_mark(run: runs.Run, steps: int, out: Path) -> None:
    """Copy the folder of a model that will be trained further, and its record, under names with its steps."""
    name, mark = f"{run.cell}.seed{run.seed}", replace(run, cell=f"{run.cell}.at-{steps}")
    place = out / f"{mark.cell}.seed{run.seed}"
    if place.is_dir():
        return
    unfinished = place.with_name(place.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.copytree(out / name, unfinished)
    os.replace(unfinished, place)
    runs.write(mark, out / "runs")
