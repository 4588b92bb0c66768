"""QP-SBGD's cells: what is equal between rows, and that all of them run and are judged."""

from dataclasses import replace

import pytest

from binviz import tasks
from binviz.evidence.claims import judge
from binviz.experiments import qpsbgd
from binviz.experiments.cells import reproduce

EXPERIMENT = qpsbgd.EXPERIMENT


def test_rows_differ_in_loss_and_rate_alone():
    assert set(EXPERIMENT.claims) == set(qpsbgd.EXPECTED)
    for task in qpsbgd.BUDGETS:
        cells = [cell for cell in EXPERIMENT.cells if cell.task == task and not cell.architecture]
        assert len({replace(cell.stage.train, lr=1.0) for cell in cells}) == 1
        assert {(cell.stage.recipe.name, cell.teacher, cell.start) for cell in cells} == {("signs", "", "")}
        for name in qpsbgd.METHODS:
            found, noted = (EXPERIMENT.cell(f"{task}.{row}") for row in (name, f"{name}.notebook"))
            assert found.stage == noted.stage and len(found.search) == len(qpsbgd.SEARCHED)
            tried = [EXPERIMENT.cell(found.name_of(row)) for row in found.search]
            times = sorted(cell.stage.train.lr / found.stage.train.lr for cell in tried)
            assert [round(each, 6) for each in times] == sorted(qpsbgd.SEARCHED)
            assert {cell.augment for cell in tried} == {"held-out-fifth"} and not found.augment


def test_the_claims_on_ten_layers_are_of_cells_that_there_are():
    ten = {cell.name: cell for cell in EXPERIMENT.cells if cell.architecture}
    assert {cell.row for cell in ten.values()} == set(qpsbgd.TEN)
    asked = {name for claim in qpsbgd.EXPECTED for name in (claim.better, claim.worse) if "mlp" in name}
    assert asked == set(ten)
    model, _ = tasks.get("tumours").start(qpsbgd.LAYERS, 0)
    assert len(model.layers) == 10 and model.config.width == 128


@pytest.mark.slow
def test_every_row_runs_and_is_judged(tmp_path):
    def short(cell):
        train = replace(cell.stage.train, steps=2)
        return replace(cell, stage=replace(cell.stage, train=train), search=cell.search[:1])

    kept = [cell for cell in EXPERIMENT.cells if cell.task == "tumours-3"]
    kept = [short(cell) for cell in kept if ".lr-" not in cell.row or cell.row.endswith(".lr-1")]
    small = replace(EXPERIMENT, name="small", cells=tuple(kept))
    found = {run.cell: run for run in reproduce(small, tmp_path)}
    assert set(found) == {cell.name for cell in kept}
    assert "accuracy" not in found["tumours-3.qp.lr-1"].metrics
    records = small.records(tmp_path)
    asked = [claim for claim in small.claims if claim.better.startswith("tumours-3.")]
    assert len(asked) == len(qpsbgd.ASKED)
    assert all(judge(claim, records).verdict != "not run" for claim in asked)
