import copy

import numpy as np
import pytest
import torch
from torch import nn

from binviz import analysis
from binviz.adapters import layout_of
from binviz.analysis import metrics
from binviz.convert import binarize_
from binviz.errors import UserError
from binviz.layers import attention as attention_module


def pick(table, name, kind, view):
    rows = table[(table.name == name) & (table.kind == kind) & (table["view"] == view)]
    assert len(rows) == 1, (name, kind, view)
    return rows.iloc[0]


def by_hand():
    """Three linears; the middle one is binary: y = sign(x) @ sign(W), every scale 1."""
    network = nn.Sequential(*(nn.Linear(2, 2, bias=False) for _ in range(3)))
    network[0].weight.data = torch.eye(2)
    network[1].weight.data = torch.tensor([[0.5, -0.5], [0.25, 0.75]])
    network[2].weight.data = 2 * torch.eye(2)
    binary = copy.deepcopy(network)
    binarize_(binary, "bnn")
    return network, binary, torch.tensor([[1.0, -3.0], [-2.0, -0.5]])


def test_an_example_worked_out_by_hand():
    network, binary, x = by_hand()
    table = analysis.errors(network, binary, x)
    # x -> sign(x): (1, -3, -2, -0.5) -> (1, -1, -1, -1)
    for view in ("local", "accumulated"):
        row = pick(table, "1.in", "binarizer", view)
        assert row["values"] == 4
        assert row.mse == (0 + 4 + 1 + 0.25) / 4
        assert row.relative_l2 == pytest.approx(np.sqrt(5.25 / 14.25))
        assert row.cosine == pytest.approx((1 + 3 + 2 + 0.5) / (np.sqrt(14.25) * 2))
        assert row.sqnr_db == pytest.approx(10 * np.log10(14.25 / 5.25))
        assert row.sign_agreement == 1
        assert row.code_entropy_bits == pytest.approx(0.25 * 2 + 0.75 * np.log2(4 / 3))
        assert np.isnan(row.ones_per_row)
        assert row.layer == -1
    # float: (2, -2), (-0.75, -0.875); binary: sign(W) = (1, -1), (1, 1): (2, 0), (0, -2)
    row = pick(table, "1", "layer", "local")
    expected = metrics.mse([2, -2, -0.75, -0.875], [2, 0, 0, -2])
    assert row.mse == pytest.approx(expected)
    # The last linear doubles what it is given: nothing is lost there, and 4 times the error arrives.
    assert pick(table, "2", "layer", "local").mse == 0
    assert pick(table, "2", "layer", "local").sqnr_db == np.inf
    assert pick(table, "2", "layer", "accumulated").mse == pytest.approx(4 * expected)
    assert pick(table, "0", "layer", "accumulated").mse == 0


def test_local_errors_are_those_of_each_layer_on_float_inputs(make, binary_of):
    make_model, make_inputs = make
    for kind in ("bert", "vit", "swin"):
        model, inputs = make_model(kind).eval(), make_inputs(kind)
        binary = binary_of(model).eval()
        binary(**inputs) if isinstance(inputs, dict) else binary(inputs)  # scales start
        table = analysis.errors(model, binary, inputs)
        found = analysis.capture(model, inputs, detach=False)
        for block in layout_of(binary).blocks:
            for path, place in ((block.attn_out, "context"), (block.fc1, "ffn_in"), (block.query, "q_in")):
                layer, name = binary.get_submodule(path), f"{block.name}.{place}"
                with torch.no_grad():
                    given = found[name]
                    decoded = layer.activation_binarizer(given)
                    made = layer(given)
                counted = found.counted(name)
                counted = torch.ones_like(given[..., :1], dtype=torch.bool) if counted is None else counted
                real = counted[..., 0]
                row = pick(table, name, "binarizer", "local")
                assert row.mse == pytest.approx(metrics.mse(given[real].detach(), decoded[real]), rel=1e-5)
                if place == "context":
                    reference = found[f"{block.name}.attn_out"][real].detach()
                    row = pick(table, f"{block.name}.attn_out", "layer", "local")
                    assert row.mse == pytest.approx(metrics.mse(reference, made[real]), rel=1e-5)
                if place == "q_in":
                    heads = found[f"{block.name}.q"].transpose(1, 2).flatten(2)[real].detach()
                    row = pick(table, f"{block.name}.q", "layer", "local")
                    assert row.mse == pytest.approx(metrics.mse(heads, made[real]), rel=1e-5)
                if place == "ffn_in":
                    module, attribute = block.act
                    acted = getattr(binary.get_submodule(module), attribute)(made)
                    row = pick(table, f"{block.name}.ffn_act", "layer", "local")
                    reference = found[f"{block.name}.ffn_act"][real].detach()
                    assert row.mse == pytest.approx(metrics.mse(reference, acted[real].detach()), rel=1e-5)


