"""What an exercise is: cases, hints, and the wrong answers that are known, each with a sentence of its own.

Some cases are the same for everybody, others are drawn anew at every call: a table of answers is not enough.

>>> @exercise(
...     idea="A bit has two values, and each float must be one of them.",
...     step="1 where x >= 0, else 0.",
...     mistakes={"0 counts as positive here: use >=.": lambda x: x > 0},
... )
... def ex_demo(rng):
...     '''The bits of a vector.'''
...     yield Case((np.array([-1.0, 0.0, 2.0]),), np.array([0, 1, 1]))
...     x = rng.normal(size=9).round(2)
...     yield Case((x,), (x >= 0).astype(int))
>>> right = ex_demo(lambda x: x > 0)
ex_demo: not yet.
x = np.array([-1.0, 0.0, 2.0])
your_function(x)  # position [1] should be 1, and yours is 0
0 counts as positive here: use >=.
>>> bool(right)
False
>>> right = ex_demo(lambda x: abs(x) > 3)
ex_demo: not yet.
x = np.array([-1.0, 0.0, 2.0])
your_function(x)  # position [1] should be 1, and yours is 0
Hint: A bit has two values, and each float must be one of them.
>>> right = ex_demo(lambda x: x >= 0)
ex_demo: right.
>>> bool(right)
True
"""

import copy
import functools
import secrets
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator, default_rng

from binviz.check import marks
from binviz.check.answers import fault, same, unusable
from binviz.check.shown import call_of, names_of, pasted
from binviz.errors import one_line


@dataclass(frozen=True)
class Case:
    """One question: arguments for the student's function, and the right answer.

    Args:
        args: NumPy arrays, numbers, names and `Word`s, short enough to be read; at least one.
        want: a number, an array, or a tuple of them.
        tolerance: relative and absolute.
    """

    args: tuple[Any, ...]
    want: Any
    tolerance: float = 1e-5


@dataclass
class Last:
    """The case that was wrong last: `check.last.args`, `check.last.answer`, `check.last.want`."""

    exercise: str = ""
    args: tuple[Any, ...] = ()
    answer: Any = None
    want: Any = None


last = Last()


@dataclass(frozen=True)
class Verdict:
    """True or false. A notebook shows nothing of it, since the sentence stands there already."""

    exercise: str
    right: bool

    def __bool__(self) -> bool:
        return self.right

    def _ipython_display_(self) -> None:
        pass


