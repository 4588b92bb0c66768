import csv
import json
import sys
import types

import numpy as np
import pytest
import torch

from binviz import check
from binviz.check import marks
from binviz.check.exercise import Case, Unsolved, exercise, last
from binviz.errors import UserError


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    monkeypatch.setattr(marks, "_kept", {"exercises": {}, "guesses": {}})


@pytest.fixture
def notebook(monkeypatch, tmp_path):
    """As in a kernel that runs in an empty folder."""
    shell = types.SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.chdir(tmp_path)
    return tmp_path / marks.FILE


@pytest.fixture
def ex_sign():
    @exercise(
        "Two values.", "Compare with 0.", {"np.sign(0) is 0.": np.sign, "Not flat.": lambda x: x.ravel()}
    )
    def ex_sign(rng):
        """The sign of a vector."""
        yield Case((np.full((2, 2), -1.0),), -np.ones((2, 2)))
        yield Case((np.array([-2.0, 0.0, 3.0]),), np.array([-1.0, 1.0, 1.0]))
        x = rng.normal(size=9)
        yield Case((x,), sign(x))

    return ex_sign


@exercise("", "", {})
def ex_pair(rng):
    """Mean and sum."""
    x = np.arange(4.0)
    yield Case((x,), (x.mean(), x.sum()))


def sign(x):
    return np.where(x >= 0, 1.0, -1.0)


def test_a_right_answer_says_so_once_and_is_true(ex_sign, capsys):
    verdict = ex_sign(lambda x: sign(x).astype(np.int8))
    assert verdict and verdict.exercise == "ex_sign"
    assert capsys.readouterr().out == "ex_sign: right.\n"


def test_a_table_of_answers_is_not_enough_and_the_drawn_case_can_be_pasted(ex_sign, capsys):
    table = {repr(case.args): case.want for case in ex_sign.cases(np.random.default_rng(0))}
    assert not ex_sign(lambda *args: table.get(repr(args), -1.0 * args[0]))
    known = {"np": np}
    exec(capsys.readouterr().out.splitlines()[1], known)
    assert np.array_equal(
        next(value for name, value in known.items() if name in ("x1", "args")), last.args[0]
    )
    assert repr(last.args) not in table and np.array_equal(last.want, sign(last.args[0]))


def test_no_two_calls_draw_the_same_and_a_seed_always_does(ex_sign):
    given = []
    for _ in range(2):
        assert ex_sign(lambda x: given.append(x) or sign(x))
    assert len(given) == 8 and not np.array_equal(given[3], given[7])
    once, again = ([case.args[0].tolist() for case in ex_sign.drawn(5)] for _ in range(2))
    assert once == again and len(once) == 4


def test_what_is_wanted_is_not_there_yet_when_an_answer_runs(ex_sign):
    found = []

    def thief(x):
        frame = sys._getframe()
        while frame := frame.f_back:
            for value in frame.f_locals.values():
                parts = value if isinstance(value, list | tuple) else [value]
                found.extend(part for part in parts if isinstance(part, Case))
        return sign(x)

    assert ex_sign(thief) and not found


def test_a_notebook_shows_nothing_of_a_verdict(ex_sign):
    from IPython.core.formatters import DisplayFormatter

    assert DisplayFormatter().format(ex_sign(sign)) == ({}, {})


def test_the_shortest_wrong_case_can_be_pasted_and_is_kept(ex_sign, capsys):
    assert not ex_sign(lambda x: np.where(x > 0, 1, -1))
    _, arguments, call, _ = capsys.readouterr().out.splitlines()
    known = {"np": np, "your_function": np.sign}
    exec(arguments, known)
    assert np.array_equal(eval(call, known), [-1, 0, 1])
    assert call.endswith("# position [1] should be 1, and yours is -1")
    assert last.exercise == "ex_sign" and np.array_equal(last.args[0], known["x"])
    assert np.array_equal(last.answer, [-1, -1, 1]) and np.array_equal(last.want, [-1, 1, 1])


