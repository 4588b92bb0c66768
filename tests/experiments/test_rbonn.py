"""RBONN's cells: what is equal between rows, and that weights step back in the loop itself."""

from dataclasses import replace

import pytest
import torch

from binviz import zoo
from binviz.evidence.claims import judge
from binviz.experiments import rbonn
from binviz.experiments.cells import reproduce


def test_students_differ_in_the_recipe_alone():
    for task in rbonn.TASKS:
        students = [c.stage for c in rbonn.EXPERIMENT.cells if c.task == task and not c.stage.is_float]
        assert len({(stage.train, stage.loss.name, stage.dropout) for stage in students}) == 1
        assert len({stage.name for stage in students}) == len(students) == len(rbonn.RECIPES)


@pytest.mark.slow
def test_every_row_runs_and_is_judged(tmp_path):
    def short(cell):
        return replace(cell, stage=replace(cell.stage, train=replace(cell.stage.train, steps=3)))

    small = replace(rbonn.EXPERIMENT, name="small", cells=tuple(map(short, rbonn.EXPERIMENT.cells)))
    found = {run.cell: run for run in reproduce(small, tmp_path, "digits*")}
    assert len(found) == 1 + len(rbonn.RECIPES)
    records = small.records(tmp_path)
    assert {judge(claim, records).verdict for claim in small.claims if claim.better in found} != {"not run"}
    moved = {}
    for row in ("rbonn", "rbonn-official"):
        weights = zoo.load(tmp_path / f"digits-birealnet.{row}.seed0").blocks[1].first.conv.weight_binarizer
        assert (weights.u != 0.2).any()
        moved[row] = weights.u != 0.2
    assert not torch.equal(*moved.values())
