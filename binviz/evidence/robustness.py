"""Records of robustness: what a trained model still has right where its inputs are corrupted.

One JSON file a model, `<model>.json`: every corruption of its kind of data at five severities, as numbers of right
answers. Records shipped with the package, of bundled models and of an experiment's, and a user's own are read alike.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from binviz.errors import UserError
from binviz.files import replace_files
from binviz.reading import declared, json_of

SHIPPED = Path(__file__).parent / "robustness"


@dataclass(frozen=True)
class Robustness:
    """One model's.

    model: its name. model_sha256: of its file, "" of a folder. task: whose held-out inputs. data: split -> sha256 of
    the clean inputs. examples: how many there are. chance: share of the commonest class. seed: of the corruptions.
    clean: right answers without a corruption. right: corruption -> right answers at the severities 1 to 5.

    >>> one = Robustness("a", "", "digits", {}, 10, 0.1, 0, 9, {"fog": [8, 6, 5, 3, 1]}, 1.0)
    >>> one.accuracy("fog"), round(one.mean, 2)
    ([0.9, 0.8, 0.6, 0.5, 0.3, 0.1], 0.46)
    """

    model: str
    model_sha256: str
    task: str
    data: dict[str, str]
    examples: int
    chance: float
    seed: int
    clean: int
    right: dict[str, list[int]]
    seconds: float
    code: dict[str, Any] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)

    def accuracy(self, corruption: str) -> list[float]:
        """At severity 0, which is the clean input, to 5."""
        return [count / self.examples for count in (self.clean, *self.right[corruption])]

    @property
    def mean(self) -> float:
        """Accuracy over all corruptions and severities."""
        return fmean(count for counts in self.right.values() for count in counts) / self.examples


def write(record: Robustness, folder: Path) -> Path:
    """Write a record as `<folder>/<model>.json`; returns its path.

    Raises:
        UserError: it cannot be written.
    """
    values = asdict(record)
    right = ",\n".join(
        f"  {json.dumps(name)}: {json.dumps(counts)}" for name, counts in values["right"].items()
    )
    lines = [
        f" {json.dumps(name)}: " + (f"{{\n{right}\n }}" if name == "right" else json.dumps(value))
        for name, value in values.items()
    ]
    path = folder / f"{record.model}.json"
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    replace_files({path: lambda path: path.write_text(text, "utf-8")})
    return path


def read(path: Path) -> Robustness:
    """Read one record, as `write` wrote it.

    Raises:
        UserError: the file is no such record, or cannot be read.
    """
    values = json_of(path, "a record of robustness")
    try:
        record = Robustness(**declared(Robustness, values))
        if {"/", "\\"} & set(record.model):
            raise ValueError("model is part of a file's name and has a slash")
        if not (record.examples > 0 and 0 <= record.chance <= 1 and record.right):
            raise ValueError("it has no examples, no chance level or no corruptions")
        for name, counts in {"clean": [record.clean] * 5, **record.right}.items():
            if len(counts) != 5 or not all(0 <= count <= record.examples for count in counts):
                raise ValueError(f"{name} has not five numbers of at most {record.examples} right answers")
    except ValueError as error:
        raise UserError(f"{path} is not a record of robustness: {error}") from error
    return record


def records(experiment: str = "", folder: Path | None = None) -> dict[str, Robustness]:
    """Model -> record, of those shipped with the package, then of those in `folder`.

    Args:
        experiment: whose models' records, which lie in `SHIPPED / experiment`, such as "bibench"; by default those of
            the bundled models.
        folder: of a user's own.

    >>> records()["digits-vit.float"].examples, records("no such experiment")
    (450, {})
    """
    roots = (SHIPPED / experiment, folder)
    paths = [path for root in roots if root is not None for path in sorted(root.glob("*.json"))]
    return {record.model: record for record in map(read, paths)}
