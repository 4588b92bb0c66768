"""What the checks of the contract share: how one is refused, and what a check is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from binviz.binarizers.base import Binarizer

#: Makes the binarizer anew, each time the same.
Make = Callable[[], Binarizer]
#: Takes what makes it, and inputs.
Check = Callable[[Make, Tensor], None]


class ConformanceError(AssertionError):
    """A binarizer breaks the contract; the message says which part and what to do."""


def require(holds: Any, check: str, message: str) -> None:
    """Raise a ConformanceError of that check unless it holds."""
    if not holds:
        raise ConformanceError(f"{check}: {message}")
