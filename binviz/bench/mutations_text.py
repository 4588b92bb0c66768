"""Damage to text files, JSON and TOML, by a seeded generator: the same number is always the same damage.

Bytes are cut, turned and moved; values, names and tables are replaced by what nobody would write.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from typing import Any

from binviz.bench.mutations import NASTY, moved_bytes, somewhere

Damage = Callable[[bytes, random.Random], bytes]
#: Texts that must not reach a terminal or become a path.
ODD = ("\x1b[2J\x1b[31m", "\u202e", "a\nb", "\ud800", "C:\\x", "/etc/passwd", "con", "%s%n", "ſ" * 999, "-1")
VALUES: tuple[Any, ...] = (*NASTY, *ODD, float("nan"), float("inf"), -(10**18), 10**400, {"": None}, [1, "a"])


def cut(file: bytes, dice: random.Random) -> bytes:
    """The beginning alone."""
    return file[: dice.randrange(len(file))]


def bits(file: bytes, dice: random.Random) -> bytes:
    """Some bits turned."""
    turned = bytearray(file)
    for _ in range(dice.choice((1, 2, 8))):
        turned[dice.randrange(len(turned))] ^= 1 << dice.randrange(8)
    return bytes(turned)


def signs(file: bytes, dice: random.Random) -> bytes:
    """Something small, or something endless, put in or in place of all."""
    small = dice.choice(
        (*(c.encode() for c in '[]{},:"=.#0-e\n\0\r\t'), b"\xff", b"\xc3", b"\x1b[31m", b'"""')
    )
    at = dice.randrange(len(file) + 1)
    deep = dice.choice((b"[", b'{"a":', b"a.", b"9", b" ", b"\n", b"a=[", b"[a]\n")) * dice.choice(
        (99, 30_000)
    )
    return dice.choice((file[:at] + small + file[at:], file[:at] + small, deep, file + deep, b"", small))


def values(file: bytes, dice: random.Random) -> bytes:
    """A value somewhere in a JSON text, or its name."""
    root = {"": json.loads(file)}
    for _ in range(dice.choice((1, 1, 3))):
        value, place = somewhere(root, dice)
        action = dice.random()
        if action < 0.15 and value is not root:
            del value[place]
        elif action < 0.3 and isinstance(value, dict) and value is not root:
            value[dice.choice((str(place) + "x", *ODD))] = value.pop(place)
        else:
            value[place] = copy.deepcopy(dice.choice(VALUES))
    return json.dumps(root[""], ensure_ascii=dice.random() < 0.5).encode("utf-8", "surrogatepass")


#: What stands behind the sign of equality in a TOML file.
WRITTEN = (
    "0", "-1", "1e400", "nan", "-inf", "true", "''", '"\\u001b[31m"', "[]", "['float', 'float']", "['']", "{}",
    "{a.b.c = 1}", "1979-05-27T07:32:00", "0x" + "f" * 5000, "9" * 5000, "9" * 400, str(2**62), str(2**63), "1e9",
    "1e-320", "['" + "a" * 9999 + "']", "[" * 3000, "'../..'", "'bit-w1a1'", "'''\n\n'''",
    "[0x" + "f" * 5000 + "]", "0b2", "1_0", "1e9.5",
)  # fmt: skip


def settings(file: bytes, dice: random.Random) -> bytes:
    """A line of a TOML file: its value, its name, or its table."""
    lines = file.decode("utf-8").splitlines()
    at = dice.randrange(len(lines))
    name = lines[at].partition("=")[0].strip()
    lines[at] = dice.choice(
        (
            f"{name} = {dice.choice(WRITTEN)}",
            f"{name} = {dice.choice(WRITTEN)}",
            f"{dice.choice(('', 'task', 'seed', 'a.b', '[x]', '[[cola]]', '[sst2]', 'é', 'lr.a'))} = 1",
            f"[{dice.choice(('sst2', 'cola', 'sst3', '', 'a.b', 'lr', 'stages'))}]",
            f"{lines[at]}\n{lines[dice.randrange(len(lines))]}",
        )
    )
    return "\n".join(lines).encode()


BYTES: tuple[Damage, ...] = (cut, bits, signs, moved_bytes)


def damaged(file: bytes, inside: tuple[Damage, ...], dice: random.Random) -> tuple[str, bytes]:
    r"""What is done to a file, in a word, and the damaged file.

    Args:
        file: undamaged.
        inside: damages that know its format; they come about as often as those of bytes.
        dice: of this case.

    >>> damaged(b'{"a": 1}', (values,), random.Random(3))
    ('bits', b'\xfb"a": 1\x7f')
    """
    damage = dice.choice(BYTES if dice.random() < 0.5 else inside)
    return damage.__name__, damage(file, dice)
