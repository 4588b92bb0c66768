"""Gaps in texts, filled by the packed model now and by others on record; no Streamlit here."""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import median
from typing import Any, NamedTuple

import pandas as pd
import plotly.graph_objects as go
from torch import nn

from binviz import plots
from binviz.evidence import names
from binviz.evidence.gaps import Filled, Gaps
from binviz.tasks import words
from binviz.words import counted, percent

#: How often a text is filled to time it, after once before.
TIMED = 5
#: A visitor's own text is at most so long; more of it than a model reads is refused in a line.
FIRST_TEXT, LONGEST_TEXT = "She opened the ___ and went in.", 2000

Answers = Sequence[tuple[str, float]]


class Live(NamedTuple):
    """Word pieces with their probabilities, and the seconds of one answer."""

    answers: list[tuple[str, float]]
    seconds: float


def ask(model: nn.Module, tokenizer: Any, text: str) -> Live:
    """What a model puts into the gap of a text, and how long that takes.

    Raises:
        UserError: see `binviz.tasks.words.fill`.
    """
    answers, took = words.fill(model, tokenizer, text), []
    for _ in range(TIMED):
        began = time.perf_counter()
        words.fill(model, tokenizer, text)
        took.append(time.perf_counter() - began)
    return Live(answers, median(took))


def in_words(answers: Answers) -> str:
    """The likeliest pieces in a line.

    >>> in_words([("paris", 0.5), ("rome", 0.0625)])
    'paris 50.0 %, rome 6.2 %'
    """
    return ", ".join(f"{piece} {percent(share)}" for piece, share in answers)


def figure(answers: Answers, network: str) -> go.Figure:
    """Bars of the likeliest pieces, of the "float" network or the "1-bit" one.

    >>> figure([("paris", 0.5), ("rome", 0.25)], "float").layout.meta["alt"]
    'probability (%) of paris, rome: float 50, 25.'
    """
    pieces, shares = zip(*answers, strict=True)
    return plots.bars(
        pieces,
        {network: [100 * share for share in shares]},
        "word piece in the gap",
        "probability (%)",
        ".1f",
    )


def code(name: str, text: str) -> str:
    """Python that fills the gap and draws it."""
    return (
        "import binviz\nfrom binviz import plots, zoo\nfrom binviz.tasks import words\n\n"
        f"name = {name!r}\nmodel, tokenizer = binviz.pack(binviz.load(name)), zoo.load_tokenizer(name)\n"
        f"found = words.fill(model, tokenizer, {text!r})\n"
        "shares = {'1-bit': [100 * share for _, share in found]}\n"
        "pieces = [piece for piece, _ in found]\n"
        "figure = plots.bars(pieces, shares, 'word piece in the gap', 'probability (%)', '.1f')\n"
    )


def students(known: Gaps) -> list[Filled]:
    """The binary models of a record."""
    return [model for model in known.models if model.recipe != "float"]


def teacher(known: Gaps) -> Filled:
    """The float model of a record."""
    return next(model for model in known.models if model.recipe == "float")


def title(model: Filled) -> str:
    """Which model it is, for a person.

    >>> title(Filled("mlm.float+bipft-a", 0, "bipft-a", 638_976, {}, {}, ()))
    'BiPFT (a), 0.6 million tokens'
    """
    name = "float" if model.recipe == "float" else names.method(model.recipe)
    return f"{name}, {model.tokens / 1e6:.1f} million tokens"


def table(known: Gaps, number: int) -> pd.DataFrame:
    """What every model of a record puts into one gap, and how good it is on the others; a row each."""
    word = known.words[number]
    rows = [
        {
            "model": title(model),
            "puts there": in_words(model.answers[number][:3]),
            "right here": "yes" if model.answers[number][0][0] == word else "no",
            "right of all": f"{known.right(model)} of {len(known.words)}",
            "perplexity": f"{model.metrics['perplexity']:.1f}",
        }
        for model in known.models
    ]
    return pd.DataFrame(rows)


def about(known: Gaps, recipe: str) -> str:
    """What is to be known of the model in the box, from the record of its longest pre-training."""
    floats = teacher(known)
    bits = max((each for each in students(known) if each.recipe == recipe), key=lambda each: each.tokens)
    return (
        f"On wikitext-2's validation split the 1-bit model's perplexity is {bits.metrics['perplexity']:.0f} against "
        f"the float model's {floats.metrics['perplexity']:.0f}: as unsure of a hidden word piece as among so many that "
        f"are all as likely. It was pre-trained in binary form on {bits.tokens / 1e6:.1f} million tokens. Of "
        f"{counted(len(known.words), 'recorded gap')} it has {known.right(bits)} right, the float model "
        f"{known.right(floats)}."
    )
