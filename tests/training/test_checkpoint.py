"""The file from which a run goes on: whose it is, and what is said where it is not."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from binviz.errors import UserError
from binviz.training.checkpoint import load, save
from binviz.training.loop import fit
from binviz.training.settings import TrainConfig

MAPS = Path("/proc/self/maps")
STEPS = 12
CONFIG = TrainConfig(steps=STEPS, lr=2e-3, checkpoint_every=3)


def net(width=4):
    """Its last layer is not used, so it has no gradient."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, width), nn.Dropout(), nn.Linear(width, 2), nn.Linear(2, 2))


def batch(step):
    return {"x": torch.randn(5, 3, generator=torch.Generator().manual_seed(step))}


def loss_of(model, given):
    return model[:3](given["x"]).square().mean()


def checkpoint(path, model, config=CONFIG):
    """The checkpoint of a run that was killed in its eighth step."""

    def until_killed(step):
        if step == 7:
            raise RuntimeError("killed")
        return batch(step)

    with pytest.raises(RuntimeError):
        fit(model, until_killed, loss_of, config, path)
    return path


def refused(path, model, config=CONFIG):
    with pytest.raises(UserError, match=r"; delete it to start again$") as caught:
        fit(model, batch, loss_of, config, path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lr": 1e-3}, "lr 0.002, now it is 0.001"),
        ({"steps": 20}, "steps 12, now it is 20"),
    ],
    ids=lambda value: str(value),
)
def test_other_settings(tmp_path, change, message):
    assert message in refused(checkpoint(tmp_path / "run", net()), net(), replace(CONFIG, **change))


def test_another_seed(tmp_path):
    path = checkpoint(tmp_path / "run", net())
    with pytest.raises(UserError, match="a run with seed 0, now it is 5; delete it"):
        fit(net(), batch, loss_of, CONFIG, path, seed=5)


def test_how_often_it_is_saved_is_no_setting_of_the_run(tmp_path):
    often = replace(CONFIG, checkpoint_every=1)
    assert fit(net(), batch, loss_of, often, checkpoint(tmp_path / "run", net())).steps[-1] == STEPS


@pytest.mark.parametrize("content", [b"", b"not a checkpoint"])
def test_no_safetensors_file(tmp_path, content):
    (tmp_path / "run").write_bytes(content)
    assert "cannot be resumed" in refused(tmp_path / "run", net())


def test_another_model(tmp_path):
    assert "cannot be resumed" in refused(checkpoint(tmp_path / "run", net(8)), net())


def without(start):
    def change(state, tensors):
        for name in [name for name in tensors if name.startswith(start)]:
            del tensors[name]

    return change


FOREIGN = {
    "a field missing": lambda state, tensors: {key: state[key] for key in state if key != "right"},
    "a field too many": lambda state, tensors: state | {"epoch": 3},
    "a step of words": lambda state, tensors: state | {"step": "three"},
    "a step before the first": lambda state, tensors: state | {"step": -1},
    "a step after the last": lambda state, tensors: state | {"step": STEPS + 1},
    "an unknown curve": lambda state, tensors: state["history"].update(speed=[]),
    "no history": lambda state, tensors: state | {"history": None},
    "a list": lambda state, tensors: [state],
    "no settings": lambda state, tensors: {key: state[key] for key in state if key != "config"},
    "empty settings": lambda state, tensors: state | {"config": {}},
    "no optimizer": without("optimizer."),
    "half an optimizer": without("optimizer.0.exp_avg_sq"),
    "no random state": without("rng"),
}


@pytest.mark.parametrize("change", FOREIGN.values(), ids=FOREIGN)
def test_readable_but_no_checkpoint_of_this_run(tmp_path, change):
    path = checkpoint(tmp_path / "run", net())
    with safe_open(path, framework="pt") as file:
        state, tensors = json.loads(file.metadata()["state"]), load_file(path)
    state = change(state, tensors) or state
    save_file(tensors, path, {"state": json.dumps(state)})
    refused(path, net())


@pytest.mark.parametrize("optimizer", ["adamw", "bert-adam"])
def test_a_parameter_without_a_gradient_is_resumed_too(tmp_path, optimizer):
    config = replace(CONFIG, optimizer=optimizer)
    unbroken, resumed = net(), net()
    fit(unbroken, batch, loss_of, config)
    fit(resumed, batch, loss_of, config, checkpoint(tmp_path / "run", net(), config))
    for wanted, found in zip(unbroken.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(wanted, found)


def test_names_of_an_earlier_version(tmp_path):
    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.binary = nn.ModuleDict({"query_binarizer": nn.Linear(1, 1)})

    def rename(module, state, prefix, metadata):
        for name in list(state):
            state[name.replace("_binarizer.", ".")] = state.pop(name)

    old, new = (nn.Sequential(Attention()) for _ in range(2))
    hook = old.register_state_dict_post_hook(rename)
    save(tmp_path / "run", old, torch.optim.SGD(old.parameters()), {})
    hook.remove()
    assert "model.0.binary.query.weight" in load_file(tmp_path / "run")
    load(tmp_path / "run", new, torch.optim.SGD(new.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(old.parameters(), new.parameters(), strict=True))


def test_it_holds_no_pickle(tmp_path):
    content = checkpoint(tmp_path / "run", net()).read_bytes()
    assert content[8:9] == b"{" and int.from_bytes(content[:8], "little") < len(content)


@pytest.mark.skipif(not MAPS.exists(), reason="this system does not list the files in use")
def test_nothing_that_goes_on_lies_in_the_file(tmp_path):
    """Windows refuses to replace a file that is in use, and the next checkpoint takes its place."""
    path, model = tmp_path / "run.checkpoint", net()
    optimizer = torch.optim.AdamW(model.parameters())
    save(path, model, optimizer, {})
    load(path, model, optimizer)
    assert str(path) not in MAPS.read_text("utf-8")


def test_an_odd_optimizer_is_met_at_once(tmp_path):
    """Its shapes are compared by nobody else, before a step fails."""
    model = nn.Linear(2, 1)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    path = tmp_path / "run.checkpoint"
    save(path, model, optimizer, {"step": 7})
    content = path.read_bytes()
    for old, new in ((b"exp_avg_sq", b"exp_avg_qs"), (b'"shape":[1,2]', b'"shape":[2,1]')):
        assert old in content
        path.write_bytes(content.replace(old, new))
        with pytest.raises(UserError, match="cannot be resumed"):
            load(path, model, optimizer)
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(UserError, match="cannot be resumed"):
        load(path, model, optimizer)
    path.write_bytes(content)
    assert load(path, model, optimizer) == {"step": 7}
