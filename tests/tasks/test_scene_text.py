"""The task of text in generated scenes."""

import numpy as np
import pytest
import torch

from binviz import tasks
from binviz.data import scene_text, text_regions
from binviz.errors import UserError
from binviz.tasks.scene_text import TARGETS, measured

TASK = tasks.get("scene-text")


def test_a_batch_depends_on_seed_and_step_alone():
    problem, again, other = (TASK.problem(None, 2, seed) for seed in (3, 3, 4))
    again.batch_of(5)
    first = problem.batch_of(2)
    assert all(torch.equal(value, again.batch_of(2)[key]) for key, value in first.items())
    shown = [batch[TASK.takes] for batch in (first, problem.batch_of(3), other.batch_of(2))]
    assert not any(torch.equal(shown[i], shown[j]) for i, j in ((0, 1), (0, 2), (1, 2)))
    assert problem.per_epoch == 2048
    assert problem.data != other.data and problem.targets == TARGETS and TASK.outputs == 1
    scene = scene_text.generate(1, np.random.default_rng((0, 3, 2)))[0]
    wanted = text_regions.regions(scene.polygons, scene.ignored, (128, 128))
    for name in TARGETS:
        np.testing.assert_array_equal(first[name][0], getattr(wanted, name))
    np.testing.assert_allclose(
        first["pixel_values"][0].permute(1, 2, 0), scene.picture / 127.5 - 1, atol=1e-6
    )


class Knows(torch.nn.Module):
    """A detector that has seen the held-out scenes and says their shrunk words."""

    def forward(self, pixel_values):
        known = {scene.picture.tobytes(): scene for scene in tasks.scene_text.held_out_scenes()}
        shown = ((pixel_values + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
        scenes = [known[picture.tobytes()] for picture in shown]
        maps = [text_regions.regions(each.polygons, each.ignored, (128, 128)).shrunk for each in scenes]
        logits = torch.from_numpy(np.stack(maps))[:, None] * 20 - 10
        return type("Output", (), {"logits": logits})


class Blind(torch.nn.Module):
    def forward(self, pixel_values):
        return type("Output", (), {"logits": -10 * torch.ones(len(pixel_values), 1, 128, 128)})


def test_who_knows_every_word_is_right_and_who_sees_none_has_the_pictures_without(monkeypatch):
    few = tuple(scene_text.generate(40, np.random.default_rng(0)))
    monkeypatch.setattr(tasks.scene_text, "held_out_scenes", lambda: few)
    metrics, each = TASK.judge(Knows(), None)
    assert set(metrics.values()) == {1.0} and len(each) == 40 and (each == 1).all()
    metrics, each = TASK.judge(Blind(), None)
    empty = np.array([not len(scene.polygons) for scene in few])
    assert 0 < empty.sum() < 40 and np.array_equal(each, empty.astype(float))
    assert metrics["f_measure"] == metrics["precision"] == metrics["recall"] == 0
    assert metrics["f_of_a_picture"] == empty.mean()


def test_pictures_where_there_is_nothing():
    nothing = tasks.scene_text.Matched(0, 0, 0)
    assert measured([nothing])[0] == {
        "f_measure": 1.0, "precision": 0.0, "recall": 0.0, "f_of_a_picture": 1.0
    }  # fmt: skip


def test_examples_are_the_held_out_ones(monkeypatch):
    few = tuple(scene_text.generate(8, np.random.default_rng(0)))
    monkeypatch.setattr(tasks.scene_text, "held_out_scenes", lambda: few)
    found = TASK.held_out(None)
    given = found.collate([found.examples[i] for i in (7, 2)])["pixel_values"]
    shown = TASK.example(7, "", None)
    assert torch.equal(shown.inputs["pixel_values"], given[:1])
    made = {"torch": torch}
    exec(shown.imports + shown.code + f"seen = {shown.picture_code}", made)
    assert torch.equal(made["inputs"]["pixel_values"], given[:1])
    assert np.array_equal(made["seen"], shown.picture)


def test_what_there_is_not():
    with pytest.raises(UserError, match="choose one from 0 to 499"):
        TASK.example(500, "", None)
    with pytest.raises(UserError, match="choose one of: dbnet, dbnet-spatial, dbnet-channel-spatial"):
        TASK.start("dbnet-none", 0)
