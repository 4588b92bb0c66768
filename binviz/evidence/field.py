"""The field: every system that binviz knows of, its idea in a sentence, and where it lives here or why it does not."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from binviz import recipes

#: In the order in which they are told.
THEMES = (
    "transformers", "operators", "language models", "dense prediction", "other ways to train", "first layers",
    "engines", "outside",
)  # fmt: skip

#: Command of `binviz` -> what it does with a system that lives in no recipe.
COMMANDS = {"scan": "reads its files", "bench": "measures it beside"}


@dataclass(frozen=True)
class System:
    """One system; `field.toml` says what each entry is.

    >>> found = System("BNN", "operators", "Signs.", 2016, "1602.02830", recipes=("bnn*",), binarizer="bnn")
    >>> found.here, found.link
    (True, 'https://arxiv.org/abs/1602.02830')
    """

    name: str
    theme: str
    idea: str
    year: int | None = None
    source: str = ""
    recipes: tuple[str, ...] = ()
    binarizer: str = ""
    experiment: str = ""
    page: str = ""
    notebooks: tuple[str, ...] = ()
    command: str = ""
    why: str = ""

    @property
    def here(self) -> bool:
        """Whether something of it lives here."""
        return not self.why

    @property
    def link(self) -> str:
        """Address of its source; "" where there is none."""
        if re.fullmatch(r"\d{4}\.\d{5}", self.source):
            return f"https://arxiv.org/abs/{self.source}"
        return self.source if self.source.startswith("https://") else ""

    @property
    def own_recipes(self) -> list[str]:
        """Names of its recipes."""
        return [name for pattern in self.recipes for name in recipes.names(pattern)]


@cache
def systems() -> tuple[System, ...]:
    """All systems, theme by theme.

    >>> [system.name for system in systems() if system.theme == "first layers"]
    ['Bit-plane input layer']
    """
    text = Path(__file__).with_name("field.toml").read_text("utf-8")
    found = [_system(entry) for entry in tomllib.loads(text)["system"]]
    return tuple(sorted(found, key=lambda system: THEMES.index(system.theme)))


def _system(entry: Mapping[str, str | int | bool | list[str]]) -> System:
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()}
    return System(**values)  # type: ignore[arg-type]
