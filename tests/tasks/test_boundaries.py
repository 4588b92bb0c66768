"""Two tasks at once on drawn scenes: boundaries pixel by pixel, F1 against scikit-learn's."""

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score
from torch import nn

from binviz import tasks
from binviz.data import scenes
from binviz.losses.labels import NO_LABEL
from binviz.tasks import boundaries, camvid

TASK = tasks.get("camvid-boundaries")


@pytest.fixture
def drawn(monkeypatch):
    """Scenes of blocks of 3x3 pixels; the last one has one class and no boundary."""

    def load(split):
        labels = np.random.default_rng(0).integers(0, 12, (4, 4, 5), dtype=np.uint8).repeat(3, 1).repeat(3, 2)
        labels[-1] = 4
        return scenes.Scenes(np.stack([labels * 20] * 3, -1), labels)

    monkeypatch.setattr(scenes, "load", load)
    return load("test")


def by_pixel(labels):
    """Of (H, W), one pixel and one neighbour after the other."""
    high, wide = labels.shape
    found = np.zeros((high, wide), np.int64)
    for y in range(high):
        for x in range(wide):
            near = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
            others = {labels[i, j] for i, j in near if 0 <= i < high and 0 <= j < wide}
            found[y, x] = bool(others - {labels[y, x], scenes.UNLABELLED})
    found[labels == scenes.UNLABELLED] = NO_LABEL
    return found


def test_a_boundary_is_where_neighbours_differ(drawn):
    found = boundaries.boundaries_of(camvid.targets_of(drawn.labels))
    assert np.array_equal(found.numpy(), np.stack([by_pixel(each) for each in drawn.labels]))
    assert {NO_LABEL, 0, 1} == set(found.flatten().tolist()) and not found[-1].any()
    batch = TASK.problem(None, 2, 0).batch_of(1)
    assert torch.equal(batch["boundaries"], boundaries.boundaries_of(batch["labels"]))


def test_metrics_are_those_of_both_tasks(drawn, monkeypatch):
    monkeypatch.setattr(camvid, "AT_ONCE", 3)
    generator = torch.Generator().manual_seed(0)
    shape = drawn.labels.shape
    said = torch.rand(shape, generator=generator) < 0.4
    said[-1] = False
    logits = torch.randn(4, 11, *shape[1:], generator=generator)

    class Answers(nn.Module):
        def forward(self, pixel_values):
            places = [i for x in pixel_values for i, own in enumerate(known) if torch.equal(own, x)]
            given = {"logits": logits[places], "boundary_logits": said[places].float() - 0.5}
            return type("Output", (), given)

    known = boundaries.normalise(drawn.pictures)
    metrics, each = TASK.judge(Answers(), None)
    wanted = np.stack([by_pixel(one) for one in drawn.labels])
    there = wanted != NO_LABEL
    assert metrics["boundary_f1"] == pytest.approx(f1_score(wanted[there], said.numpy()[there]))
    alone = type("Alone", (Answers,), {})()
    classes, of_scenes = camvid.judge(alone)
    assert metrics["mean_iou"] == classes["mean_iou"]
    assert metrics["both"] == pytest.approx((classes["mean_iou"] + metrics["boundary_f1"]) / 2)
    pairs = zip(wanted, said.numpy(), strict=True)
    shares = [
        f1_score(one[one != NO_LABEL], other[one != NO_LABEL], zero_division=1.0) for one, other in pairs
    ]
    assert each.tolist() == pytest.approx(((of_scenes + shares) / 2).tolist())


def test_it_learns_what_its_own_loss_asks(drawn):
    problem = TASK.problem(None, 4, 0)
    assert problem.targets == ("labels", "boundaries") and problem.loss.name == "two-tasks"
    model, _ = TASK.start("bypassunet-4", 0)
    loss = problem.loss.make(targets=problem.targets)(model, problem.batch_of(0))
    loss.backward()
    assert model.boundaries.weight.grad.any() and model.head.weight.grad.any()
    metrics, each = problem.evaluate(model)
    assert set(metrics) == {"both", "mean_iou", "boundary_f1"} and len(each) == 4
