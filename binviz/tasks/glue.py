"""The GLUE tasks (Wang et al. 2018, 1804.07461) as tasks: sentences or pairs of them, a label or a number."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from binviz import zoo
from binviz.convert import binarize_
from binviz.data import glue, sentences, sources
from binviz.errors import UserError
from binviz.losses import Batch
from binviz.saving.folder import CONFIG, check_tokenizer
from binviz.saving.start import check_start
from binviz.tasks import text
from binviz.tasks.batches import LengthBuckets
from binviz.tasks.task import Example, HeldOut, Judged, Problem, Task, register

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerBase

#: Of the usual start: 6 layers, 384 wide; its word pieces and positions are cut to these.
START, PIECES, POSITIONS = "sentence-transformers/all-MiniLM-L6-v2", 11_000, 256

#: Tasks whose training sentences choose the word pieces of a cut table: the labelled ones that are small.
VOCABULARY_TASKS = ("sst2", "cola", "mrpc", "rte", "stsb", "wnli")

OUR_SENTENCES = (
    "These sixty sentences are our own and hard on purpose, with negation, contrast and irony: models do better on "
    "SST-2's."
)
#: name -> what is asked, and the classes in the order of their numbers; none where the label is a number.
ASKED: dict[str, tuple[str, tuple[str, ...]]] = {
    "sst2": ("Is this positive or negative?", ("negative", "positive")),
    "cola": ("Is this sentence grammatical?", ("unacceptable", "acceptable")),
    "mrpc": ("Do these two sentences say the same?", ("not equivalent", "equivalent")),
    "rte": ("Does the first sentence entail the second?", ("entailment", "not entailment")),
    "wnli": ("Does the first sentence entail the second?", ("not entailment", "entailment")),
    "stsb": ("How similar are these two sentences, from 0 to 5?", ()),
    "qnli": ("Does the sentence answer the question?", ("entailment", "not entailment")),
    "qqp": ("Do these two questions ask the same?", ("not duplicate", "duplicate")),
    "mnli": (
        "Does the first sentence entail or contradict the second?",
        ("entailment", "neutral", "contradiction"),
    ),
}


def pretrained(
    task: str, name: str, seed: int, pieces: int = 0, positions: int = 0
) -> tuple[nn.Module, PreTrainedTokenizerBase]:
    """A pre-trained model with a fresh head for the task, and its tokenizer, cut if asked.

    Args:
        task: a name of `binviz.data.glue.TASKS`.
        name: hub id or folder.
        seed: of the head.
        pieces: size of the word-piece table after cutting, 0 = not cut.
        positions: of the position table after cutting, 0 = not cut.

    Raises:
        UserError: the model cannot be found or read, or is fine-tuned for another number of labels.
    """
    from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

    if positions and not pieces:
        raise UserError("positions are cut together with the word pieces; give pieces too")
    torch.manual_seed(seed)
    folder, wanted = Path(sources.model_location(name)), glue.task(task).num_labels
    if folder.is_dir():
        check_start(
            folder,
            lambda: AutoModelForSequenceClassification.from_config(sources.pretrained(AutoConfig, name)),
        )
    found = sources.pretrained(AutoConfig, name)
    fine_tuned = any(kind.endswith("ForSequenceClassification") for kind in found.architectures or ())
    if fine_tuned and found.num_labels != wanted:
        raise UserError(
            f"{name} is fine-tuned for {found.num_labels} labels, {task} has {wanted}; "
            "start from a pre-trained model"
        )
    tokenizer = sources.pretrained(AutoTokenizer, name)
    check_tokenizer(tokenizer, name)
    model, about = sources.pretrained(
        AutoModelForSequenceClassification,
        name,
        num_labels=wanted,
        use_safetensors=True,
        dtype=torch.float32,
        output_loading_info=True,
    )
    # What is drawn anew is the head, of which a pooler may be part
    drawn = [key for key in about["missing_keys"] if key.startswith(f"{model.base_model_prefix}.")]
    if drawn := [key for key in drawn if ".pooler." not in key]:
        raise UserError(f"the weights of {name} lack {drawn[0]}; name another start")
    if pieces:
        tokenizer = cut(model, tokenizer, pieces, positions, least=glue.task(task).max_length)
    return model, tokenizer


def cut(model: Any, tokenizer: Any, pieces: int, positions: int = 0, least: int = 1) -> Any:
    """Cut a model's table to the pieces that the GLUE tasks use most, in place; the tokenizer of what is left.

    Args:
        model, tokenizer: of the BERT family.
        pieces: that are kept.
        positions: that are kept, 0 = all.
        least: positions that must be.

    Raises:
        UserError: a number of positions that cannot be, or data not to be had.
    """
    from binviz.tasks.vocabulary import choose_pieces, cut_vocabulary

    texts = [row for each in VOCABULARY_TASKS for rows in glue.load(each, "train").texts for row in rows]
    kept = choose_pieces(tokenizer, texts, pieces)
    most = model.config.max_position_embeddings
    positions = positions or most
    if not least <= positions <= most:
        raise UserError(f"positions must lie between the task's {least} and {most}")
    return cut_vocabulary(model, tokenizer, kept, positions)


def with_head(task: str, model: Any, seed: int) -> nn.Module:
    """A model for the task around the encoder of one that gives words, with all that a binary one has learned.

    Args:
        task: a name of `binviz.data.glue.TASKS`.
        model: for masked language modelling, float or binary; its tensors are copied.
        seed: of the head, to which a pooler belongs where the model has none. It is the same for float and binary.

    Raises:
        UserError: there is no such model of this family.
    """
    from transformers import AutoModelForSequenceClassification

    config = copy.deepcopy(model.config)
    config.num_labels = glue.task(task).num_labels
    torch.manual_seed(seed)
    try:
        made = AutoModelForSequenceClassification.from_config(config)
    except ValueError as error:
        raise UserError(f"a {type(model).__name__} cannot be fine-tuned on {task}: {error}") from error
    if (recipe := getattr(model, "binviz_recipe", None)) is not None:
        binarize_(made, recipe)
    found = made.base_model.load_state_dict(model.base_model.state_dict(), strict=False)
    wrong = [key for key in found.missing_keys if not key.startswith("pooler.")] + found.unexpected_keys
    if wrong:
        raise UserError(f"the encoder of this {type(model).__name__} does not fit: {wrong[0]}")
    return made


def start(task: str, architecture: str, seed: int) -> tuple[nn.Module, PreTrainedTokenizerBase]:
    """all-MiniLM-L6-v2 with the pieces that the tasks use ("minilm", the usual one), or a model of the hub as it is.

    Or the encoder of a folder that `binviz pretrain` left, float or binary, or of a bundled model that gives words.
    """
    if architecture in ("", "minilm"):
        return pretrained(task, START, seed, PIECES, POSITIONS)
    if (Path(architecture) / CONFIG).is_file() or architecture in zoo.names():
        model: Any = zoo.load(architecture)
        if hasattr(model, "get_output_embeddings") and model.get_output_embeddings() is not None:
            return with_head(task, model, seed), zoo.load_tokenizer(architecture)
    return pretrained(task, architecture, seed)


def metrics_of(task: str, labels: np.ndarray, logits: np.ndarray) -> dict[str, float]:
    """The task's metrics as its leaderboard defines them, in [0, 1] or [-1, 1].

    Accuracy everywhere but stsb (Pearson, Spearman); F1 beside it for mrpc and qqp, Matthews for cola. A model
    that gives the same score to everything correlates with nothing: 0.

    Args:
        task: a name of `binviz.data.glue.TASKS`.
        labels: (examples,).
        logits: (examples, labels).

    Raises:
        UserError: unknown task.

    >>> metrics_of("cola", np.array([0, 1, 1]), np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]))
    {'accuracy': 0.666..., 'matthews': 0.5}
    """
    from scipy import stats
    from sklearn import metrics

    if glue.task(task).num_labels == 1:
        scores = logits[:, 0]
        if np.ptp(scores) == 0:
            return {"pearson": 0.0, "spearman": 0.0}
        return {
            "pearson": float(stats.pearsonr(labels, scores).statistic),
            "spearman": float(stats.spearmanr(labels, scores).statistic),
        }
    predicted = logits.argmax(-1)
    found: dict[str, Any] = {"accuracy": metrics.accuracy_score(labels, predicted)}
    if task in ("mrpc", "qqp"):
        found["f1"] = metrics.f1_score(labels, predicted, zero_division=0.0)
    if task == "cola":
        found["matthews"] = metrics.matthews_corrcoef(labels, predicted) if np.ptp(predicted) else 0.0
    return {name: float(value) for name, value in found.items()}


def judge_on(task: str, examples: glue.Examples, model: nn.Module, tokenizer: Any) -> Judged:
    """A model's metrics on examples of a task, and what each is worth: right or wrong, or a number's squared error."""
    labels, about = np.asarray(examples.labels), glue.task(task)
    logits = text.logits_of(model, tokenizer, examples, about.max_length)
    # An example of a regression is worth -(y - label)^2
    values = logits.argmax(-1) == labels if about.num_labels > 1 else -((logits[:, 0] - labels) ** 2)
    return metrics_of(task, labels, logits), values


def judge(task: str, model: nn.Module, tokenizer: Any) -> Judged:
    """`judge_on` the task's validation split.

    Raises:
        UserError: data not to be had.
    """
    return judge_on(task, glue.load(task, "validation"), model, tokenizer)


def problem(task: str, tokenizer: PreTrainedTokenizerBase, batch_size: int, seed: int) -> Problem:
    """Batches of sentences of similar length; evaluation on the validation split."""
    train, held_out = glue.load(task, "train"), glue.load(task, "validation")
    rows = text.encode(tokenizer, train, glue.task(task).max_length)
    batches = LengthBuckets([len(row["input_ids"]) for row in rows], batch_size, seed)

    def batch_of(step: int) -> Batch:
        chosen = batches(step)
        labels = torch.tensor([train.labels[i] for i in chosen])
        return {**text.collate(tokenizer, [rows[i] for i in chosen]), "labels": labels}

    def evaluate(model: nn.Module) -> Judged:
        return judge_on(task, held_out, model, tokenizer)

    data = {"train": train.sha256, "validation": held_out.sha256}
    # Sentences of every length: a batch of short ones would start attention's threshold, twice the mean
    # probability, so high that longer sentences attend to nothing.
    mixed = np.random.default_rng(seed).choice(len(rows), size=min(256, len(rows)), replace=False)
    calibration = text.collate(tokenizer, [rows[i] for i in mixed])
    return Problem(task, batch_of, evaluate, data, calibration, tokenizer, per_epoch=batches.per_epoch)


def held_out(task: str, tokenizer: Any) -> HeldOut:
    """The sentences of the validation split, the shortest first."""
    rows = text.encode(tokenizer, glue.load(task, "validation"), glue.task(task).max_length)

    def collate(part: Sequence[Any]) -> dict[str, torch.Tensor]:
        return text.collate(tokenizer, list(part))

    return HeldOut(sorted(rows, key=lambda row: len(row["input_ids"])), collate)


def held_out_texts(task: str) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """The texts of the validation split, (N, columns), and their labels, (N,)."""
    found = glue.load(task, "validation")
    return np.array(found.texts, dtype=object), np.array(found.labels, np.int64)


def kind_of(task: str) -> text.TextKind | None:
    """Of the texts of a task with classes.

    >>> kind_of("sst2").max_length, kind_of("stsb")
    (64, None)
    """
    about = glue.task(task)
    if about.num_labels == 1:
        return None
    reads, there = partial(text.read, max_length=about.max_length), partial(held_out_texts, task)
    return text.TextKind(read=reads, held_out=there, max_length=about.max_length)


def own_sentence(index: int, model: str, tokenizer: Any) -> Example:
    """One of `binviz.data.sentences`, whose labels are SST-2's.

    Raises:
        UserError: there is none of that number.
    """
    ours = sentences.load()
    if not 0 <= index < len(ours):
        raise UserError(f"no sentence has the number {index}; choose one from 0 to {len(ours) - 1}")
    return text.sentence(ours[index].text, model, tokenizer, ASKED["sst2"][1][ours[index].label])


def validation_example(task: str, index: int, model: str, tokenizer: Any) -> Example:
    """An example of the validation split.

    Raises:
        UserError: there is none of that number, or the data cannot be had.
    """
    examples, classes = glue.load(task, "validation"), ASKED[task][1]
    if not 0 <= index < len(examples):
        raise UserError(f"no example has the number {index}; choose one from 0 to {len(examples) - 1}")
    label = examples.labels[index]
    return text.sentence(
        examples.texts[index], model, tokenizer, classes[int(label)] if classes else f"{label}"
    )


def _count(task: str) -> int:
    """How many examples there are to look at.

    Raises:
        UserError: data not to be had.
    """
    return len(sentences.load()) if task == "sst2" else len(glue.load(task, "validation"))


def _task(name: str) -> Task:
    title, labels = ASKED[name]
    return Task(
        name=name,
        title=title,
        shows="text",
        labels=labels,
        start=partial(start, name),
        problem=partial(problem, name),
        judge=partial(judge, name),
        held_out=partial(held_out, name),
        example=own_sentence if name == "sst2" else partial(validation_example, name),
        example_count=partial(_count, name),
        kind=kind_of(name),
        about_examples=OUR_SENTENCES if name == "sst2" else "",
        licence=f"Apache-2.0 model; data of GLUE's {name}",
        source=f"fine-tuned from {START} on {glue.HUB_ID} {name}, word pieces cut to {PIECES:,}",
    )


GLUE = [register(_task(name)) for name in glue.TASKS]
