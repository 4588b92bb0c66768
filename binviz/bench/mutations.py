"""Damage to packed and other safetensors files, by a seeded generator: the same number is always the same damage.

Such a file is eight bytes of header length, a JSON header (tensors' dtype, shape and offsets, and the metadata, whose
values are JSON themselves), and the tensors' bytes. Each kind of damage aims at one of these.
"""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable
from typing import Any

DTYPES = (
    "BOOL",
    "U8",
    "I8",
    "I16",
    "F16",
    "BF16",
    "I32",
    "U32",
    "F32",
    "F64",
    "I64",
    "U64",
    "F8_E4M3",
    "C64",
    "?",
    5,
)
#: What a number, a word or a list is replaced by.
NASTY: tuple[Any, ...] = (
    0, 1, -1, 2, 3, 15, 16, 63, 65, 2**15, 2**21, 2**31, 2**32 - 1, 2**62, 2**64, 10**30, 0.5, -0.0, 1e308,
    None, True, "", "x", "bert", "../../x", "\0", "é" * 50, "9" * 5000, [], [0], [2**40, 2**40], [[]], {}, {"a": 1},
)  # fmt: skip


class Parts:
    """A packed file taken apart; `join` puts it together, right or wrong."""

    def __init__(self, file: bytes) -> None:
        (length,) = struct.unpack("<Q", file[:8])
        self.header: dict[str, Any] = json.loads(file[8 : 8 + length])
        self.data = bytearray(file[8 + length :])

    @property
    def tensors(self) -> list[str]:
        return [name for name in self.header if name != "__metadata__"]

    def join(self) -> bytes:
        text = json.dumps(self.header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        return struct.pack("<Q", len(text)) + text + bytes(self.data)


def boundaries(file: bytes) -> list[int]:
    """Where a part of the file ends: the length, the header, every tensor; and one byte before and behind."""
    parts = Parts(file)
    begin = len(file) - len(parts.data)
    ends = {offset + begin for name in parts.tensors for offset in parts.header[name]["data_offsets"]}
    return sorted({end + step for end in {0, 8, begin, *ends} for step in (-1, 0, 1)} & set(range(len(file))))


def truncated(file: bytes, dice: random.Random) -> bytes:
    return file[: dice.choice(boundaries(file)) if dice.random() < 0.8 else dice.randrange(len(file))]


def header_length(file: bytes, dice: random.Random) -> bytes:
    (length,) = struct.unpack("<Q", file[:8])
    near = (
        0,
        1,
        2,
        length - 8,
        length - 1,
        length + 1,
        length + 8,
        len(file) - 8,
        len(file),
        2**63,
        2**64 - 1,
    )
    wrong = dice.choice((*near, dice.randrange(2**16), dice.randrange(2**64)))
    return struct.pack("<Q", wrong % 2**64) + file[8:]


def bit_flips(file: bytes, dice: random.Random) -> bytes:
    flipped = bytearray(file)
    header = len(file) - len(Parts(file).data)
    low, high = dice.choice(((0, 8), (8, header), (8, header), (header, len(file)), (header, len(file))))
    for _ in range(dice.choice((1, 1, 2, 8))):
        flipped[dice.randrange(low, high)] ^= 1 << dice.randrange(8)
    return bytes(flipped)


def moved_bytes(file: bytes, dice: random.Random) -> bytes:
    """Some bytes left out, put elsewhere, replaced or added."""
    at, length = dice.randrange(len(file)), dice.choice((1, 7, 8, 64, 1000))
    chunk = file[at : at + length]
    to = dice.randrange(len(file))
    return dice.choice(
        (
            file[:at] + file[at + length :],
            file[:to] + chunk + file[to:],
            file[:at] + bytes(dice.randrange(256) for _ in chunk) + file[at + length :],
            file + chunk,
        )
    )


def dtype(file: bytes, dice: random.Random) -> bytes:
    parts = Parts(file)
    parts.header[dice.choice(parts.tensors)]["dtype"] = dice.choice(DTYPES)
    return parts.join()


def shape(file: bytes, dice: random.Random) -> bytes:
    parts = Parts(file)
    entry = parts.header[dice.choice(parts.tensors)]
    sizes = entry["shape"]
    if sizes and dice.random() < 0.5:
        sizes[dice.randrange(len(sizes))] = dice.choice(NASTY)
    else:
        entry["shape"] = dice.choice(
            (sizes[::-1], [1, *sizes], [*sizes, 1], sizes[:-1], [0, *sizes], [2**32, 2**32, *sizes], None)
        )
    return parts.join()


def offsets(file: bytes, dice: random.Random) -> bytes:
    parts = Parts(file)
    one, other = (parts.header[dice.choice(parts.tensors)] for _ in range(2))
    begin, end = one["data_offsets"]
    if dice.random() < 0.3:
        one["data_offsets"], other["data_offsets"] = other["data_offsets"], one["data_offsets"]
    else:
        size = end - begin
        one["data_offsets"] = dice.choice(
            ([end, begin], [begin, end + 1], [begin - 1, end], [begin + 8, end + 8], [0, size], [begin, 2**63],
             [2**64 - size, 2**64], [begin, begin], [begin], [begin, end, end], [-8, end], None, "0")
        )  # fmt: skip
    return parts.join()


def tensor_names(file: bytes, dice: random.Random) -> bytes:
    parts = Parts(file)
    one, other = dice.choice(parts.tensors), dice.choice(parts.tensors)
    entry = parts.header.pop(one)
    name = dice.choice(
        (other, one + ".bits", one.rpartition(".")[2], "", "__metadata__.x", "a" * 10_000, None)
    )
    if name is not None:
        parts.header[name] = entry
    return parts.join()


def version(file: bytes, dice: random.Random) -> bytes:
    parts = Parts(file)
    key = dice.choice(("version", "format"))
    value = dice.choice(("0", "2", "01", "1 ", "1.0", "-1", "", "x" * 10_000, "binviz", None, 1, [1]))
    if value is None:
        parts.header.get("__metadata__", {}).pop(key, None)
    else:
        parts.header.setdefault("__metadata__", {})[key] = value
    return parts.join()


def somewhere(root: dict[str, Any], dice: random.Random) -> tuple[Any, Any]:
    """A value inside JSON's values, as what holds it and the place in that."""
    value: Any = root
    place: Any = ""
    while isinstance(value[place], dict | list) and value[place] and dice.random() < 0.9:
        value = value[place]
        place = dice.choice(list(value) if isinstance(value, dict) else range(len(value)))
    return value, place


def metadata(file: bytes, dice: random.Random) -> bytes:
    """A value somewhere in the configuration, the recipe, the shapes, the tokenizer or the like; or its text."""
    parts = Parts(file)
    fields = parts.header.get("__metadata__", {})
    known = ("config", "config", "recipe", "shapes", "tokenizer", "state", "optimizer")
    if not (keys := [key for key in known if key in fields]):
        return version(file, dice)
    key = dice.choice(keys)
    if dice.random() < 0.2:
        text = fields[key]
        at = dice.randrange(len(text) + 1)
        fields[key] = dice.choice(
            (text[:at], text[:at] + dice.choice('[]{},:"0-e') + text[at:], "[" * 100_000, "NaN")
        )
        return parts.join()
    root = {"": json.loads(fields[key])}
    value, place = somewhere(root, dice)
    if dice.random() < 0.15 and value is not root:
        del value[place]
    else:
        value[place] = dice.choice(NASTY)
    fields[key] = json.dumps(root[""])
    return parts.join()


KINDS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    truncated, header_length, bit_flips, moved_bytes, dtype, shape, offsets, tensor_names, version, metadata, metadata,
)  # fmt: skip


def mutation(file: bytes, seed: int, number: int) -> tuple[str, bytes]:
    r"""What is done to a packed file, in a word, and the damaged file.

    >>> file = struct.pack("<Q", 2) + b"{}"
    >>> mutation(file, seed=0, number=0)
    ('truncated', b'\x02')
    """
    dice = random.Random(f"{seed} {number}")
    damage = KINDS[number % len(KINDS)]
    return damage.__name__, damage(file, dice)


__all__ = ["KINDS", "NASTY", "boundaries", "moved_bytes", "mutation", "somewhere"]
