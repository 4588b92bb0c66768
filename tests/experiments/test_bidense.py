"""BiDense's cells: what is equal between rows, and that all of them run and are judged."""

from dataclasses import replace

import numpy as np
import pytest

import binviz
from binviz import costs, tasks, zoo
from binviz.data import scenes
from binviz.evidence.claims import judge
from binviz.experiments import bidense
from binviz.experiments.cells import reproduce
from binviz.packed.layers import PackedConv2d


def test_students_see_as_much_and_start_from_their_own_float_net():
    students = [cell for cell in bidense.EXPERIMENT.cells if not cell.stage.is_float]
    assert len({(cell.stage.train, cell.stage.loss.name) for cell in students}) == 1
    assert {cell.teacher for cell in students} == {"float"}
    assert set(bidense.EXPERIMENT.claims) == set(bidense.EXPECTED)
    names = {cell.name for cell in bidense.EXPERIMENT.cells}
    assert {side for claim in bidense.EXPECTED for side in (claim.better, claim.worse)} <= names


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


@pytest.mark.slow
def test_every_row_runs_and_is_judged(tmp_path, monkeypatch):
    def load(split):
        labels = np.random.default_rng(0).integers(0, 12, (6, 4, 6), dtype=np.uint8).repeat(4, 1).repeat(4, 2)
        return scenes.Scenes(np.stack([labels * 20] * 3, -1), labels)

    monkeypatch.setattr(scenes, "load", load)

    def short(cell):
        train = replace(cell.stage.train, steps=2, batch_size=4)
        return replace(cell, stage=replace(cell.stage, train=train))

    small = replace(bidense.EXPERIMENT, cells=tuple(map(short, bidense.EXPERIMENT.cells)))
    found = {run.cell: run for run in reproduce(small, tmp_path)}
    assert len(found) == len(small.cells) and all(0 < run.metrics["mean_iou"] < 1 for run in found.values())
    records = small.records(tmp_path)
    assert all(judge(claim, records).by == "scores" for claim in small.claims)
    model = zoo.load(tmp_path / "camvid-bypassunet.bidense.seed0")
    learned = model.down[0][0].conv.activation_binarizer
    assert learned.alpha.any() and learned.k.any() and learned.beta.any()
