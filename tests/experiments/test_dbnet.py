"""DBNet's cells: what is equal between rows, and that all of them run and are judged."""

from dataclasses import replace

import numpy as np
import pytest

from binviz.data.scene_text import generate
from binviz.evidence.claims import judge
from binviz.experiments import dbnet
from binviz.experiments.cells import reproduce
from binviz.tasks import scene_text


def test_rows_differ_in_what_they_are_named_after():
    floats = [cell for cell in dbnet.CELLS if cell.stage.is_float]
    binary = [cell for cell in dbnet.CELLS if not cell.stage.is_float]
    assert {cell.stage.train for cell in floats} == {dbnet.TRAIN}
    assert {cell.stage.train for cell in binary} == {dbnet.BINARY}
    assert {cell.name_of(cell.teacher) for cell in binary} == {"scene-text-dbnet.learned"}
    base = dbnet.LEARNED.to_dict()
    for cell in floats:
        changed = {key for key, value in cell.stage.loss.to_dict().items() if value != base[key]}
        wanted = {"fixed": {"threshold"}, "alone": {"threshold", "step_weight"}, "learned": set()}
        assert changed == wanted.get(cell.row, {"k"})
    assert set(dbnet.EXPERIMENT.claims) == set(dbnet.EXPECTED)


@pytest.mark.slow
def test_every_row_runs_and_is_judged(tmp_path, monkeypatch):
    few = tuple(generate(16, np.random.default_rng(0)))
    monkeypatch.setattr(scene_text, "held_out_scenes", lambda: few)
    monkeypatch.setattr(scene_text, "WIDTH", 4)

    def short(cell):
        train = replace(cell.stage.train, steps=2, batch_size=2)
        return replace(cell, stage=replace(cell.stage, train=train))

    small = replace(dbnet.EXPERIMENT, name="small", cells=tuple(map(short, dbnet.CELLS)))
    found = list(reproduce(small, tmp_path))
    assert len(found) == len(small.cells) and not any(run.failed for run in found)
    assert all(run.examples == 16 and run.scores for run in found)
    findings = [judge(claim, small.records(tmp_path)) for claim in small.claims]
    assert {finding.by for finding in findings} == {"scores"}
    assert "not run" not in {finding.verdict for finding in findings}
