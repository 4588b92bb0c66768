"""binarize_: the table, filters, every recipe on every architecture, again and with another recipe."""

import copy

import pytest
import torch
import transformers
from torch import nn

import binviz
from binviz import recipes
from binviz.binarizers import Binarizer
from binviz.errors import UserError
from binviz.layers import BinaryConv2d, BinaryEmbedding, BinaryLinear

#: A threshold of attention is the same in all recipes: one with it.
RECIPES = [name for name in recipes.names() if not name.endswith("-threshold") or name == "bnn-threshold"]
#: Every recipe on a text model and on one of convolutions; three very different ones on the others.
MODELS = {recipe: ["bert", "cnn"] for recipe in RECIPES}
for recipe in ("bit-w1a1", "bivit-mixed", "bipft-b"):
    MODELS[recipe] += ["swin", "roberta", "electra", "vit", "deit", "sequential"]
#: One for each kind of what is learned or counted beside the weights.
KINDS = (
    "bit-w1a1",
    "bit-w1a4",
    "bipft-b",
    "bivit-w1a1",
    "db-llm",
    "fda",
    "planes-w1a1",
    "reactnet",
    "recu",
    "xnorpp",
)
BINARY = (BinaryLinear, BinaryConv2d, BinaryEmbedding)


def binary_layers(model):
    return {path: module for path, module in model.named_modules() if isinstance(module, BINARY)}


def numbers(model):
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_and_every_architecture(models, recipe):
    for name in MODELS[recipe]:
        assert_converted(models, name, recipe)


def assert_converted(models, name, recipe):
    model = models.tiny(name)
    table = binviz.binarize_(model, recipe)
    # every parameter once
    layers = binary_layers(model).values()
    weights = sum(layer.weight.numel() for layer in layers)
    assert weights + table.floats == numbers(model)
    assert table.bits == sum(layer.weight.numel() * layer.weight_binarizer.bit_count for layer in layers)
    assert len({row.module for row in table.rows}) == len(table.rows)
    assert (table.recipe, model.binviz_recipe) == (recipe, recipes.get(recipe))
    given = models.inputs(name)
    wanted = models.logits(model, given)
    assert wanted.isfinite().all()
    # but for batch statistics, training computes what use computes
    model.train()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    found = models.logits(model, given)
    torch.testing.assert_close(found, wanted)
    (found - 1).square().sum().backward()
    assert [key for key, parameter in model.named_parameters() if parameter.grad is None] == []
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())
    assert sum(layer.weight.grad.abs().sum() > 0 for layer in binary_layers(model).values()) > 0


@pytest.mark.parametrize("recipe", ["bit-w1a1", "bipft-b"])
@pytest.mark.parametrize("name", ["bert", "vit", "swin", "cnn", "sequential"])
def test_what_is_added_is_called_as_no_layer_of_the_model(models, name, recipe):
    """Tools that are told "query" (PEFT's target_modules) take every module of that name."""
    model = models.tiny(name)
    before = dict(model.named_modules())
    last = {
        path.rpartition(".")[2] for path, part in before.items() if isinstance(part, nn.Linear | nn.Conv2d)
    }
    binviz.binarize_(model, recipe)
    added = {path for path, _ in model.named_modules()} - before.keys()
    assert added and not {path for path in added if path.rpartition(".")[2] in last}


@pytest.mark.parametrize("name", ["bert", "roberta", "electra", "vit", "deit", "swin"])
def test_attention_maps_are_as_many_as_those_of_the_float_model(models, name):
    for recipe in ("bit-w1a1", "bibert", "bipft-b"):
        model, given = models.tiny(name), models.inputs(name)
        model.set_attn_implementation("eager")
        wanted = [used.shape for used in model(**given, output_attentions=True).attentions]
        binviz.binarize_(model, recipe)
        found = model(**given, output_attentions=True).attentions
        assert len(found) == 2 and [used.shape for used in found] == wanted
        for used in found:
            assert len(used.unique()) <= 2  # 0 and one scale


def test_the_configuration_keeps_the_models_own_activation(models):
    """Another model may have been built from the same configuration."""
    model = models.tiny("bert")
    given, before = model.config, model.config.to_dict()
    binviz.binarize_(model, "bit-w1a1")
    assert given.to_dict() == before
    assert model.config.to_dict() == before | {"binviz_recipe": model.config.binviz_recipe}
    assert {id(part.config) for part in model.modules() if hasattr(part, "config")} == {id(model.config)}


