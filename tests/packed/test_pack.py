"""Whole models on bits: the same call, the same numbers, and the model that was packed is left alone."""

import threading

import pytest
import torch
import transformers
from torch import nn

import binviz
from binviz import recipes
from binviz.analysis.capture import run, select
from binviz.analysis.sites import layout_for_reading
from binviz.errors import UserError
from binviz.packed.layers import PackedConv2d, PackedEmbedding, PackedLinear
from binviz.saving.packed import packed_bytes

#: Those on probabilities differ from those on scores in one binarizer; one of them stands for all.
RECIPES = [name for name in recipes.names() if not name.endswith("-threshold") or name == "bnn-threshold"]
#: These on a text model and on convolutions; three very different ones on the others.
MODELS = {recipe: ["bert", "cnn"] for recipe in RECIPES}
for recipe in ("bit-w1a1", "bivit-mixed", "bipft-b"):
    MODELS[recipe] += ["swin", "roberta", "electra", "vit", "deit", "sequential"]
#: Recipes that keep some activations float, whose sums processors take in different orders.
WEIGHT_ONLY = {"bivit-mixed", "db-llm", "db-llm-g64", "ternary"}


def binary(models, name="bert", recipe="bit-w1a1"):
    model = models.tiny(name)
    binviz.binarize_(model, recipe)
    models.logits(model, models.inputs(name))
    return model


def tensors(output):
    """Every tensor of a model's output, in order."""
    if isinstance(output, torch.Tensor):
        return [output]
    parts = output.values() if hasattr(output, "values") else output
    return [tensor for part in parts for tensor in tensors(part)]


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_same_numbers(models, recipe):
    for name in MODELS[recipe]:
        assert_same_numbers(models, name, recipe)


def assert_same_numbers(models, name, recipe):
    model = binary(models, name, recipe)
    everything = {} if name in ("cnn", "sequential") else {"output_hidden_states": True}
    for batch in (1, 3):
        given = models.inputs(name, batch) | everything
        with torch.no_grad():
            wanted = model(**given)
        found = binviz.pack(model)(**given)
        assert type(found) is type(wanted)
        for one, other in zip(tensors(found), tensors(wanted), strict=True):
            if recipe in WEIGHT_ONLY:
                torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
            else:
                assert torch.equal(one, other)
            assert not one.requires_grad


@pytest.mark.parametrize("name", ["bert", "vit", "swin"])
def test_attention_maps_and_tuples(models, name):
    model = binary(models, name)
    given = models.inputs(name) | {"output_attentions": True, "return_dict": False}
    wanted, found = model(**given), binviz.pack(model)(**given)
    assert isinstance(found, tuple) and len(tensors(found)) == len(tensors(wanted)) > 1
    assert all(torch.equal(one, other) for one, other in zip(tensors(found), tensors(wanted), strict=True))


def test_a_loss_and_embeddings(models):
    model, given = (
        binary(models, "electra", "bibert"),
        models.inputs("electra") | {"labels": torch.tensor([0, 2])},
    )
    packed = binviz.pack(model, fused=False)
    assert torch.equal(packed(**given).loss, model(**given).loss)
    embedded = {
        "inputs_embeds": model.get_input_embeddings()(given["input_ids"]).detach(),
        "attention_mask": given["attention_mask"],
    }
    assert torch.equal(packed(**embedded).logits, model(**given).logits)


@pytest.mark.parametrize("name", ["bert", "swin", "cnn", "sequential"])
def test_the_model_is_left_alone(models, name):
    model, given = binary(models, name).train(), models.inputs(name)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    frozen = [parameter.requires_grad for parameter in model.parameters()]
    packed = binviz.pack(model, fused=False)
    assert not packed.training and model.training
    assert frozen == [parameter.requires_grad for parameter in model.parameters()]
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    # and nothing is shared
    model.eval()
    wanted = models.logits(model, given).detach().clone()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1.0)
    assert torch.equal(models.logits(packed, given), wanted)
    pointers = {value.data_ptr() for value in model.state_dict().values()}
    assert not pointers & {value.data_ptr() for value in packed.state_dict().values()}


def test_what_is_packed_and_what_stays(models):
    packed = binviz.pack(binary(models))
    kinds = {path: type(module) for path, module in packed.named_modules()}
    assert kinds["bert.embeddings.word_embeddings"] is PackedEmbedding
    assert kinds["bert.encoder.layer.0.output.dense"] is kinds["bert.pooler.dense"] is PackedLinear
    assert kinds["classifier"] is nn.Linear
    assert PackedConv2d in {type(module) for module in binviz.pack(binary(models, "cnn")).modules()}
    assert not any("weight" in name and "dense" in name for name, _ in packed.named_parameters())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_model_in_half_becomes_one_in_float32(models, dtype):
    """Its weights are packed as a file would, and products are exact again."""
    model = binary(models).to(dtype)
    found = binviz.pack(model, fused=False)
    assert {value.dtype for value in found.parameters()} == {torch.float32}
    given = models.inputs("bert")
    assert torch.equal(models.logits(found, given), models.logits(model.float(), given))


