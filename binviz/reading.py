"""Read files that anybody may have written: how large, which encoding, and whether the values are what is declared.

What a reader of one kind of file adds is its own meaning; see `binviz.evidence.runs.read`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from binviz.errors import UserError

#: Bytes of a text file, at most: of records, configurations, manifests.
MOST = 16 * 2**20
#: No whole number of a file is as large: numpy and torch hold what is below.
LARGEST = 2**63


def text_of(path: Path, what: str, most: int = MOST) -> str:
    """The text of a file in UTF-8.

    Args:
        path: of the file.
        what: it should be, for the line of an error: "is not `what`".
        most: bytes that it may have.

    Raises:
        UserError: no such file, no file at all, too large, or not UTF-8.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a.txt").write_text("α", "utf-8")
    ...     text_of(Path(folder, "a.txt"), "a note")
    'α'
    """
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise ValueError("it is no file")
        with path.open("rb") as file:
            content = file.read(most + 1)
        if len(content) > most:
            raise ValueError(f"it is larger than {most:,} bytes")
        return content.decode("utf-8")
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is not {what}: {getattr(error, 'strerror', None) or error}") from error


def json_of(path: Path, what: str, most: int = MOST) -> Any:
    """The value of a JSON file; arguments and errors as `text_of`, and UserError where it is no JSON."""
    text = text_of(path, what, most)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not {what}: {error}") from error


def declared(cls: Any, values: Any) -> dict[str, Any]:
    """Arguments of a dataclass, once every one of them is known and of its declared type; lists become tuples there.

    Raises:
        ValueError: what does not fit, and why.

    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class Point:
    ...     x: float
    ...     names: tuple[str, ...] = ()
    >>> declared(Point, {"x": 1, "names": ["a"]})
    {'x': 1, 'names': ('a',)}
    >>> declared(Point, {"x": "1"})
    Traceback (most recent call last):
    ValueError: x is no float
    """
    if not isinstance(values, dict):
        raise ValueError("it holds no names with values")
    known = {entry.name: entry for entry in fields(cls)}
    for name in values:
        if name not in known:
            raise ValueError(f"there is no {name!r}; it has: {', '.join(known)}")
    for name, entry in known.items():
        if name not in values and entry.default is MISSING and entry.default_factory is MISSING:
            raise ValueError(f"{name} is missing")
    kinds = _hints(cls)
    for name, value in values.items():
        if not fits(value, kinds[name]):
            raise ValueError(f"{name} is no {getattr(kinds[name], '__name__', kinds[name])}")
    return {
        name: tuple(value) if get_origin(kinds[name]) is tuple else value for name, value in values.items()
    }


@cache
def _hints(cls: Any) -> Mapping[str, Any]:
    return get_type_hints(cls)


@cache
def _parts(kind: Any) -> tuple[Any, tuple[Any, ...]]:
    """What a type is made of: dict of dict[str, int], and (str, int)."""
    return get_origin(kind) or kind, get_args(kind)


def fits(value: Any, kind: Any) -> bool:
    r"""Whether a value of a file is of a type: text that can be printed, numbers that a machine word or a float holds.

    Args:
        value: as JSON or TOML gives it.
        kind: str, bool, int, float (a whole number will do), Any, or a dict, list or tuple of these.

    >>> fits(True, int), fits(10**400, float), fits("\x1b", str), fits({"a": [1.5]}, dict[str, list[float]])
    (False, False, False, True)
    """
    origin, inside = _parts(kind)
    match origin:
        case origin if origin is dict:
            return isinstance(value, dict) and all(
                fits(k, inside[0]) and fits(v, inside[1]) for k, v in value.items()
            )
        case origin if origin is tuple and inside[-1] is not Ellipsis:
            return isinstance(value, list) and len(value) == len(inside) and all(map(fits, value, inside))
        case origin if origin in (list, tuple, Sequence):
            if not isinstance(value, list):
                return False
            # Curves are long, and mostly of floats: these need no look at each
            alike = inside[0] is float and set(map(type, value)) <= {float}
            return alike or all(fits(v, inside[0]) for v in value)
        case origin if origin is str:
            return isinstance(value, str) and value.isprintable()
        case origin if origin is float:
            return isinstance(value, float) or fits(value, int)
        case origin if origin is int:
            return type(value) is int and -LARGEST <= value < LARGEST
        case origin if origin is bool:
            return isinstance(value, bool)
    return kind is Any
