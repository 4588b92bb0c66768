"""A text to pre-train on: a data set of the hub or files, read document by document, never whole.

A document is a row of a data set or a line of a file. A line that is too long to be held is cut at a blank, so that a
file of one line takes no more memory than another. What is not UTF-8 is left out and said; a file that is no text is
refused.
"""

from __future__ import annotations

import glob
import hashlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from binviz.data import sources
from binviz.errors import UserError

log = logging.getLogger(__name__)
#: Bytes of a line that are read at once; a longer one is several documents.
LONGEST = 2**20


@dataclass(frozen=True)
class Corpus:
    """Documents in order, read again each time; blank ones are left out.

    name: for people. sha256: of what is read. count: of the documents. documents: gives them.
    """

    name: str
    sha256: str
    count: int
    documents: Callable[[], Iterator[str]]


def open_corpus(name: str, subset: str = "", split: str = "train", column: str = "text") -> Corpus:
    r"""The corpus of that name, looked through once.

    Args:
        name: hub id of a data set; or files, folders of .txt files and patterns, separated by commas.
        subset, split, column: of a data set; files have none.

    Raises:
        UserError: no such file or data set, no text in it, or files that are no text in UTF-8.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a.txt").write_text("A line.\n\nAnother one.\n", "utf-8")
    ...     list(open_corpus(folder).documents())
    ['A line.', 'Another one.']
    """
    files = files_of(name)
    found = _of_files(name, files) if files else _of_dataset(name, subset, split, column)
    if not found.count:
        raise UserError(f"there is no text in {found.name}; name another one")
    return found


def files_of(name: str) -> list[Path]:
    """The files that a name stands for; none where it is a hub id.

    Raises:
        UserError: a folder without .txt files, or some parts are files and others are not there.
    """
    found: list[Path] = []
    parts = [part.strip() for part in name.split(",")]
    for part in parts:
        if Path(part).is_dir():
            here = sorted(Path(part).rglob("*.txt"))
        else:
            here = [Path(part)] if Path(part).exists() else sorted(map(Path, glob.glob(part)))
        if not here and (len(parts) > 1 or Path(part).is_dir() or Path(part).suffix == ".txt" or "*" in part):
            raise UserError(f"there is no text file {part}; name files, a folder of .txt files, or a hub id")
        found += here
    return found


def pieces_of(path: Path) -> Iterator[bytes]:
    """The lines of a file with their ends; those beyond `LONGEST` bytes in pieces, cut behind a blank if there is one.

    Raises:
        UserError: the file cannot be read.
    """
    rest = b""
    try:
        with path.open("rb") as file:
            while read := file.readline(LONGEST):
                piece, rest = rest + read, b""
                if not read.endswith(b"\n") and len(read) == LONGEST:
                    cut = piece.rfind(b" ") + 1 or _whole_characters(piece)
                    piece, rest = piece[:cut], piece[cut:]
                yield piece
            if rest:
                yield rest
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error


def _whole_characters(piece: bytes) -> int:
    """Where the last character of UTF-8 begins if it may be cut, else the end."""
    for back in range(1, min(4, len(piece))):
        if piece[-back] & 0xC0 != 0x80:  # no byte that continues a character
            return len(piece) - back if piece[-back] >= 0xC0 else len(piece)
    return len(piece)


def _text_of(piece: bytes) -> str | None:
    """The document of a piece, "" where it is blank; None where it is not UTF-8."""
    try:
        return piece.decode("utf-8").strip()
    except UnicodeDecodeError:
        return None


def _of_files(name: str, files: list[Path]) -> Corpus:
    digest, count = hashlib.sha256(), 0
    for path in files:
        lines = bad = 0
        for piece in pieces_of(path):
            if b"\0" in piece:
                raise UserError(f"{path} is no text: it has zero bytes; convert it to UTF-8, or leave it out")
            digest.update(piece)
            text = _text_of(piece)
            lines, bad, count = lines + 1, bad + (text is None), count + bool(text)
        if 2 * bad > lines:
            raise UserError(
                f"{path} is no text in UTF-8 ({bad:,} of {lines:,} lines); convert it, or leave it out"
            )
        if bad:
            log.warning("%s: %s of %s lines are not UTF-8 and are left out", path, f"{bad:,}", f"{lines:,}")

    def documents() -> Iterator[str]:
        for path in files:
            yield from filter(None, map(_text_of, pieces_of(path)))

    return Corpus(name, digest.hexdigest(), count, documents)


def _of_dataset(name: str, subset: str, split: str, column: str) -> Corpus:
    table, whole = (
        sources.load_dataset(name, subset or None, split),
        f"{name} {subset} {split}".replace("  ", " "),
    )
    if column not in table.column_names:
        raise UserError(f"{whole} has no column {column!r}; it has: {', '.join(table.column_names)}")

    def documents() -> Iterator[str]:
        for rows in table.select_columns([column]).iter(batch_size=1000):
            for text in rows[column]:
                if not isinstance(text, str):
                    raise UserError(f"the column {column!r} of {whole} holds no texts; name another one")
                if text.strip():
                    yield text.strip()

    digest, count = hashlib.sha256(), 0
    try:
        for text in documents():
            digest.update(text.encode("utf-8", "surrogatepass") + b"\0")
            count += 1
    except (ValueError, OSError) as error:  # bytes that are no UTF-8
        raise UserError(
            f"the column {column!r} of {whole} cannot be read: {error}; fetch it again"
        ) from error
    return Corpus(whole, digest.hexdigest(), count, documents)
