"""A corrupted task is the task with other held-out pictures, and its records say of what they are."""

import hashlib
import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from binviz import cli, tasks, zoo
from binviz.data import corruptions
from binviz.errors import UserError
from binviz.evidence import robustness as records
from binviz.experiments import robustness
from binviz.tasks.corrupted import corrupted

DIGITS = tasks.get("digits")


def test_without_severity_it_is_the_task_itself():
    assert corrupted(DIGITS, "fog", 0) is DIGITS


def test_its_parts_show_the_same_pictures():
    snowy = corrupted(DIGITS, "snow", 2, seed=5)
    raw, _ = DIGITS.pictures.held_out()
    expected = corruptions.corrupt(raw, "snow", 2, seed=5)
    held_out, model = snowy.held_out(None), zoo.load("digits-cnn.float")
    batch = held_out.collate([held_out.examples[i] for i in (3, 7)])
    for place, index in enumerate((3, 7)):
        example = snowy.example(index, "", None)
        assert (
            np.array_equal(example.picture, expected[index])
            and example.truth == DIGITS.example(index, "", None).truth
        )
        assert torch.equal(example.inputs["pixel_values"][0], batch["pixel_values"][place])
        made = {}
        exec(example.imports + example.code, made)
        assert torch.equal(made["inputs"]["pixel_values"], example.inputs["pixel_values"])
    metrics, correct = snowy.judge(model, None)
    problem = snowy.problem(None, 16, 0)
    assert metrics["accuracy"] == correct.mean() < DIGITS.judge(model, None)[0]["accuracy"]
    assert problem.evaluate(model)[0] == metrics and "snow 2, seed 5" in problem.data.values()
    assert torch.equal(
        problem.batch_of(0)["pixel_values"], DIGITS.problem(None, 16, 0).batch_of(0)["pixel_values"]
    )


def test_what_cannot_be_corrupted():
    with pytest.raises(UserError, match="no pictures to corrupt"):
        corrupted(tasks.get("sst2"), "fog", 1)
    with pytest.raises(UserError, match="did you mean 'fog'"):
        corrupted(DIGITS, "fogg", 1)
    with pytest.raises(UserError, match="severity"):
        corrupted(DIGITS, "fog", 9)


def test_a_record_counts_what_the_corrupted_task_says(tmp_path, monkeypatch):
    few = {name: corruptions.CORRUPTIONS[name] for name in ("contrast", "shot_noise")}
    monkeypatch.setattr(robustness, "CORRUPTIONS", few)
    names = ["digits-cnn.float", "digits-cnn.xnor"]
    ran = CliRunner().invoke(cli.app, ["robustness", *names, "--seed", "2", "--out", str(tmp_path)])
    assert ran.exit_code == 0, ran.output
    for name in names:
        found = records.read(tmp_path / f"{name}.json")
        assert (found.examples, found.task, found.seed) == (450, "digits", 2)
        accuracy = corrupted(DIGITS, "shot_noise", 4, seed=2).judge(zoo.load(name), None)[0]["accuracy"]
        assert found.accuracy("shot_noise")[4] == accuracy
        assert found.accuracy("contrast")[0] == DIGITS.judge(zoo.load(name), None)[0]["accuracy"]
    assert "all corruptions" in ran.stdout


def test_shipped_records_are_of_the_shipped_models_and_data():
    shipped, data = records.records(), robustness.digest(*DIGITS.pictures.held_out())
    assert set(shipped) >= set(zoo.names("digits-*"))
    for name, record in shipped.items():
        if name in zoo.names():
            assert record.model_sha256 == hashlib.sha256(zoo.describe(name).path.read_bytes()).hexdigest()
        assert tuple(record.right) == corruptions.NAMES
        if record.task == "digits":
            assert record.data == {"test": data} and record.examples == 450


def edited(record, **changes):
    return json.dumps({**json.loads(record), **changes})


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[:-9],
        lambda text: edited(text, examples=0),
        lambda text: edited(text, clean=451),
        lambda text: edited(text, right={"fog": [1, 2, 3, 4]}),
        lambda text: edited(text, right={"fog": [1, 2, 3, 4, -5]}),
        lambda text: edited(text, right={}),
        lambda text: edited(text, model="../a"),
        lambda text: edited(text, more=1),
        lambda text: edited(text, chance="high"),
    ],
)
def test_a_damaged_record_is_said_in_one_line(tmp_path, spoil):
    text = records.write(records.records()["digits-vit.float"], tmp_path).read_text("utf-8")
    (tmp_path / "a.json").write_text(spoil(text), "utf-8")
    with pytest.raises(UserError, match="not a record of robustness"):
        records.read(tmp_path / "a.json")
