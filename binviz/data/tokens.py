"""A corpus as one long row of token numbers in a memory-mapped file, written once.

    folder/tokens.npy    (n,) uint16 or uint32: the pieces of each document, each document ended by the separator
    folder/tokens.json   what it was made from, and how far it is

Writing goes on where it was killed; several processes write one after the other, the later ones find it done. A file
that was made from another text or by another tokenizer is refused.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from filelock import FileLock
from numpy.lib import format as npy
from numpy.typing import NDArray
from tqdm.auto import tqdm

from binviz.data.corpus import Corpus
from binviz.errors import UserError
from binviz.files import replace_files
from binviz.reading import json_of

VERSION = 1
#: Characters that are tokenised at once.
MOST = 2**20
#: Documents between two entries of how far it is.
SAVE_EVERY = 20_000


def tokens_of(corpus: Corpus, tokenizer: Any, folder: Path) -> NDArray[Any]:
    """The tokens of a corpus, (n,) uint16 or uint32, memory-mapped and read-only.

    Args:
        corpus: that is tokenised, unless it has been.
        tokenizer: with a separator; one of `tokenizers`, which tokenises in several threads.
        folder: where the file is or will be; made if it is not there.

    Raises:
        UserError: the folder holds other tokens, damaged ones, or cannot be written.
    """
    settings = {
        "version": VERSION,
        "text": corpus.sha256,
        "documents": corpus.count,
        "tokenizer": digest_of(tokenizer),
        "dtype": np.dtype(np.uint16 if len(tokenizer) <= 2**16 else np.uint32).str,
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "tokens.lock"):
            state = _state(folder, settings, corpus.name)
            if not state["finished"]:
                state = _write(corpus, tokenizer, folder, settings, state)
        tokens = np.load(folder / "tokens.npy", mmap_mode="r")
    except OSError as error:
        raise UserError(f"cannot write {folder}: {error.strerror or error}") from error
    except ValueError as error:
        raise UserError(f"{folder} is damaged: {error}; delete it to tokenise again") from error
    if tokens.shape != (state["tokens"],) or tokens.dtype.str != settings["dtype"]:
        raise UserError(f"{folder} is damaged: it has not the tokens it names; delete it to tokenise again")
    return tokens


def digest_of(tokenizer: Any) -> str:
    """A digest of what a tokenizer makes of a text; of its settings for padding and cutting nothing.

    >>> from transformers import BertTokenizer
    >>> tokenizer = BertTokenizer(vocab={"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4, "a": 5})
    >>> before = digest_of(tokenizer)
    >>> _ = tokenizer(["a"], truncation=True, max_length=4)
    >>> digest_of(tokenizer) == before
    True
    """
    values = json.loads(tokenizer.backend_tokenizer.to_str())
    kept = {name: value for name, value in values.items() if name not in ("padding", "truncation")}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def _state(folder: Path, settings: dict[str, Any], name: str) -> dict[str, Any]:
    """How far the file in a folder is.

    Raises:
        UserError: it is of other settings.
    """
    path = folder / "tokens.json"
    if not path.exists():
        return {"done": 0, "tokens": 0, "finished": False}
    found = json_of(path, "a description of tokens")
    was = found.get("settings") if isinstance(found, dict) else None
    if not isinstance(was, dict) or was.keys() != settings.keys():
        raise UserError(f"{path} is not a description of tokens; delete {folder} to tokenise again")
    for key, what in (
        ("version", "by another binviz"),
        ("text", "from another text"),
        ("tokenizer", "by another tokenizer"),
    ):
        if was[key] != settings[key]:
            raise UserError(
                f"{folder} holds tokens made {what} than those of {name}; choose another folder, or delete it"
            )
    state = {key: found.get(key) for key in ("done", "tokens", "finished")}
    if any(type(state[key]) is not int or state[key] < 0 for key in ("done", "tokens")):
        raise UserError(f"{path} is damaged; delete {folder} to tokenise again")
    return state


def _batches(documents: Iterator[str]) -> Iterator[list[str]]:
    """Documents together, about `MOST` characters at a time.

    >>> list(map(len, _batches(iter(["a" * 2**19] * 3))))
    [2, 1]
    """
    batch: list[str] = []
    size = 0
    for document in documents:
        batch.append(document)
        size += len(document)
        if size >= MOST:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _write(
    corpus: Corpus, tokenizer: Any, folder: Path, settings: dict[str, Any], state: dict[str, Any]
) -> dict[str, Any]:
    dtype, place = np.dtype(settings["dtype"]), folder / "tokens.npy"

    def note(done: int, tokens: int, finished: bool) -> dict[str, Any]:
        state = {"done": done, "tokens": tokens, "finished": finished}
        text = json.dumps({"settings": settings, **state}, indent=1) + "\n"
        replace_files({folder / "tokens.json": lambda path: path.write_text(text, "utf-8")})
        return state

    done, count, noted = state["done"], state["tokens"], state["done"]
    place.touch()
    with place.open("r+b") as file:
        start = _write_header(file, dtype, count)
        if (
            place.stat().st_size < start + count * dtype.itemsize
        ):  # the file was lost, its description was not
            done = count = noted = 0
        file.truncate(start + count * dtype.itemsize)
        file.seek(0, os.SEEK_END)
        rest = itertools.islice(corpus.documents(), done, None)
        with tqdm(
            total=corpus.count, initial=done, desc="tokenise", unit=" documents", mininterval=1.0
        ) as bar:
            for batch in _batches(rest):
                found = tokenizer(batch, add_special_tokens=False, verbose=False, return_attention_mask=False)
                rows = [[*row, tokenizer.sep_token_id] for row in found["input_ids"]]
                flat = np.fromiter(itertools.chain.from_iterable(rows), dtype)
                file.write(flat.tobytes())
                done, count = done + len(batch), count + flat.size
                bar.update(len(batch))
                if done - noted >= SAVE_EVERY:
                    _to_disk(file)
                    note(done, count, finished=False)
                    noted = done
        _write_header(file, dtype, count)
        _to_disk(file)
    return note(done, count, finished=True)


def _write_header(file: BinaryIO, dtype: np.dtype, count: int) -> int:
    """The header of (count,) numbers at the file's beginning; its length, which count does not change."""
    file.seek(0)
    described = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": (count,)}
    npy.write_array_header_1_0(file, described)
    return file.tell()


def _to_disk(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
