"""A record of filled gaps: what a float encoder and its binary students put into the gaps of some sentences.

One JSON file for all of them, written by `python -m binviz.training.gaps`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from binviz.errors import UserError
from binviz.files import replace_files
from binviz.reading import declared, json_of

SHIPPED = Path(__file__).with_name("gaps.json")


@dataclass(frozen=True)
class Filled:
    """What one model puts there.

    cell, seed: of its run. recipe: "float", or a recipe's name. tokens: that its stage has seen. metrics: of the run,
    on held-out text. code: of the run. answers: for each sentence word pieces and their probabilities, the likeliest
    first.
    """

    cell: str
    seed: int
    recipe: str
    tokens: int
    metrics: dict[str, float]
    code: dict[str, Any]
    answers: tuple[list[tuple[str, float]], ...]


@dataclass(frozen=True)
class Gaps:
    """Sentences with ___ in them, their right words, and what each model puts there.

    code, machine: of whoever asked them.

    >>> one = Filled("mlm.float", 0, "float", 64, {}, {}, ([("paris", 0.5), ("rome", 0.25)], [("dog", 0.5)]))
    >>> Gaps(("It is ___.", "A ___."), ("paris", "cat"), (one,), {}, {}).right(one)
    1
    """

    sentences: tuple[str, ...]
    words: tuple[str, ...]
    models: tuple[Filled, ...]
    code: dict[str, Any]
    machine: dict[str, Any]

    def right(self, model: Filled) -> int:
        """In how many gaps a model's likeliest word is the right one."""
        return sum(found[0][0] == word for found, word in zip(model.answers, self.words, strict=True))


def write(record: Gaps, path: Path) -> None:
    """Write a record, a line for each sentence and for each model's answer to one.

    Raises:
        UserError: it cannot be written.
    """
    values = asdict(record)
    models = []
    for model in values.pop("models"):
        answers = ",\n".join(f"   {json.dumps(found)}" for found in model.pop("answers"))
        lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in model.items()]
        models.append("  {" + ",\n   ".join(lines) + f',\n   "answers": [\n{answers}\n  ]}}')
    lines = [f" {json.dumps(name)}: {json.dumps(value)}" for name, value in values.items()]
    text = "{\n" + ",\n".join([*lines, ' "models": [\n' + ",\n".join(models) + "\n ]"]) + "\n}\n"
    replace_files({path: lambda place: place.write_text(text, "utf-8")})


def shipped() -> Gaps:
    """The record that is part of the package; errors as `read`."""
    return read(SHIPPED)


def read(path: Path) -> Gaps:
    """Read a record, as `write` wrote it.

    Raises:
        UserError: the file is no such record, or cannot be read.
    """
    values = json_of(path, "a record of filled gaps")
    try:
        if not isinstance(values, dict) or not isinstance(values.get("models"), list):
            raise ValueError("it has no list of models")
        models = [_filled(each) for each in values.pop("models")]
        record = Gaps(models=tuple(models), **declared(_Asked, values))
        if len(record.words) != len(record.sentences):
            raise ValueError("there are not as many words as sentences")
        for model in models:
            if len(model.answers) != len(record.sentences) or not all(model.answers):
                raise ValueError(f"{model.cell} has not an answer for each sentence")
    except ValueError as error:
        raise UserError(f"{path} is not a record of filled gaps: {error}") from error
    return record


def _filled(values: Any) -> Filled:
    given = Filled(**declared(Filled, values))
    return replace(
        given, answers=tuple([(piece, share) for piece, share in found] for found in given.answers)
    )


@dataclass(frozen=True)
class _Asked:
    """A record without its models."""

    sentences: tuple[str, ...]
    words: tuple[str, ...]
    code: dict[str, Any]
    machine: dict[str, Any]