class Unsolved(NotImplementedError):
    """Stops a notebook at an exercise that is not written yet, with one sentence instead of a traceback."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


class Exercise:
    """Called with an answer it prints a verdict; `exercise` makes one of a generator of cases.

    Attributes:
        name: as in `check.ex_0_1`.
        about: what is to be found, a line.
        mistakes: sentences, each with the wrong function (or value) that gets it.
    """

    def __init__(
        self, cases: Callable[[Generator], Iterator[Case]], idea: str, step: str, mistakes: Mapping[str, Any]
    ) -> None:
        functools.update_wrapper(self, cases)
        self.name, self.cases, self.mistakes = cases.__name__, cases, dict(mistakes)
        self.about = (cases.__doc__ or "").partition("\n")[0]
        self.hints = (
            f"Hint: {idea}",
            f"Hint: {step}",
            "The solution is folded below: compare it with yours.",
        )
        self.given = 0

    def drawn(self, seed: int) -> list[Case]:
        """The cases that are the same for everybody, and those that a seed makes of them."""
        fixed, fresh = (list(self.cases(default_rng(each))) for each in (0, seed))
        return fixed + [
            new
            for old, new in zip(fixed, fresh, strict=True)
            if pasted(old.args, None) != pasted(new.args, None)
        ]

    def __call__(self, answer: Any) -> Verdict:
        """Print whether an answer is right; if not, its shortest wrong case and what to think of."""
        if not callable(answer):
            return self._wrong("Hand in your function, without calling it.")
        seed = secrets.randbits(64)
        # What is wanted is worked out after the answer has run, which therefore cannot look it up.
        outcomes = [_run(answer, args) for args in [case.args for case in self.drawn(seed)]]
        cases = self.drawn(seed)
        if any(isinstance(outcome.error, NotImplementedError) for outcome in outcomes):
            raise Unsolved(f"{self.name}: not written yet. Write your code here, in the cell above.")
        wrong = [(c, o, said) for c, o in zip(cases, outcomes, strict=True) if (said := o.fault(c))]
        if not wrong:
            self.given = 0
            print(f"{self.name}: right.")
            return self._verdict(True)
        case, outcome, said = min(wrong, key=lambda found: len(pasted(found[0].args, answer)))
        last.exercise, last.args, last.answer, last.want = self.name, case.args, outcome.value, case.want
        shown = pasted(case.args, answer), f"{call_of(case.args, answer)}  # {said}"
        usable = outcome.error is None and not (outcome.changed or unusable(outcome.value, case.want))
        known = self._known(cases, outcomes)
        return self._wrong(*shown, known or (self._hint() if usable else outcome.advice))

    def _known(self, cases: list[Case], outcomes: list["_Outcome"]) -> str:
        """The sentence of the known mistake that makes the same of every case; empty if there is none."""
        for sentence, mistake in self.mistakes.items():
            if all(o.same(_run(mistake, c.args)) for c, o in zip(cases, outcomes, strict=True)):
                return sentence
        return ""

    def _hint(self) -> str:
        self.given += 1
        return self.hints[min(self.given, len(self.hints)) - 1]

    def _wrong(self, *said: str) -> Verdict:
        print("\n".join([f"{self.name}: not yet.", *filter(None, said)]))
        return self._verdict(False)

    def _verdict(self, right: bool) -> Verdict:
        marks.tried(self.name, right)
        return Verdict(self.name, right)


def exercise(
    idea: str, step: str, mistakes: Mapping[str, Any]
) -> Callable[[Callable[[Generator], Iterator[Case]]], Exercise]:
    """Turn a generator of cases into a check that is called with a student's answer.

    It gets a generator of random numbers, and makes as many cases of any.

    Args:
        idea: said after the first wrong answer that is not a known mistake: where to look.
        step: said after the second one: what to write, short of the whole. The third points to the solution.
        mistakes: known wrong answers. One that makes the same of every case as the student's gets its sentence, and
            no hint is used up.

    >>> @exercise("What is a number added to itself?", "Multiply by 2.", {"That is the square.": lambda x: x * x})
    ... def doubled(rng):
    ...     yield Case((3,), 6)
    >>> right = doubled(lambda x: x**2)
    doubled: not yet.
    x = 3
    your_function(x)  # should be 6, and yours is 9
    That is the square.
    >>> right = doubled(lambda x: x + 1)
    doubled: not yet.
    x = 3
    your_function(x)  # should be 6, and yours is 4
    Hint: What is a number added to itself?
    """
    return lambda cases: Exercise(cases, idea, step, mistakes)


@dataclass(frozen=True)
class _Outcome:
    """What an answer makes of a case: a value or an error, and whether an argument is another one afterwards."""

    value: Any = None
    error: Exception | None = None
    changed: str = ""

    @property
    def advice(self) -> str:
        """What to do about an answer that is not usable, where that is not plain."""
        if self.changed:
            return f"Work on a copy, {self.changed} = {self.changed}.copy(): cells below use the same array."
        return ""

    def fault(self, case: Case) -> str:
        """What is wrong, as the end of a line; empty when nothing is."""
        if self.error is not None:
            return f"raises {type(self.error).__name__}: {one_line(self.error, 160)}{_line_of(self.error)}"
        if self.changed:
            return f"changes its argument {self.changed}"
        return unusable(self.value, case.want) or fault(self.value, case.want, case.tolerance)

    def same(self, other: "_Outcome") -> bool:
        if self.error is not None or other.error is not None:
            return type(self.error) is type(other.error)
        return self.changed == other.changed and same(self.value, other.value)


def _run(answer: Any, given: tuple[Any, ...]) -> _Outcome:
    """Call an answer with copies of the arguments."""
    args = copy.deepcopy(given)
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = answer(*args)
    except Exception as error:
        return _Outcome(error=error)
    names = names_of(given, answer)
    changed = (n for n, a, b in zip(names, args, given, strict=True) if not np.array_equal(a, b))
    return _Outcome(value, changed=next(changed, ""))


def _line_of(error: Exception) -> str:
    """The student's own line that raised it."""
    frames = [f for f in traceback.extract_tb(error.__traceback__)[1:] if f.line]
    return f", in the line: {one_line(frames[0].line, 100)}" if frames else ""