def test_table_of_bert(models):
    table = binviz.binarize_(models.tiny("bert"), "bit-w1a1")
    rows = {row.name: row for row in table.rows}
    assert rows["embed"].kind == "BinaryEmbedding" and rows["embed"].weights == 40 * 16
    query = rows["layers.0.query"]
    assert (query.module, query.kind) == ("bert.encoder.layer.0.attention.self.query", "BinaryLinear")
    assert (query.shape, query.weight, query.activation) == ((16, 16), "bit-weight", "elastic-signed")
    assert (query.weights, query.floats) == (256, 16 + 1 + 16)  # bias, alpha, beta
    assert rows["layers.1.fc1"].activation == "elastic-signed"
    assert rows["layers.1.fc2"].activation == "elastic-unsigned"
    attention = rows["layers.1.attention"]
    assert (attention.activation, attention.weights, attention.floats) == (
        "elastic-signed, elastic-unsigned",
        0,
        4,
    )
    assert rows["pooler"].weights == 256
    assert rows["classifier"].weights == 0 and rows["classifier"].floats == 51
    text = str(table)
    assert len(text.splitlines()) == len(table.rows) + 2
    assert text.splitlines()[-1].startswith("BERT, bit-w1a1: 4,480 weights of 1 bit, ")
    assert table.to_records()[0]["name"] == table.rows[0].name


def test_table_says_why(models):
    whys = {row.name: row.why for row in binviz.binarize_(models.tiny("swin"), "bivit-w1a1").rows}
    assert whys["swin.embeddings.patch_embeddings.projection"] == "patch embedding"
    assert whys["swin.encoder.layers.0.downsample.reduction"] == "down-sampling"
    whys = {row.name: row.why for row in binviz.binarize_(models.tiny("cnn"), "xnor").rows}
    assert (whys["stem.0"], whys["head"]) == ("first layer", "last layer")


def test_mixed_recipe_keeps_the_feed_forward_inputs_float(models):
    model = models.tiny("vit")
    binviz.binarize_(model, "bivit-mixed")
    for path, layer in binary_layers(model).items():
        assert (layer.activation_binarizer is None) == (".mlp." in path)


@pytest.mark.parametrize(
    ("recipe", "activation"), [("bit-w1a1", nn.ReLU), ("bibert", None), ("bipft-a", None)]
)
def test_feed_forward_activation(models, recipe, activation):
    model = models.tiny("bert")
    before = type(model.bert.encoder.layer[0].intermediate.intermediate_act_fn)
    binviz.binarize_(model, recipe)
    found = type(model.bert.encoder.layer[0].intermediate.intermediate_act_fn)
    assert found is (activation or before)


def test_tied_weights_are_counted_once():
    torch.manual_seed(0)
    model = transformers.BertForMaskedLM(
        transformers.BertConfig(
            vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24
        )
    )
    table = binviz.binarize_(model, "bit-w1a1")
    assert model.cls.predictions.decoder.weight is model.bert.embeddings.word_embeddings.weight
    assert table.bits + table.floats == numbers(model)
    rows = {row.name: row for row in table.rows}
    assert rows["embed"].weights == 640
    assert rows["cls.predictions.decoder"].floats == 0 and rows["cls.predictions.decoder"].why


def test_a_layer_used_twice_is_replaced_twice():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.middle, self.last = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)
            self.again = self.middle

    net = Net()
    table = binviz.binarize_(net, "bnn")
    assert isinstance(net.middle, BinaryLinear) and net.again is net.middle
    assert table.bits == 16


# Filters and patterns.


def test_filter_sees_every_layer_by_its_canonical_name(models):
    seen = {}
    binviz.binarize_(
        models.tiny("bert"), "bit-w1a1", lambda module, name: seen.update({name: type(module)}) or True
    )
    parts = ("query", "key", "value", "attn_out", "fc1", "fc2", "attention")
    assert set(seen) == {"embed", "pooler", *(f"layers.{i}.{part}" for i in range(2) for part in parts)}
    assert seen["embed"] is nn.Embedding and seen["layers.0.fc1"] is nn.Linear