@pytest.mark.parametrize("recipe", ["bit-w1a1", "bit-w1a4", "recu"])
def test_scales_that_start_from_the_first_batch(models, recipe):
    """A model that never ran: each of the two starts its scales by itself, from the same batch."""
    model, given = models.tiny("bert"), models.inputs("bert")
    binviz.binarize_(model, recipe)
    packed = binviz.pack(model)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = models.logits(packed, given)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(found, models.logits(model, given))


def test_a_head_that_shares_the_table(models):
    torch.manual_seed(0)
    model = transformers.BertForMaskedLM(
        transformers.BertConfig(
            vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24
        )
    ).eval()
    binviz.binarize_(model, "bit-w1a1")
    given = models.inputs("bert")
    wanted = models.logits(model, given)
    assert torch.equal(models.logits(binviz.pack(model, fused=False), given), wanted)


def test_a_layer_that_stands_in_two_places():
    torch.manual_seed(0)
    shared = nn.Linear(8, 8)
    model = nn.Sequential(nn.Linear(8, 8), shared, nn.Tanh(), shared, nn.Linear(8, 2)).eval()
    binviz.binarize_(model, "xnor")
    packed, x = binviz.pack(model), torch.randn(3, 8)
    assert packed[1] is packed[3] and isinstance(packed[1], PackedLinear)
    assert torch.equal(packed(x), model(x))


@pytest.mark.parametrize(
    ("name", "recipe"),
    [
        ("bert", "bit-w1a1"),
        ("bert", "bipft-b"),
        ("vit", "xnorpp"),
        ("vit", "bipft-b"),
        ("cnn", "fda"),
        ("cnn", "xnorpp"),
    ],
)
def test_one_file(models, tmp_path, name, recipe):
    """Saving the packed model writes the bytes that saving the model writes."""
    model = binary(models, name, recipe)
    packed = binviz.pack(model)
    size = binviz.save_packed(model, tmp_path / "one.safetensors")
    assert binviz.save_packed(packed, tmp_path / "other.safetensors") == size
    assert (tmp_path / "one.safetensors").read_bytes() == (tmp_path / "other.safetensors").read_bytes()
    stored = sum(value.numel() * value.element_size() for value in packed.state_dict().values())
    assert stored == packed_bytes(model) == packed_bytes(packed)
    given = models.inputs(name)
    again = binviz.pack(binviz.load(tmp_path / "other.safetensors"), fused=False)
    assert torch.equal(models.logits(again, given), models.logits(model, given))


def test_a_folder_is_for_latent_weights(models, tmp_path):
    with pytest.raises(UserError, match="a packed model is saved by save_packed"):
        binviz.save(binviz.pack(binary(models)), tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


@pytest.mark.parametrize("name", ["bert", "swin", "cnn", "sequential"])
def test_the_same_codes_are_seen(models, name):
    model, given = binary(models, name, "bit-w1a2"), models.inputs(name)
    packed, layout = binviz.pack(model), layout_for_reading(model)
    chosen = select(model, layout, ["*.code", "*.pre", "*.decoded"])
    seen = [{}, {}]
    for twin, values in zip((model, packed), seen, strict=True):
        run(
            twin,
            layout,
            chosen,
            given,
            lambda name, value, counted, values=values: values.update({name: value}),
        )
    assert seen[1].keys() == seen[0].keys() - {"words.pre"}
    assert all(torch.equal(value, seen[0][name]) for name, value in seen[1].items())


def test_two_threads_at_once(models):
    model = binary(models, "vit", "bivit-w1a1")
    packed, inputs = binviz.pack(model), [models.inputs("vit", 5), models.inputs("vit", 9)]
    wanted, found = [models.logits(packed, given) for given in inputs], [[], []]
    threads = [
        threading.Thread(
            target=lambda i=i: found[i].extend(models.logits(packed, inputs[i]) for _ in range(2))
        )
        for i in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(2):
        assert len(found[i]) == 2 and all(torch.equal(y, wanted[i]) for y in found[i])


def test_refused_models(models):
    with pytest.raises(UserError, match="no binary layer; call binarize_ first"):
        binviz.pack(models.tiny("bert"))
    with pytest.raises(UserError, match="packed already"):
        binviz.pack(binviz.pack(binary(models)))
    of_batch = recipes.Choice("elastic-unsigned", {"bits": 2, "subtract_min": True})
    with pytest.raises(UserError, match="depends on the batch"):
        binviz.pack(binary(models, recipe=recipes.get("bit-w1a2").but("mine", attention=of_batch)))
    with torch.device("meta"):
        model = models.ARCHITECTURES["bert"]()
        binviz.binarize_(model, "bnn")
    with pytest.raises(UserError, match="no weights yet"):
        binviz.pack(model)


def test_a_packed_model_is_not_trained(models):
    packed, given = binviz.pack(binary(models)), models.inputs("bert")
    with pytest.raises(UserError, match="for use, not for training"):
        packed.train()(**given)
    with pytest.raises(UserError, match=r"is a Packed(Linear|Embedding), no plain"):
        binviz.binarize_(packed, "bnn")
