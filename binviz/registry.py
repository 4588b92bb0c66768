"""Things by name: what a cell, a configuration or a command line can say, and what it stands for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Any, Generic, TypeVar

from binviz.errors import UserError, near

T = TypeVar("T")


def same_name(one: Any, other: Any) -> bool:
    """Whether two classes or functions have one qualified name.

    >>> same_name(min, min), same_name(min, max)
    (True, False)
    """
    return one.__qualname__ == other.__qualname__


class Registry(Generic[T]):
    """Name -> thing, in the order in which they were registered.

    Args:
        kind: what the things are called in messages, such as "loss".
        same: whether two things are one that was defined again, as by a notebook's cell that is run twice.

    >>> shapes = Registry("shape")
    >>> shapes.register("ring")(min) is min
    True
    >>> shapes.get("rang")
    Traceback (most recent call last):
    binviz.errors.UserError: no shape 'rang'; did you mean 'ring'?
    """

    def __init__(self, kind: str, same: Callable[[T, T], bool] = same_name) -> None:
        self.kind, self._same = kind, same
        self._known: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator, or function of a value, that gives it its name.

        Raises:
            UserError: the name belongs to another thing.
        """

        def add(thing: T) -> T:
            if name in self._known and not self._same(self._known[name], thing):
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
