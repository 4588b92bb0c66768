"""Attributions: what must add up does, what is taken away is what is missing, and a 1-bit network is told apart."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from transformers import BertConfig, BertForSequenceClassification

import binviz
from binviz import analysis, tasks, zoo
from binviz.analysis.attribution import log_odds
from binviz.errors import UserError

IDS = torch.tensor([[2, 7, 8, 9, 10, 3]])
NOTHING = torch.tensor([[2, 4, 4, 4, 4, 3]])


class Net(nn.Module):
    """A network on 1 x 4 x 4 pictures that answers as transformers' classifiers do."""

    def __init__(self, *layers):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), *layers)

    def forward(self, pixel_values):
        return SimpleNamespace(logits=self.layers(pixel_values))


@pytest.fixture(scope="module")
def bert():
    """A small float BERT and its 1-bit twin, as a text of four words makes them start."""
    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, vocab_size=20, num_labels=3,
        initializer_range=0.3,
    )  # fmt: skip
    floats = BertForSequenceClassification(config).eval()
    bits = BertForSequenceClassification(config)
    bits.load_state_dict(floats.state_dict())
    binviz.binarize_(bits, "bit-w1a1")
    with torch.no_grad():
        bits(IDS)
    return floats, bits.eval()


@pytest.fixture(scope="module")
def digits():
    name = "digits-vit.bit-w1a1"
    pictures = [tasks.get("digits").example(number, name, None).inputs for number in range(3)]
    return zoo.load("digits-vit.float"), zoo.load(name), pictures


def picture(seed):
    return {"pixel_values": torch.randn(1, 1, 4, 4, generator=torch.Generator().manual_seed(seed))}


def score(model, inputs, target):
    with torch.no_grad():
        return log_odds(model(**inputs).logits, target).item()


def test_the_score_is_the_logarithm_of_the_odds():
    logits = torch.tensor([1.0, -0.5, 2.0])
    p = logits.softmax(0)[2]
    assert log_odds(logits, 2).item() == pytest.approx((p / (1 - p)).log().item(), rel=1e-5)


def test_in_a_linear_network_every_method_says_the_same():
    torch.manual_seed(0)
    model, inputs, nothing = Net(nn.Linear(16, 2)), picture(1), torch.zeros(1, 1, 4, 4)
    slope = (model.layers[1].weight[1] - model.layers[1].weight[0]).detach().view(4, 4)
    wanted = (slope * inputs["pixel_values"][0, 0]).numpy()
    for found in (
        analysis.integrated_gradients(model, inputs, nothing, 1, steps=2),
        analysis.ablation(model, inputs, nothing, 1),
        analysis.occlusion(model, inputs, nothing, 1, window=1),
    ):
        np.testing.assert_allclose(found.values, wanted, atol=1e-5)
        assert abs(found.missing) < 1e-4


def test_gradients_of_a_float_network_are_complete_with_many_steps():
    torch.manual_seed(0)
    model = Net(nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 3))
    for seed in range(3):
        found = analysis.integrated_gradients(model, picture(seed), torch.zeros(1, 1, 4, 4), 2, steps=128)
        assert abs(found.missing) < 1e-3
        assert found.difference == pytest.approx(
            score(model, picture(seed), 2) - score(model, {"pixel_values": torch.zeros(1, 1, 4, 4)}, 2),
            abs=1e-5,
        )


def test_surrogate_gradients_are_not_complete_and_more_steps_do_not_mend_it(digits):
    floats, bits, pictures = digits
    nothing = torch.full((1, 1, 8, 8), -1.0)

    def missing(model, steps):
        return np.mean(
            [abs(analysis.integrated_gradients(model, each, nothing, 0, steps).missing) for each in pictures]
        )

    few, many = ([missing(model, steps) for model in (floats, bits)] for steps in (4, 32))
    assert many[0] < few[0] / 10
    assert many[1] > 10 * many[0]
    assert many[1] > few[1] / 2


