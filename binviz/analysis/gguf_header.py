"""The header of a GGUF file, each number checked against the file before it is used: `header_of("model.gguf")`.

    "GGUF", version, number of tensors, number of keys       all numbers little-endian
    keys      name, type, value
    tensors   name, number of axes, sizes (the innermost first), type, offset
    padding   to a multiple of the alignment; from there on the tensors' bytes

as https://github.com/ggml-org/ggml/blob/master/docs/gguf.md has it, versions 2 and 3. The reader of the package `gguf`
believes what a header says, and would count to 2^60 where a list claims that length.
"""

from __future__ import annotations

import struct
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from binviz.errors import UserError

MAGIC = b"GGUF"
#: Bytes of a header, at most; safetensors has the same bound.
MOST = 100_000_000
_LONGEST = 65_535  # bytes of a name
_AXES = 4
_SCALARS = dict(zip((0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12), "BbHhIif?Qqd", strict=True))
_STRING, _ARRAY = 8, 9
_KEPT = ("general.alignment", "split.count")


class Record(NamedTuple):
    """Where a tensor lies.

    name: of it. dtype: name of its type, such as "Q1_0". shape: the first axis outermost, as torch has it.
    start, bytes: in the file.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    bytes: int


class Header(NamedTuple):
    """What a header says: tensors in the order of their bytes, and how many files the model is split into."""

    records: tuple[Record, ...]
    parts: int


def header_of(path: Path) -> Header:
    """Read a header.

    Args:
        path: of a file in GGUF.

    Raises:
        UserError: not GGUF, of another version, truncated, or it says what cannot be: counts, sizes or offsets beyond
            the file, tensors one over the other, a type that is unknown.
    """
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            return _header(_Cursor(file, size), size)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"cannot read {str(path)!r} as a GGUF file: {reason}") from error


class _Cursor:
    """Goes through the header, and never beyond the file."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file, self.at = file, 0
        self.end = min(size, MOST)
        self.what = "the end of the file" if size <= MOST else f"the {MOST:,} bytes that a header may have"

    def step(self, count: int) -> None:
        if count > self.end - self.at:
            raise ValueError(f"its header goes beyond {self.what}")
        self.at += count

    def skip(self, count: int) -> None:
        self.step(count)
        self.file.seek(self.at)

    def number(self, form: str) -> Any:
        width = struct.calcsize(form)
        self.step(width)
        content = self.file.read(width)
        if len(content) < width:
            raise ValueError("the file became shorter while it was read")
        return struct.unpack("<" + form, content)[0]

    def count(self, what: str, least: int) -> int:
        """A number of things, each of at least so many bytes."""
        count = self.number("Q")
        if count * least > self.end - self.at:
            raise ValueError(f"it claims {count:,} {what}, and ends before them")
        return count

    def name(self) -> str:
        length = self.count("bytes of a name", 1)
        if length > _LONGEST:
            raise ValueError(f"a name in it has {length:,} bytes")
        self.step(length)
        return self.file.read(length).decode("utf-8")

    def value(self, kind: int, inside: bool = False) -> Any:
        """A number; of anything else nothing is kept."""
        if kind in _SCALARS:
            return self.number(_SCALARS[kind])
        if kind == _STRING:
            return self.skip(self.count("bytes of text", 1))
        if kind != _ARRAY or inside:
            raise ValueError(f"a value in it is of type {kind}, which GGUF does not have")
        kind = self.number("I")
        if kind in _SCALARS:
            width = struct.calcsize(_SCALARS[kind])
            return self.skip(width * self.count("entries of a list", width))
        for _ in range(self.count("entries of a list", 8)):
            self.value(kind, inside=True)
        return None


def _header(cursor: _Cursor, size: int) -> Header:
    if cursor.file.read(4) != MAGIC:
        raise ValueError("it does not begin with GGUF")
    cursor.step(4)
    version = cursor.number("I")
    if version not in (2, 3):
        why = "big-endian" if version and version % 2**16 == 0 else f"version {version}"
        raise ValueError(f"it is {why}; versions 2 and 3 are read, in little-endian")
    tensors = cursor.count("tensors", 24)
    keys = {}
    for _ in range(cursor.count("keys", 13)):
        name = cursor.name()
        value = cursor.value(cursor.number("I"))
        if name in _KEPT:
            keys[name] = value
    alignment, parts = (keys.get(key, default) for key, default in zip(_KEPT, (32, 1), strict=True))
    if type(alignment) is not int or alignment < 1 or alignment & (alignment - 1):
        raise ValueError("its alignment is no power of two")
    if type(parts) is not int:
        raise ValueError("its number of parts is no whole number")
    found = [_record(cursor) for _ in range(tensors)]
    begin = -(-cursor.at // alignment) * alignment
    records = sorted((each._replace(start=begin + each.start) for each in found), key=lambda each: each.start)
    _check_places(records, alignment, size)
    return Header(tuple(records), max(parts, 1))


def _record(cursor: _Cursor) -> Record:
    """The next tensor; its start is counted from the first one's."""
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    name, axes = cursor.name(), cursor.number("I")
    if axes > _AXES:
        raise ValueError(f"tensor {name!r} has {axes:,} axes; GGUF has at most {_AXES}")
    shape = tuple(cursor.number("Q") for _ in range(axes))[::-1]
    kind, offset = cursor.number("I"), cursor.number("Q")
    try:
        dtype = GGMLQuantizationType(kind)
        block, width = GGML_QUANT_SIZES[dtype]
    except (ValueError, KeyError):
        raise ValueError(f"tensor {name!r} is of type {kind}, which is unknown") from None
    if (shape[-1] if shape else 1) % block:
        raise ValueError(
            f"tensor {name!r} is of type {dtype.name} in blocks of {block}, and its rows are no whole blocks"
        )
    return Record(name, dtype.name, shape, offset, prod(shape) // block * width)


def _check_places(records: list[Record], alignment: int, size: int) -> None:
    """Every tensor has a name and a place of its own in the file."""
    names = set()
    end = 0
    for record in records:
        if record.name in names:
            raise ValueError(f"it has two tensors {record.name!r}")
        if record.start % alignment or record.start < end:
            raise ValueError(f"tensor {record.name!r} begins within another one, or beside the alignment")
        end = record.start + record.bytes
        if end > size:
            raise ValueError(
                f"tensor {record.name!r} ends at byte {end:,} and the file at {size:,}; fetch it again"
            )
        names.add(record.name)
