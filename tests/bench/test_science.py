"""The runner of changes to the declared science, on a tree of three lines; the real list is tried by hand."""

import pytest

from binviz.bench import science
from binviz.bench.mutants import MUTANTS, Mutant
from binviz.errors import UserError


@pytest.fixture
def tree(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # a tenth of the time
    (tmp_path / "budget.py").write_text("STEPS = 1000\nRATE = 2\nSEED = 2\n")
    (tmp_path / "test_budget.py").write_text(
        "import budget\n\ndef test_steps():\n    assert budget.STEPS == 1000\n"
    )
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "tests", "verdict"),
    [
        ("1000", "2000", "test_budget.py", "killed"),
        ("RATE = 2", "RATE = 3", "test_budget.py", "SURVIVED"),
        (" = 2", " = 3", "test_budget.py", "NOT FOUND: '= 2' does not stand once in budget.py"),
        ("= 5", "= 3", "test_budget.py", "NOT FOUND: '= 5' does not stand once in budget.py"),
        ("1000", "(", "test_budget.py", "NO ANSWER: pytest's status 2"),
        (
            "1000",
            "2000",
            "test_nothing.py",
            "NO ANSWER: without the change the tests end with: pytest's status 4",
        ),
    ],
)
def test_verdicts(tree, old, new, tests, verdict):
    before = (tree / "budget.py").read_text()
    assert science.verdict(tree, Mutant("steps", "budget.py", old, new, (tests,))) == verdict
    assert (tree / "budget.py").read_text() == before


def test_a_file_that_is_gone(tree):
    assert science.verdict(tree, Mutant("", "moved.py", "a", "b", ())).startswith("NOT FOUND")


def test_the_table_and_the_status(monkeypatch, capsys):
    monkeypatch.setattr(science, "copy_tree", lambda place: None)
    found = {MUTANTS[0]: "killed", MUTANTS[1]: "SURVIVED"}
    monkeypatch.setattr(science, "verdict", lambda place, mutant: found[mutant])
    assert science.main(["1"]) == 0
    assert science.main(["1", "2"]) == 1
    said = capsys.readouterr().out.splitlines()
    assert MUTANTS[1].what in said[-2] and said[-2].endswith("SURVIVED") and said[-1] == "1 of 2 killed"
    with pytest.raises(SystemExit):
        science.main([str(len(MUTANTS) + 1)])


def test_it_needs_the_tests(tmp_path, monkeypatch):
    monkeypatch.setattr(science, "ROOT", tmp_path)
    with pytest.raises(UserError, match="no tests beside this binviz"):
        science.copy_tree(tmp_path / "copy")
