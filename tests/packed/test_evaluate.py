"""`binviz evaluate NAME --packed`: bundled models on bits give what their runs recorded."""

import pytest
from typer.testing import CliRunner

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
