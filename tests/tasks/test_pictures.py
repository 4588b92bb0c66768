"""Tasks of photographs, on a data set that is written here."""

import numpy as np
import pytest
import torch
from PIL import Image

from binviz import tasks
from binviz.data import pictures as data
from binviz.errors import UserError
from binviz.tasks import pictures


@pytest.fixture
def source(tmp_path):
    """Two classes of 20 pictures; every picture has one colour."""
    for label, name in enumerate("ab"):
        (tmp_path / name).mkdir()
        for i in range(20):
            colour = (120 * label + i, 5 * i, 255 - i)
            Image.new("RGB", (16, 16), colour).save(tmp_path / name / f"{i:02}.png")
    data.load.cache_clear()
    return str(tmp_path)


def test_a_batch_depends_on_its_step_alone_and_shows_every_picture_once(source):
    problem = pictures.task_of(source).problem(None, 6, 3)
    again = pictures.task_of(source).problem(None, 6, 3)
    again.batch_of(4)
    assert all(
        torch.equal(problem.batch_of(2)[key], again.batch_of(2)[key]) for key in ("pixel_values", "labels")
    )
    assert (problem.per_epoch, problem.classes) == (6, 2)
    labels = torch.cat([problem.batch_of(step)["labels"] for step in range(problem.per_epoch)])
    assert sorted(labels.bincount().tolist()) == [18, 18]


def test_training_pictures_are_moved_and_mirrored_and_held_out_ones_are_not():
    picture = np.arange(16 * 16 * 3, dtype=np.uint8).reshape(1, 16, 16, 3)
    seen = {pictures.varied(picture, np.random.default_rng(seed)).tobytes() for seed in range(300)}
    padded = np.pad(picture[0], ((2, 2), (2, 2), (0, 0)))
    every = {
        np.ascontiguousarray(part[:, ::turn]).tobytes()
        for top in range(5)
        for left in range(5)
        for part in [padded[top : top + 16, left : left + 16]]
        for turn in (1, -1)
    }
    assert seen <= every and len(seen) > 40


def test_accuracy_is_that_of_every_held_out_picture(source):
    task = pictures.task_of(source)
    test = data.load(source, "test")

    class Reddish(torch.nn.Module):
        def forward(self, pixel_values):
            red = pixel_values[:, 0].mean((1, 2))
            return type("Output", (), {"logits": torch.stack([-red - 0.2, red + 0.2], -1)})

    metrics, correct = task.judge(Reddish(), None)
    wanted = (test.take(range(4))[:, 0, 0, 0] / 127.5 - 1 > -0.2) == test.labels
    assert correct.tolist() == wanted.tolist() and metrics == {"accuracy": wanted.mean()}
    inputs = task.held_out(None).collate([0, 3])["pixel_values"]
    assert torch.equal(inputs, pictures.normalise(test.take([0, 3])))


def test_what_is_looked_at_needs_no_data_set():
    task = tasks.get("cifar10")
    shown = [task.example(i, "", None) for i in range(task.example_count())]
    assert [one.picture.shape for one in shown] == [(32, 32, 3)] * 2
    made = {}
    exec(shown[0].imports + shown[0].code, made)
    assert torch.equal(made["inputs"]["pixel_values"], shown[0].inputs["pixel_values"])
    with pytest.raises(UserError, match="choose one from 0 to 1"):
        task.example(2, "", None)


@pytest.mark.parametrize("name", ["vit", "swin", "cnn", "vit-32", "mixer", "resnet-16", "birealnet-16"])
@pytest.mark.parametrize("size", [16, 32, 64])
def test_networks_take_pictures_of_their_size(name, size):
    model = pictures.network(name, 0, ("a", "b", "c"), size).eval()
    assert model(torch.zeros(1, 3, size, size)).logits.shape == (1, 3)
