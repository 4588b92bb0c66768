"""Words in gaps, as BERT is pre-trained (Devlin et al. 2018, 1810.04805): a task, and one text with its gap filled.

What a person fine-tunes from a bundled one are its signs times their scales, which become latent weights:

    model = glue.with_head("sst2", binviz.load("words-minilm.bipft-a"), seed=0)
    binviz.binarize_(model, "bipft-a")
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-4)
    for batch in batches:  # with labels
        model(**batch).loss.backward(), optimizer.step(), optimizer.zero_grad()

`binviz train glue --task sst2 --stages bipft-a --start words-minilm.bipft-a` does the same.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import nn

from binviz.data import gaps, validate
from binviz.data.corpus import Corpus, open_corpus
from binviz.data.tokens import tokens_of
from binviz.errors import UserError
from binviz.losses.mlm import at_positions
from binviz.tasks import glue, language, text
from binviz.tasks.language import Sequences
from binviz.tasks.task import Example, HeldOut, Judged, Problem, Task, register

WIKITEXT = ("Salesforce/wikitext", "wikitext-2-v1")
#: Tokens of a sequence, as in the pre-training.
LENGTH = 64
#: Word pieces and positions of the bundled model.
PIECES, POSITIONS = 6_000, 128
#: Sequences on which two ways of running a model are compared: each has a logit for every word at every place.
COMPARED = 64


def corpus(split: str) -> Corpus:
    """A split of wikitext-2.

    Raises:
        UserError: not to be had.
    """
    return open_corpus(*WIKITEXT, split)


def sequences(of: Corpus, tokenizer: Any, seed: int = 0) -> Sequences:
    """Sequences of a corpus with hidden words, see `language.Sequences`."""
    with TemporaryDirectory() as folder:
        tokens = np.array(tokens_of(of, tokenizer, Path(folder)))
    return Sequences(tokens, tokenizer, LENGTH, seed)


def cut(model: Any, tokenizer: Any) -> Any:
    """Cut a model's table, in place, to the pieces that wikitext-2 uses most; the tokenizer of these."""
    from binviz.tasks.vocabulary import choose_pieces, cut_vocabulary

    kept = choose_pieces(tokenizer, corpus("train").documents(), PIECES)
    return cut_vocabulary(model, tokenizer, kept, POSITIONS)


@torch.inference_mode()
def fill(model: nn.Module, tokenizer: Any, given: str, count: int = 5) -> list[tuple[str, float]]:
    """The likeliest word pieces in the gap of a text, with their probabilities among all pieces.

    Args:
        model: with an output layer for words; put in eval mode.
        tokenizer: its own.
        given: the text, with one ___ or [MASK].
        count: of pieces.

    Raises:
        UserError: no gap, several, or a text of more tokens than a sequence of the pre-training.
    """
    inputs = tokenizer(validate.check_gap(given), return_tensors="pt")
    ids = inputs["input_ids"].flatten()
    if len(ids) > LENGTH:
        raise UserError(f"the text has {len(ids) - 2} word pieces; shorten it to {LENGTH - 2} or fewer")
    model.eval()
    with at_positions(model, (ids == tokenizer.mask_token_id).nonzero().flatten()):
        logits = model(**inputs).logits
    found = logits[0].double().softmax(-1).topk(count)
    pieces = tokenizer.convert_ids_to_tokens(found.indices.tolist())
    return list(zip(pieces, found.values.tolist(), strict=True))


def start(architecture: str, seed: int) -> tuple[nn.Module, Any]:
    """all-MiniLM-L6-v2 with the pieces of the GLUE tasks and an output layer for words, or a model of the hub."""
    if architecture in ("", "minilm"):
        return language.pretrained(glue.START, seed, glue.PIECES, glue.POSITIONS)
    return language.pretrained(architecture, seed)


def problem(tokenizer: Any, batch_size: int, seed: int) -> Problem:
    """Hidden words of wikitext-2."""
    train, held_out = corpus("train"), corpus("validation")
    data = {"train": train.sha256, "held-out": held_out.sha256}
    parts = sequences(train, tokenizer, seed), sequences(held_out, tokenizer)
    return language.problem(*parts, tokenizer, batch_size, data)


def judge(model: nn.Module, tokenizer: Any) -> Judged:
    """Hidden words of wikitext-2's validation split, see `language.judge`; a table of other pieces asks for others."""
    return language.judge(model, sequences(corpus("validation"), tokenizer))


def held_out(tokenizer: Any) -> HeldOut:
    """The first sequences of that split, with hidden words."""
    found = sequences(corpus("validation"), tokenizer)
    rows = [found.row(number)["input_ids"] for number in range(min(COMPARED, found.per_epoch))]
    return HeldOut(rows, lambda part: {"input_ids": torch.from_numpy(np.stack(part))})


def example(index: int, model: str, tokenizer: Any) -> Example:
    """One of `binviz.data.gaps`.

    Raises:
        UserError: there is none of that number.
    """
    ours = gaps.load()
    if not 0 <= index < len(ours):
        raise UserError(f"no sentence has the number {index}; choose one from 0 to {len(ours) - 1}")
    return text.sentence(validate.check_gap(ours[index].text), model, tokenizer, ours[index].word)


register(
    Task(
        name="words",
        title="Fill the gap",
        shows="text",
        labels=(),
        start=start,
        problem=problem,
        judge=judge,
        held_out=held_out,
        example=example,
        example_count=lambda: len(gaps.load()),
        fills=True,
        licence="Apache-2.0 model; text of wikitext-2 (CC BY-SA 3.0, GFDL)",
        source=f"pre-trained in binary form from {glue.START} on {' '.join(WIKITEXT)}, word pieces cut to {PIECES:,}",
    )
)
