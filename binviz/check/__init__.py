"""Exercises that check themselves: `check.ex_0_1(my_function)` says what is wrong, and of a known mistake why.

One file for each notebook, `ex_<notebook>_<number>` for each exercise. Some cases are drawn anew at every call;
`check.last` is the case that was wrong last. `check.predict` keeps a guess and `check.compare` shows it beside the
result; `check.tally` counts what is solved.
"""

from binviz.check.exercise import Case, Exercise, Verdict, exercise, last
from binviz.check.marks import compare, predict, tally
from binviz.check.notebook_00 import ex_0_1, ex_0_2, ex_0_3, ex_0_4
from binviz.check.notebook_01 import ex_1_1, ex_1_2, ex_1_3, ex_1_4, ex_1_5, ex_1_6, ex_1_7
from binviz.check.notebook_02 import ex_2_1, ex_2_2, ex_2_3, ex_2_4, ex_2_5, ex_2_6
from binviz.check.notebook_03 import ex_3_1, ex_3_2, ex_3_3, ex_3_4, ex_3_5, ex_3_6
from binviz.check.notebook_04 import ex_4_1, ex_4_2, ex_4_3, ex_4_4, ex_4_5, ex_4_6
from binviz.check.notebook_05 import ex_5_1, ex_5_2, ex_5_3, ex_5_4
from binviz.check.notebook_06 import ex_6_1, ex_6_2, ex_6_3, ex_6_4, ex_6_5
from binviz.check.notebook_07 import ex_7_1, ex_7_2, ex_7_3, ex_7_4, ex_7_5
from binviz.check.notebook_08 import ex_8_1, ex_8_2, ex_8_3, ex_8_4, ex_8_5
from binviz.check.notebook_09 import ex_9_1, ex_9_2, ex_9_3
from binviz.check.notebook_10 import ex_10_1, ex_10_2, ex_10_3
from binviz.check.notebook_11 import ex_11_1, ex_11_2, ex_11_3, ex_11_4
from binviz.check.notebook_12 import ex_12_1, ex_12_2, ex_12_3, ex_12_4
from binviz.check.shown import Word

__all__ = [
    "Case",
    "Exercise",
    "Verdict",
    "Word",
    "compare",
    "ex_0_1",
    "ex_0_2",
    "ex_0_3",
    "ex_0_4",
    "ex_1_1",
    "ex_1_2",
    "ex_1_3",
    "ex_1_4",
    "ex_1_5",
    "ex_1_6",
    "ex_1_7",
    "ex_2_1",
    "ex_2_2",
    "ex_2_3",
    "ex_2_4",
    "ex_2_5",
    "ex_2_6",
    "ex_3_1",
    "ex_3_2",
    "ex_3_3",
    "ex_3_4",
    "ex_3_5",
    "ex_3_6",
    "ex_4_1",
    "ex_4_2",
    "ex_4_3",
    "ex_4_4",
    "ex_4_5",
    "ex_4_6",
    "ex_5_1",
    "ex_5_2",
    "ex_5_3",
    "ex_5_4",
    "ex_6_1",
    "ex_6_2",
    "ex_6_3",
    "ex_6_4",
    "ex_6_5",
    "ex_7_1",
    "ex_7_2",
    "ex_7_3",
    "ex_7_4",
    "ex_7_5",
    "ex_8_1",
    "ex_8_2",
    "ex_8_3",
    "ex_8_4",
    "ex_8_5",
    "ex_9_1",
    "ex_9_2",
    "ex_9_3",
    "ex_10_1",
    "ex_10_2",
    "ex_10_3",
    "ex_11_1",
    "ex_11_2",
    "ex_11_3",
    "ex_11_4",
    "ex_12_1",
    "ex_12_2",
    "ex_12_3",
    "ex_12_4",
    "exercise",
    "last",
    "predict",
    "tally",
]
