"""The tasks of spoken digits, on recordings that are drawn here: a tone for each digit."""

import numpy as np
import pytest
import torch

from binviz import tasks
from binviz.data import speech
from binviz.errors import UserError
from binviz.tasks import speech as task_module


@pytest.fixture
def drawn(monkeypatch):
    """Six recordings a digit to learn from, one to be judged on."""

    def load(split, unheard=""):
        each = {"train": 6, "test": 1}[split] + bool(unheard)
        labels = np.repeat(np.arange(10), each)
        times = np.arange(speech.LENGTH) / speech.RATE
        noise = np.random.default_rng(len(labels)).normal(0, 0.1, (len(labels), speech.LENGTH))
        tones = np.sin(2 * np.pi * (300 + 300 * labels[:, None]) * times) + noise
        return speech.Recordings((9000 * tones).astype(np.int16), labels, np.arange(len(labels)) % 6)

    monkeypatch.setattr(speech, "load", load)


@pytest.mark.parametrize(("name", "counts"), [("speech", (60, 10)), ("speech-unheard", (70, 20))])
def test_both_tasks(drawn, name, counts):
    task = tasks.get(name)
    problem = task.problem(None, 16, 3)
    assert (problem.name, problem.per_epoch, problem.classes) == (name, counts[0] // 16, 10)
    batch, again = problem.batch_of(2), task.problem(None, 16, 3).batch_of(2)
    assert all(torch.equal(batch[key], again[key]) for key in batch)
    assert set(batch) == {task.takes, "labels"}
    assert len(problem.evaluate(task.start("cnn-4", 0)[0])[1]) == counts[1] == task.example_count()


def test_accuracy_is_that_of_every_held_out_recording(drawn):
    task, test = tasks.get("speech"), speech.load("test")

    class Loudest(torch.nn.Module):
        """Which place of the mel scale is the loudest tells the tones apart."""

        def forward(self, input_values):
            places = input_values.mean(2).argmax(1)
            known = torch.from_numpy(test.features).mean(2).argmax(1)
            logits = (places[:, None] == known).float()
            logits[:, 7:] = 0
            return type("Output", (), {"logits": logits})

    metrics, correct = task.judge(Loudest(), None)
    assert correct.tolist() == [True] * 7 + [False] * 3 and metrics == {"accuracy": 0.7}
    found = task.held_out(None)
    inputs = found.collate([found.examples[i] for i in (4, 1)])["input_values"]
    assert torch.equal(inputs, torch.from_numpy(test.features[[4, 1]]))


def test_moved_spectrograms_are_moved_in_time_alone():
    features = np.random.default_rng(0).random((200, 3, speech.FRAMES)).astype(np.float32)
    moved = task_module.moved(features, np.random.default_rng(1))
    most, frames, seen = task_module.MOST, speech.FRAMES, set()
    for one, other in zip(features, moved, strict=True):
        ways = [
            way
            for way in range(-most, most + 1)
            if np.array_equal(other[:, most : most + 9], one[:, most + way : most + way + 9])
        ]
        assert len(ways) == 1
        seen |= set(ways)
        columns = np.clip(np.arange(frames) + ways[0], 0, frames - 1)
        assert np.array_equal(other, one[:, columns])
    assert seen == set(range(-most, most + 1))


def test_an_example_and_its_code(drawn):
    task = tasks.get("speech-unheard")
    shown, made = task.example(19, "", None), {"torch": torch}
    exec(shown.imports + shown.code, made)
    assert torch.equal(made["inputs"]["input_values"], shown.inputs["input_values"])
    assert shown.truth == "9"
    with pytest.raises(UserError, match="choose one from 0 to 19"):
        task.example(20, "", None)


@pytest.mark.parametrize("name", ["vit", "cnn-", "cnn-7", "cnn-0"])
def test_an_architecture_that_there_is_not(name):
    with pytest.raises(UserError, match="choose cnn"):
        tasks.get("speech").start(name, 0)
