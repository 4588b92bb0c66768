"""Whether an answer is what is wanted: of the kind that the notebooks agree on, the right shape, the right values.

The contract, said in notebook 00: a function gets NumPy arrays and numbers, returns NumPy arrays and numbers, and
leaves its arguments alone. What keeps to it can be handed on by the cells below.
"""

from typing import Any

import numpy as np

from binviz.check.shown import Word
from binviz.errors import one_line

_NUMBERS = (bool, int, float, np.generic)


def unusable(got: Any, want: Any) -> str:
    """What of the contract is broken, as the end of a line; empty when nothing is.

    >>> unusable([1, 2], np.array([1, 2]))
    'should be an array of NumPy, and yours is a list'
    >>> unusable([1, 2], (1, 2))
    ''
    """
    if got is None:
        return "returns nothing: is a `return` missing?"
    if isinstance(want, tuple):
        parts = zip(got, want, strict=False) if _several(got) else ()
        return next(
            (f"value {i} {said}" for i, (g, w) in enumerate(parts, 1) if (said := unusable(g, w))), ""
        )
    kind, wanted = type(got), np.asarray(want)
    if kind is not np.ndarray and not issubclass(kind, _NUMBERS):
        return f"should be {'an array of NumPy' if wanted.ndim else 'a number'}, and yours is {_called(got)}"
    try:
        _floats(got)
    except Exception:
        return f"should have numbers, and yours is {_called(got)}"
    return ""


def fault(got: Any, want: Any, tolerance: float) -> str:
    """What is wrong first with an answer that is usable, as the end of a line; empty when nothing is.

    >>> fault(np.array([1, 3]), np.array([1, 2]), 1e-5)
    'position [1] should be 2, and yours is 3'
    >>> fault([1, 2], (1, 2), 1e-5)
    ''
    """
    if isinstance(want, tuple):
        if not _several(got) or len(got) != len(want):
            return f"should be {len(want)} values, separated by commas"
        faults = (fault(g, w, tolerance) for g, w in zip(got, want, strict=True))
        return next((f"value {i} {said}" for i, said in enumerate(faults, 1) if said), "")
    found, wanted = _floats(got), np.asarray(want)
    if found.shape != wanted.shape:
        return f"should have the shape {wanted.shape}, and yours has {found.shape}"
    wrong = np.argwhere(~np.isclose(found, _floats(want), rtol=tolerance, atol=tolerance))
    if not len(wrong):
        return ""
    at = tuple(map(int, wrong[0]))
    place = f"position {list(at)} " if at else ""
    bits = isinstance(want, Word) or wanted.dtype == np.uint64
    return f"{place}should be {_number(wanted[at], bits)}, and yours is {_number(np.asarray(got)[at], bits)}"


def _several(got: Any) -> bool:
    return issubclass(type(got), tuple | list) or (type(got) is np.ndarray and got.ndim > 0)


def same(one: Any, other: Any) -> bool:
    """Whether two answers are the same to five digits."""
    if issubclass(type(one), tuple | list) and issubclass(type(other), tuple | list):
        return len(one) == len(other) and all(map(same, one, other))
    try:
        a, b = _floats(one), _floats(other)
    except Exception:
        return False
    return a.shape == b.shape and np.allclose(a, b, rtol=1e-5, atol=1e-5, equal_nan=True)


def _floats(value: Any) -> np.ndarray:
    """As float64.

    Raises:
        TypeError: complex numbers, dates, texts and objects are no numbers here.
    """
    if not issubclass(type(value), (*_NUMBERS, np.ndarray)):
        raise TypeError
    array = np.asarray(float(value) if type(value) is int else value)
    if array.dtype.kind not in "biuf":
        raise TypeError
    return array.astype(np.float64)


def _number(value: Any, bits: bool) -> str:
    return bin(int(value)) if bits and np.isfinite(value) and value == int(value) else f"{value:.6g}"


def _called(value: Any) -> str:
    """A value in a few words."""
    kind = type(value)
    if kind in (list, tuple, dict, set):
        return f"a {kind.__name__}"
    if issubclass(kind, np.ndarray):
        return f"an array of {value.dtype}"
    if kind.__module__.partition(".")[0] == "torch":
        return "a tensor of torch: stay with np, or end with .numpy()"
    try:
        return one_line(repr(value), longest=80)
    except Exception:
        return f"of the type {one_line(kind.__name__, longest=80)}"