def test_hints_come_one_after_the_other_and_a_known_mistake_uses_none_up(ex_sign, capsys):
    said = []
    for answer in (np.sign, np.abs, np.sign, np.abs, np.abs, np.abs, sign, np.abs):
        ex_sign(answer)
        said.append(capsys.readouterr().out.splitlines()[-1])
    known, idea, step, solution = "np.sign(0) is 0.", "Hint: Two values.", "Hint: Compare with 0.", said[4]
    assert "solution is folded below:" in solution
    assert said == [known, idea, known, step, solution, solution, "ex_sign: right.", idea]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda x: None, "is a `return` missing?"),
        (lambda x: x[:1], "should have the shape (3,), and yours has (1,)"),
        (lambda x: 1.0, "should have the shape (3,), and yours has ()"),
        (lambda x: "minus", "should be an array of NumPy, and yours is 'minus'"),
        (lambda x: x * np.nan, "and yours is nan"),
        (lambda x: sign(x).tolist(), "and yours is a list"),
        (lambda x: torch.from_numpy(sign(x)), "and yours is a tensor of torch"),
        (lambda x: np.ma.masked_array(sign(x), True), "should be an array of NumPy"),
        (lambda x: sign(x).astype(str), "should have numbers, and yours is an array of <U32"),
        (lambda x: sign(x) + 0j, "should have numbers, and yours is an array of complex128"),
        (lambda x: np.negative(np.abs(x, out=x), out=x), "changes its argument x"),
        (lambda x: x + y, "raises NameError: name 'y' is not defined, in the line: (lambda x: x + y"),  # noqa: F821
        (lambda x, y: x, "raises TypeError"),
        (np.zeros(3), "Hand in your function"),
    ],
    ids=lambda part: part[-20:] if isinstance(part, str) else "",
)
def test_what_cannot_be_used_further_down_is_refused_with_a_sentence(answer, said, ex_sign, capsys):
    assert not ex_sign(answer)
    out = capsys.readouterr().out
    assert said in out and "exercise.py" not in out


@pytest.mark.parametrize("kind", [tuple, list, np.array])
def test_several_values(kind, capsys):
    assert ex_pair(lambda x: kind([x.mean(), x.sum()]))
    assert not ex_pair(lambda x: kind([x.mean(), x.mean()]))
    assert not ex_pair(lambda x: x.mean())
    out = capsys.readouterr().out
    assert "value 2 should be 6, and yours is 1.5" in out
    assert "should be 2 values, separated by commas" in out


def test_an_unsolved_exercise_stops_with_one_sentence(ex_sign):
    def unsolved(x):
        raise NotImplementedError("Write your code here")

    with pytest.raises(Unsolved, match="Write your code here") as caught:
        ex_sign(unsolved)
    assert caught.value._render_traceback_() == [str(caught.value)]


class Silent:
    def __repr__(self):
        raise RuntimeError


@pytest.mark.parametrize(
    "answer",
    [
        torch.zeros(3, device="meta"), torch.zeros(3).to_sparse(), np.zeros(3, complex), np.zeros(3, "M8[s]"),
        [10**400] * 3, 10**400, [[1], [1, 2]], "\x1b[31m", "a" * 10**6, Silent(), np.zeros(3, "i4,f4"),
        ["1", "2", "3"], {1}, iter(()),
    ],
    ids=lambda answer: type(answer).__name__,
)  # fmt: skip
def test_answers_that_are_no_numbers(answer, ex_sign, capsys):
    assert not ex_sign(lambda x: answer) and not ex_pair(lambda x: answer)
    out = capsys.readouterr().out
    assert out.replace("\n", "").isprintable() and len(out) < 1500


def test_marks_outlive_the_kernel_and_a_solved_exercise_stays_solved(notebook, capsys):
    check.ex_0_1(lambda matches, n: 2 * matches - n)
    check.ex_0_1(lambda matches, n: matches)
    check.ex_0_2(lambda x: x)
    marks._kept = {"exercises": {}, "guesses": {}}  # another kernel
    check.predict("05.4", {"SST-2": np.array([1.0, 2.5])})
    capsys.readouterr()
    check.tally("all.csv")
    out = capsys.readouterr().out
    assert "00  ■□□□  1 of 4" in out and "whoever wants to can cheat" in out
    with open("all.csv", encoding="utf-8", newline="") as file:
        rows = {row["exercise"]: row for row in csv.DictReader(file)}
    assert (rows["ex_0_1"]["right"], rows["ex_0_1"]["tries"], rows["ex_0_2"]["right"]) == ("1", "2", "0")
    assert rows["ex_1_1"]["tries"] == "0" and all(row["about"] for row in rows.values())
    check.tally("all.json")
    assert json.loads((notebook.parent / "all.json").read_text("utf-8")) == json.loads(
        notebook.read_text("utf-8")
    )
    assert sorted(path.name for path in notebook.parent.iterdir()) == ["all.csv", "all.json", marks.FILE]
    with pytest.raises(UserError, match=r"ends in \.json"):
        check.tally("all.xlsx")


def test_a_damaged_file_is_begun_anew_and_without_a_notebook_there_is_none(notebook, monkeypatch):
    notebook.write_text("[1, 2", "utf-8")
    check.ex_0_1(lambda matches, n: 2 * matches - n)
    assert json.loads(notebook.read_text("utf-8"))["exercises"] == {"ex_0_1": {"right": True, "tries": 1}}
    notebook.unlink()
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: None))
    check.ex_0_1(lambda matches, n: 2 * matches - n)
    assert not notebook.exists()


def test_a_guess_is_shown_beside_the_result(notebook, capsys):
    check.compare("00.4", 0.125)
    check.predict("00.4", None)
    check.predict("00.4", 1 / 3)
    capsys.readouterr()
    marks._kept = {"exercises": {}, "guesses": {}}
    check.compare("00.4", np.float64(0.125))
    assert capsys.readouterr().out == "you said  0.3333\nit is     0.125\n"
