"""The one error a user is meant to see: a single line that says what to do."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """Raised where a person's input cannot be used.

    The message is one line and says what to do; the command line and the dashboard print it without a
    traceback. Every other exception is a bug.

    >>> from binviz.errors import UserError
    >>> str(UserError("no recipe 'bitt'; did you mean 'bit-w1a1'?"))
    "no recipe 'bitt'; did you mean 'bit-w1a1'?"
    """


def near(name: object, known: Iterable[str], otherwise: str = "") -> str:
    """What to do about a name that is unknown: take the one that is meant, or choose.

    Args:
        name: what was given.
        known: names that there are.
        otherwise: said where none is near; by default all names are listed.

    >>> near("bitt", ["bit", "bnn"]), near("q", ["bit", "bnn"])
    ("did you mean 'bit'?", 'choose one of: bit, bnn')
    """
    names = list(known)
    found = get_close_matches(str(name), names, n=1)
    return f"did you mean {found[0]!r}?" if found else otherwise or f"choose one of: {', '.join(names)}"
