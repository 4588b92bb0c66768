"""What an exercise is: a generator of cases turned into a function that judges a student's answer.

>>> @exercise("1 where x >= 0, and sign(0) is +1.")
... def ex_demo():
...     '''The bits of a vector.'''
...     yield Case((np.array([-1.0, 0.0, 2.0]),), np.array([0, 1, 1]))
>>> ex_demo(lambda x: x > 0)
ex_demo: not yet. For the input
  [-1.  0.  2.]
position [1] should be 1, and yours is 0.
Hint: 1 where x >= 0, and sign(0) is +1.
False
>>> ex_demo(lambda x: x >= 0)
ex_demo: right.
True
"""

import copy
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from binviz.errors import one_line

_results: dict[str, bool] = {}


@dataclass(frozen=True)
class Case:
    """One question: arguments for the student's function, the right answer, and a hint for this case alone.

    An answer is a number, an array, or a tuple of them. Without arguments the student hands in a value instead of
    a function.
    """

    args: tuple[Any, ...]
    want: Any
    hint: str = ""
    tolerance: float = 1e-5


def exercise(hint: str) -> Callable[[Callable[[], Iterator[Case]]], Callable[[Any], bool]]:
    """Turn a generator of cases into `check(answer) -> bool`, which prints the first wrong value with a hint.

    An exception of the student's own function is not caught: its trace is the best hint there is, and the
    `NotImplementedError` of an unsolved exercise stops the notebook there.

    >>> @exercise("add the number to itself")
    ... def doubled():
    ...     yield Case((2,), 4)
    >>> doubled(lambda x: x * x * x)
    doubled: not yet. For the input
      2.
    the value should be 4, and yours is 8.
    Hint: add the number to itself
    False
    """

    def decorate(cases: Callable[[], Iterator[Case]]) -> Callable[[Any], bool]:
        name = cases.__name__

        @functools.wraps(cases)
        def check(answer: Any) -> bool:
            _results[name] = False
            for case in cases():
                if case.args and not callable(answer):
                    print(f"{name}: not yet. Hand in your function, without calling it.")
                    return False
                got = answer(*copy.deepcopy(case.args)) if case.args else answer
                fault = _first_fault(got, case.want, case.tolerance)
                if fault:
                    print(f"{name}: not yet. {_shown(case.args)}{fault}\nHint: {case.hint or hint}")
                    return False
            _results[name] = True
            print(f"{name}: right.")
            return True

        return check

    return decorate


def tally() -> dict[str, bool]:
    """The exercises tried in this session, and whether the last answer was right."""
    return dict(_results)


def _first_fault(got: Any, want: Any, tolerance: float) -> str:
    """What is wrong first, as a sentence; empty when nothing is."""
    if got is None:
        return "you return nothing: is a `return` missing?"
    if isinstance(want, tuple):
        if not isinstance(got, tuple) or len(got) != len(want):
            return f"{len(want)} values are wanted, separated by commas."
        faults = (_first_fault(g, w, tolerance) for g, w in zip(got, want, strict=True))
        return next((f"In value {i}: {fault}" for i, fault in enumerate(faults) if fault), "")
    try:
        got_array, want_array = _numbers(got), _numbers(want)
    except Exception:  # an array of another library, of objects, or of nothing that is there
        return f"numbers are wanted, and yours is {_called(got)}."
    if got_array.shape != want_array.shape:
        return f"the shape should be {want_array.shape}, and yours is {got_array.shape}."
    wrong = np.argwhere(~np.isclose(got_array, want_array, rtol=tolerance, atol=tolerance))
    if not len(wrong):
        return ""
    where = tuple(int(i) for i in wrong[0])
    place = f"position {list(where)}" if where else "the value"
    return f"{place} should be {want_array[where]:.6g}, and yours is {got_array[where]:.6g}."


def _numbers(value: Any) -> np.ndarray:
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    array = np.asarray(value)
    if array.dtype.kind not in "biufO":
        raise TypeError("complex numbers, dates and texts are no numbers here")
    return array.astype(np.float64)


def _called(value: Any) -> str:
    """A value in a line."""
    try:
        return one_line(repr(value), longest=80)
    except Exception:
        return f"of the type {type(value).__name__}"


def _shown(args: tuple[Any, ...]) -> str:
    """The inputs of a case, each on its own lines; long ones are shortened by NumPy."""
    if not args:
        return ""
    arrays = (np.array2string(_numbers(a), precision=4, threshold=24, prefix="  ") for a in args)
    return f"For the input{'s' if len(args) > 1 else ''}\n  " + "\n  ".join(arrays) + "\n"
