"""The one error a user is meant to see: a single line that says what to do."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

#: Characters of a line, at most.
LONGEST = 500


class UserError(Exception):
    r"""Raised where a person's input cannot be used.

    The message is one line and says what to do; the command line and the dashboard print it without a
    traceback. Every other exception is a bug. Whatever it quotes from a file or an error of another library, it
    stays `one_line`.

    >>> from binviz.errors import UserError
    >>> str(UserError("no recipe 'bitt'; did you mean 'bit-w1a1'?"))
    "no recipe 'bitt'; did you mean 'bit-w1a1'?"
    >>> print(UserError("no tensor \x1b[31m\n red"))
    no tensor \x1b[31m red
    """

    def __init__(self, message: object) -> None:
        super().__init__(one_line(message))


def one_line(text: object, longest: int = LONGEST) -> str:
    r"""A text as one line of printable characters, cut in its middle where it is too long.

    Args:
        text: white space of any kind becomes one blank; what cannot be printed, or would move the cursor or turn the
            direction of reading, becomes an escape.
        longest: number of characters; what to do stands at the end of a message, so that the end is kept.

    >>> one_line("a\tb\n\x07"), one_line("0123456789" * 9, longest=20)
    ('a b \\x07', '0123456789 ... 56789')
    """
    line = printable(" ".join(str(text).split()))
    if len(line) <= longest:
        return line
    end = longest // 4
    return f"{line[: longest - end - 5]} ... {line[len(line) - end :]}"


def printable(text: str) -> str:
    r"""A text whose characters can all be printed: others become escapes, but for the ends of lines.

    >>> printable("\x1b[2Jα\n")
    '\\x1b[2Jα\n'
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode("ascii") for c in text
    )


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
    found = get_close_matches(str(name)[:LONGEST], names, n=1)
    return f"did you mean {found[0]!r}?" if found else otherwise or f"choose one of: {', '.join(names)}"
