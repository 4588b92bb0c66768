"""Predictions of a model on a split, and each task's own metrics."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm.auto import tqdm
from transformers import PreTrainedTokenizerBase

from binviz.data import glue
from binviz.errors import UserError

#: Share of the examples that another processor's rounding may turn, of a model that is the recorded one.
ROUNDING = 0.01


def encode(
    tokenizer: PreTrainedTokenizerBase, examples: glue.Examples, max_length: int
) -> list[dict[str, list[int]]]:
    """Word pieces of every example, cut at max_length; unpadded."""
    columns = [list(column) for column in zip(*examples.texts, strict=True)]
    encoded = tokenizer(*columns, truncation=True, max_length=max_length)
    return [{name: encoded[name][i] for name in encoded} for i in range(len(examples))]


def collate(tokenizer: PreTrainedTokenizerBase, rows: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
    """A padded batch of tensors (B, T)."""
    return dict(tokenizer.pad(rows, return_tensors="pt"))


@torch.no_grad()
def glue_logits(
    model: nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    examples: glue.Examples,
    max_length: int = 128,
    batch_size: int = 32,
) -> np.ndarray:
    """Logits (examples, labels) float32, in the order of the examples; batches are of similar length."""
    rows = encode(tokenizer, examples, max_length)
    order = np.argsort([len(row["input_ids"]) for row in rows], kind="stable")
    logits: list[np.ndarray] = [np.empty(0)] * len(rows)
    device = next(model.parameters()).device
    model.eval()
    for start in tqdm(range(0, len(order), batch_size), desc="evaluate", leave=False):
        chosen = order[start : start + batch_size]
        batch = collate(tokenizer, [rows[i] for i in chosen])
        batch = {name: value.to(device) for name, value in batch.items()}
        output = model(**batch).logits.float().cpu().numpy()
        for i, values in zip(chosen, output, strict=True):
            logits[i] = values
    return np.stack(logits)


def glue_metrics(task: str, labels: np.ndarray, logits: np.ndarray) -> dict[str, float]:
    """The task's metrics as its leaderboard defines them, in [0, 1] or [-1, 1].

    Accuracy everywhere but stsb (Pearson, Spearman); F1 beside it for mrpc and qqp, Matthews for cola. A model
    that gives the same score to everything correlates with nothing: 0.

    Args:
        task: a name of `binviz.data.glue.TASKS`.
        labels: (examples,).
        logits: (examples, labels).

    Raises:
        UserError: unknown task.

    >>> glue_metrics("cola", np.array([0, 1, 1]), np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]))
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


def judge(
    model: nn.Module, tokenizer: Any, task: str, examples: glue.Examples | None = None
) -> tuple[dict[str, float], np.ndarray]:
    """A model's metrics on its task's evaluation split, and what each example is worth.

    Args:
        model: of the task.
        tokenizer: the model's; unused for "digits".
        task: "digits" or a name of `binviz.data.glue.TASKS`.
        examples: of the split, where they are at hand.

    Returns:
        Metrics, and (examples,): bool, whether the answer is right, or minus the squared error of a number.

    Raises:
        UserError: data not to be had.
    """
    from binviz.data import digits
    from binviz.training.images import image_logits

    if task == "digits":
        images, digit = digits.load("test")
        correct = image_logits(model, torch.as_tensor(images)).argmax(-1) == digit
        return {"accuracy": float(correct.mean())}, correct
    examples = examples or glue.load(task, "validation")
    labels = np.asarray(examples.labels)
    logits = glue_logits(model, tokenizer, examples, glue.task(task).max_length)
    # An example of a regression is worth -(y - label)^2.
    values = (
        logits.argmax(-1) == labels if glue.task(task).num_labels > 1 else -((logits[:, 0] - labels) ** 2)
    )
    return glue_metrics(task, labels, logits), values


def evaluate_named(name: str, task: str, *, packed: bool = False) -> tuple[dict[str, float], np.ndarray]:
    """`judge` of a saved or bundled model.

    Args:
        name: what `binviz.load` takes.
        task: "digits" or a name of `binviz.data.glue.TASKS`.
        packed: run on bits, by `binviz.pack`.

    Raises:
        UserError: unknown model or task, a model that takes other inputs or gives another number of labels, a
            float model to be packed, or data not to be had.
    """
    import binviz

    model: Any = binviz.load(name)
    takes, labels = ("pixel_values", 10) if task == "digits" else ("input_ids", glue.task(task).num_labels)
    if (model.main_input_name, model.config.num_labels) != (takes, labels):
        raise UserError(
            f"{name} takes {model.main_input_name} and gives {model.config.num_labels} labels; "
            f"{task} has {takes} and {labels} labels"
        )
    if packed:
        model = binviz.pack(model)
    return judge(model, None if task == "digits" else binviz.load_tokenizer(name), task)
