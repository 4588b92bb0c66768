"""What a binarizer's options may be: declared once, beside the class, for its constructor and for whoever asks.

Type and default stand in the constructor's signature and the explanation in the docstring; `Binarizer.options` adds
the label, the bounds of a number, and where an option counts.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, get_type_hints

from binviz.errors import UserError

if TYPE_CHECKING:
    from binviz.binarizers.base import Binarizer


@dataclass(frozen=True)
class Option:
    """What a class declares of one of its options.

    Args:
        label: the option in words; its name where there is nothing to add.
        low, high: the least and the most of a number.
        words: value -> what it is called, where the value does not say it.
        when: (another option, its values): with all others this one changes nothing.
        in_training: it changes only what training does, no curve and no code.
    """

    label: str = ""
    low: float | None = None
    high: float | None = None
    words: Mapping[Any, str] = field(default_factory=dict)
    when: tuple[str, tuple[Any, ...]] | None = None
    in_training: bool = False

    def check(self, name: str, value: Any) -> None:
        """Refuse a number that is out of bounds.

        Raises:
            UserError: it is, or it is no number, or no whole one where the bounds are.

        >>> Option(low=1, high=1000).check("steps", 10**8)
        Traceback (most recent call last):
        binviz.errors.UserError: steps must be a whole number from 1 to 1000, not 100000000
        """
        if self.low is None or self.high is None:
            return
        whole = isinstance(self.low, int)
        number = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
        if not number or not self.low <= value <= self.high:
            kind = "a whole number" if whole else "a number"
            raise UserError(f"{name} must be {kind} from {self.low:g} to {self.high:g}, not {value!r}")


class Described(NamedTuple):
    """An option as a person meets it. choices: empty for a number and for a switch, which is off or on."""

    name: str
    default: Any
    choices: tuple[Any, ...]
    help: str
    declared: Option

    @property
    def label(self) -> str:
        """In words, beginning with a capital."""
        text = self.declared.label or self.name.replace("_", " ")
        return text[:1].upper() + text[1:]

    def counts(self, given: Mapping[str, Any]) -> bool:
        """Whether it changes anything beside these other options; those that are not given have their defaults."""
        if self.declared.when is None:
            return True
        other, values = self.declared.when
        return given.get(other) in values


def described(cls: type[Binarizer]) -> dict[str, Described]:
    r"""The options of a class beyond `features` and `channel_axis`, by name, in the order of its constructor.

    >>> from binviz import binarizers
    >>> options = described(type(binarizers.get("bivit-attention")))
    >>> list(options), options["beta"].help, options["beta"].declared.high
    (['method', 'beta', 'steps', 'scale'], 'The fraction of the row\'s maximum, for "quarter", 0.01 to 1.', 1.0)
    >>> options["method"].choices, options["steps"].counts({"method": "quarter"})
    (('quarter', 'descent'), False)
    """
    hints, said = get_type_hints(cls.__init__), _explained(cls)
    return {
        parameter.name: Described(
            parameter.name,
            parameter.default,
            getattr(hints.get(parameter.name), "__args__", ()),
            said.get(parameter.name, ""),
            cls.options.get(parameter.name, Option()),
        )
        for parameter in inspect.signature(cls).parameters.values()
        if parameter.name not in ("features", "channel_axis")
    }


def _explained(cls: type[Binarizer]) -> dict[str, str]:
    """Option -> its entry under "Args:" in the docstring, as one sentence."""
    text = inspect.getdoc(cls) or ""
    block = re.search(r"^Args:\n((?:    .*\n?|\n)+)", text, flags=re.MULTILINE)
    entries = re.findall(r"^    (\w+): (.+(?:\n {6,}.+)*)", block[1] if block else "", flags=re.MULTILINE)
    return {name: _sentence(" ".join(said.split())) for name, said in entries}


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].removesuffix(".") + "."
