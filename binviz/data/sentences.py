"""Sixty sentences of our own with a sentiment: ten of each of six tags, half of them positive.

    plain        the words say it
    negation     a "not", "never" or "nobody" turns the words over
    contrast     the second half takes the first one back
    irony        the words say the opposite
    intensifier  the words say it very loudly
    long         forty words and more

They are for demonstrations and tests, and were written without looking at what any model says about them.

>>> from binviz.data import sentences
>>> sentences.load("irony")[7].text
'I loved the part where it ended.'
"""

from __future__ import annotations

import functools
import json
from importlib import resources
from typing import NamedTuple

from binviz.errors import UserError

TAGS = ("plain", "negation", "contrast", "irony", "intensifier", "long")


class Sentence(NamedTuple):
    """A sentence, its label (1 positive, 0 negative, as in SST-2) and its tag.

    >>> Sentence("not a dull film", 1, "negation").tag in TAGS
    True
    """

    text: str
    label: int
    tag: str


@functools.cache
def _all() -> tuple[Sentence, ...]:
    written = json.loads(resources.files("binviz.data").joinpath("sentences.json").read_text("utf-8"))
    return tuple(
        Sentence(text, int(sentiment == "positive"), tag)
        for tag in TAGS
        for sentiment in ("positive", "negative")
        for text in written[tag][sentiment]
    )


def load(tag: str | None = None) -> tuple[Sentence, ...]:
    """All sixty, or the ten of one tag; the positive ones of a tag come first.

    Raises:
        UserError: there is no such tag.

    >>> len(load()), len(load("long")), sum(sentence.label for sentence in load())
    (60, 10, 30)
    """
    if tag is not None and tag not in TAGS:
        raise UserError(f"no sentence is tagged {tag!r}; choose one of {', '.join(TAGS)}")
    return tuple(sentence for sentence in _all() if tag in (None, sentence.tag))