@pytest.mark.parametrize(
    "names", [("embed",), ("layers.0.fc1", "pooler"), ("layers.1.attention", "layers.0.fc2")]
)
def test_filter_leaves_layers_float(models, names):
    model = models.tiny("bert")
    table = binviz.binarize_(model, "bit-w1a1", lambda module, name: name not in names)
    assert not {row.name for row in table.rows if row.weights or row.kind == "BinaryAttention"} & set(names)
    assert table.bits + table.floats == numbers(model)
    assert sorted(model.binviz_recipe.keep_float) == sorted(names)
    assert hasattr(model.bert.encoder.layer[1].attention.self, "binary") == (
        "layers.1.attention" not in names
    )
    # the activation in front of a float linear stays the model's own
    relu = [isinstance(layer.intermediate.intermediate_act_fn, nn.ReLU) for layer in model.bert.encoder.layer]
    assert relu == ["layers.0.fc2" not in names, True]
    models.logits(model, models.inputs("bert"))


@pytest.mark.parametrize("pattern", ["layers.0.*", "bert.encoder.layer.0.*"])
def test_keep_float_takes_canonical_names_and_module_paths(models, pattern):
    model = models.tiny("bert")
    binviz.binarize_(model, recipes.get("bnn").but("mine", keep_float=(pattern,)))
    assert not [path for path in binary_layers(model) if path.startswith("bert.encoder.layer.0.")]
    assert "bert.encoder.layer.1.output.dense" in binary_layers(model)
    assert [hasattr(layer.attention.self, "binary") for layer in model.bert.encoder.layer] == [False, True]


# Refusals leave the model as it was.


def state_of(model):
    modules = {name: id(module) for name, module in model.named_modules()}
    return (
        modules,
        {name: id(value) for name, value in model.named_parameters()},
        model.config._attn_implementation,
    )


REFUSED = {
    "nothing to convert": ("bnn", lambda module, name: name.endswith("attention")),
    "scale of an embedding": (recipes.get("bnn").but("mine", embedding=recipes.Choice("bnn")), None),
    "scale of values": (recipes.get("bnn").but("mine", value=recipes.Choice("xnor-activation")), None),
    "scores kept float": (recipes.get("bibert").but("mine", attention=None), None),
    "unknown activation": (recipes.get("bit-w1a1").but("mine", ffn_activation="rulu"), None),
    "unknown recipe": ("bit", None),
}


@pytest.mark.parametrize(("recipe", "filter_fn"), REFUSED.values(), ids=REFUSED)
def test_a_refused_model_is_left_as_it_was(models, recipe, filter_fn):
    model = models.tiny("bert")
    before = state_of(model)
    with pytest.raises(UserError) as caught:
        binviz.binarize_(model, recipe, filter_fn)
    assert "\n" not in str(caught.value)
    assert state_of(model) == before
    assert not hasattr(model, "binviz_recipe")


# Mode, type, device, copies.


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("name", ["bert", "cnn"])
def test_mode_is_kept(models, name, training):
    model = models.tiny(name).train(training)
    binviz.binarize_(model, "fda")
    assert {module.training for module in model.modules()} == {training}


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize("recipe", ["bit-w1a1", "bipft-b", "xnor", "fda"])
def test_type_is_kept(models, recipe, dtype):
    model = models.tiny("bert").to(dtype)
    binviz.binarize_(model, recipe)
    assert {parameter.dtype for parameter in model.parameters()} == {dtype}
    assert models.logits(model, models.inputs("bert")).dtype == dtype


def test_device_is_kept(models, monkeypatch):
    monkeypatch.setattr("binviz.convert.binarize._check_weights", lambda model: None)
    model = models.tiny("bert").to("meta")
    binviz.binarize_(model, "bipft-b")
    assert {value.device.type for value in model.state_dict().values()} == {"meta"}


@pytest.mark.parametrize("recipe", ["bit-w1a1", "bipft-b", "recu"])
@pytest.mark.parametrize("name", ["bert", "swin", "sequential"])
def test_a_copy_is_a_model_of_its_own(models, name, recipe):
    model, given = models.tiny(name), models.inputs(name)
    binviz.binarize_(model, recipe)
    wanted = models.logits(model, given)
    twin = copy.deepcopy(model)
    assert torch.equal(models.logits(twin, given), wanted)
    for parameter in twin.parameters():
        parameter.data.add_(1.0)
    assert torch.equal(models.logits(model, given), wanted)


def test_latent_weights_are_the_loaded_ones(models):
    model = models.tiny("bert")
    before = dict(model.named_parameters())
    binviz.binarize_(model, "bit-w1a1")
    after = dict(model.named_parameters())
    assert all(after[name] is parameter for name, parameter in before.items())


# A model that is binary already.


