"""What the tabs Residuals and Signs compute, on a small bundled model and on one with estimators."""

import numpy as np
import pytest
import torch
from binviz_dashboard import left_out, signs, subject
from transformers import BertConfig, BertModel

import binviz
from binviz import analysis, plots, zoo
from binviz.errors import UserError

VIT = "digits-vit.bit-w1a1"


@pytest.fixture(scope="module")
def questions():
    return signs.asked(subject.of(VIT), None)


@pytest.fixture(scope="module")
def packed():
    return binviz.pack(zoo.load(VIT), fused=False)


def test_the_accuracy_is_the_recorded_one(questions, packed):
    recorded = zoo.describe(VIT).metrics["accuracy"]
    assert signs.right(packed, questions) == pytest.approx(recorded, abs=1.5 / len(questions.truths))


def test_a_task_without_right_answers_is_refused():
    with pytest.raises(UserError, match="right answer"):
        signs.asked(subject.of("cifar10-vit.bit-w1a1"), None)


def test_flips_in_words(questions, packed):
    before = [layer.bits.clone() for layer in signs.packed_layers(packed).values()]
    found = signs.flip(packed, questions, 0.3, None)
    assert found.score < signs.right(packed, questions)
    said = found.said(0.9, 450)
    assert "of 450 examples" in said and f"with {found.flips:,} flips" in said and "XOR" in said
    for bits, layer in zip(before, signs.packed_layers(packed).values(), strict=True):
        assert torch.equal(bits, layer.bits)


def test_the_map_of_changed_signs():
    of = subject.of(VIT)
    table = signs.changed(of, *(zoo.load(each) for each in of.pair))
    grid = signs.grid(table)
    shown = [value for row in grid.values for value in row if np.isfinite(value)]
    assert sorted(shown) == pytest.approx(sorted(100 * table["share"][:-1]))
    assert "%" in signs.changed_said(table)
    namespace = {}
    exec(signs.code_of_changed(of), namespace)
    assert namespace["figure"] == plots.network(*grid, **signs.ABOUT)


def test_a_curve_of_a_layer(questions, packed, monkeypatch):
    monkeypatch.setattr(signs, "SHARES", (0.0, 0.5))
    monkeypatch.setattr(signs, "DRAWS", 2)
    told = []
    path = next(iter(signs.packed_layers(packed)))
    table = signs.curve(subject.of(VIT), questions, [path], lambda share, text: told.append(share))
    shares, scores = signs.arguments(table)
    assert shares == [0, 50] and np.shape(scores) == (2, 2) and np.isnan(scores[1][0])
    assert told == [0, 1 / 3, 2 / 3]
    assert "2 draws" in plots.flips(shares, scores, signs.chance(questions)).layout.meta["alt"]


@pytest.mark.parametrize("recipe", ["bipft-a", "bipft-b"])
def test_what_is_left_out_of_every_head(recipe):
    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, vocab_size=50
    )
    model = BertModel(config).eval()
    binviz.binarize_(model, recipe)
    found = left_out.every_head(model, analysis.capture(model, {"input_ids": torch.arange(2, 11)[None]}))
    for product, rank in left_out.PRODUCTS.items():
        heads = left_out.heads_of(found, product, rank)
        part = getattr(found[1][0], product)
        assert np.shape(heads.values) == (2, 2) and heads.values[0][1] == part.left[rank]
        assert left_out.number_of(heads.names[0][1]) == ("1", "0")
        said = left_out.said(part, product, rank)
        assert ("no estimators" in said) is (recipe == "bipft-a")
        assert (left_out.estimators_of(part) is None) is (recipe == "bipft-a")


def test_models_without_a_softmax_are_refused():
    name = "digits-vit.bibert"
    example = subject.of(name).task.example(0, name, None)
    model = zoo.load(name)
    with pytest.raises(UserError, match="binarizes scores"):
        left_out.every_head(model, analysis.capture(model, example.inputs))
