"""Which of a binarizer's parameters are scales, and which are shifts or thresholds."""

from __future__ import annotations

from binviz.binarizers import Binarizer


def scales_of(binarizer: Binarizer) -> tuple[str, ...]:
    """Names of the parameters that are learned scales.

    >>> from binviz import binarizers
    >>> scales_of(binarizers.get("elastic-signed"))
    ('alpha', 'scale')
    """
    return getattr(binarizer, "scales", ("alpha", "scale"))


def shifts_of(binarizer: Binarizer) -> tuple[str, ...]:
    """Names of the parameters that are learned shifts or thresholds.

    >>> from binviz import binarizers
    >>> shifts_of(binarizers.get("reactnet-activation", features=2))
    ('beta', 'threshold')
    """
    return getattr(binarizer, "shifts", ("beta", "threshold"))
