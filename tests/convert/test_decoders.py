"""Decoders: causal, the same with a cache and without, on bits as in floats, saved and loaded."""

import pytest
import torch
import transformers

import binviz
from binviz.errors import UserError

TEXT = {
    "vocab_size": 40,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 32,
    "bos_token_id": 1,
    "eos_token_id": 39,
    "pad_token_id": 0,
}
DECODERS = {
    "opt": lambda: transformers.OPTForCausalLM(
        transformers.OPTConfig(ffn_dim=24, word_embed_proj_dim=16, dropout=0.0, **TEXT)
    ),
    "gpt2": lambda: transformers.GPT2LMHeadModel(
        transformers.GPT2Config(n_inner=24, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, **TEXT)
    ),
    "llama": lambda: transformers.LlamaForCausalLM(
        transformers.LlamaConfig(intermediate_size=24, num_key_value_heads=2, **TEXT)
    ),
    "mistral": lambda: transformers.MistralForCausalLM(
        transformers.MistralConfig(intermediate_size=24, num_key_value_heads=1, **TEXT)
    ),
}
RECIPES = ["bnn-threshold", "bibert", "bit-w1a1", "db-llm", "bit-w1a2", "bivit-w1a1"]
IDS = torch.tensor([[5, 9, 23, 7, 11, 30], [6, 2, 17, 31, 4, 8]])


def decoder(name, recipe=None):
    """A seeded model whose logits differ from token to token, after one batch that starts its scales."""
    torch.manual_seed(0)
    model = DECODERS[name]()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(10)
    if recipe:
        binviz.binarize_(model, recipe)
    model.eval()
    with torch.no_grad():
        model(IDS)
    return model


def written(model, **options):
    return model.generate(
        IDS[:, :3],
        attention_mask=torch.ones(2, 3, dtype=torch.long),
        max_new_tokens=6,
        do_sample=False,
        **options,
    )


#: All recipes on one of them, another one on each of the others.
PAIRS = [
    *(("opt", recipe) for recipe in RECIPES),
    *zip(["gpt2", "llama", "mistral"], RECIPES[1:4], strict=True),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "recipe"), PAIRS)
def test_generation(name, recipe):
    model = decoder(name, recipe)
    packed = binviz.pack(model)
    for options in ({"use_cache": True}, {"use_cache": False}):
        assert torch.equal(written(packed, **options), written(model, **options))
    model.double()  # products of other shapes round otherwise, and a code may lie next to its threshold
    assert torch.equal(written(model), written(model, use_cache=False))


@pytest.mark.parametrize(("name", "recipe"), PAIRS)
def test_no_token_sees_a_later_one(name, recipe):
    model, other = decoder(name, recipe), IDS.clone()
    other[:, 4] = 20
    with torch.no_grad():
        before, after = model(IDS).logits, model(other).logits
    assert torch.equal(before[:, :4], after[:, :4]) and not torch.equal(before[:, 4:], after[:, 4:])


@pytest.mark.parametrize("name", DECODERS)
def test_padding_on_the_left_changes_nothing(name):
    model = decoder(name, "bit-w1a1").double()
    padded = torch.cat([torch.zeros(2, 2, dtype=torch.long), IDS], 1)
    mask = (torch.arange(8) >= 2).long().expand(2, 8)
    with torch.no_grad():
        alone, beside = (
            model(IDS).logits,
            model(padded, attention_mask=mask, position_ids=(mask.cumsum(1) - 1).clamp(0)).logits,
        )
    torch.testing.assert_close(beside[:, 2:], alone)


