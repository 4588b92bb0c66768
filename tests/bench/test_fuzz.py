"""Damaged files of every kind: what the fuzzer does to them, that it notices what is wrong, and some of them."""

import os
import stat
import sys

import pytest
import torch

import binviz
from binviz.bench import fuzz
from binviz.bench.fuzzed import TARGETS, Packed
from binviz.bench.mutations import boundaries, mutation
from binviz.bench.originals import packed_files
from binviz.errors import UserError


@pytest.fixture(scope="module")
def files():
    return packed_files()


@pytest.fixture
def packed(files, tmp_path, monkeypatch):
    """A target with an undamaged file in its place."""
    monkeypatch.setattr("binviz.bench.fuzzed.packed_files", lambda: files)
    target = Packed(tmp_path)
    target.path.write_bytes(files[0])
    return target


@pytest.mark.slow
@pytest.mark.parametrize("kind", TARGETS)
def test_damaged_files(kind):
    found = list(fuzz.outcomes(500, [kind]))
    assert [(outcome.kind, outcome.number) for outcome in found] == [(kind, i) for i in range(500)]
    assert len({outcome.damage for outcome in found}) > 3
    assert [outcome for outcome in found if not outcome.right] == []
    assert {outcome.result for outcome in found} == {"refused", "loaded"} - (
        {"refused"} if kind == "answers" else set()
    )


@pytest.mark.parametrize("kind", TARGETS)
def test_damage_is_the_same_each_time(kind, tmp_path, monkeypatch):
    def content(target):
        return {path.name: path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file()}

    target = TARGETS[kind](tmp_path)
    both = []
    for _ in range(2):
        both.append([(target.damage(0, number), content(target)) for number in range(8)])
    assert both[0] == both[1]
    assert (
        kind == "answers"
        or [target.damage(1, number) for number in range(8)] != [name for name, _ in both[0]]
        or (kind in ("packed", "checkpoints", "folders"))
    )


def test_damage_is_mostly_damage(files):
    for file in files:
        assert sum(mutation(file, 0, number)[1] != file for number in range(110)) > 90
    assert mutation(files[0], 0, 5) != mutation(files[0], 1, 5)


def test_truncation_at_every_boundary_is_refused(files, tmp_path):
    path = tmp_path / "model.safetensors"
    for file in files:
        places = boundaries(file)
        assert {0, 7, 8, 9, len(file) - 1} <= set(places) and max(places) < len(file)
        for place in places:
            path.write_bytes(file[:place])
            with pytest.raises(UserError, match="cannot be read"):
                binviz.load_packed(path)


def test_an_undamaged_file_is_loaded(files, packed):
    for file in files:
        packed.path.write_bytes(file)
        assert fuzz.attempt(packed) == ("loaded", "")


def raising(error):
    def load(path):
        raise error

    return load


def unclear(text):
    error = UserError("")
    error.args = (text,)
    return error


WRONG = {
    "another error": (raising(KeyError("a")), "KeyError"),
    "a panic": (raising(BaseException("a")), "BaseException"),
    "two lines": (raising(unclear("a\nb")), "no clear line"),
    "an endless line": (raising(unclear("a" * 1000)), "no clear line"),
    "nothing": (raising(unclear("")), "no clear line"),
    "colours": (raising(unclear("\x1b[31m")), "no clear line"),
    "memory": (raising(UserError("is damaged: can't allocate memory")), "out of memory"),
    "no model": (lambda path: torch.nn.Linear(1, 1), "KeyError"),
}


@pytest.mark.parametrize(("load", "result"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_noticed(packed, monkeypatch, load, result):
    monkeypatch.setattr("binviz.saving.load_packed", load)
    assert fuzz.attempt(packed)[0] == result


def test_a_hidden_lack_of_memory_is_noticed(packed, monkeypatch):
    error = UserError("is damaged")
    error.__cause__ = MemoryError()
    monkeypatch.setattr("binviz.saving.load_packed", raising(error))
    assert fuzz.attempt(packed)[0] == "out of memory"


@pytest.mark.parametrize("name", ["bert.pooler.dense.weight", "bert.pooler.dense.bias", "classifier.weight"])
def test_a_number_that_is_not_the_file_s_is_noticed(packed, monkeypatch, name):
    model = binviz.load_packed(packed.path)
    model.get_parameter(name).data.view(-1)[1] -= 3
    monkeypatch.setattr("binviz.saving.load_packed", lambda path: model)
    assert fuzz.attempt(packed) == ("another tensor", name)


def test_a_model_that_does_not_answer_is_noticed(packed, monkeypatch):
    model = binviz.load_packed(packed.path)
    model.bert.pooler.forward = lambda hidden: 1 / 0
    monkeypatch.setattr("binviz.saving.load_packed", lambda path: model)
    assert fuzz.attempt(packed)[0] == "no answer"


@pytest.mark.skipif(os.name == "nt", reason="runs a shell script")
def test_a_process_that_dies_or_hangs_is_followed_by_another(tmp_path, monkeypatch, capsys):
    script = tmp_path / "worker"
    script.write_text(
        "#!/bin/sh\n"
        'case "$4" in\n'
        """packed,0,0,4) echo ready; echo '["packed", 0, "truncated", "refused", ""]'; kill -9 $$;;\n"""
        """packed,0,2,4) echo ready; echo '["packed", 2, "bit_flips", "loaded", ""]'; exec sleep 60;;\n"""
        "esac\n"
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(sys, "executable", str(script))
    # Five lines come, however slowly; the sixth, after number 2, never does
    waits, next_line = iter([600.0] * 5 + [0.1]), fuzz._next
    monkeypatch.setattr(fuzz, "_next", lambda lines, seconds: next_line(lines, next(waits, 600.0)))
    found = list(fuzz.outcomes(4, ["packed"]))
    assert [(outcome.number, outcome.result) for outcome in found] == [
        (0, "refused"),
        (1, "crash"),
        (2, "loaded"),
        (3, "timeout"),
    ]
    assert found[1].detail == "the process ended with status -9"
    with pytest.raises(RuntimeError, match="did not start"):
        list(fuzz.outcomes(1, ["packed"], first=9))
    monkeypatch.setattr(fuzz, "outcomes", lambda *arguments: iter(found))
    with pytest.raises(SystemExit, match="True"):
        fuzz.main(["--count", "4", "--kind", "packed"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "packed 1 : crash: the process ended with status -9"
    assert lines[3].split() == ["packed", "1", "1", "2"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux is asked to limit it")
def test_memory_is_limited(tmp_path):
    """In a process of its own: a gigabyte more than the limit cannot be had."""
    import subprocess

    code = (
        "import torch; from binviz.bench.fuzz import limit_memory; limit_memory(1 << 28)\n"
        "try: torch.zeros(1 << 30)\n"
        "except RuntimeError as error: print('allocate' in str(error))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["True"]
