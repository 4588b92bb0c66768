"""What is counted: against torch's own counter, against packed files, and against counting by hand."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from binviz import binarize_, costs, recipes
from binviz.saving.packed import packed_bytes, save_packed


def real_input(architecture):
    if architecture == "bert":
        return torch.arange(7)[None] + 5
    side = 20 if architecture == "swin" else 8
    return torch.randn(1, 1, side, side)


def test_float_macs_are_those_of_torchs_flop_counter(architecture, model, given):
    model.eval()
    if hasattr(model, "set_attn_implementation"):
        model.set_attn_implementation("eager")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(real_input(architecture))
    counted = costs.of(model, **given)
    assert counted.macs == {(32, 32): counter.get_total_flops() // 2}
    assert not any(row.kind == "other products" for row in counted.rows)


#: A threshold of attention has no bytes: one recipe with it.
RECIPES = [name for name in recipes.names() if not name.endswith("-threshold") or name == "bnn-threshold"]
#: One for each kind of what is stored beside the signs.
KINDS = ("bit-w1a1", "bipft-b", "bivit-w1a1", "db-llm", "fda", "planes-w1a1", "reactnet", "xnorpp")


@pytest.mark.parametrize(
    "architecture", ["bert", "vit", "plain", pytest.param("swin", marks=pytest.mark.slow)]
)
def test_every_byte_of_the_packed_file(architecture, model, given):
    before = packed_bytes(model)
    for recipe in RECIPES if architecture == "plain" else KINDS:
        binary = copy.deepcopy(model)
        binarize_(binary, recipe)
        counted = costs.of(binary, rule="everything", **given)
        assert counted.bytes == packed_bytes(binary), recipe
        assert counted.float_bytes == before


def test_a_recipe_by_name_counts_like_the_converted_model(architecture, make, given):
    for recipe in ("bit-w1a2", "bipft-b", "xnorpp", "fda") if architecture == "bert" else ("bit-w1a2", "fda"):
        model = make[0](architecture)
        by_name = costs.of(model, recipe, **given)
        assert not hasattr(model, "binviz_recipe")
        binarize_(model, recipe)
        assert by_name.parts == costs.of(model, **given).parts
        assert by_name.recipe == costs.of(model, **given).recipe == recipe


def test_the_file_itself(tmp_path, make):
    from safetensors import safe_open

    model = make[0]("bert")
    binarize_(model, "bit-w1a1")
    save_packed(model, tmp_path / "packed.safetensors")
    with safe_open(tmp_path / "packed.safetensors", framework="pt") as file:
        total = sum(value.nbytes for value in map(file.get_tensor, file.offset_keys()))
    assert costs.of(model, tokens=7, rule="everything").bytes == total


def test_float_model_is_counted_as_stored(model, given):
    counted = costs.of(model, rule="everything", **given)
    assert counted.bytes == counted.float_bytes == packed_bytes(model)
    half = copy.deepcopy(model).half()
    assert costs.of(half, rule="everything", **given).bytes == packed_bytes(half)
    assert costs.of(half, rule="reactnet", **given).bytes == 4 * sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("recipe", [None, "bit-w1a2", "bipft-b"])
def test_configuration_counts_as_its_model(make, recipe):
    from transformers import BertModel, ViTForImageClassification

    for architecture, cls in (("bert", BertModel), ("vit", ViTForImageClassification)):
        config = make[1](architecture)
        config.architectures = ["BertForMaskedLM"]  # as on the hub; the encoder is counted nevertheless
        from_config = costs.of(config, recipe, tokens=7)
        assert from_config.to_records() == costs.of(cls(config), recipe, tokens=7).to_records()
        assert config.architectures == ["BertForMaskedLM"]


def test_nothing_is_allocated_run_or_changed(make, monkeypatch):
    model = make[0]("bert").train()
    binarize_(model, "bit-w1a1")
    state = {name: value.clone() for name, value in model.state_dict().items()}
    hooked = []
    model.register_forward_hook(lambda *args: hooked.append(args))
    monkeypatch.setattr(
        type(model), "forward", lambda self, ids: hooked.append(ids.device.type) or self.bert(ids)
    )
    costs.of(model, "bibert", tokens=7)
    assert hooked == ["meta"]
    assert model.training and all(module.training for module in model.modules())
    assert model.binviz_recipe.name == "bit-w1a1"
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert all(parameter.device.type == "cpu" for parameter in model.parameters())


def test_attention_by_hand(make):
    # 5 tokens, 2 heads of 20: q k^T and A v are 2 * 5 * 5 * 20 MACs each.
    rows = {row.layer: row for row in costs.of(make[0]("bert"), "bit-w1a4", tokens=5).rows}
    for product in ("scores", "context"):
        row = rows[f"layers.1.{product}"]
        assert (row.macs, row.weight_bits, row.activation_bits) == (1000, 4, 4)
    assert rows["layers.0.fc1"].macs == 5 * 40 * 72
    assert (rows["layers.0.fc1"].weight_bits, rows["layers.0.fc1"].activation_bits) == (1, 4)
    # Swin: 100 patches of 10 x 10 are padded to 12 x 12 = 9 windows of 16, then 5 x 5 to 8 x 8 = 4 windows.
    rows = {row.layer: row for row in costs.of(make[0]("swin")).rows}
    assert rows["layers.0.scores"].macs == rows["layers.1.context"].macs == 9 * 2 * 16 * 16 * 10
    assert rows["layers.2.scores"].macs == 4 * 4 * 16 * 16 * 10
    assert rows["swin.encoder.layers.0.downsample.reduction"].macs == 25 * 80 * 40


def test_estimators_by_hand(make):
    # 5 linears of 40 -> 1; three products (7, 1) (1, 7); both heads' (7, 7) maps times a column.
    rows = costs.of(make[0]("bert"), "bipft-b", tokens=7).rows
    found = [row for row in rows if row.kind == "LowRankEstimators"]
    assert [row.layer for row in found] == ["layers.0.estimators", "layers.1.estimators"]
    assert found[0].macs == 5 * 7 * 40 + 3 * 7 * 7 + 2 * 7 * 7
    # Rank 3: all linears but the values' are three times as wide.
    wide = recipes.get("bipft-b").but("wide", estimator_rank=3)
    rows = costs.of(make[0]("bert"), wide, tokens=7).rows
    macs = next(row.macs for row in rows if row.kind == "LowRankEstimators")
    assert macs == (4 * 3 + 1) * 7 * 40 + 3 * 3 * 7 * 7 + 2 * 7 * 7


def test_float_activations_and_what_stays_float(make):
    counted = costs.of(make[0]("vit"), "bivit-mixed", rule="bivit")
    kinds = {row.layer: (row.weight_bits, row.activation_bits) for row in counted.rows if row.macs}
    assert kinds["layers.0.fc2"] == (1, 32)
    assert kinds["layers.0.query"] == kinds["layers.0.context"] == (1, 1)
    assert kinds["vit.embeddings.patch_embeddings.projection"] == kinds["classifier"] == (32, 32)
    tokens, hidden, ffn = 17, 40, 72
    assert counted.macs[1, 32] == 2 * 2 * tokens * hidden * ffn


def test_tied_weights_are_one_matrix_of_the_float_model():
    from transformers import BertConfig, BertForMaskedLM

    config = BertConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64, vocab_size=50
    )
    model = BertForMaskedLM(config)
    numbers = sum(parameter.numel() for parameter in model.parameters())
    assert costs.of(model, rule="reactnet").bytes == 4 * numbers
    # Binary words need no float table, but the head that shared it does.
    bits = costs.of(model, "bibert", rule="bibench")
    encoder = 4 * 32 * 32 + 2 * 32 * 64
    words = 50 * 32
    assert bits.float_bytes == 4 * numbers
    assert bits.bytes == (encoder + words) / 8 + 4 * (numbers - encoder)


def test_a_module_used_twice_works_twice():
    layer = nn.Linear(8, 8, bias=False)
    counted = costs.of(nn.Sequential(nn.Linear(8, 8), layer, layer, nn.Linear(8, 2)), shape=(8,))
    assert [row.macs for row in counted.rows] == [64, 128, 16]
    assert counted.bytes == 4 * (64 + 8 + 64 + 16 + 2)


def test_products_that_no_layer_stands_for_are_not_lost():
    class Squares(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x):
            return self.attention(x, x, x)[0]

    (row,) = (row for row in costs.of(Squares(), shape=(5, 8)).rows if row.macs)
    # four linears and both products of attention
    assert (row.layer, row.kind) == ("elsewhere", "other products")
    assert row.macs == 4 * 5 * 8 * 8 + 2 * 5 * 5 * 8


def test_text_networks_of_ones_own():
    network = nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2))
    counted = costs.of(network, "xnor", shape=(6,), rule="reactnet")
    assert counted.input == "6 tokens"
    assert counted.macs == {(1, 1): 6 * 16, (32, 32): 6 * 16 + 6 * 8}


def test_a_recipe_that_leaves_layers_float(make):
    some = replace(recipes.get("bit-w1a1"), keep_float=("layers.0.*", "embed"))
    rows = {row.layer: row for row in costs.of(make[0]("bert"), some, tokens=7).rows}
    assert rows["layers.0.fc1"].weight_bits == rows["layers.0.scores"].activation_bits == 32
    assert rows["layers.1.fc1"].weight_bits == rows["layers.1.scores"].activation_bits == 1
    assert rows["embed"].bytes == 4 * 50 * 40


def test_other_encoders_and_decoders_are_counted_in_float():
    from transformers import GPT2Config

    config = GPT2Config(n_embd=16, n_layer=1, n_head=2, vocab_size=20, n_positions=16)
    counted = costs.of(config, tokens=4)
    # attention's two products; Conv1D of transformers is no torch layer, so it is found among the others
    assert sum(row.macs for row in counted.rows if row.kind == "product") == 2 * 4 * 4 * 16
    assert sum(counted.macs.values()) == 4 * 12 * 16 * 16 + 2 * 4 * 4 * 16
