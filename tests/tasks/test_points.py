"""The task of generated clouds of points."""

import numpy as np
import pytest
import torch

from binviz import tasks
from binviz.data import solids
from binviz.errors import UserError

TASK = tasks.get("points")


def test_a_batch_depends_on_seed_and_step_alone():
    problem, again, other = (TASK.problem(None, 8, seed) for seed in (3, 3, 4))
    again.batch_of(5)
    assert all(
        torch.equal(problem.batch_of(2)[key], again.batch_of(2)[key]) for key in (TASK.takes, "labels")
    )
    clouds = [batch["points"] for batch in (problem.batch_of(2), problem.batch_of(3), other.batch_of(2))]
    assert not any(torch.equal(clouds[i], clouds[j]) for i, j in ((0, 1), (0, 2), (1, 2)))
    assert problem.per_epoch == 1024 and TASK.problem(None, 10_000, 0).per_epoch == 1
    assert problem.data != other.data and problem.classes == TASK.outputs == 8


def test_accuracy_is_that_of_every_held_out_cloud():
    clouds, labels = solids.generate(1000, np.random.default_rng(1))

    class Sphere(torch.nn.Module):
        def forward(self, points):
            return type("Output", (), {"logits": torch.eye(8)[0].expand(len(points), 8)})

    metrics, correct = TASK.judge(Sphere(), None)
    assert np.array_equal(correct, labels == 0) and metrics == {"accuracy": np.mean(labels == 0)}
    found = TASK.held_out(None)
    given = found.collate([found.examples[i] for i in (7, 2)])["points"]
    assert torch.equal(given, torch.from_numpy(clouds[[7, 2]]))
    shown = TASK.example(7, "", None)
    assert torch.equal(shown.inputs["points"], given[:1]) and shown.truth == solids.CLASSES[labels[7]]
    made = {"torch": torch}
    exec(shown.imports + shown.code, made)
    assert torch.equal(made["inputs"]["points"], given[:1])


def test_what_there_is_not():
    with pytest.raises(UserError, match="choose one from 0 to 999"):
        TASK.example(1000, "", None)
    with pytest.raises(UserError, match="choose pointnet"):
        TASK.start("pointnet-0", 0)


def test_the_network_does_not_mind_the_order_of_points():
    model = TASK.start("pointnet-8", 0)[0].eval()
    points = torch.from_numpy(solids.generate(2, np.random.default_rng(0))[0])
    order = torch.randperm(solids.POINTS)
    torch.testing.assert_close(model(points=points).logits, model(points=points[:, order]).logits)
    assert not torch.equal(model(points=points).logits[0], model(points=points).logits[1])
