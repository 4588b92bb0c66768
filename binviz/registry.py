"""Things by name: what a cell, a configuration or a command line can say, and what it stands for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Generic, TypeVar

from binviz.errors import UserError, near

T = TypeVar("T")


class Registry(Generic[T]):
    """Name -> thing, in the order in which they were registered.

    Args:
        kind: what the things are called in messages, such as "loss".

    >>> shapes = Registry("shape")
    >>> shapes.register("ring")(min) is min
    True
    >>> shapes.get("rang")
    Traceback (most recent call last):
    binviz.errors.UserError: no shape 'rang'; did you mean 'ring'?
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._known: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator, or function of a value, that gives it its name.

        Raises:
            UserError: the name is taken.
        """

        def add(thing: T) -> T:
            if name in self._known:
                raise UserError(f"a {self.kind} named {name!r} exists already; choose another name")
            self._known[name] = thing
            return thing

        return add

    def get(self, name: str) -> T:
        """What the name stands for.

        Raises:
            UserError: nothing.
        """
        if name not in self._known:
            raise UserError(f"no {self.kind} {name!r}; {near(name, self._known)}")
        return self._known[name]

    def names(self, pattern: str = "*") -> list[str]:
        """Registered names that match a shell-style pattern."""
        return [name for name in self._known if fnmatchcase(name, pattern)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)