@pytest.mark.parametrize("name", DECODERS)
def test_a_float_decoder_is_what_transformers_computes(name):
    """Our attention, grouped keys included, beside transformers' own."""
    model = decoder(name)
    with torch.no_grad():
        wanted = model(IDS).logits
        binviz.layers.attention.use_binviz_attention(model)
        torch.testing.assert_close(model(IDS).logits, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", DECODERS)
def test_saved_and_loaded(name, tmp_path):
    model = decoder(name, "bit-w1a1")
    binviz.save(model, tmp_path / "folder")
    binviz.save_packed(model, tmp_path / "packed.safetensors")
    for place in ("folder", "packed.safetensors"):
        assert torch.equal(written(binviz.load(tmp_path / place)), written(model))


@pytest.mark.parametrize("name", ["opt", "gpt2", "llama"])
def test_every_linear_of_a_block_is_binary_and_seen(name):
    model = decoder(name)
    table = binviz.binarize_(model, "bit-w1a1")
    binary = {row.name for row in table.rows if row.weights}
    projections = ["qkv"] if name == "gpt2" else ["query", "key", "value"]
    parts = [*projections, "attn_out", "fc1", "fc2"] + ["gate"] * (name == "llama")
    assert binary == {"embed", *(f"layers.{i}.{part}" for i in range(2) for part in parts)}
    # A ReLU's output is never negative; a gated product is
    fc2 = model.get_submodule(next(row.module for row in table.rows if row.name == "layers.0.fc2"))
    assert fc2.activation_binarizer.levels == ((-1, 1) if name == "llama" else (0, 1))
    seen = binviz.capture(model, {"input_ids": IDS}, "layers.0.*")
    assert ("layers.0.gate_in.code" in seen) == (name == "llama")
    assert seen["layers.0.probs"].shape == (2, 4, 6, 6)
    assert seen["layers.0.probs"][:, :, 0, 1:].max() == 0


@pytest.mark.parametrize("name", DECODERS)
def test_looked_into(name):
    """Also where positions rotate queries and keys, and where heads share keys."""
    found = binviz.analysis.errors(decoder(name), decoder(name, "bit-w1a1"), {"input_ids": IDS})
    assert {"layers.0.q", "layers.0.k", "layers.1.context", "layers.1.ffn_out"} <= set(found.name)
    assert found.mse.notna().all()


def test_a_layer_of_gpt2_that_is_float_again_is_transposed_again(tmp_path):
    model, wanted = decoder("gpt2"), decoder("gpt2")
    left = binviz.recipes.get("bnn").but("left", keep_float=("embed", "*.attention", "*.qkv", "*.fc?"))
    binviz.binarize_(wanted, left)
    weight = model.transformer.h[0].attn.c_attn.weight.clone()
    binviz.binarize_(model, "bnn")
    layer = model.transformer.h[0].attn.c_attn
    assert layer.weight.shape == (48, 16) and torch.equal(layer.weight, weight.T)
    binviz.binarize_(model, left)
    layer = model.transformer.h[0].attn.c_attn
    assert type(layer) is transformers.pytorch_utils.Conv1D and torch.equal(layer.weight, weight)
    with torch.no_grad():
        assert torch.equal(model(IDS).logits, wanted(IDS).logits)
    binviz.save(model, tmp_path / "model")
    assert torch.equal(written(binviz.load(tmp_path / "model")), written(model))


def test_scores_that_are_more_than_products_are_refused():
    """Gemma 2 is built like LLaMA, and caps its scores."""
    torch.manual_seed(0)
    config = transformers.Gemma2Config(intermediate_size=24, num_key_value_heads=2, head_dim=4, **TEXT)
    model = transformers.Gemma2ForCausalLM(config).eval()
    binviz.binarize_(model, binviz.recipes.get("bnn").but("mine", keep_float=("embed",)))
    with pytest.raises(UserError, match="Gemma2Attention wants the softcap"):
        model(IDS)


def test_what_a_cache_hides_from_the_estimators_is_said():
    model = decoder("opt", "bipft-b")
    assert written(model, use_cache=False).shape == (2, 9)
    with pytest.raises(UserError, match="generate with use_cache=False"):
        written(model)


def test_what_cannot_be_loaded_is_not_written(tmp_path):
    model = transformers.Qwen2ForCausalLM(transformers.Qwen2Config(intermediate_size=24, **TEXT))
    for write in (binviz.save, binviz.save_packed):
        with pytest.raises(UserError, match="a family that binviz saves and loads"):
            write(model, tmp_path / "model.safetensors")
    assert not list(tmp_path.iterdir())
