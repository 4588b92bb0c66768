"""The fewest flips, against all flips that there are, and on models that really get them."""

import copy
from itertools import combinations

import numpy as np
import pytest
import torch
from torch import nn
from transformers import BertConfig, BertForSequenceClassification

import binviz
from binviz import analysis, tasks, zoo
from binviz.analysis.margins import Readout
from binviz.errors import UserError

FUNCTIONS = {"none": lambda y: y, "tanh": np.tanh, "relu": lambda y: np.maximum(y, 0.0)}


def drawn(seed, function=None, rows=3, columns=3, classes=3):
    """A small readout; its inputs have two values that are not opposite, as a shift makes them."""
    rng = np.random.default_rng(seed)
    signs, scale = rng.choice([-1.0, 1.0], (rows, columns)), rng.uniform(0.2, 1.5, (rows, 1))
    x = rng.choice([-0.7, 1.1], columns)
    value = (scale * signs) @ x + 0.5 * rng.normal(size=rows)
    norm = None
    if function is None:
        norm = rng.uniform(0.5, 2, rows), rng.normal(size=rows), 1e-5
    head = rng.normal(size=(classes, rows)), rng.normal(size=classes)
    return Readout("fc", -2 * scale * signs * x, value, *head, function, norm)


def by_brute_force(readout):
    """Other class -> the fewest flips with which it has the larger logit, of all sets of flips."""
    rows, columns = readout.moves.shape
    places, fewest = [(row, column) for row in range(rows) for column in range(columns)], {}
    for n in range(len(places) + 1):
        for flips in combinations(places, n):
            logits = readout.logits(readout.flipped(np.array(flips, int).reshape(-1, 2)))
            for other in np.flatnonzero(logits > logits[readout.answer]):
                fewest.setdefault(int(other), n)
    return fewest


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_fewer_flips_turn_the_answer_than_are_found(function):
    for seed in range(6):
        readout = drawn(seed, FUNCTIONS[function])
        wanted = by_brute_force(readout)
        for margin in analysis.margins(readout):
            assert margin.enough == wanted.get(margin.other), (seed, margin)
            assert margin.exact
            if margin.enough is not None:
                assert len(margin.flips) == margin.enough
                logits = readout.logits(readout.flipped(margin.flips))
                assert logits[margin.other] > logits[margin.answer]


@pytest.mark.slow
def test_behind_a_norm_the_fewest_lie_between_what_is_needed_and_what_is_enough():
    exact = 0
    for seed in range(8):
        readout = drawn(seed, rows=4, columns=2)
        wanted = by_brute_force(readout)
        for margin in analysis.margins(readout):
            fewest = wanted.get(margin.other, np.inf)
            assert (np.inf if margin.needed is None else margin.needed) <= fewest, (seed, margin)
            if margin.enough is not None:
                assert margin.enough >= fewest
                logits = readout.logits(readout.flipped(margin.flips))
                assert logits[margin.other] > logits[margin.answer]
            exact += margin.exact
    assert exact > 4


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(5, 6), nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 3))
    binviz.binarize_(model, "bnn")
    return model.eval()


def flipped(model, path, flips):
    """A copy whose weights have turned; its layer signs latent weights, or has codes stored, and has no mean."""
    changed = copy.deepcopy(model)
    with torch.no_grad():
        for row, column in flips:
            changed.get_submodule(path).weight[row, column] *= -1
    return changed


def test_each_flip_moves_the_network_as_the_readout_says(network):
    x = torch.randn(1, 5, generator=torch.Generator().manual_seed(0))
    readout = analysis.read_out(network, x)
    for row, column in np.ndindex(readout.moves.shape):
        with torch.no_grad():
            logits = flipped(network, readout.path, [(row, column)])(x)[0].numpy()
        np.testing.assert_allclose(
            readout.logits(readout.flipped(np.array([[row, column]]))), logits, atol=1e-5
        )


@pytest.mark.parametrize(
    "name", [pytest.param("sst2-minilm.bit-w1a1", marks=pytest.mark.slow), "digits-vit.bit-w1a1"]
)
def test_the_flips_turn_a_bundled_models_answer(name):
    task, model = tasks.of_model(name), zoo.load(name)
    example = task.example(15 if name.startswith("sst2") else 3, name, task.tokenizer(name))
    readout = analysis.read_out(model, example.inputs)
    margin = min(analysis.margins(readout), key=lambda each: each.enough or np.inf)
    assert 1 <= margin.needed <= margin.enough == len(margin.flips)
    for flips, answer in ((margin.flips, margin.other), (margin.flips[:0], margin.answer)):
        with torch.no_grad():
            assert int(flipped(model, readout.path, flips)(**example.inputs).logits.argmax()) == answer


def test_the_flips_turn_the_answer_of_a_network_with_a_pooler():
    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24, vocab_size=20, num_labels=3,
        initializer_range=0.5,
    )  # fmt: skip
    model = BertForSequenceClassification(config).eval()
    binviz.binarize_(model, "bnn")
    ids = torch.tensor([[2, 7, 8, 3]])
    readout = analysis.read_out(model, {"input_ids": ids})
    assert readout.path == "bert.pooler.dense" and readout.norm is None
    for margin in analysis.margins(readout):
        assert margin.exact
        with torch.no_grad():
            assert int(flipped(model, readout.path, margin.flips)(ids).logits.argmax()) == margin.other


def test_what_is_found_in_every_layer_is_no_fewer_than_the_fewest(network):
    told = []
    model = nn.Sequential(nn.Linear(5, 5), nn.Linear(5, 5), *network)
    model = binviz.binarize_(model, "bnn") and model.eval()
    x = torch.randn(1, 5, generator=torch.Generator().manual_seed(3))
    table = analysis.turning_flips(model, x, lambda *given: told.append(given))
    assert [path for _, _, path in told] == table["layer"].tolist() == ["1", "2", "3"]
    readout = analysis.read_out(model, x)
    last = table.set_index("layer").loc[readout.path]
    assert last["weights"] == readout.moves.size
    fewest = min(margin.needed for margin in analysis.margins(readout))
    assert np.isnan(last["enough"]) or last["enough"] >= fewest


def test_what_is_not_known_is_said(network):
    with pytest.raises(UserError, match="is not known"):
        analysis.read_out(zoo.load("digits-cnn.bibert"), tasks.get("digits").example(0, "", None).inputs)
    with pytest.raises(UserError, match="2 examples"):
        analysis.read_out(network, torch.zeros(2, 5))
    with pytest.raises(UserError, match="no binary layer"):
        analysis.turning_flips(nn.Sequential(nn.Linear(2, 2)), torch.zeros(1, 2))
