import numpy as np
import pytest
import torch

from binviz.check.exercise import Case, exercise, tally


@exercise("sign(0) is +1")
def ex_sign():
    """The sign of a vector."""
    x = np.array([-2.0, 0.0, 3.0])
    yield Case((x,), np.array([-1.0, 1.0, 1.0]))
    yield Case((np.full((2, 2), -1.0),), -np.ones((2, 2)), hint="any shape must do")


@exercise("four ones")
def ex_count():
    """A value, not a function."""
    yield Case((), 4)


@exercise("two values")
def ex_pair():
    """Mean and sum."""
    x = np.arange(4.0)
    yield Case((x,), (x.mean(), x.sum()))


def sign(x):
    return np.where(x >= 0, 1.0, -1.0)


@pytest.mark.parametrize(
    "answer", [sign, lambda x: torch.from_numpy(sign(x)), lambda x: sign(x).astype(np.int8)]
)
def test_a_right_answer_in_any_kind_of_array(answer, capsys):
    assert ex_sign(answer) is True
    assert capsys.readouterr().out == "ex_sign: right.\n"
    assert tally()["ex_sign"] is True


def test_the_first_wrong_value_is_shown_with_the_hint(capsys):
    assert ex_sign(np.sign) is False
    out = capsys.readouterr().out
    assert "position [1] should be 1, and yours is 0." in out
    assert out.endswith("Hint: sign(0) is +1\n")
    assert tally()["ex_sign"] is False


def test_a_case_may_have_its_own_hint(capsys):
    assert ex_sign(lambda x: sign(x)[:3].reshape(-1)) is False
    assert "any shape must do" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda x: None, "is a `return` missing?"),
        (lambda x: x[:2], "the shape should be (3,), and yours is (2,)."),
        (lambda x: "minus", "numbers are wanted"),
        (lambda x: x * np.nan, "and yours is nan"),
    ],
    ids=["nothing", "shape", "text", "nan"],
)
def test_odd_answers_get_a_sentence(answer, said, capsys):
    assert ex_sign(answer) is False
    assert said in capsys.readouterr().out


def test_a_value_instead_of_a_function(capsys):
    assert ex_count(4) and not ex_count(5)
    assert "the value should be 4, and yours is 5." in capsys.readouterr().out


def test_several_values(capsys):
    assert ex_pair(lambda x: (x.mean(), x.sum()))
    assert not ex_pair(lambda x: (x.mean(), x.mean()))
    assert not ex_pair(lambda x: x.mean())
    out = capsys.readouterr().out
    assert "In value 1: the value should be 6, and yours is 1.5." in out
    assert "2 values are wanted" in out


def test_an_answer_that_changes_its_input_harms_nobody():
    def careless(x):
        result = sign(x)
        x[...] = 7.0
        return result

    assert ex_sign(careless) and ex_sign(sign)


def test_the_students_own_exception_is_theirs_to_see():
    def unsolved(x):
        raise NotImplementedError("Write your code here")

    with pytest.raises(NotImplementedError):
        ex_sign(unsolved)
    assert tally()["ex_sign"] is False


class Silent:
    def __repr__(self):
        raise RuntimeError


@pytest.mark.parametrize(
    "answer",
    [
        torch.zeros(3, device="meta"), torch.zeros(3).to_sparse(), np.zeros(3, complex), np.zeros(3, "M8[s]"),
        [10**400] * 3, [[1], [1, 2]], "\x1b[31m", "a" * 10**6, Silent(), np.zeros(3, "i4,f4"), ["1", "2", "3"],
        {1}, iter(()),
    ],
    ids=lambda answer: type(answer).__name__,
)  # fmt: skip
def test_answers_that_are_no_numbers(answer, capsys):
    assert ex_sign(lambda x: answer) is False and ex_count(answer) is False
    out = capsys.readouterr().out
    assert out.replace("\n", "").isprintable() and len(out) < 1000


def test_a_value_where_a_function_is_wanted(capsys):
    assert ex_sign(np.zeros(3)) is False
    assert "Hand in your function" in capsys.readouterr().out
