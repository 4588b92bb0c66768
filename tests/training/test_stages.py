"""What a stage starts from and is made of: each of these could be left out and every number would still look well."""

import copy
from dataclasses import replace

import pytest
import torch
import transformers
from torch import nn

import binviz
from binviz import recipes
from binviz.binarizers import Binarizer
from binviz.experiments.cells import Cell, Experiment
from binviz.losses import LossChoice
from binviz.tasks import Problem
from binviz.training import observe
from binviz.training.loop import fit
from binviz.training.settings import TrainConfig
from binviz.training.stages import Stage, prepare

TRAIN = TrainConfig(steps=3, lr=1e-2)
BIT = LossChoice("bit")


def bert():
    torch.manual_seed(0)
    return transformers.BertForSequenceClassification(
        transformers.BertConfig(
            vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24,
            max_position_embeddings=16, hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1,
        )
    )  # fmt: skip


def batch(step, length=6):
    ids = torch.randint(5, 40, (4, length), generator=torch.Generator().manual_seed(step))
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": ids[:, 0] % 2}


def problem(calibration=None):
    return Problem("toy", batch, None, {}, calibration or batch(1001, length=12))


def scales(model):
    return {
        f"{path}.{name}": parameter.detach().clone()
        for path, module in model.named_modules()
        if isinstance(module, Binarizer)
        for name, parameter in module.named_parameters(recurse=False)
    }


@pytest.mark.parametrize("recipe", ["bit-w1a1", "bit-w1a2", "bivit-w1a1"])
def test_the_first_scales_are_those_of_the_calibration_batch(recipe):
    """And of no other: a batch of the training would give others."""
    model, by_hand, of_training = bert(), bert(), bert()
    prepare(model, Stage(recipe, TRAIN, BIT), problem())
    for other, given in ((by_hand, batch(1001, length=12)), (of_training, batch(0))):
        torch.manual_seed(0)
        binviz.binarize_(other, recipe)
        other.eval()(**{name: value for name, value in given.items() if name != "labels"})
    found = scales(model)
    assert found and all(torch.equal(value, scales(by_hand)[name]) for name, value in found.items())
    changed = [name for name, value in found.items() if not torch.equal(value, scales(of_training)[name])]
    assert changed or recipe == "bivit-w1a1"
    started = [name for name, value in model.named_buffers() if name.endswith(".initialized") and value]
    fit(model, batch, LossChoice("labels").make(), TrainConfig(steps=1, lr=1e-9, scale_lr=1e-9))
    for name in started:  # training does not start them anew
        alpha = name.replace(".initialized", ".alpha")
        if alpha in found:
            torch.testing.assert_close(scales(model)[alpha], found[alpha])


@pytest.mark.parametrize("dropout", [0.0, 0.25])
def test_dropout_of_a_binary_stage(dropout):
    model = bert()
    prepare(model, Stage("bit-w1a1", TRAIN, BIT, dropout=dropout), problem())
    assert {module.p for module in model.modules() if isinstance(module, nn.Dropout)} == {dropout}


def test_a_float_stage_keeps_the_models_dropout():
    model = bert()
    prepare(model, Stage("float", TRAIN, dropout=0.5), problem())
    assert {module.p for module in model.modules() if isinstance(module, nn.Dropout)} == {0.1}


def test_a_binary_stage_learns_from_labels_alone():
    model, copied = bert(), []
    copy_of, given = copy.deepcopy, Stage("bit-w1a1", TRAIN)
    loss = prepare(model, given, problem())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copy, "deepcopy", lambda thing, *memo: copied.append(thing) or copy_of(thing, *memo))
        prepare(bert(), given, problem())
    assert not any(isinstance(thing, torch.nn.Module) for thing in copied)  # no teacher
    history = fit(model, batch, loss, TrainConfig(steps=30, lr=5e-3))
    assert history.loss[-1] < history.loss[0]


def test_entries_that_are_targets_are_not_given_to_the_model():
    targets = replace(
        problem(batch(1001) | {"index": 0}),
        batch_of=lambda step: batch(step) | {"index": torch.arange(4)},
        targets=("labels", "index"),
    )
    for choice in (LossChoice("labels"), BIT, LossChoice("bibert")):
        model = bert()
        loss = prepare(model, Stage("bit-w1a1", TRAIN, choice), targets)
        assert torch.isfinite(loss(model, targets.batch_of(0)))


def identity(**changes):
    stage = {"recipe": "bit-w1a1", "train": TRAIN, "loss": BIT}
    cell = {"task": "digits", "row": "row", "group": 1, "architecture": "vit", "teacher": "float"}
    stage |= {name: value for name, value in changes.items() if name in Stage.__dataclass_fields__}
    cell |= {name: value for name, value in changes.items() if name in Cell.__dataclass_fields__}
    declared = Cell(stage=Stage(**stage), **cell)
    experiment = Experiment("toy", (declared,), (), changes.get("settings", {}))
    return experiment.identity(declared, changes.get("seed", 0), changes.get("data", {"train": "0"}))


CHANGES = {
    "teacher": "half",
    "start": "digits-vit.float",
    "augment": "joined",
    "task": "sst2",
    "architecture": "cnn",
    "recipe": recipes.get("bit-w1a1").but("bit-w1a1", embedding=None),
    "train": TrainConfig(steps=4, lr=1e-2),
    "loss": LossChoice("bit", {"hidden_weight": 0.5}),
    "dropout": 0.1,
    "frozen": ("alpha",),
    "keep_alphas": True,
    "seed": 1,
    "data": {"train": "1"},
    "settings": {"pieces": 3},
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_makes_it_another_run(name):
    assert identity(**{name: CHANGES[name]}) != identity()


def test_what_does_not():
    for changes in (
        {"why": "to see"},
        {"group": 7},
        {"train": TrainConfig(steps=3, lr=1e-2, checkpoint_every=1)},
        {"loss": LossChoice("bit", {"hidden_weight": 1.0})},
        {"recipe": recipes.get("bit-w1a1")},
    ):
        assert identity(**changes) == identity()


def test_flips_are_of_codes_not_of_signs():
    """BiT centres its weights: one may change its code and keep its sign."""
    model = bert()
    binviz.binarize_(model, "bit-w1a1")
    linear = model.bert.encoder.layer[0].intermediate.dense
    # One row's mean moves past another weight of it, in steps in which no weight changes its sign
    linear.weight.data = torch.arange(1.0, 385.0).reshape(24, 16)
    before, signs = observe.weight_codes(model), linear.weight >= 0
    linear.weight.data[0, 0] = 1e4
    after = observe.weight_codes(model)
    path = "bert.encoder.layer.0.intermediate.dense"
    centred = [
        weight >= weight.mean() for weight in (torch.arange(1.0, 385.0).reshape(24, 16), linear.weight)
    ]
    flips = int((before[path] != after[path]).sum())
    assert torch.equal(signs, linear.weight >= 0)
    assert flips == int((centred[0] != centred[1]).sum()) > 0
    found = observe.curves(model, before, observe.layer_names(model))
    assert found["flips/layers.0.fc1"] == pytest.approx(flips / 384, rel=1e-3)
