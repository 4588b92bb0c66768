import copy

import numpy as np
import pytest
import torch
from torch import nn

from binviz import analysis, capture
from binviz.analysis import metrics
from binviz.convert import binarize_
from binviz.errors import UserError

MEASURES = ["mse", "relative_l2", "cosine", "sqnr_db", "sign_agreement"]


def test_an_example_worked_out_by_hand():
    """y = W x with W = ((0.5, -0.5), (0.25, 0.75)); every scale is 1."""
    network = nn.Sequential(*(nn.Linear(2, 2, bias=False) for _ in range(3)))
    network[0].weight.data = torch.eye(2)
    network[1].weight.data = torch.tensor([[0.5, -0.5], [0.25, 0.75]])
    network[2].weight.data = torch.eye(2)
    binary = copy.deepcopy(network)
    binarize_(binary, "bnn")
    table = analysis.causes(network, binary, torch.tensor([[1.0, -3.0]])).set_index(["name", "cause"]).mse
    # float: (2, -2). sign(W) x = (4, -2). W sign(x) = (1, -0.5). sign(W) sign(x) = (2, 0).
    assert table["1", "function"] == 0
    assert table["1", "weights"] == (4 + 0) / 2
    assert table["1", "activations"] == (1 + 2.25) / 2
    assert table["1", "both"] == table["1", "all"] == (0 + 4) / 2
    assert table["0"].tolist() == table["2"].tolist() == [0] * 5


@pytest.mark.parametrize("recipe", ["bit-w1a1", "bibert", "xnorpp", "bipft-b"])
def test_all_causes_are_the_local_error(recipe, bert, text, binary_of):
    binary = binary_of(bert, recipe)
    local = analysis.errors(bert, binary, text)
    local = local[(local.kind == "layer") & (local["view"] == "local")].set_index("name")
    found = analysis.causes(bert, binary, text)
    everything = found[found.cause == "all"].set_index("name")
    assert everything.index.tolist() == local.index.tolist()
    np.testing.assert_array_equal(everything[MEASURES], local[MEASURES])


def test_each_cause_by_itself(bert, text, binary_of):
    """Of fc1 and its activation function, computed here from the float model's tensors."""
    bert.eval()
    binary = binary_of(bert).eval()
    binary(**text)
    table = analysis.causes(bert, binary, text).set_index(["name", "cause"])
    seen, real = capture(bert, text, detach=False), text["attention_mask"].bool()
    for i, (ours, theirs) in enumerate(zip(bert.bert.encoder.layer, binary.bert.encoder.layer, strict=True)):
        x, reference = seen[f"layers.{i}.ffn_in"], seen[f"layers.{i}.ffn_act"]
        fc1, swapped = theirs.intermediate.dense, theirs.intermediate.intermediate_act_fn
        gelu, dense = ours.intermediate.intermediate_act_fn, ours.intermediate.dense
        weight, decoded = fc1.weight_binarizer(fc1.weight), fc1.activation_binarizer(x)
        by_hand = {
            "function": swapped(dense(x)),
            "weights": gelu(nn.functional.linear(x, weight, fc1.bias)),
            "activations": gelu(dense(decoded)),
            "both": gelu(nn.functional.linear(decoded, weight, fc1.bias)),
            "all": swapped(nn.functional.linear(decoded, weight, fc1.bias)),
        }
        for cause, value in by_hand.items():
            row = table.loc[f"layers.{i}.ffn_act", cause]
            expected = metrics.mse(reference[real].detach(), value[real].detach())
            assert row.mse == pytest.approx(expected, rel=1e-4), cause
        assert table.loc[f"layers.{i}.ffn_act", "function"].relative_l2 > 0.1
    swaps = table.xs("function", level="cause").relative_l2
    assert set(swaps[swaps > 1e-6].index) == {"layers.0.ffn_act", "layers.1.ffn_act"}
    weightless = table.xs("weights", level="cause").relative_l2
    assert set(weightless[weightless < 1e-6].index) == {"layers.0.context", "layers.1.context"}


def test_the_models_stay_as_they_were(bert, text, binary_of):
    binary = binary_of(bert)
    before = [{name: value.clone() for name, value in m.state_dict().items()} for m in (bert, binary)]
    analysis.causes(bert, binary, text)
    for model, state in zip((bert, binary), before, strict=True):
        assert model.training
        assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert type(bert.bert.encoder.layer[0].intermediate.intermediate_act_fn).__name__ == "GELUActivation"


def test_every_architecture_has_causes(model, inputs, architecture, binary_of):
    recipe = "xnor" if architecture == "plain" else "bit-w1a1"
    table = analysis.causes(model, binary_of(model, recipe), inputs)
    assert table.groupby("name").cause.apply(list).map(tuple).unique().tolist() == [analysis.CAUSES]


def test_who_reads_a_tensor(bert, text, binary_of):
    seen = capture(binary_of(bert), text)
    three = [f"layers.1.{part}_in" for part in "qkv"]
    assert analysis.readers(seen, "layers.1.resid_in") == three
    assert analysis.readers(seen, "embed") == [name.replace("1", "0") for name in three]
    assert analysis.readers(seen, "layers.0.ffn_act") == ["layers.0.ffn_act"]
    assert analysis.readers(seen, "layers.0.attn_out") == []
    with pytest.raises(UserError, match="not captured"):
        analysis.readers(seen, "layers.9.q")


def test_measures_say_which_way_is_better():
    a = np.random.default_rng(0).normal(size=4000)
    nothing = {"relative_l2": 0 * a, "cosine": np.random.default_rng(1).normal(size=4000)}
    nothing |= {"sqnr_db": 0 * a, "sign_agreement": nothing["cosine"]}
    for measure in analysis.MEASURES.values():
        exact, of_no_use = (
            getattr(metrics, measure.column)(a, b) for b in (0.99 * a, nothing.get(measure.column, 0 * a))
        )
        assert (exact > of_no_use) is (measure.better == "higher")
        if measure.reference is not None:
            assert of_no_use == pytest.approx(measure.reference, abs=0.05)
