"""A cell that draws while it learns learns the same, and draws as often as it is asked."""

from dataclasses import replace

import numpy as np
import pytest

from binviz import tasks
from binviz.evidence import runs
from binviz.experiments import binarydm, generated, learning_to_draw
from binviz.training.loop import fit
from binviz.training.settings import TrainConfig
from binviz.training.stages import prepare


@pytest.mark.slow
def test_to_look_changes_nothing(monkeypatch):
    cell = binarydm.EXPERIMENT.cell("digits-diffusion.binarydm")
    cell = replace(
        cell, architecture="unet-8", teacher="", stage=replace(cell.stage, train=TrainConfig(4, 1e-3, 2))
    )
    task = tasks.get(cell.task)
    monkeypatch.setattr(generated, "STEPS", 2)
    run, drawn = learning_to_draw.course(cell, looks=(0.0, 0.5))
    model, tokenizer = task.start("unet-8", 0)
    problem = task.problem(tokenizer, 2, 0)
    loss = prepare(model, cell.stage, problem, 0)
    fit(model, problem.batch_of, loss, cell.stage.train, seed=0)
    assert run.metrics == problem.evaluate(model)[0]
    rows = drawn[:-1].reshape(3, 9, *drawn.shape[1:])
    assert run.config["looks"] == [0, 2, 4] and drawn.shape == (3 * 9 + 1, 8 * 9 + 1)
    assert not np.array_equal(rows[0], rows[1]) and not np.array_equal(rows[1], rows[2])


def test_shipped_courses_are_those_of_their_cells():
    cells = binarydm.EXPERIMENT.records()
    for run in runs.runs(experiment=learning_to_draw.EXPERIMENT):
        assert run.metrics["loss"] == pytest.approx(cells[run.cell, run.seed].metrics["loss"], rel=1e-3)
        assert generated.picture_of(run, runs.SHIPPED).is_file()


def test_an_unknown_cell(capsys):
    with pytest.raises(SystemExit):
        learning_to_draw.main(["digits.nothing"])
    assert "digits.nothing" in capsys.readouterr().err
