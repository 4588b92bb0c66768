"""Cells of dense prediction, BiDense's and Bi-MTDP's: what is equal between rows, and that all of them run."""

from dataclasses import replace

import numpy as np
import pytest

import binviz
from binviz import costs, tasks, zoo
from binviz.data import scenes
from binviz.evidence.claims import judge
from binviz.experiments import bidense, bimtdp
from binviz.experiments.cells import reproduce
from binviz.packed.layers import PackedConv2d


@pytest.mark.parametrize("paper", [bidense, bimtdp])
def test_claims_are_of_cells_and_students_see_as_much(paper):
    students = [cell for cell in paper.EXPERIMENT.cells if not cell.stage.is_float]
    assert len({(cell.stage.train, cell.teacher) for cell in students}) == 1
    assert set(paper.EXPERIMENT.claims) == set(paper.EXPECTED)
    names = {cell.name for cell in paper.EXPERIMENT.cells}
    assert {side for claim in paper.EXPECTED for side in (claim.better, claim.worse)} <= names


def test_of_two_tasks_rows_differ_in_their_loss_alone():
    cells = bimtdp.EXPERIMENT.cells
    students = [cell for cell in cells if not cell.stage.is_float]
    assert {cell.stage.recipe for cell in students} == {"reactnet"}
    assert len({str(cell.stage.loss.to_dict()) for cell in students}) == len(students)
    assert all(cell.stage.loss.name != "labels" for cell in cells)


def test_what_is_packed_is_what_is_counted():
    """With a scale in the sum the weights alone are bits; without it the products are too."""
    for recipe, bits in (("bidense", 32), ("bidense-bits", 1)):
        model = tasks.get("camvid").start("bypassunet-4", 0)[0].eval()
        binviz.binarize_(model, recipe)
        counted = [part for part in costs.of(model).parts if part.kind == "BinaryConv2d"]
        assert len(counted) == 12 and {(part.weight_bits, part.activation_bits) for part in counted} == {
            (1, bits)
        }
        packed = binviz.pack(model)
        layers = [part for part in packed.modules() if isinstance(part, PackedConv2d)]
        assert len(layers) == 12 and all(part.bits.dtype.itemsize == 8 for part in layers)


@pytest.fixture
def short(monkeypatch):
    """An experiment of two steps a cell, on scenes that are drawn."""

    def load(split):
        labels = np.random.default_rng(0).integers(0, 12, (6, 4, 6), dtype=np.uint8).repeat(4, 1).repeat(4, 2)
        return scenes.Scenes(np.stack([labels * 20] * 3, -1), labels)

    def cut(cell):
        train = replace(cell.stage.train, steps=2, batch_size=4)
        return replace(cell, stage=replace(cell.stage, train=train))

    monkeypatch.setattr(scenes, "load", load)
    # Under another name, so that no shipped record is theirs
    return lambda experiment: replace(experiment, name="small", cells=tuple(map(cut, experiment.cells)))


@pytest.mark.slow
@pytest.mark.parametrize("paper", [bidense, bimtdp])
def test_every_row_runs_and_is_judged(paper, short, tmp_path):
    small = short(paper.EXPERIMENT)
    found = {run.cell: run for run in reproduce(small, tmp_path)}
    assert len(found) == len(small.cells) and all(0 < run.metrics["mean_iou"] < 1 for run in found.values())
    records = small.records(tmp_path)
    assert all(judge(claim, records).by == "scores" for claim in small.claims)
    if paper is bidense:
        learned = zoo.load(tmp_path / "camvid-bypassunet.bidense.seed0").down[0][0].conv.activation_binarizer
        assert learned.alpha.any() and learned.k.any() and learned.beta.any()
