"""What the pages that look inside compute from captured arrays; no Streamlit here."""

from __future__ import annotations

import re
from collections.abc import Iterable

from binviz.analysis import Attention, Captured
from binviz.tasks import Example

_NUMBER = re.compile(r"(?<![^.])\d+(?![^.])")

KINDS = {"layers": "layer", "binarizers": "binarizer", "residual stream": "stream"}


def families(names: Iterable[str]) -> dict[str, list[str]]:
    """Names that differ only in their numbers, under one pattern.

    >>> families(["embed", "layers.0.q", "layers.1.q"])
    {'embed': ['embed'], 'layers.*.q': ['layers.0.q', 'layers.1.q']}
    """
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(_NUMBER.sub("*", name), []).append(name)
    return found


def short(name: str) -> str:
    """The numbers in a name, or the name where there are none: a short label.

    >>> short("layers.3.q"), short("embed")
    ('3', 'embed')
    """
    return ".".join(_NUMBER.findall(name)) or name


def in_both(floats: Captured, binaries: Captured) -> dict[str, list[str]]:
    """Families of the names that both models have, those with a binarizer in front.

    Scores are left out: a mask puts them at minus infinity, and their softmax shows the same.
    """
    found = families(name for name in floats if name in binaries and not name.endswith(".scores"))
    return dict(
        sorted(found.items(), key=lambda item: f"{item[1][-1].removesuffix('.in')}.code" not in binaries)
    )


def labels(attention: Attention, example: Example) -> list[str]:
    """Names of the positions that attention sees: tokens, or the class token and each patch's row and column."""
    if attention.tokens:
        return list(attention.tokens[0])
    side = round((attention.layers[0].probs.shape[-1] - 1) ** 0.5)
    return ["class", *(f"{row},{column}" for row in range(side) for column in range(side))]
