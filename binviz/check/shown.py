"""A case as two lines of Python that can be pasted below it: the arguments, and the call."""

import inspect
from typing import Any

import numpy as np


class Word(int):
    """An integer whose bits matter, shown as such.

    >>> Word(5), Word(5) ^ 1
    (0b101, 4)
    """

    def __repr__(self) -> str:
        return bin(self)


def literal(value: Any) -> str:
    """A number or an array as Python that makes the same one.

    >>> literal(np.arange(70.0).reshape(35, 2)), literal(np.array([[2], [3]], np.uint64))
    ('np.arange(70.0).reshape(35, 2)', 'np.array([[0b10], [0b11]], np.uint64)')
    """
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, np.ndarray):
        return repr(value)
    kind = "" if value.dtype in (np.float64, np.int64, bool) else f", np.{value.dtype}"
    if value.size > 4 and np.array_equal(value.ravel(), np.arange(value.size)):
        size = f"{value.size}.0" if value.dtype.kind == "f" else value.size
        return f"np.arange({size}{kind and f', dtype={kind[2:]}'}).reshape{value.shape}"
    listed = value.astype(object)
    if value.dtype == np.uint64:
        listed = np.vectorize(Word, otypes=[object])(listed)
    return f"np.array({listed.tolist()}{kind})"


def pasted(args: tuple[Any, ...], function: Any) -> str:
    """The line that names the arguments as the student's function does.

    >>> pasted((Word(5), 3), lambda word, n: 0)
    'word, n = 0b101, 3'
    """
    return f"{', '.join(names_of(args, function))} = {', '.join(map(literal, args))}"


def call_of(args: tuple[Any, ...], function: Any) -> str:
    """The line that calls it."""
    name = str(getattr(function, "__name__", ""))
    return f"{name if name.isidentifier() else 'your_function'}({', '.join(names_of(args, function))})"


def names_of(args: tuple[Any, ...], function: Any) -> list[str]:
    """What the student's function calls its arguments."""
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        names = []
    return names[: len(args)] if len(names) >= len(args) else [f"x{i}" for i in range(1, len(args) + 1)]