@pytest.mark.parametrize("recipe", ["bit-w1a1", "bibert", "bivit-w1a1", "bipft-a", "bipft-b"])
def test_local_error_of_attention_is_that_of_its_product_on_float_operands(recipe, bert, text, binary_of):
    bert.eval()
    binary = binary_of(bert, recipe).eval()
    binary(**text)
    table = analysis.errors(bert, binary, text)
    found = analysis.capture(bert, text, detach=False)
    mask = torch.where(text["attention_mask"].bool(), 0.0, torch.finfo(torch.float32).min)[:, None, None]
    real = text["attention_mask"].bool()
    for i, layer in enumerate(binary.bert.encoder.layer):
        q, k, v = (found[f"layers.{i}.{part}"] for part in "qkv")
        attention_module.layer_input.set(found[f"layers.{i}.q_in"])
        with torch.no_grad():
            context, _ = attention_module.attention_forward(
                layer.attention.self, q, k, v, mask, scaling=q.shape[-1] ** -0.5
            )
        reference = found[f"layers.{i}.context"][real].detach()
        row = pick(table, f"layers.{i}.context", "layer", "local")
        assert row.mse == pytest.approx(metrics.mse(reference, context.flatten(2)[real]), rel=1e-4)
        on = layer.attention.self.binary.attention_on
        name = f"layers.{i}.{on}"
        code = layer.attention.self.binary.attention_binarizer.encode(found[name])
        row = pick(table, name, "binarizer", "local")
        assert row.mse == pytest.approx(
            metrics.mse(
                found.flat(name).detach(),
                code.decode().expand_as(found[name])[found.counted(name).expand_as(found[name])].detach(),
            ),
            rel=1e-4,
        )
        ones = metrics.ones_per_row(code.q.detach(), found.counted(name).expand_as(code.q))
        assert row.ones_per_row == pytest.approx(ones[real[:, None].expand(ones.shape)].mean())


def test_accumulated_errors_compare_the_two_runs(bert, text, binary_of):
    binary = binary_of(bert).eval()
    binary(**text)
    table = analysis.errors(bert, binary, text)
    float_run, binary_run = (analysis.capture(model, text) for model in (bert, binary))
    for _, row in table[table["view"] == "accumulated"].iterrows():
        other = row["name"] if row.kind != "binarizer" else row["name"].removesuffix(".in") + ".decoded"
        a, b = float_run.flat(row["name"]), binary_run.flat(other)
        assert row["values"] == a.size
        assert row.mse == pytest.approx(metrics.mse(a, b), rel=1e-5)
        assert row.cosine == pytest.approx(metrics.cosine(a, b), abs=1e-6)
    assert table[table.kind == "stream"]["name"].tolist() == ["layers.0.resid_in", "layers.1.resid_in"]
    assert (table[table.kind == "stream"]["view"] == "accumulated").all()


def test_a_model_against_itself_with_one_layer_binary(bert, text):
    binary = copy.deepcopy(bert)
    binarize_(binary, "xnor", lambda module, name: name == "layers.1.fc1")
    table = analysis.errors(bert, binary, text)
    wrong = table[table.mse > 1e-9]
    assert set(wrong[wrong["view"] == "local"]["name"]) == {"layers.1.ffn_in", "layers.1.ffn_act"}
    later = {"layers.1.ffn_in", "layers.1.ffn_act", "layers.1.ffn_out", "pooler"}
    assert set(wrong[wrong["view"] == "accumulated"]["name"]) == later


def test_columns_and_order(bert, text, binary_of):
    table = analysis.errors(bert, binary_of(bert), text)
    assert table.columns.tolist() == [
        "layer",
        "name",
        "kind",
        "view",
        "values",
        "mse",
        "relative_l2",
        "cosine",
        "sqnr_db",
        "sign_agreement",
        "code_entropy_bits",
        "ones_per_row",
    ]
    assert not table.duplicated(["name", "kind", "view"]).any()
    assert table.layer[table.layer >= 0].is_monotonic_increasing
    ones = table[table.ones_per_row.notna()]
    assert set(ones["name"]) == {"layers.0.probs", "layers.1.probs"}
    assert table.code_entropy_bits.notna().eq(table.kind == "binarizer").all()


def test_refusals(bert, text, binary_of, make):
    with pytest.raises(UserError, match="no binarizer"):
        analysis.errors(bert, copy.deepcopy(bert), text)
    with pytest.raises(UserError, match="differ in architecture"):
        analysis.errors(make[0]("vit"), binary_of(bert), text)
