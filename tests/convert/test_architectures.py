"""Architectures beyond those of `models.py`, under recipes that the table of docs/architectures.md does not try."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import torch
from torch import nn

import binviz
from binviz import analysis
from binviz.adapters import layout_of
from binviz.layers import BinaryLinear
from binviz.layers.attention import BinaryAttention, use_binviz_attention
from binviz.layers.tap import listening
from binviz.packed.layers import PackedLinear

DOCS = Path(__file__).parents[2] / "docs"
spec = spec_from_file_location("table_of_architectures", DOCS / "architectures.py")
table = module_from_spec(spec)
spec.loader.exec_module(table)

ARCHITECTURES = [
    "ALBERT",
    "DistilBERT",
    "EuroBERT",
    "ModernBERT",
    "T5's encoder",
    "mT5's and Flan-T5's encoder",
    "DINOv2",
    "DINOv2, gated",
    "DINOv3",
    "DINOv3, gated",
    "BEiT",
    "wav2vec 2.0 base",
    "wav2vec 2.0 large",
    "CLIP's picture tower",
    "CLIP's text tower",
    "SigLIP's picture tower",
    "SigLIP's text tower",
]
#: Every architecture under one of three recipes, every kind of architecture under each.
RECIPES = ("bit-w1a1", "bivit-w1a1", "bipft-b")
PAIRS = [(name, RECIPES[i % 3]) for i, name in enumerate(ARCHITECTURES)]
made, answers = table.made, table.answers


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_our_attention_is_transformers_own(name):
    model, inputs = made(name)
    wanted = answers(model, inputs)
    use_binviz_attention(model)
    torch.testing.assert_close(answers(model, inputs), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("name", "recipe"), PAIRS)
def test_what_the_table_calls_binary_is_called(name, recipe):
    model, inputs = made(name, recipe)
    heard = set()
    with listening(lambda module, part, value: heard.add((module, part))):
        answers(model, inputs)
    called = {module for module, part in heard if part == "code"}
    assert {module for module in model.modules() if isinstance(module, BinaryLinear)} <= called
    attentions = [m for m in model.modules() if isinstance(getattr(m, "binary", None), BinaryAttention)]
    assert len(attentions) == len(layout_of(model).blocks) > 0
    codes = "scores.code" if attentions[0].binary.attention_on == "scores" else "probs.code"
    assert all((module, codes) in heard for module in attentions)


@pytest.mark.parametrize("name", ["ModernBERT", "DINOv3", "CLIP's text tower"])
def test_projections_that_stay_float_make_no_error_of_their_own(name):
    """Also where query and key are rotated behind their linears, or one linear gives both."""
    model, inputs = made(name)
    binary, _ = made(name)
    attention = ("layers.*.attention", "layers.*.query", "layers.*.key", "layers.*.value", "layers.*.qkv")
    binviz.binarize_(binary, binviz.recipes.get("bit-w1a1").but("mine", keep_float=attention))
    found = analysis.errors(
        model.double(),
        binary.double(),
        {key: value.double() if value.is_floating_point() else value for key, value in inputs.items()},
    )
    local = found[(found.kind == "layer") & found.name.str.fullmatch(r"layers\.\d\.([qkv]|context)")]
    assert len(local) == 16 and local[local.view == "local"].mse.max() < 1e-20
    assert local[(local.view == "accumulated") & (local.layer == 1)].mse.min() > 0


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_recipe_without_an_activation_of_its_own_gives_the_model_back_its(name):
    model, inputs = made(name)
    other, _ = made(name, "bit-w1a1")
    for twin in (model, other):
        binviz.binarize_(twin, "bnn", lambda module, name: name.endswith((".fc1", ".fc2")))
    torch.testing.assert_close(answers(other, inputs), answers(model, inputs))


def test_one_linear_for_query_key_and_value_is_one_row():
    model, inputs = made("ModernBERT")
    table = binviz.binarize_(model, "bit-w1a1")
    names = [row.name for row in table.rows if row.weights]
    assert names == [
        "embed",
        *(f"layers.{i}.{part}" for i in range(2) for part in ("qkv", "attn_out", "fc1", "fc2")),
    ]
    # fc2 is given a product, which has both signs
    assert model.model.layers[0].mlp.Wo.activation_binarizer.levels == (-1, 1)
    seen = binviz.capture(model, inputs)
    assert seen["layers.1.q"].shape == seen["layers.1.v"].shape == (3, 2, 6, 8)
    # neighbours only: the second layer looks two places to either side
    assert seen["layers.1.probs"][:, :, 0, 3:].max() == 0 < seen["layers.0.probs"][:, :, 0, 3:].max()


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_packed_saved_and_loaded(name, tmp_path):
    model, inputs = made(name, "bit-w1a1")
    wanted = answers(model, inputs)
    packed = binviz.pack(model, fused=False)
    assert any(isinstance(module, PackedLinear) for module in packed.modules())
    first, *rest = answers(packed, inputs)
    assert torch.equal(first, wanted[0])
    torch.testing.assert_close(rest, wanted[1:])  # SigLIP's pooling head is torch's attention
    binviz.save(model, tmp_path / "folder")
    binviz.save_packed(model, tmp_path / "packed.safetensors")
    for place in ("folder", "packed.safetensors"):
        torch.testing.assert_close(answers(binviz.load(tmp_path / place), inputs), wanted, rtol=0, atol=0)


FUSED = [
    "ALBERT",
    "DistilBERT",
    "DINOv2",
    "CLIP's picture tower",
    "SigLIP's picture tower",
    "wav2vec 2.0 base",
    "wav2vec 2.0 large",
]


#: Every recipe on one of them, one on each of the others.
FUSED_UNDER = [
    *(("ALBERT", recipe) for recipe in ("bit-w1a1", "bit-w1a2", "bivit-w1a1")),
    *((name, ("bit-w1a2", "bivit-w1a1")[i % 2]) for i, name in enumerate(FUSED[1:])),
]


@pytest.mark.parametrize(("name", "recipe"), FUSED_UNDER)
def test_fused_under_other_recipes(name, recipe):
    model, inputs = made(name)
    with torch.no_grad():
        for parameter in model.parameters():  # so that attention lets something pass
            parameter.mul_(3) if parameter.ndim == 2 else parameter.add_(0.3 * torch.randn_like(parameter))
    binviz.binarize_(model, recipe)
    wanted = answers(model, inputs)
    packed = binviz.pack(model)
    assert binviz.packed.why_not_fused(packed) == ""
    torch.testing.assert_close(answers(packed, inputs), wanted, rtol=1e-3, atol=1e-3)


def test_a_learned_gain_is_folded_whatever_its_sign():
    model, inputs = made("DINOv2", "bibert")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lambda1" in name:
                parameter.copy_(torch.linspace(-1, 1, len(parameter)))
    packed = binviz.pack(model)
    assert binviz.packed.why_not_fused(packed) == ""
    torch.testing.assert_close(answers(packed, inputs), answers(model, inputs), rtol=1e-3, atol=1e-3)


def test_an_adapter_behind_a_layer_of_wav2vec_is_not_left_out():
    model = table.model_of(
        "Wav2Vec2Model", "Wav2Vec2Config", **table.SOUND, do_stable_layer_norm=True, adapter_attn_dim=4
    )().eval()
    binviz.binarize_(model, "bibert")
    assert "has a further part, adapter_layer" in binviz.packed.why_not_fused(binviz.pack(model))


def test_frames_of_sound_that_are_padding_are_not_counted():
    model, inputs = made("wav2vec 2.0 large", "bibert")
    mask = torch.ones(3, 80, dtype=torch.long)
    mask[1, 40:] = 0
    seen = binviz.capture(model, inputs | {"attention_mask": mask})
    # (80 - 4) / 4 + 1 = 20 samples, (20 - 2) / 2 + 1 = 10 frames; of 40 samples 5
    assert seen.mask.sum(1).tolist() == [10, 5, 10]
    assert seen.flat("layers.0.ffn_out").size == 25 * 16


def test_t5_adds_its_bias_of_positions():
    model, inputs = made("T5's encoder", "bibert")
    bias = model.encoder.block[0].layer[0].SelfAttention.relative_attention_bias
    before = binviz.capture(model, inputs)["layers.1.scores"]
    with torch.no_grad():
        bias.weight += 1.0
    after = binviz.capture(model, inputs)["layers.0.scores"], binviz.capture(model, inputs)["layers.1.scores"]
    assert abs(after[1] - before).max() > 0.5
    assert model.shared.weight is model.encoder.embed_tokens.weight


def test_a_gate_keeps_both_signs():
    model, _ = made("DINOv3, gated")
    table = binviz.binarize_(model, "bit-w1a1")
    assert {row.name.rpartition(".")[2] for row in table.rows if row.weights} >= {"gate", "fc1", "fc2"}
    (fc2,) = (row.module for row in table.rows if row.name == "layers.0.fc2")
    assert model.get_submodule(fc2).activation_binarizer.levels == (-1, 1)
    assert isinstance(model.get_submodule(fc2), nn.Linear)
