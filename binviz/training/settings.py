"""Settings that are numbers: one line for those that cannot be used, before anything is loaded or trained."""

from __future__ import annotations

from typing import Any

from binviz.errors import UserError

#: No rate, count or weight of a run is as large; it keeps products of two settings finite.
LARGEST = 1e9


def check_numbers(config: Any, *, positive: tuple[str, ...] = (), not_negative: tuple[str, ...] = ()) -> None:
    """Raise UserError unless the named settings are numbers in range, and `config.seed` one for every generator.

    Args:
        config: a dataclass with a `seed`.
        positive: names of settings above 0.
        not_negative: names of settings that may be 0.

    >>> from types import SimpleNamespace
    >>> check_numbers(SimpleNamespace(lr=float("nan"), seed=0), positive=("lr",))
    Traceback (most recent call last):
    binviz.errors.UserError: lr must be greater than 0 and at most 1e+09, not nan
    """
    for name in positive + not_negative:
        value, least = getattr(config, name), "greater than" if name in positive else "at least"
        if not 0 <= value <= LARGEST or (name in positive and value == 0):
            raise UserError(f"{name} must be {least} 0 and at most {LARGEST:g}, not {value}")
    if not 0 <= config.seed < 2**63:
        raise UserError(f"seed must be at least 0 and less than 2**63, not {config.seed}")
