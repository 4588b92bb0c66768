"""A run with a constant rate has no last step: N steps and then M more are N + M steps at once, to the bit."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import binviz
from binviz.errors import UserError
from binviz.losses import LossChoice
from binviz.networks import DigitsCNN, DigitsCNNConfig
from binviz.tasks import Problem
from binviz.training.book import POINTS, Book, History
from binviz.training.loop import fit
from binviz.training.settings import TrainConfig, rate
from binviz.training.stages import Stage, run_stage

CONFIG = TrainConfig(steps=7, lr=1e-2, warmup=3, schedule="constant", checkpoint_every=3)


def net(recipe="bit-w1a1"):
    torch.manual_seed(0)
    model = DigitsCNN(DigitsCNNConfig(width=4, depth=1))
    model.head = nn.Sequential(nn.Dropout(0.5), model.head)
    if recipe:
        binviz.binarize_(model, recipe)
    return model


def batch(step):
    generator = torch.Generator().manual_seed(step)
    images = torch.randn(4, 1, 8, 8, generator=generator)
    return {"pixel_values": images, "labels": torch.randint(10, (4,), generator=generator)}


LABELS = LossChoice("labels").make()


@pytest.mark.parametrize("optimizer", ["adamw", "bert-adam"])
@pytest.mark.parametrize("more", [1, 6])
def test_more_steps_are_the_same_steps(tmp_path, optimizer, more):
    config = replace(CONFIG, optimizer=optimizer)
    whole, parts = net(), net()
    at_once = fit(whole, batch, LABELS, replace(config, steps=7 + more), tmp_path / "whole", seed=3)
    fit(parts, batch, LABELS, config, tmp_path / "parts", seed=3)
    again, seen = net(), []
    found = fit(
        again,
        lambda step: seen.append(step) or batch(step),
        LABELS,
        replace(config, steps=7 + more),
        tmp_path / "parts",
        seed=3,
    )
    assert seen == list(range(7, 7 + more))
    assert found.steps == at_once.steps and found.loss == at_once.loss
    states = [load_file(tmp_path / name) for name in ("whole", "parts")]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert any(name.startswith("optimizer.") for name in states[0])


def test_other_settings_are_another_run(tmp_path):
    fit(net(), batch, LABELS, CONFIG, tmp_path / "run")
    with pytest.raises(UserError, match=r"lr 0\.01, now it is 0\.02"):
        fit(net(), batch, LABELS, replace(CONFIG, steps=9, lr=2e-2), tmp_path / "run")
    with pytest.raises(UserError, match=r"a step 7 of 5"):
        fit(net(), batch, LABELS, replace(CONFIG, steps=5), tmp_path / "run")


def test_the_rate_does_not_know_the_length():
    rates = [[rate(step, replace(CONFIG, steps=steps)) for step in range(7)] for steps in (7, 500)]
    assert rates[0] == rates[1] == [1 / 3, 2 / 3, 1, 1, 1, 1, 1]


def test_what_follows_a_schedule_to_the_end_is_refused():
    with pytest.raises(UserError, match="follows a schedule from the first step to the last"):
        fit(net("recu"), batch, LABELS, CONFIG)


def test_a_finished_stage_goes_on(tmp_path):
    judged = ({"accuracy": 0.5}, torch.ones(2).bool().numpy())
    problem = Problem("noise", batch, lambda model: judged, {"train": "0"}, batch(99))
    options = {"cell": "noise.float", "experiment": "test", "config": {}, "identify": {}}

    def run(steps, out, **changes):
        stage = Stage("float", replace(CONFIG, steps=steps), **changes)
        return run_stage(problem, stage, DigitsCNN(DigitsCNNConfig(width=4, depth=1)), out, **options)

    torch.manual_seed(0)
    start = torch.get_rng_state()
    first, _ = run(5, tmp_path / "parts")
    assert first.config["train"]["steps"] == 5
    torch.set_rng_state(start)
    second, model = run(8, tmp_path / "parts")
    assert second.config["train"]["steps"] == 8 and second.curves["step"] == list(range(1, 9))
    assert second.config["identity"] == first.config["identity"]
    torch.set_rng_state(start)
    _, whole = run(8, tmp_path / "whole")
    assert all(map(torch.equal, model.state_dict().values(), whole.state_dict().values()))
    # as many steps, or fewer: it is finished
    assert run(8, tmp_path / "parts")[0] == run(5, tmp_path / "parts")[0] == second
    with pytest.raises(UserError, match="other settings, or from another version"):
        run(8, tmp_path / "parts", loss=LossChoice("bit"))


def test_the_book_stays_short():
    """Neighbours become one point, the mean over their steps."""
    history = History([2, 3, 5], [1.0, 4.0, 7.0], [0.5, 1.0, 0.0], [3, 5], {"flips/a": [0.1, 0.2]})
    history.thin()
    assert (history.steps, history.loss) == ([3, 5], [2.0, 7.0])
    assert history.accuracy == pytest.approx([2 / 3, 0.0], abs=1e-5)
    assert (history.watched, history.curves) == ([5], {"flips/a": [0.2]})
    layer = nn.Linear(1, 1)
    before, after = Book(layer, 200), Book(layer, 600)
    for step in range(1, 201):
        before.note(step, float(step), (0, 0), {})
    after.go_on(before.state())
    for step in range(201, 601):
        after.note(step, float(step), (0, 0), {})
    steps = after.history.steps
    assert len(steps) <= POINTS and steps[-1] == 600 and steps == sorted(set(steps))
    ends = [0, *steps]
    wanted = [(a + 1 + b) / 2 for a, b in zip(ends, steps, strict=False)]
    assert after.history.loss == pytest.approx(wanted)


def test_one_step_and_then_many():
    """A history of one point cannot be halved."""
    book = Book(nn.Linear(1, 1), 400)
    state = {"step": 1, "total": 0.0, "counted": 0, "right": 0, "asked": 0}
    state["history"] = vars(History([1], [0.5]))
    book.check(state)
    book.go_on(state)
    assert 1 + -(-399 // book.record) <= POINTS


ODD = {
    "a point too many": {"loss": [0.5, 0.5]},
    "steps that stay": {"steps": [1, 1], "loss": [0.5, 0.5]},
    "a step to come": {"steps": [9]},
    "step 0": {"steps": [0]},
    "a word": {"loss": ["a"]},
    "a curve that was not watched": {"curves": {"flips": [0.5]}},
    "no history": {"seconds": None},
}


@pytest.mark.parametrize("change", ODD.values(), ids=ODD)
def test_histories_that_no_run_has(change):
    state = {"step": 2, "total": 0.0, "counted": 0, "right": 0, "asked": 0}
    with pytest.raises(ValueError, match=r"\w"):
        Book(nn.Linear(1, 1), 400).check(state | {"history": vars(History([1], [0.5])) | change})
    with pytest.raises(ValueError, match="sums"):
        Book(nn.Linear(1, 1), 400).check(state | {"counted": -1, "history": vars(History([1], [0.5]))})
