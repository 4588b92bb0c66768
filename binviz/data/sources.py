"""Where data sets and models come from: local mirror folders first, then the Hugging Face hub.

`BINVIZ_MIRROR` is a list of folders (separated like PATH), each with `datasets/<id>/[config/]` and
`models/<id>/` inside: an offline classroom needs nothing else.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from binviz.errors import UserError

if TYPE_CHECKING:
    from datasets import Dataset

#: Says where data and models were taken from; the command line shows it.
log = logging.getLogger(__name__)
#: Of one parquet file, at most; those of text have a hundredth.
MOST_ROWS, MOST_BYTES = 10**7, 2**32


def mirrored(kind: Literal["datasets", "models"], name: str) -> Path | None:
    """The folder that mirrors hub id `name`, or None.

    >>> print(mirrored("datasets", "nobody/nothing"))
    None
    """
    for folder in os.environ.get("BINVIZ_MIRROR", "").split(os.pathsep):
        path = Path(folder).expanduser() / kind / name
        if folder and path.is_dir():
            return path
    return None


def _unreachable(kind: str, name: str, error: Exception) -> UserError:
    reason = str(error).strip().splitlines()[0][:160] if str(error).strip() else type(error).__name__
    return UserError(
        f"{name!r} is neither in a BINVIZ_MIRROR folder ({kind}/{name}) nor reachable on the hub ({reason}); "
        "connect to the network once or set BINVIZ_MIRROR"
    )


@cache
def _offline_if_unreachable() -> None:
    """Ask the hub once, briefly; where it does not answer, its clients use their cache and do not retry."""
    import datasets
    from huggingface_hub import constants, get_session

    try:
        get_session().head(constants.ENDPOINT, timeout=3)
    except Exception:
        constants.HF_HUB_OFFLINE = datasets.config.HF_HUB_OFFLINE = True


def load_dataset(name: str, config: str | None, split: str) -> Dataset:
    """One split of a data set, by hub id.

    Raises:
        UserError: the data set is not in a mirror and the hub cannot be reached, or has no such split.
    """
    import datasets

    folder = mirrored("datasets", name)
    log.info("data set %s: from %s", name, folder or "the hub")
    if folder is not None:
        files = sorted((folder / (config or "")).rglob(f"{split}-*.parquet"))
        if not files:
            raise UserError(f"{name} has no split {split!r} of configuration {config!r} in {folder}")
        return _read_parquet(files)
    _offline_if_unreachable()
    try:
        return datasets.load_dataset(name, config, split=split)
    except Exception as error:
        raise _unreachable("datasets", name, error) from error


def _read_parquet(files: Sequence[Path]) -> Dataset:
    """The rows of all files, in memory; nothing is kept elsewhere on the disk, where an older copy could be met.

    Raises:
        UserError: one is damaged, or not such a file.
    """
    import datasets
    from pyarrow import parquet

    parts = []
    for file in files:
        try:
            with parquet.ParquetFile(file) as opened:
                about = opened.metadata
                groups = [about.row_group(i) for i in range(about.num_row_groups)]
                if about.num_rows > MOST_ROWS or sum(group.total_byte_size for group in groups) > MOST_BYTES:
                    raise ValueError(f"it has more than {MOST_ROWS:,} rows or {MOST_BYTES:,} bytes")
                table = opened.read(use_threads=False)
            table.validate(full=True)
            parts.append(datasets.Dataset(datasets.table.InMemoryTable(table)))
        except Exception as error:  # a decoder raises what it likes on bytes that are none of its own
            raise UserError(f"{file} cannot be read as a parquet file: {error}; fetch it again") from error
    try:
        return datasets.concatenate_datasets(parts)
    except ValueError as error:
        raise UserError(f"the files of {files[0].parent} do not belong together: {error}") from error


def model_location(name: str) -> str:
    """A path or hub id that transformers' `from_pretrained` takes: a folder, a mirrored id, or the id itself.

    >>> model_location("nobody/nothing")
    'nobody/nothing'
    """
    if Path(name).is_dir():
        return name
    return str(mirrored("models", name) or name)


def pretrained(loader, name: str, **options):
    """`loader.from_pretrained` on a folder, a mirrored model or a hub id, without remote code.

    For a model pass `use_safetensors=True`, so that no pickle is read.

    Raises:
        UserError: the model cannot be found or read.
    """
    location = model_location(name)
    log.info("%s: from %s", name, "the hub" if location == name and not Path(name).is_dir() else location)
    if location == name and not Path(name).is_dir():
        _offline_if_unreachable()
    try:
        return loader.from_pretrained(location, trust_remote_code=False, **options)
    except Exception as error:  # a damaged file can raise anything
        if Path(location).is_dir():
            raise UserError(f"the model in {location} cannot be read: {error}") from error
        raise _unreachable("models", name, error) from error


def sha256(*columns: Sequence[object]) -> str:
    """A digest of a data set's columns, the same wherever its files came from.

    >>> sha256(["a fine film"], [1]) == sha256(("a fine film",), (1,)), sha256(["a fine film"], [0])[:8]
    (True, 'b4b81e07')
    """
    digest = hashlib.sha256()
    for row in zip(*columns, strict=True):
        digest.update(repr(row).encode())
    return digest.hexdigest()
