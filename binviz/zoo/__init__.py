"""Named models: bundled with the package, each one file with its checksum, licence, provenance and run.

Names are `<task>-<arch>.<recipe>`, such as "digits-vit.bit-w1a1".
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from binviz.errors import UserError, near
from binviz.reading import declared, json_of

if TYPE_CHECKING:
    from binviz.evidence.runs import Run

FOLDER = Path(__file__).parent / "models"


@dataclass(frozen=True)
class Entry:
    """A bundled model.

    bytes: size of its file. float_bytes: four bytes for each parameter outside binarizers, what the
    float network takes in float32. run: (experiment, cell, seed) of its record.
    """

    name: str
    task: str
    arch: str
    recipe: str
    bytes: int
    float_bytes: int
    sha256: str
    licence: str
    provenance: str
    run: tuple[str, str, int]

    @property
    def path(self) -> Path:
        return FOLDER / f"{self.name}.safetensors"

    @property
    def record(self) -> Run | None:
        """The record of the model's run; None if it is missing."""
        from binviz.evidence import runs

        return runs.find(*self.run)

    @property
    def metrics(self) -> dict[str, float]:
        """What the model's run recorded; empty if its record is missing."""
        return dict(self.record.metrics) if self.record else {}


def read_manifest(path: Path) -> dict[str, Entry]:
    """Name -> entry, of a manifest file; none where there is no file.

    Raises:
        UserError: the file is no manifest.
    """
    entries = json_of(path, "a manifest of models") if path.exists() else []
    try:
        if not isinstance(entries, list):
            raise ValueError("it is no list")
        found = {entry.name: entry for entry in (Entry(**declared(Entry, values)) for values in entries)}
        for name in found:
            if Path(name).name != name or not name or "\\" in name:
                raise ValueError(f"{name!r} is no name of a file")
    except ValueError as error:
        raise UserError(f"{path} is not a manifest of models: {error}") from error
    return found


@cache
def _manifest() -> dict[str, Entry]:
    return read_manifest(FOLDER / "manifest.json")


def names(pattern: str = "*") -> list[str]:
    """Names of bundled models that match a shell-style pattern, in the manifest's order."""
    return [name for name in _manifest() if fnmatchcase(name, pattern)]


def describe(name: str) -> Entry:
    """The manifest's entry.

    Raises:
        UserError: no bundled model of that name.
    """
    if name not in _manifest():
        raise UserError(f"no model named {name!r}; {near(name, names())}")
    return _manifest()[name]


def _checked(name: str) -> Path:
    entry = describe(name)
    if not entry.path.exists() or hashlib.sha256(entry.path.read_bytes()).hexdigest() != entry.sha256:
        raise UserError(f"the file of {name!r} is missing or changed; install binviz again")
    return entry.path


def load(name: str | Path) -> nn.Module:
    """A model in eval mode, from a bundled model's name, a folder that `save` wrote, or a packed file.

    Raises:
        UserError: nothing of that name, or it is damaged.
    """
    from binviz.saving import load_folder, load_packed

    path = Path(name)
    if path.is_dir():
        return load_folder(path)
    return load_packed(path if path.is_file() else _checked(str(name)))


def load_tokenizer(name: str | Path) -> Any:
    """The tokenizer or image processor that belongs to a model; arguments and errors as `load`."""
    from binviz.saving.folder import read_tokenizer_files
    from binviz.saving.packed import read_tokenizer

    path = Path(name)
    if path.is_dir():
        return read_tokenizer_files(path, path)
    return read_tokenizer(path if path.is_file() else _checked(str(name)))
