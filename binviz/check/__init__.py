"""Exercises that grade themselves: `check.ex_0_1(my_function)` prints the first wrong value with a hint.

One file for each notebook, `ex_<notebook>_<number>` for each exercise.
"""

from binviz.check.exercise import Case, exercise, tally

__all__ = ["Case", "exercise", "tally"]
