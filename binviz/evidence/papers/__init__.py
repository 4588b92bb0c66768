"""Numbers that papers published, with source and setting. Averages are computed here, under a named rule.

The rows of one table were averaged in two ways: over nine columns, MNLI matched and mismatched both, or over
eight tasks with MNLI matched alone. So a printed average can be compared with another only under one rule.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

from binviz.errors import UserError

#: What is averaged, by the name of the rule.
RULES: dict[str, Callable[[Mapping[str, float]], float]] = {
    "nine columns": lambda scores: fmean(scores.values()),
    "eight tasks": lambda scores: fmean(value for name, value in scores.items() if name != "mnli-mm"),
}

#: What the tables are known to print; of MRPC, QQP and STS-B the source does not say which metric it is.
PRINTED = {
    "sst2": "accuracy", "rte": "accuracy", "qnli": "accuracy", "mnli-m": "accuracy", "mnli-mm": "accuracy",
    "cola": "matthews",
}  # fmt: skip


@dataclass(frozen=True)
class Published:
    """One row of a published table.

    model: as printed, BiT* = one distillation step. bits: of weights, embeddings, activations. size_mb,
    flops_g: under the paper's own counting, None where the source has none. augmentation: of the training
    data. scores: column -> percent. repeated: columns that repeat the row without augmentation.
    printed_average: what the source says. source, note: where it stands. recipe: name of what it is here, "" where
    binviz has none like it.
    """

    model: str
    bits: tuple[int, int, int]
    size_mb: float | None
    flops_g: float | None
    augmentation: bool
    scores: dict[str, float]
    repeated: tuple[str, ...]
    printed_average: float
    source: str
    note: str
    recipe: str = ""

    def average(self, rule: str) -> float:
        """The mean of the scores under a rule of `RULES`.

        Raises:
            UserError: no such rule.

        >>> bert = glue()[0]
        >>> round(bert.average("nine columns"), 2), round(bert.average("eight tasks"), 2)
        (83.93, 83.74)
        """
        if rule not in RULES:
            raise UserError(f"no rule {rule!r} of averaging; choose one of: {', '.join(RULES)}")
        return RULES[rule](self.scores)

    @property
    def printed_rule(self) -> str | None:
        """The rule that gives the printed average to its last digit, or None where neither or both do.

        >>> [row.printed_rule for row in glue()[:2]]
        ['nine columns', None]
        """
        found = [rule for rule in RULES if abs(self.average(rule) - self.printed_average) < 0.0501]
        return found[0] if len(found) == 1 else None


def table(name: str) -> dict[str, Any]:
    """A data file beside this one, as JSON values.

    >>> table("glue")["squad"]["columns"]
    ['exact match', 'F1']
    """
    return json.loads((Path(__file__).parent / f"{name}.json").read_text(encoding="utf-8"))


@cache
def glue() -> tuple[Published, ...]:
    """GLUE development sets with BERT-base, in the order of the sources.

    >>> [(row.model, row.bits) for row in glue()[:2]]
    [('BERT', (32, 32, 32)), ('BinaryBERT', (1, 1, 4))]
    """
    return tuple(
        Published(**row | {"bits": tuple(row["bits"]), "repeated": tuple(row["repeated"])})
        for row in table("glue")["rows"]
    )
