"""Texts as a model reads them, its logits on many of them, and one text to look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from tqdm.auto import tqdm

from binviz.data import glue, validate
from binviz.data.corruptions import TYPOS
from binviz.data.corruptions.corruption import Corruptions
from binviz.tasks.task import Example, Kind

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

#: Attention maps beyond this many tokens cannot be read.
MAX_TOKENS = 48


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
def logits_of(
    model: nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    examples: glue.Examples,
    max_length: int = 128,
    batch_size: int = 32,
    quiet: bool = False,
) -> np.ndarray:
    """Logits (examples, labels) float32, in the order of the examples; batches are of similar length.

    Without a progress bar where it is to be quiet.
    """
    rows = encode(tokenizer, examples, max_length)
    order = np.argsort([len(row["input_ids"]) for row in rows], kind="stable")
    logits: list[np.ndarray] = [np.empty(0)] * len(rows)
    device = next(model.parameters()).device
    model.eval()
    for start in tqdm(range(0, len(order), batch_size), desc="evaluate", leave=False, disable=quiet):
        chosen = order[start : start + batch_size]
        batch = collate(tokenizer, [rows[i] for i in chosen])
        batch = {name: value.to(device) for name, value in batch.items()}
        output = model(**batch).logits.float().cpu().numpy()
        for i, values in zip(chosen, output, strict=True):
            logits[i] = values
    return np.stack(logits)


@dataclass(frozen=True, kw_only=True)
class TextKind(Kind):
    """Texts, or pairs of them: (N, columns) of str as object.

    max_length: of a text, in word pieces.
    """

    max_length: int
    corruptions: Corruptions = TYPOS

    def logits(self, model: nn.Module, raw: NDArray[Any], tokenizer: Any = None) -> NDArray[np.float32]:
        """(N, classes) of a model, put in eval mode, for texts; see `logits_of`."""
        return logits_of(model, tokenizer, _unjudged(raw), self.max_length, quiet=True)


def read(raw: NDArray[np.object_], tokenizer: Any, max_length: int) -> dict[str, torch.Tensor]:
    """What a model reads of texts (N, columns)."""
    return collate(tokenizer, encode(tokenizer, _unjudged(raw), max_length))


def _unjudged(raw: NDArray[np.object_]) -> glue.Examples:
    """Texts (N, columns), without labels that mean anything."""
    return glue.Examples([tuple(row) for row in raw], [0] * len(raw), "")


def sentence(text: str | tuple[str, ...], model: str, tokenizer: Any, truth: str | None = None) -> Example:
    """A text, or a pair of them, as tokens, cut after `MAX_TOKENS`.

    Args:
        text: of a person.
        model: name of the model that reads it.
        tokenizer: that model's.
        truth: the right answer, where it is known.

    Raises:
        UserError: the text is empty or too long.
    """
    texts = [validate.check_text(part) for part in ((text,) if isinstance(text, str) else text)]
    columns = [[part] for part in texts]
    inputs = dict(tokenizer(*columns, return_tensors="pt", truncation=True, max_length=MAX_TOKENS))
    tokens = tokenizer.convert_ids_to_tokens(inputs["input_ids"][0].tolist())
    whole = len(tokenizer(*columns)["input_ids"][0])
    given = ", ".join(map(str, columns))
    code = (
        f"tokenizer = zoo.load_tokenizer({model!r})\n"
        f"inputs = tokenizer({given}, return_tensors='pt', truncation=True, max_length={MAX_TOKENS})\n"
    )
    key, shown = " / ".join(texts), tuple(tokens[1:-1])
    return Example(key, inputs, code, truth=truth, tokens=shown, cut=whole - len(tokens), texts=tuple(texts))
