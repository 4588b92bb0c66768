"""Architectures beyond those of `models.py`: each converted, run, padded, looked into, packed, saved and trained."""

import pytest
import torch
import transformers
from torch import nn

import binviz
from binviz import analysis
from binviz.layers import BinaryLinear
from binviz.layers.attention import BinaryAttention, use_binviz_attention
from binviz.layers.tap import listening
from binviz.packed.layers import PackedLinear

COMMON = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
PICTURE = {"image_size": 8, "patch_size": 4} | COMMON
TEXT = {"vocab_size": 40, "max_position_embeddings": 16, "pad_token_id": 0} | COMMON
ARCHITECTURES = {
    "distilbert": lambda: transformers.DistilBertForSequenceClassification(
        transformers.DistilBertConfig(
            vocab_size=40, dim=16, n_layers=2, n_heads=2, hidden_dim=24, dropout=0.0
        )
    ),
    "dinov2": lambda: transformers.Dinov2ForImageClassification(
        transformers.Dinov2Config(mlp_ratio=2, num_labels=3, **PICTURE)
    ),
    "dinov3": lambda: transformers.DINOv3ViTModel(transformers.DINOv3ViTConfig(**PICTURE)),
    "dinov3-gated": lambda: transformers.DINOv3ViTModel(
        transformers.DINOv3ViTConfig(use_gated_mlp=True, hidden_act="silu", **PICTURE)
    ),
    "clip-picture": lambda: transformers.CLIPVisionModel(transformers.CLIPVisionConfig(**PICTURE)),
    "clip-text": lambda: transformers.CLIPTextModel(transformers.CLIPTextConfig(eos_token_id=39, **TEXT)),
    "modernbert": lambda: transformers.ModernBertForSequenceClassification(
        transformers.ModernBertConfig(
            local_attention=4,
            global_attn_every_n_layers=2,
            num_labels=3,
            cls_token_id=1,
            sep_token_id=2,
            bos_token_id=1,
            eos_token_id=2,
            **TEXT,
        )
    ),
    "siglip-picture": lambda: transformers.SiglipVisionModel(transformers.SiglipVisionConfig(**PICTURE)),
    "siglip-text": lambda: transformers.SiglipTextModel(transformers.SiglipTextConfig(**TEXT)),
}
RECIPES = ("bit-w1a1", "bibert", "bivit-w1a1", "bipft-b")


def made(name, recipe=None):
    """A seeded model, and inputs on which what starts from data has started."""
    torch.manual_seed(0)
    model = ARCHITECTURES[name]().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    takes = model.main_input_name
    inputs = {takes: torch.randint(3, 39, (3, 6)) if takes == "input_ids" else torch.randn(3, 3, 8, 8)}
    if recipe:
        binviz.binarize_(model, recipe)
    return model, inputs


def answer(model, inputs):
    with torch.no_grad():
        output = model(**inputs)
    return output.logits if "logits" in output else output.last_hidden_state


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_our_attention_is_transformers_own(name):
    model, inputs = made(name)
    wanted = answer(model, inputs)
    use_binviz_attention(model)
    torch.testing.assert_close(answer(model, inputs), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_what_the_table_calls_binary_is_called(name, recipe):
    model, inputs = made(name, recipe)
    heard = set()
    with listening(lambda module, part, value: heard.add((module, part))):
        answer(model, inputs)
    called = {module for module, part in heard if part == "code"}
    assert {module for module in model.modules() if isinstance(module, BinaryLinear)} <= called
    attentions = [m for m in model.modules() if isinstance(getattr(m, "binary", None), BinaryAttention)]
    assert len(attentions) == 2
    codes = "scores.code" if attentions[0].binary.attention_on == "scores" else "probs.code"
    assert all((module, codes) in heard for module in attentions)


@pytest.mark.parametrize("name", ["distilbert", "modernbert"])
def test_padding_changes_nothing(name):
    model, inputs = made(name, "bit-w1a1")
    answer(model, inputs)
    model.double()
    ids = inputs["input_ids"]
    padded = torch.cat([ids, torch.zeros(3, 2, dtype=torch.long)], 1)
    mask = (torch.arange(8) < 6).long().expand(3, 8)
    torch.testing.assert_close(
        answer(model, {"input_ids": padded, "attention_mask": mask}), answer(model, inputs)
    )


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_looked_into(name):
    model, inputs = made(name, "bit-w1a1")
    float_model, _ = made(name)
    seen = binviz.capture(model, inputs)
    assert {
        f"layers.{i}.{part}" for i in range(2) for part in ("probs.code", "ffn_in.code", "ffn_out")
    } <= set(seen)
    assert "embed" in seen
    found = analysis.errors(float_model, model, inputs)
    assert len(found) > 0


@pytest.mark.parametrize("name", ["modernbert", "dinov3", "clip-text"])
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
    nothing_binary = binviz.recipes.get("bnn").but(
        "one", keep_float=("embed", "layers.0.*", "layers.1.[!f]*")
    )
    other, _ = made(name, "bit-w1a1")
    for twin in (model, other):
        binviz.binarize_(twin, nothing_binary)
    torch.testing.assert_close(answer(other, inputs), answer(model, inputs))


def test_one_linear_for_query_key_and_value_is_one_row():
    model, inputs = made("modernbert")
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
    wanted = answer(model, inputs)
    packed = binviz.pack(model)
    assert any(isinstance(module, PackedLinear) for module in packed.modules())
    assert torch.equal(answer(packed, inputs), wanted)
    binviz.save(model, tmp_path / "folder")
    binviz.save_packed(model, tmp_path / "packed.safetensors")
    for place in ("folder", "packed.safetensors"):
        assert torch.equal(answer(binviz.load(tmp_path / place), inputs), wanted)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_binary_weight_learns(name):
    model, inputs = made(name, "bit-w1a1")
    answer(model, inputs)
    model.train()
    output = model(**inputs)
    (output.logits if "logits" in output else output.last_hidden_state).square().sum().backward()
    for path, module in model.named_modules():
        if isinstance(module, BinaryLinear):
            assert module.weight.grad is not None and module.weight.grad.any(), path


def test_a_gate_keeps_both_signs():
    model, _ = made("dinov3-gated")
    table = binviz.binarize_(model, "bit-w1a1")
    assert {row.name.rpartition(".")[2] for row in table.rows if row.weights} >= {"gate", "fc1", "fc2"}
    (fc2,) = (row.module for row in table.rows if row.name == "layers.0.fc2")
    assert model.get_submodule(fc2).activation_binarizer.levels == (-1, 1)
    assert isinstance(model.get_submodule(fc2), nn.Linear)
