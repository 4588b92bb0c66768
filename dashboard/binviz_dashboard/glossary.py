"""The words of this field, from glossary.toml: the pages explain some, docs/glossary.md lists all."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """One word.

    means: one or two sentences. see: where it is shown, the number of a notebook or a page of the dashboard with what
    it is to show. formula: LaTeX, where it has one.
    """

    word: str
    means: str
    see: str
    formula: str = ""


ENTRIES = tuple(
    Entry(**entry)
    for entry in tomllib.loads(Path(__file__).with_name("glossary.toml").read_text("utf-8"))["entry"]
)
#: Word -> its meaning, for somebody who has never heard of it.
WORDS = {entry.word: entry.means for entry in ENTRIES}
