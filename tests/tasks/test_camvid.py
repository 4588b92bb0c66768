"""The task of street scenes, on scenes that are drawn here: blocks of a class each, coloured by it."""

import numpy as np
import plotly.graph_objects as go
import pytest
import torch
from sklearn.metrics import jaccard_score
from torch import nn

import binviz
from binviz import tasks
from binviz.data import scenes
from binviz.errors import UserError
from binviz.losses.labels import NO_LABEL
from binviz.tasks import camvid

TASK = tasks.get("camvid")
SIZE = 16, 24


@pytest.fixture
def drawn(monkeypatch):
    """Six scenes to learn from and three to be judged on, of blocks of 4x4 pixels."""

    def load(split):
        count = {"train": 6, "test": 3}[split]
        rng = np.random.default_rng(count)
        blocks = rng.integers(0, len(scenes.CLASSES), (count, SIZE[0] // 4, SIZE[1] // 4), dtype=np.uint8)
        labels = blocks.repeat(4, 1).repeat(4, 2)
        labels[:, :3] = scenes.UNLABELLED
        labels[labels == 9] = 0  # a class that is nowhere
        return scenes.Scenes(np.stack([labels * 20] * 3, -1), labels)

    monkeypatch.setattr(scenes, "load", load)
    return load


class Answers(nn.Module):
    """A model that gives these classes (N, H, W) to the scenes in their order."""

    def __init__(self, answers):
        super().__init__()
        self.answers = list(answers)

    def forward(self, pixel_values):
        own, self.answers = self.answers[: len(pixel_values)], self.answers[len(pixel_values) :]
        one_hot = nn.functional.one_hot(torch.from_numpy(np.stack(own)).long(), len(scenes.CLASSES))
        return type("Output", (), {"logits": one_hot.movedim(-1, 1).float()})


def by_sklearn(answers, labels):
    labelled = labels != scenes.UNLABELLED
    there = np.union1d(answers[labelled], labels[labelled])
    return jaccard_score(labels[labelled], answers[labelled], labels=there, average="macro")


def test_mean_iou_is_scikit_learns_and_every_scene_has_its_own(drawn, monkeypatch):
    monkeypatch.setattr(camvid, "AT_ONCE", 2)
    test = drawn("test")
    answers = np.where(np.random.default_rng(1).random(test.labels.shape) < 0.7, test.labels, 3)
    answers[answers == scenes.UNLABELLED] = 10
    metrics, each = TASK.judge(Answers(answers), None)
    assert metrics["mean_iou"] == pytest.approx(by_sklearn(answers, test.labels))
    assert each.tolist() == pytest.approx(
        [by_sklearn(*pair) for pair in zip(answers, test.labels, strict=True)]
    )
    labelled = test.labels != scenes.UNLABELLED
    assert metrics["pixels"] == pytest.approx((answers == test.labels)[labelled].mean())
    assert metrics["scene_iou"] == pytest.approx(each.mean()) and len(each) == TASK.example_count() == 3
    perfect = TASK.judge(Answers(np.where(labelled, test.labels, 0)), None)
    assert (
        perfect[0] == {"mean_iou": 1.0, "scene_iou": 1.0, "pixels": 1.0} and perfect[1].tolist() == [1.0] * 3
    )


def test_moved_scenes_keep_their_labels(drawn):
    train = drawn("train")
    seen = set()
    for seed in range(20):
        pictures, labels = camvid.varied(train.pictures, train.labels, np.random.default_rng(seed))
        inside = labels != scenes.UNLABELLED
        assert np.array_equal(pictures[inside], np.stack([labels[inside] * 20] * 3, -1))
        for one, other in zip(train.labels, labels, strict=True):
            ways = [
                (turn, top, left)
                for turn in (False, True)
                for top in range(-2, 3)
                for left in range(-3, 4)
                if np.array_equal(padded(one, top, left)[:, :: -1 if turn else 1], other)
            ]
            assert ways
            seen |= set(ways)
    assert {turn for turn, _, _ in seen} == {False, True}
    assert {abs(top) for _, top, _ in seen} == {0, 1, 2} and max(left for _, _, left in seen) == 3


def padded(labels, top, left):
    """Moved up by `top` and to the left by `left`."""
    high, wide = labels.shape
    found = np.full((high + 4, wide + 6), scenes.UNLABELLED, np.uint8)
    found[2 : 2 + high, 3 : 3 + wide] = labels
    return found[2 + top : 2 + top + high, 3 + left : 3 + left + wide]


def test_batches_and_what_has_no_label(drawn):
    problem, again = TASK.problem(None, 4, 3), TASK.problem(None, 4, 3)
    batch = problem.batch_of(2)
    assert all(torch.equal(value, again.batch_of(2)[key]) for key, value in batch.items())
    assert (problem.name, problem.per_epoch, problem.classes) == ("camvid", 1, 11)
    assert batch["pixel_values"].shape == (4, 3, *SIZE) and batch["labels"].shape == (4, *SIZE)
    assert batch["labels"].min() == NO_LABEL and batch["labels"].max() == 10
    model, _ = TASK.start("unet-4", 0)
    metrics, each = problem.evaluate(model)
    assert set(metrics) == {"mean_iou", "scene_iou", "pixels"} and len(each) == 3


def test_an_example_and_its_code(drawn):
    shown, made = TASK.example(2, "", None), {"torch": torch}
    exec(shown.imports + shown.code, made)
    assert torch.equal(made["inputs"]["pixel_values"], shown.inputs["pixel_values"])
    assert np.array_equal(eval(shown.picture_code, made), shown.picture)
    found = TASK.held_out(None)
    inputs = found.collate([found.examples[i] for i in (2, 1)])
    assert torch.equal(inputs["pixel_values"][:1], shown.inputs["pixel_values"])
    for index in (-1, 3):
        with pytest.raises(UserError, match="choose one from 0 to 2"):
            TASK.example(index, "", None)


def test_code_that_draws_what_models_say(drawn, tmp_path, monkeypatch):
    """Run as it stands, on a saved model; what is wrong in the figure is what the judge has wrong."""
    model, _ = TASK.start("unet-4", 0)
    folder, shown = str(binviz.save(model.eval(), tmp_path / "a model")), []
    monkeypatch.setattr(go.Figure, "show", lambda figure: shown.append(figure))
    exec(TASK.drawing([2, 0], {"float": folder}), {})
    assert [figure.layout.meta["alt"].split(" Wrong: float ")[0] for figure in shown] == [
        "A picture of 24 by 16 pixels and the class of each, 11 classes."
    ] * 2
    for number, figure in zip((2, 0), shown, strict=True):
        labels = drawn("test").labels[number]
        x = camvid.normalise(drawn("test").pictures[number : number + 1])
        answers = model(x).logits.argmax(1)[0].numpy()
        wrong = next(trace.z for trace in figure.data if trace.type == "heatmap" and trace.zmax == 1)
        assert np.array_equal(wrong, (answers != labels) & (labels != scenes.UNLABELLED))


@pytest.mark.parametrize("name", ["vit", "unet-", "unet-7", "unet-0", "bypass"])
def test_an_architecture_that_there_is_not(name):
    with pytest.raises(UserError, match="choose unet or bypassunet, or one with an even width"):
        TASK.start(name, 0)
