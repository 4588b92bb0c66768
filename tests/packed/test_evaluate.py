"""`binviz evaluate NAME --packed`: bundled models on bits give what their runs recorded."""

import re
from dataclasses import replace
from typing import get_args, get_type_hints

import numpy as np
import pytest
from typer.testing import CliRunner

import binviz
from binviz import cli, tasks, zoo
from binviz.cli import app
from binviz.errors import UserError
from binviz.evidence import runs
from binviz.experiments import registry
from binviz.training.evaluate import ROUNDING, evaluate_named


@pytest.mark.parametrize("name", ["digits-vit.bit-w1a1", "digits-vit.xnor", "digits-cnn.bit-w1a1"])
def test_what_the_run_recorded(name):
    """But for the few examples that another processor's rounding turns; that it turned some is said."""
    run = zoo.describe(name).record
    metrics, correct = evaluate_named(name, "digits", packed=True)
    differ = runs.differing(run, correct)
    assert differ <= ROUNDING * len(correct)
    first, second = CliRunner().invoke(app, ["evaluate", name, "--packed"]).output.splitlines()
    assert first == f"accuracy {metrics['accuracy']:.4f}   recorded {run.metrics['accuracy']:.4f}"
    assert second.startswith(f"{differ} of 450 examples") and ("rounding" in second) == (differ > 0)


@pytest.mark.parametrize(
    ("turned", "said"),
    [
        (0, "0 of 450 examples right or wrong otherwise than recorded"),
        (4, "4 of 450 examples right or wrong otherwise than recorded; rounding differs between processors"),
        (5, "5 of 450 examples right or wrong otherwise than recorded; more than rounding explains"),
    ],
)
def test_how_many_differ_is_said(turned, said, monkeypatch):
    name = "digits-cnn.xnor"
    _, correct = evaluate_named(name, "digits")
    record = replace(
        zoo.describe(name).record, predictions=runs.correct_bits(correct ^ (np.arange(450) < turned))
    )
    monkeypatch.setattr(runs, "find", lambda *run: record)
    assert CliRunner().invoke(app, ["evaluate", name]).output.splitlines()[-1] == said


def test_a_float_model_has_no_bits():
    with pytest.raises(UserError, match="no binary layer"):
        evaluate_named("digits-cnn.float", "digits", packed=True)


@pytest.mark.parametrize(
    ("name", "task", "complaint"),
    [
        (
            "digits-vit.bit-w1a1",
            "sst2",
            "takes pixel_values and gives 10 labels; sst2 has input_ids and 2 labels",
        ),
        ("sst2-minilm.bit-w1a1", "digits", "digits has pixel_values and 10 labels"),
        ("sst2-minilm.bit-w1a1", "stsb", "gives 2 labels; stsb has input_ids and 1 labels"),
    ],
)
def test_another_task(name, task, complaint):
    with pytest.raises(UserError, match=complaint):
        evaluate_named(name, task)


def test_nothing_is_recorded_of_a_copy(tmp_path):
    """A folder of one's own may have a bundled model's name, and other numbers."""
    binviz.save(binviz.load("digits-cnn.bit-w1a1"), tmp_path / "digits-cnn.bit-w1a1")
    output = (
        CliRunner()
        .invoke(app, ["evaluate", str(tmp_path / "digits-cnn.bit-w1a1"), "--task", "digits"])
        .output
    )
    assert output.startswith("accuracy") and "recorded" not in output


def named(command, parameter):
    """The names that the help of a parameter lists."""
    _, declared = get_args(get_type_hints(command, include_extras=True)[parameter])
    return re.sub(r" or (\S+)$", r", \1", declared.help.rstrip(".")).rpartition(": ")[2].split(", ")


def test_helps_name_all_that_is_registered(tmp_path):
    assert named(cli.evaluate, "task") == tasks.names()
    assert named(cli.reproduce, "experiment") == list(registry.NAMES)
    said = CliRunner().invoke(app, ["evaluate", str(tmp_path)])
    assert str(said.exception).endswith(", ".join(tasks.names()))
