"""Binarizers by name."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from binviz.binarizers.base import Binarizer
from binviz.errors import UserError, near

_REGISTRY: dict[str, type[Binarizer]] = {}


def register(name: str):
    """Class decorator that makes a Binarizer available to `get`, recipes and the dashboard.

    Raises:
        UserError: the name is taken by another class, or the class is no Binarizer.
    """

    def add(cls: type[Binarizer]) -> type[Binarizer]:
        if not (isinstance(cls, type) and issubclass(cls, Binarizer)):
            raise UserError(
                f"cannot register {cls!r} as {name!r}: derive it from binviz.binarizers.Binarizer"
            )
        known = _REGISTRY.get(name)
        if known is not None and known.__qualname__ != cls.__qualname__:
            raise UserError(f"a binarizer named {name!r} exists already; choose another name")
        _REGISTRY[name] = cls
        return cls

    return add


def names(pattern: str = "*") -> list[str]:
    """Registered names that match a shell-style pattern, sorted.

    >>> from binviz import binarizers
    >>> binarizers.names("elastic-*")
    ['elastic-signed', 'elastic-ternary', 'elastic-unsigned']
    """
    return sorted(name for name in _REGISTRY if fnmatchcase(name, pattern))


def get(name: str, **options: Any) -> Binarizer:
    """A new binarizer.

    Args:
        name: one of `names()`.
        options: the class's own options; `features` and `channel_axis` for all.

    Raises:
        UserError: unknown name or unknown option.

    >>> from binviz import binarizers
    >>> binarizers.get("bnn").levels
    (-1, 1)
    """
    if name not in _REGISTRY:
        raise UserError(f"no binarizer named {name!r}; {near(name, names())}")
    try:
        return _REGISTRY[name](**options)
    except TypeError as error:
        raise UserError(f"binarizer {name!r} does not take these options: {error}") from error
