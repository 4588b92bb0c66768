"""Every known mistake is refused with exactly its own sentence, and every solution of a notebook is right.

What is drawn anew at every call is drawn here from fixed seeds.
"""

import ast
import re
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

from binviz import check
from binviz.check.shown import literal, pasted

SOURCES = sorted((Path(__file__).parents[2] / "notebooks" / "src").glob("[0-9][0-9]_*.py"))
EXERCISES = [name for name in check.__all__ if name.startswith("ex_")]


@pytest.fixture(autouse=True)
def seed(monkeypatch):
    """Of the next call."""
    seeds = [1]
    monkeypatch.setattr("secrets.randbits", lambda bits: seeds[0])
    return seeds


@pytest.mark.parametrize("name", EXERCISES)
def test_a_mistake_gets_its_sentence(name, capsys):
    exercise, wrong = getattr(check, name), {}
    for sentence, mistake in exercise.mistakes.items():
        right = exercise(mistake)
        said = capsys.readouterr().out.splitlines()[-1]
        if right or said != sentence:
            wrong[sentence] = said
    assert wrong == {}


@pytest.mark.parametrize("name", EXERCISES)
def test_an_exercise_knows_mistakes_and_its_cases_can_be_read_and_pasted(name):
    exercise = getattr(check, name)
    assert len(exercise.mistakes) >= 2
    cases = exercise.drawn(1)
    assert len(cases) > len(list(exercise.cases(np.random.default_rng(0))))  # some are drawn
    for case in cases:
        assert len(pasted(case.args, None)) <= 700
        for arg in case.args:
            again = eval(literal(arg), {"np": np})
            assert np.array_equal(again, arg) and np.asarray(again).dtype == np.asarray(arg).dtype
    assert min(len(pasted(case.args, None)) for case in cases) <= 160


def cells(source):
    return re.split(r"^# %%", source.read_text("utf-8"), flags=re.MULTILINE)


def checked(source):
    """The exercises of a notebook: names, the student's function, and the cells after the check."""
    parts = cells(source)
    for i, cell in enumerate(parts):
        for name, function in re.findall(r"^check\.(ex_\w+)\((\w+)\)", cell, flags=re.MULTILINE):
            yield name, function, parts[i + 1 :]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_every_solution_is_right(source, seed):
    known = {"np": np, "binomtest": binomtest}
    for cell in cells(source):
        if "# solution" in cell:
            exec(cell.partition("\n")[2], known)
    for name, function, _ in checked(source):
        for seed[0] in range(3):
            assert getattr(check, name)(known[function]), (name, seed)


def test_every_exercise_belongs_to_a_notebook():
    assert sorted(name for source in SOURCES for name, *_ in checked(source)) == sorted(EXERCISES)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_what_a_student_writes_is_used_further_down(source):
    for name, function, later in checked(source):
        code = "\n".join(
            "\n".join(line for line in cell.splitlines()[1:] if not re.match(r"[%!]|check\.ex_", line))
            for cell in later
            if not cell.startswith(" [markdown]")
        )
        used = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
        assert function in used, f"{function} of {name}"
