import ast

import pytest

from binviz.bench import first_answer
from binviz.bench.first_answer import MODELS, PARTS, PROGRAM, main, measure


def test_parts_are_told_apart(monkeypatch, capsys):
    """The program itself runs in `make bench`: its imports alone take seconds."""
    assert PROGRAM.count("\nlap()") == len(PARTS)
    ast.parse(PROGRAM)
    monkeypatch.setattr(first_answer, "PROGRAM", "print([5, 4, 3, 0.25, 0.5, 0.125])")
    found = measure(MODELS[0], rounds=1)
    assert [found[part]["median"] for part in PARTS] == [5, 4, 3, 0.25, 0.5, 0.125]
    assert found["after imports"]["median"] == pytest.approx(0.875)
    monkeypatch.setattr(first_answer, "measure", lambda name: found)
    main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[-2:] == ["after", "imports"]
    assert lines[2].split() == [MODELS[0], "5.00", "4.00", "3.00", "0.25", "0.50", "0.12", "0.88"]
