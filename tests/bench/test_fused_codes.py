"""Codes of fused layers against those of the model, and against layers that were changed on purpose."""

import dataclasses

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel

import binviz
from binviz import tasks, zoo
from binviz.bench import agreement
from binviz.bench.fused_codes import compare, fused_layers
from binviz.packed.ranges import NotFoldable

BATCH = {
    "input_ids": torch.arange(2, 42).view(2, 20),
    "attention_mask": (torch.arange(20) < torch.tensor([[20], [13]])).long(),
}


def text_model(recipe="bit-w1a1"):
    torch.manual_seed(0)
    model = BertModel(
        BertConfig(
            hidden_size=64, num_hidden_layers=2, num_attention_heads=2, intermediate_size=100, vocab_size=60
        )
    )
    binviz.binarize_(model.eval(), recipe)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.3)
        model(**BATCH)
    return model


@pytest.mark.parametrize("recipe", ["bit-w1a1", "bit-w1a2", "bit-w1a4"])
def test_all_codes_but_those_of_attention_are_compared_and_padding_is_not(recipe):
    model = text_model(recipe)
    for flips in compare(model, fused_layers(model), BATCH):
        # One code in a million is so near to its threshold that the order of a sum decides
        assert all(differ < compared / 100 for differ, compared in flips.values())
        expected = {n for n in binviz.analysis.names(model) if n.startswith("layers") and n.endswith(".code")}
        assert flips.keys() == {name for name in expected if "probs" not in name}
        assert {flips[f"layers.1.{site}.code"][1] for site in ("q_in", "k", "context", "ffn_in")} == {33 * 64}
        assert flips["layers.0.ffn_act.code"][1] == 33 * 100


def test_flips_are_counted_where_they_are():
    """A fused layer whose ranges take no integer has the code 0 everywhere; the others keep theirs."""
    model = text_model()
    layers = fused_layers(model)
    codes = binviz.analysis.capture(model, BATCH, "*.code")
    ranges = layers[0].terms.ranges.copy()
    ranges[:, 1] = 0  # widths
    broken = layers[0]._replace(terms=layers[0].terms._replace(ranges=ranges))
    equal, end_to_end = compare(model, [broken, layers[1]], BATCH)
    ones = int((codes.flat("layers.0.q.code") > 0).sum())
    assert equal["layers.0.q.code"] == (pytest.approx(ones, abs=3), 33 * 64)
    assert equal["layers.1.q.code"][0] == 0 < end_to_end["layers.1.q.code"][0]


def test_layers_that_are_not_fused_have_none():
    with pytest.raises(NotFoldable):
        fused_layers(text_model("xnor"))


@pytest.mark.slow
def test_the_report_has_the_fused_codes():
    held_out = tasks.of_model("digits-vit.bit-w1a1").held_out(None)
    examples, collate = held_out.examples, held_out.collate
    model = zoo.load("digits-vit.bit-w1a1")
    found = agreement.report(model, binviz.pack(model), examples[:40], collate)
    seen = agreement.with_fused_codes(found, model, examples[:40], collate)
    assert seen.keys() - found.keys() == {"packed, equal inputs"}
    assert dataclasses.replace(seen["packed"], codes={}) == found["packed"]
    layer_by_layer = found["packed, layer by layer"].codes
    assert all(layer_by_layer[name][1] == compared for name, (_, compared) in seen["packed"].codes.items())
    assert agreement.line("m", "packed, equal inputs", seen["packed, equal inputs"]).split()[-2:] == [
        "-",
        "-",
    ]
    assert np.isfinite(seen["packed"].gap)
