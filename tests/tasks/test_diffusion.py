"""The tasks of noisy pictures: the schedule, batches, and a judgement that a naive twin repeats."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers.modeling_outputs import ImageClassifierOutput

from binviz import losses, tasks
from binviz.data import digits
from binviz.errors import UserError
from binviz.tasks import diffusion

TASK = tasks.get("digits-diffusion")


class Silent(torch.nn.Module):
    """Sees no noise."""

    def forward(self, noisy, timesteps):
        return ImageClassifierOutput(logits=torch.zeros(*noisy.shape, 1))


def kept():
    """The share of a picture's variance that is left at each step."""
    return np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))


def test_a_batch_is_a_picture_with_the_noise_that_is_its_label():
    problem, again, other = (TASK.problem(None, 8, seed) for seed in (3, 3, 4))
    again.batch_of(5)
    batch = problem.batch_of(2)
    assert all(torch.equal(value, again.batch_of(2)[name]) for name, value in batch.items())
    assert not torch.equal(batch["labels"], problem.batch_of(3)["labels"])
    assert not torch.equal(batch["labels"], other.batch_of(2)["labels"])
    left = kept()[batch["timesteps"]][:, None, None, None]
    clean = (batch["noisy"].numpy() - np.sqrt(1 - left) * batch["labels"].numpy()) / np.sqrt(left)
    known = digits.load("train")[0]
    for picture, part in zip(clean, left.ravel(), strict=True):
        nearest = np.abs(known - picture).max((1, 2, 3)).min()
        assert nearest < 1e-5 / np.sqrt(part)
    assert problem.per_epoch == 1347 // 8 and TASK.takes == "noisy" and TASK.outputs == 1


def test_a_score_is_the_error_of_a_picture_at_eight_steps(monkeypatch):
    metrics, scores = TASK.judge(Silent(), None)
    inputs = diffusion.DIGITS.judged()
    errors = [float(each["labels"].square().mean()) for each in inputs]
    np.testing.assert_allclose(scores, -np.reshape(errors, (450, 8)).mean(1), rtol=1e-5)
    assert metrics["loss"] == pytest.approx(1.0, abs=0.02) and len(scores) == TASK.example_count() == 450
    images = torch.from_numpy(digits.load("test")[0])
    for number in (0, 7, 8, 3599):
        each, left = inputs[number], kept()[inputs[number]["timesteps"]]
        wanted = left**0.5 * images[number // 8] + (1 - left) ** 0.5 * each["labels"]
        torch.testing.assert_close(each["noisy"], wanted.float())
        assert int(each["timesteps"]) // 125 == number % 8


def test_the_loss_of_labels_is_the_squared_error():
    problem = TASK.problem(None, 4, 0)
    batch = problem.batch_of(0)
    loss = losses.get("labels")(Silent(), {name: batch[name] for name in batch})
    assert loss.item() == pytest.approx(float(batch["labels"].square().mean()))


def test_an_example_is_an_input_of_the_judgement():
    example = TASK.example(3, "", None)
    made = {}
    exec(example.imports + example.code, made)
    assert all(torch.equal(made["inputs"][name], value) for name, value in example.inputs.items())
    ink = digits.raw("test")[0][3].astype(float)
    np.testing.assert_allclose(example.picture, 255 - ink * 255 / 16, atol=1)
    for index in (-1, 450):
        with pytest.raises(UserError, match="choose one from 0 to 449"):
            TASK.example(index, "", None)


def test_pictures_in_colour_are_seen_as_they_are():
    colour = replace(diffusion.CIFAR, load=lambda split: torch.zeros(5, 3, 16, 16))
    assert colour.seen(torch.ones(2, 3, 4, 4)).shape == (2, 4, 4, 3) and colour.count() == 5
    assert colour.seen(torch.ones(1, 3, 4, 4)).min() == 255 and len(colour.judged()) == 40


def test_architectures():
    (model, tokenizer), (again, _) = (TASK.start(name, 3) for name in ("", "unet-24"))
    assert tokenizer is None and all(
        map(torch.equal, model.state_dict().values(), again.state_dict().values())
    )
    assert 0.3e6 < sum(value.numel() for value in model.parameters()) < 0.5e6
    for name in ("vit", "unet-", "unet-12", "unet-0", "unet-16-16"):
        with pytest.raises(UserError, match="a multiple of 8, such as unet-16"):
            TASK.start(name, 0)
