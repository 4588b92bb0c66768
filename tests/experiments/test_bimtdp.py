"""Bi-MTDP's cells: what is equal between rows, and that all of them run and are judged."""

from dataclasses import replace

import numpy as np
import pytest

from binviz.data import scenes
from binviz.evidence.claims import judge
from binviz.experiments import bimtdp
from binviz.experiments.cells import reproduce


def test_students_differ_in_their_loss_alone():
    students = [cell for cell in bimtdp.EXPERIMENT.cells if not cell.stage.is_float]
    assert len({(cell.stage.train, cell.stage.recipe, cell.teacher) for cell in students}) == 1
    assert len({str(cell.stage.loss.to_dict()) for cell in students}) == len(students)
    assert all(cell.stage.loss.name != "labels" for cell in bimtdp.EXPERIMENT.cells)
    assert set(bimtdp.EXPERIMENT.claims) == set(bimtdp.EXPECTED)


@pytest.mark.slow
def test_every_row_runs_and_is_judged(tmp_path, monkeypatch):
    def load(split):
        labels = np.random.default_rng(0).integers(0, 12, (6, 4, 6), dtype=np.uint8).repeat(4, 1).repeat(4, 2)
        return scenes.Scenes(np.stack([labels * 20] * 3, -1), labels)

    monkeypatch.setattr(scenes, "load", load)

    def short(cell):
        train = replace(cell.stage.train, steps=2, batch_size=4)
        return replace(cell, stage=replace(cell.stage, train=train))

    small = replace(bimtdp.EXPERIMENT, cells=tuple(map(short, bimtdp.EXPERIMENT.cells)))
    found = {run.cell: run for run in reproduce(small, tmp_path)}
    assert len(found) == len(small.cells) and all(0 < run.metrics["both"] < 1 for run in found.values())
    records = small.records(tmp_path)
    assert all(judge(claim, records).by == "scores" for claim in small.claims)
