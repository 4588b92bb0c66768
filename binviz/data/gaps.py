"""Twenty-four sentences of our own with one gap each, and the word that was taken out: one word piece, in lower case.

    fact          who has read much knows it
    grammar       agreement and tense
    preposition   which one goes with the word before it
    collocation   words that are often together

Other words may fit, too: only this one counts as right. They were written without looking at what any model says;
the first one is one that the bundled model fills.

>>> from binviz.data import gaps
>>> gaps.load()[0]
Gap(text='He was born ___ 1956.', word='in', tag='preposition')
"""

from __future__ import annotations

import functools
import json
from importlib import resources
from typing import NamedTuple


class Gap(NamedTuple):
    """A sentence in which ___ stands for a word, the word, and what one has to know to find it."""

    text: str
    word: str
    tag: str


@functools.cache
def load() -> tuple[Gap, ...]:
    """All of them, tag after tag.

    >>> len(load())
    24
    """
    written = json.loads(resources.files("binviz.data").joinpath("gaps.json").read_text("utf-8"))
    return tuple(Gap(text, word, tag) for tag, rows in written.items() for text, word in rows)
