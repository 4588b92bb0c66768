"""`binviz evaluate NAME --packed`: bundled models on bits give what their runs recorded."""

import pytest
from typer.testing import CliRunner

import binviz
from binviz import zoo
from binviz.cli import app
from binviz.errors import UserError
from binviz.training.evaluate import evaluate_named


@pytest.mark.parametrize("name", ["digits-vit.bit-w1a1", "digits-vit.xnor", "digits-cnn.bit-w1a1"])
def test_what_the_run_recorded(name):
    recorded = zoo.describe(name).metrics["accuracy"]
    output = CliRunner().invoke(app, ["evaluate", name, "--packed"]).output
    assert output.split() == ["accuracy", f"{recorded:.4f}", "recorded", f"{recorded:.4f}"]


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
