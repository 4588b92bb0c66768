"""Masked language modelling on a corpus: which sequence is read when, what is hidden in it, and how it is judged.

    [CLS] 62 tokens of the corpus [SEP]                            length 64
    [CLS] 30 tokens [SEP] the next 31, or 31 others [SEP]          with the next sentence

Sequence k of a run is drawn by (seed, k) and by nothing else: the same ones come in batches of any size and in any
number of processes. An epoch shows every stretch of the corpus once, in random order; masks are drawn anew each time,
where the official code of BiPFT has fixed ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm.auto import tqdm

from binviz.data import sources
from binviz.errors import UserError
from binviz.losses import Batch, LossChoice
from binviz.losses.mlm import TARGETS, predict, word_logits
from binviz.saving.folder import check_tokenizer
from binviz.tasks.glue import cut
from binviz.tasks.task import Judged, Problem

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

#: Share of the words that is hidden; of these, shares that become the mask and another word. The rest stays.
HIDDEN, MASKED, REPLACED = 0.15, 0.8, 0.1
#: Sequences that a model is judged on, at most, and those from which the scales of a binary model start.
JUDGED, STARTING = 1024, 32


class Stretches:
    """Stretches of a corpus in random order, each by its number; an epoch shows every one once.

    Args:
        tokens: (n,) whole numbers, of a corpus.
        content: tokens of a stretch.
        seed: of the order.
        length: of the sequence that becomes of one, for messages.

    Raises:
        UserError: the corpus is shorter than one stretch.

    >>> found = Stretches(np.arange(10), 3, seed=0, length=3)
    >>> found.per_epoch, sorted(found.stretch(k).tolist() for k in range(3))
    (3, [[0, 1, 2], [3, 4, 5], [6, 7, 8]])
    """

    def __init__(self, tokens: NDArray[Any], content: int, seed: int, length: int) -> None:
        self.tokens, self.content, self.seed, self.length = tokens, content, seed, length
        self.per_epoch = len(tokens) // content if content > 1 else 0
        if not self.per_epoch:
            raise UserError(
                f"the text has {len(tokens)} tokens, too few for a sequence of {length}; name a longer text"
            )
        self._epoch, self._order = -1, np.empty(0, dtype=np.int64)

    def stretch(self, number: int) -> NDArray[np.int64]:
        """Stretch `number`, (content,)."""
        epoch, place = divmod(number, self.per_epoch)
        if epoch != self._epoch:
            self._epoch = epoch
            self._order = np.random.default_rng((self.seed, epoch)).permutation(self.per_epoch)
        return self._at(int(self._order[place]))

    def _at(self, place: int) -> NDArray[np.int64]:
        start = place * self.content
        return np.asarray(self.tokens[start : start + self.content], dtype=np.int64)

    def judged(self) -> list[int]:
        """Numbers of those that a model is judged on: at most `JUDGED`, spread over an epoch."""
        found = np.linspace(0, self.per_epoch, min(JUDGED, self.per_epoch), endpoint=False)
        return found.astype(int).tolist()


class Sequences(Stretches):
    """Sequences of tokens with hidden words, each by its number.

    Args:
        tokens: (n,) whole numbers, of a corpus.
        tokenizer: that made them.
        length: of a sequence, special tokens included.
        seed: of all that is drawn.
        next_sentence: two parts, of which the second follows the first or, in half of the cases, does not.

    Raises:
        UserError: the corpus is shorter than one sequence, or the tokenizer knows no mask.
    """

    def __init__(
        self, tokens: NDArray[Any], tokenizer: Any, length: int, seed: int, next_sentence: bool = False
    ) -> None:
        marks = (tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.mask_token_id)
        if None in marks:
            raise UserError("masked language modelling needs a tokenizer with [CLS], [SEP] and [MASK]")
        self.cls, self.sep, self.mask = marks
        self.next_sentence = next_sentence
        super().__init__(tokens, length - (3 if next_sentence else 2), seed, length)
        self.words = np.setdiff1d(np.arange(len(tokenizer)), tokenizer.all_special_ids)
        self.is_word = np.isin(np.arange(len(tokenizer)), self.words)

    def row(self, number: int) -> dict[str, NDArray[np.int64]]:
        """Sequence `number`: input_ids (T,), positions and labels of its hidden words, and of a pair what it is."""
        rng = np.random.default_rng((self.seed, number, 1))
        content, half = self.stretch(number), self.content // 2
        found: dict[str, NDArray[np.int64]] = {}
        if self.next_sentence:
            other = int(rng.random() < 0.5)
            if other:
                content = np.concatenate([content[:half], self._at(int(rng.integers(self.per_epoch)))[half:]])
            ids = np.concatenate([[self.cls], content[:half], [self.sep], content[half:], [self.sep]])
            found["token_type_ids"] = (np.arange(self.length) > half + 1).astype(np.int64)
            found["next_sentence_label"] = np.array(other)
        else:
            ids = np.concatenate([[self.cls], content, [self.sep]])
        words = np.flatnonzero(self.is_word[ids])
        hidden = np.sort(rng.permutation(words)[: max(1, round(HIDDEN * self.content))])
        found |= {"positions": hidden, "labels": ids[hidden]}
        chance = rng.random(len(hidden))
        ids[hidden[chance < MASKED]] = self.mask
        replaced = hidden[(chance >= MASKED) & (chance < MASKED + REPLACED)]
        ids[replaced] = rng.choice(self.words, len(replaced))
        return found | {"input_ids": ids}

    def batch(self, numbers: range | list[int]) -> dict[str, Tensor]:
        """Sequences as a batch, see `binviz.losses.mlm.TARGETS` for what is beside the inputs.

        Returns:
            input_ids (B, T); positions, labels (M,); of pairs token_type_ids (B, T), next_sentence_label (B,); int64.
        """
        rows = [self.row(number) for number in numbers]
        places = [row.pop("positions") + i * self.length for i, row in enumerate(rows)]
        labels = [row.pop("labels") for row in rows]
        found = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        found |= {"positions": np.concatenate(places), "labels": np.concatenate(labels)}
        return {name: torch.from_numpy(value) for name, value in found.items()}


def pretrained(
    name: str, seed: int, pieces: int = 0, positions: int = 0, next_sentence: bool = False
) -> tuple[nn.Module, PreTrainedTokenizerBase]:
    """A pre-trained encoder with an output layer for words, drawn anew where it has none, and its tokenizer.

    Args:
        name: hub id or folder.
        seed: of what is drawn.
        pieces, positions: sizes of the tables after cutting, 0 = not cut. The pieces are those of the GLUE tasks.
        next_sentence: with a head for the next sentence, too.

    Raises:
        UserError: the model cannot be found or read, or has no such head.
    """
    from transformers import AutoModelForMaskedLM, AutoModelForPreTraining, AutoTokenizer

    torch.manual_seed(seed)
    tokenizer = sources.pretrained(AutoTokenizer, name)
    check_tokenizer(tokenizer, name)
    kind = AutoModelForPreTraining if next_sentence else AutoModelForMaskedLM
    model = sources.pretrained(kind, name, use_safetensors=True, dtype=torch.float32)
    if next_sentence and not hasattr(model.cls, "seq_relationship"):
        raise UserError(f"a {type(model).__name__} has no head for the next sentence; leave it out")
    if pieces:
        tokenizer = cut(model, tokenizer, pieces, positions)
    return model, tokenizer


@torch.no_grad()
def judge(model: nn.Module, sequences: Sequences, batch_size: int = 32) -> Judged:
    """Cross-entropy of hidden words in nats, its exponential, the share that is found; sequences' mean log-likelihoods.

    Args:
        model: with an output layer for words.
        sequences: of held-out text; at most `JUDGED` of them, spread over it.
    """
    model.eval()
    chosen = sequences.judged()
    device = next(model.parameters()).device
    logs, right, following = [], [], []
    for start in tqdm(range(0, len(chosen), batch_size), desc="evaluate", leave=False):
        batch = sequences.batch(chosen[start : start + batch_size])
        batch = {name: value.to(device) for name, value in batch.items()}
        output, labels = predict(model, batch), batch["labels"]
        logits = word_logits(output)
        log = logits.log_softmax(-1).gather(-1, labels.unsqueeze(-1)).squeeze(-1)
        whose = torch.div(batch["positions"], sequences.length, rounding_mode="floor").cpu().numpy()
        logs += [part.mean() for part in np.split(log.cpu().numpy(), np.flatnonzero(np.diff(whose)) + 1)]
        right.append((logits.argmax(-1) == labels).cpu().numpy())
        if sequences.next_sentence:
            answers = output.seq_relationship_logits.argmax(-1)
            following.append((answers == batch["next_sentence_label"]).cpu().numpy())
    loss = -float(np.mean(logs))
    metrics = {
        "loss": loss,
        "perplexity": float(np.exp(loss)),
        "accuracy": float(np.concatenate(right).mean()),
    }
    if following:
        metrics["next_sentence"] = float(np.concatenate(following).mean())
    return metrics, np.asarray(logs, dtype=np.float64)


def problem(
    train: Sequences, held_out: Sequences, tokenizer: Any, batch_size: int, data: dict[str, str]
) -> Problem:
    """Sequences of a corpus in order of their numbers, judged on held-out ones.

    Args:
        train, held_out: which sequences.
        tokenizer: saved with the model.
        batch_size: sequences in a step.
        data: split -> sha256.
    """

    def batch_of(step: int) -> Batch:
        return train.batch(range(step * batch_size, (step + 1) * batch_size))

    return Problem(
        "mlm",
        batch_of,
        lambda model: judge(model, held_out),
        data,
        held_out.batch(range(min(STARTING, held_out.per_epoch))),
        tokenizer,
        targets=TARGETS,
        loss=LossChoice("mlm"),
        per_epoch=max(1, train.per_epoch // batch_size),
    )
