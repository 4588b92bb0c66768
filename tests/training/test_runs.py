"""Run records: written, read, found, and one line for what is none."""

import inspect
import json
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from binviz.errors import UserError
from binviz.evidence import runs

RUN = runs.Run(
    experiment="digits",
    cell="cnn.float+bit-w1a1",
    seed=3,
    config={"lr": 1e-3, "stages": ["float"]},
    selection="the last step",
    data={"train": "ab12"},
    metrics={"accuracy": 0.5, "count": 1},
    seconds=1.5,
    predictions="05",
    examples=3,
    curves={"step": [1, 2], "loss": [0.5, 0.25]},
)


def test_round_trip(tmp_path):
    path = runs.write(RUN, tmp_path)
    assert path == tmp_path / "digits/cnn.float+bit-w1a1.seed3.json"
    assert runs.read(path) == RUN
    assert list(path.parent.iterdir()) == [path]


def test_a_users_records_come_after_the_shipped_ones(tmp_path, monkeypatch):
    shipped, own = tmp_path / "shipped", tmp_path / "own"
    monkeypatch.setattr(runs, "SHIPPED", shipped)
    assert list(runs.runs(own)) == []
    runs.write(RUN, shipped)
    other = runs.Run(**(vars(RUN) | {"experiment": "a", "cell": "b"}))
    runs.write(other, own)
    assert list(runs.runs(own)) == [RUN, other]
    assert list(runs.runs()) == [RUN]
    assert runs.find("digits", RUN.cell, 3) == RUN
    assert runs.find("digits", RUN.cell) is None


GOOD = json.loads(json.dumps(vars(RUN)))
GARBAGE = {
    "empty": b"",
    "bytes": b"\xff\xfe",
    "cut short": json.dumps(GOOD).encode()[:50],
    "a list": b"[1]",
    "null": b"null",
    "deep": b"[" * 100_000,
    "no field": b"{}",
    "a field missing": json.dumps({key: value for key, value in GOOD.items() if key != "seed"}).encode(),
    "a field too many": json.dumps(GOOD | {"verdict": "holds"}).encode(),
    "a seed of words": json.dumps(GOOD | {"seed": "three"}).encode(),
    "metrics of a list": json.dumps(GOOD | {"metrics": [0.5]}).encode(),
    "seconds of words": json.dumps(GOOD | {"seconds": "long"}).encode(),
    "predictions of a number": json.dumps(GOOD | {"predictions": 5}).encode(),
    "predictions of a word": json.dumps(GOOD | {"predictions": "right"}).encode(),
    "predictions of other examples": json.dumps(GOOD | {"examples": 9}).encode(),
    "scores of a word": json.dumps(GOOD | {"predictions": "", "scores": "good"}).encode(),
    "scores of no base64": json.dumps(GOOD | {"predictions": "", "scores": "à!"}).encode(),
}


@pytest.mark.parametrize("content", GARBAGE.values(), ids=GARBAGE)
def test_no_record(tmp_path, content):
    path = tmp_path / "a.seed0.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match="is not a run record") as caught:
        runs.read(path)
    assert "\n" not in str(caught.value)


def test_no_file(tmp_path):
    with pytest.raises(UserError, match="is not a run record"):
        runs.read(tmp_path / "nothing.json")


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "digits").write_text("a file")
    with pytest.raises(UserError, match="cannot write"):
        runs.write(RUN, tmp_path)


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 100])
def test_correct_bits(n):
    correct = np.random.default_rng(n).integers(0, 2, n).astype(bool)
    found = bytes.fromhex(runs.correct_bits(correct))
    assert len(found) == -(-n // 8)
    assert [bool(found[i // 8] >> (i % 8) & 1) for i in range(n)] == correct.tolist()


def test_scores_come_back_to_float16_digits():
    values = -np.random.default_rng(0).random(50) * 10
    run = replace(RUN, **runs.of_examples(values))
    np.testing.assert_allclose(runs.each_example(run), values, rtol=2**-11)
    assert run.predictions == "" and runs.differing(run, np.ones(50, dtype=bool)) is None


def test_scores_that_are_no_number_are_the_worst():
    run = replace(RUN, **runs.of_examples(np.array([np.nan, -np.inf, 1e9, -0.5])))
    assert runs.each_example(run).tolist() == [-65504, -65504, 65504, -0.5]


def test_a_metric_without_examples():
    run = replace(RUN, **runs.of_examples(np.empty(0)))
    assert (run.examples, run.predictions, run.scores) == (0, "", "") and runs.each_example(run) is None


def test_shipped_records_say_how_many_examples():
    for run in runs.runs():
        worth = runs.each_example(run)
        assert run.examples > 0 and (worth is None or len(worth) == run.examples)
        if run.predictions and "accuracy" in run.metrics:
            assert worth.mean() == pytest.approx(run.metrics["accuracy"], abs=1e-12), run.path


def test_machine_and_code():
    found = runs.machine()
    assert found["cores"] >= 1 and found["threads"] >= 1
    json.dumps(found)
    assert set(runs.code_state()) in (set(), {"commit", "dirty"})


def test_another_projects_commit_is_not_ours(tmp_path, monkeypatch):
    """binviz may be installed in an environment that lies inside somebody's repository."""
    installed = tmp_path / "venv" / "runs.py"
    installed.parent.mkdir()
    installed.touch()

    def git(*words):
        who = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    git("commit", "--allow-empty", "-m", "theirs")
    monkeypatch.setattr(runs, "__file__", str(installed))
    ask = inspect.unwrap(runs.code_state)  # in tests it is asked once
    assert ask() == {}
    git("add", "venv/runs.py")
    assert set(ask()) == {"commit", "dirty"}
