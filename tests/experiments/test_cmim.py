"""CMIM's cells: what is equal between rows, and that all of them run."""

from dataclasses import replace

import pytest

from binviz.evidence.claims import judge
from binviz.experiments import cmim
from binviz.experiments.cells import reproduce


def test_students_of_a_base_differ_in_the_loss_alone():
    for task, (_, _, batches, examples) in cmim.TASKS.items():
        students = [c for c in cmim.EXPERIMENT.cells if c.task == task and not c.stage.is_float]
        assert {(cell.stage.train, cell.augment) for cell in students} == {(students[0].stage.train, batches)}
        contrasted = [cell.stage.loss for cell in students if cell.stage.loss.name == "cmim"]
        assert len(contrasted) == len(cmim.BASES) + 1
        assert {loss.options["examples"] for loss in contrasted} == {examples}


@pytest.mark.slow
def test_every_row_runs_and_is_judged(tmp_path):
    def short(cell):
        return replace(cell, stage=replace(cell.stage, train=replace(cell.stage.train, steps=3)))

    small = replace(cmim.EXPERIMENT, name="small", cells=tuple(map(short, cmim.EXPERIMENT.cells)))
    found = {run.cell for run in reproduce(small, tmp_path, "digits*")}
    assert len(found) == 2 + 2 * len(cmim.BASES)
    records = small.records(tmp_path)
    assert {judge(claim, records).verdict for claim in small.claims if claim.better in found} != {"not run"}
