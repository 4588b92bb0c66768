"""BinaryDM's cells: what is equal between rows, and that all of them run."""

from dataclasses import replace

import pytest

from binviz import tasks
from binviz.evidence.claims import judge
from binviz.experiments import binarydm
from binviz.experiments.cells import reproduce
from binviz.tasks import diffusion


def test_students_see_as_much_and_start_from_the_same_model():
    for task in binarydm.BUDGETS:
        students = [
            cell for cell in binarydm.EXPERIMENT.cells if cell.task == task and not cell.stage.is_float
        ]
        assert len({cell.stage.train for cell in students}) == 1
        assert {cell.teacher for cell in students} == {"float"}
    assert set(binarydm.EXPERIMENT.claims) == set(binarydm.EXPECTED)


@pytest.mark.slow
def test_every_row_runs_and_is_judged(tmp_path, monkeypatch):
    """With two steps a row, on digits in place of photographs."""
    monkeypatch.setattr(diffusion, "MOST", 6)
    small = replace(diffusion.DIGITS, widths=(1, 1))
    for name in binarydm.BUDGETS:
        monkeypatch.setitem(tasks.task.REGISTRY._known, name, replace(small, name=name).task(name, "", ""))

    def short(cell):
        train = replace(cell.stage.train, steps=2, batch_size=4)
        return replace(cell, architecture="", stage=replace(cell.stage, train=train))

    experiment = replace(
        binarydm.EXPERIMENT, name="small", cells=tuple(map(short, binarydm.EXPERIMENT.cells))
    )
    found = {run.cell: run for run in reproduce(experiment, tmp_path)}
    assert len(found) == len(experiment.cells) and all(run.metrics["loss"] > 0 for run in found.values())
    records = experiment.records(tmp_path)
    assert all(judge(claim, records).by == "scores" for claim in experiment.claims)