def trained(models, name, recipe):
    """A binary model of which every parameter has moved."""
    model = models.tiny(name)
    binviz.binarize_(model, recipe)
    models.logits(model, models.inputs(name))
    for parameter in model.parameters():
        parameter.data.add_(0.01 * torch.randn_like(parameter))
    return model


@pytest.mark.parametrize(
    ("name", "recipe"),
    [*[("bert", recipe) for recipe in KINDS], ("swin", "bit-w1a1"), ("sequential", "recu")],
    ids=str,
)
def test_converting_twice_changes_nothing(models, name, recipe):
    model, given = trained(models, name, recipe), models.inputs(name)
    wanted = models.logits(model, given)
    state = copy.deepcopy(model.state_dict())
    table = str(binviz.binarize_(model, recipe))
    again = model.state_dict()
    assert set(again) == set(state)
    assert all(torch.equal(again[key], state[key]) for key in state)
    assert torch.equal(models.logits(model, given), wanted)
    assert str(binviz.binarize_(model, recipe)) == table


def test_the_next_stage_keeps_latent_weights_and_shifts(models):
    model = trained(models, "bert", "bit-w1a2")
    before = copy.deepcopy(model.state_dict())
    binviz.binarize_(model, "bit-w1a1")
    after = model.state_dict()
    kept = [key for key in after if key.endswith((".weight", ".bias", ".beta"))]
    assert sum(key.endswith(".beta") for key in kept) == 13
    assert all(torch.equal(after[key], before[key]) for key in kept)
    binarizers = [module for module in model.modules() if isinstance(module, Binarizer)]
    assert all(not module.initialized for module in binarizers if hasattr(module, "alpha"))


def test_a_threshold_is_a_shift(models):
    model = trained(models, "bert", "reactnet")
    before = copy.deepcopy(model.bert.pooler.dense.activation_binarizer.threshold.data)
    binviz.binarize_(model, "bit-w1a1")
    assert torch.equal(model.bert.pooler.dense.activation_binarizer.beta, before)


@pytest.mark.parametrize("then", ["bivit-w1a1", "bibert", "bipft-b", "xnorpp", "bit-w1a4"])
def test_the_second_recipe_holds_alone(models, then):
    """Names, layers and activations are those of a model that never saw the first recipe."""
    for first in ("bit-w1a1", "bipft-b", "fda"):
        model, fresh = models.tiny("bert"), models.tiny("bert")
        binviz.binarize_(model, first)
        binviz.binarize_(model, then)
        binviz.binarize_(fresh, then)
        assert [(name, type(module)) for name, module in sorted(model.named_modules())] == [
            (name, type(module)) for name, module in sorted(fresh.named_modules())
        ]
        fresh.load_state_dict(model.state_dict(), strict=True)
        given = models.inputs("bert")
        assert torch.equal(models.logits(model, given), models.logits(fresh, given))


def test_a_layer_that_the_new_filter_leaves_is_float_again(models):
    model = trained(models, "bert", "bit-w1a1")
    pooler = model.bert.pooler.dense
    binviz.binarize_(
        model, "bit-w1a1", lambda module, name: name not in ("pooler", "embed", "layers.0.attention")
    )
    assert type(model.bert.pooler.dense) is nn.Linear
    assert model.bert.pooler.dense.weight is pooler.weight and model.bert.pooler.dense.bias is pooler.bias
    assert type(model.bert.embeddings.word_embeddings) is nn.Embedding
    assert not hasattr(model.bert.encoder.layer[0].attention.self, "binary")


def test_a_plain_network_whose_binarizers_hold_linears(models):
    """FDA's noise networks are made of linears; they are no layers of the network."""
    model = trained(models, "sequential", "fda")
    table = binviz.binarize_(model, "bnn")
    assert [row.kind for row in table.rows] == ["Conv2d", "BinaryConv2d", "BinaryLinear", "Linear"]


def test_embedding_options_survive(models):
    model = models.tiny("bert")
    assert model.bert.embeddings.word_embeddings.padding_idx == 0
    for recipe in ("bit-w1a1", "bnn"):
        binviz.binarize_(model, recipe)
        assert model.bert.embeddings.word_embeddings.padding_idx == 0


def test_a_model_without_weights_is_refused(models):
    """Unless everything is made so, for a frame."""
    with torch.device("meta"):
        model = models.ARCHITECTURES["bert"]()
        frame = models.ARCHITECTURES["bert"]()
        assert binviz.binarize_(frame, "bnn").bits
    with pytest.raises(UserError, match="no weights yet"):
        binviz.binarize_(model, "bnn")
    assert not binary_layers(model)