@pytest.mark.parametrize("which", [0, 1], ids=["float", "1-bit"])
def test_ablation_of_words_is_a_loop_of_runs_without_each(bert, which):
    model = bert[which]
    found = analysis.ablation(model, {"input_ids": IDS}, NOTHING, 1, batch=1)
    whole = score(model, {"input_ids": IDS}, 1)
    for at in range(IDS.shape[1]):
        without = IDS.clone()
        without[0, at] = NOTHING[0, at]
        assert found.values[at] == np.float32(whole - score(model, {"input_ids": without}, 1))
    assert found.values[[0, -1]].tolist() == [0, 0]
    together = analysis.ablation(model, {"input_ids": IDS}, NOTHING, 1, batch=4)
    np.testing.assert_allclose(together.values, found.values, rtol=1e-3, atol=1e-3)


def test_ablation_of_patches_is_a_loop_of_runs_without_each(digits):
    _, bits, pictures = digits
    nothing = torch.full((1, 1, 8, 8), -1.0)
    found = analysis.ablation(bits, pictures[0], nothing, 3, patch=4, batch=1)
    whole, total = score(bits, pictures[0], 3), 0.0
    for row in (0, 4):
        for column in (0, 4):
            without = pictures[0]["pixel_values"].clone()
            without[..., row : row + 4, column : column + 4] = -1.0
            lost = np.float32(whole - score(bits, {"pixel_values": without}, 3))
            assert (found.values[row : row + 4, column : column + 4] == lost).all()
            total += lost
    assert found.total == pytest.approx(total, abs=1e-5)


def test_occlusion_is_the_mean_of_the_windows_over_a_word(bert):
    model, whole = bert[1], score(bert[1], {"input_ids": IDS}, 0)
    lost = []
    for at in range(IDS.shape[1] - 1):
        without = IDS.clone()
        without[0, at : at + 2] = NOTHING[0, at : at + 2]
        lost.append(whole - score(model, {"input_ids": without}, 0))
    found = analysis.occlusion(model, {"input_ids": IDS}, NOTHING, 0, window=2, batch=1)
    wanted = [lost[0], *((a + b) / 2 for a, b in pairwise(lost)), lost[-1]]
    np.testing.assert_allclose(found.values, wanted, atol=1e-5)


@pytest.mark.parametrize("which", [0, 1], ids=["float", "1-bit"])
def test_a_gradient_reaches_every_word_and_nothing_is_left_on_the_model(bert, which):
    model = bert[which].train()

    def hooks():
        return [len(part._forward_hooks) + len(part._forward_pre_hooks) for part in model.modules()]

    before = hooks()
    found = analysis.integrated_gradients(model, {"input_ids": IDS}, NOTHING, 1, steps=4)
    assert (found.values[1:-1] != 0).all() and np.isfinite(found.values).all()
    assert found.values[[0, -1]].tolist() == [0, 0]
    assert model.training
    assert hooks() == before
    assert all(parameter.grad is None for parameter in model.parameters())
    model.eval()


def test_a_mask_stands_for_every_word_but_the_frame():
    name = "sst2-minilm.bit-w1a1"
    tokenizer = zoo.load_tokenizer(name)
    inputs = dict(tokenizer(["not good"], return_tensors="pt"))
    found = analysis.masked(inputs, tokenizer)[0].tolist()
    mark = tokenizer.mask_token_id if tokenizer.mask_token_id is not None else tokenizer.unk_token_id
    assert found == [tokenizer.cls_token_id, mark, mark, tokenizer.sep_token_id]


def test_what_cannot_be_attributed_is_said(bert):
    with pytest.raises(UserError, match="no gradients"):
        analysis.integrated_gradients(binviz.pack(bert[1], fused=False), {"input_ids": IDS}, NOTHING, 1)
    with pytest.raises(UserError, match="no answer 3 among 3"):
        analysis.ablation(bert[1], {"input_ids": IDS}, NOTHING, 3)
    with pytest.raises(UserError, match="a reference of its shape"):
        analysis.ablation(bert[1], {"input_ids": IDS}, NOTHING[:, 1:], 1)
    with pytest.raises(UserError, match="input_ids or pixel_values"):
        analysis.ablation(bert[1], {"x": IDS}, NOTHING, 1)
