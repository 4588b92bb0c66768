"""The curves of flips, scales and shifts against counts made by hand."""

import pytest
import torch
import transformers
from torch import nn

import binviz
from binviz.networks import DigitsCNN, DigitsCNNConfig
from binviz.training import observe
from binviz.training.loop import fit
from binviz.training.settings import TrainConfig


def bert(recipe="bit-w1a1"):
    torch.manual_seed(0)
    model = transformers.BertForSequenceClassification(
        transformers.BertConfig(
            vocab_size=20,
            hidden_size=8,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=12,
            max_position_embeddings=8,
        )
    )
    binviz.binarize_(model, recipe)
    return model


def test_flips_are_counted():
    model = bert()
    linear = model.bert.encoder.layer[1].intermediate.dense
    linear.weight.data = torch.where(torch.arange(96).reshape(12, 8) % 2 == 0, 1.0, -1.0)
    before = observe.weight_codes(model)
    linear.weight.data[0, :3] *= -1
    names = observe.layer_names(model)
    found = observe.curves(model, before, names)
    assert found["flips/layers.1.fc1"] == pytest.approx(3 / 96, rel=1e-3)
    assert {name for name, value in found.items() if name.startswith("flips/") and value} == {
        "flips/layers.1.fc1"
    }
    # 2 layers of 6 linears, the pooler and the word embedding
    assert sum(name.startswith("flips/") for name in found) == 14


def test_what_flips_is_the_code_not_the_sign():
    """BiT subtracts the mean: among positive weights codes change while no sign does."""
    model = bert()
    linear = model.bert.encoder.layer[1].intermediate.dense
    linear.weight.data = torch.where(torch.arange(96).reshape(12, 8) % 2 == 0, 3.0, 1.0)
    before = observe.weight_codes(model)
    linear.weight.data[0, 1] = 3.0
    found = observe.curves(model, before, observe.layer_names(model))
    assert found["flips/layers.1.fc1"] == pytest.approx(1 / 96, rel=1e-3)


def test_scales_and_shifts_are_read():
    model = bert()
    layer = model.bert.encoder.layer[0]
    layer.output.dense.activation_binarizer.alpha.data.fill_(0.25)
    layer.output.dense.activation_binarizer.beta.data = torch.tensor([-2.0, 1.0] * 6)
    layer.attention.self.binary.attention_binarizer.alpha.data.fill_(0.125)
    found = observe.curves(model, observe.weight_codes(model), observe.layer_names(model))
    assert found["scale/layers.0.fc2"] == 0.25 and found["shift/layers.0.fc2"] == 1.5
    assert found["scale/layers.0.attention.attention"] == 0.125
    assert "shift/layers.0.attention.attention" not in found


@pytest.mark.parametrize("recipe", ["reactnet", "recu", "xnorpp", "bivit-w1a1"])
def test_other_networks_have_names_too(recipe):
    torch.manual_seed(0)
    model = DigitsCNN(DigitsCNNConfig(width=4, depth=1))
    binviz.binarize_(model, recipe)
    found = observe.curves(model, observe.weight_codes(model), observe.layer_names(model))
    assert found and all("binarizer" not in name for name in found)


def test_a_float_model_has_no_curves():
    layer = nn.Linear(2, 1)
    assert observe.curves(layer, observe.weight_codes(layer), observe.layer_names(layer)) == {}
    history = fit(
        layer, lambda step: {}, lambda model, batch: model.weight.square().sum(), TrainConfig(5, 0.1)
    )
    assert (history.watched, history.curves) == ([], {})


@pytest.mark.parametrize("steps", [1, 39, 40, 41, 100])
def test_at_most_forty_points(steps):
    model = bert()
    history = fit(
        model, lambda step: {}, lambda m, batch: m.bert.pooler.dense.weight.sum(), TrainConfig(steps, 1e-3)
    )
    assert history.watched[-1] == steps and len(history.watched) <= 40
    assert {len(points) for points in history.curves.values()} == {len(history.watched)}
