"""Nothing is saved that cannot be loaded, and what transformers saves of a binary model comes back binary."""

import json

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import nn
from transformers.models.bert.modeling_bert import BertModel, BertPreTrainedModel

import binviz
from binviz.errors import UserError
from binviz.layers import BinaryLayer


class Mine(BertPreTrainedModel):
    """A researcher's own model."""

    def __init__(self, config):
        super().__init__(config)
        self.bert, self.head = BertModel(config, add_pooling_layer=False), nn.Linear(config.hidden_size, 2)
        self.post_init()

    def forward(self, input_ids, attention_mask=None):
        return self.head(self.bert(input_ids, attention_mask).last_hidden_state[:, 0])


class OtherConfig(transformers.BertConfig):
    """Not the one that `Mine` is built from."""


def mine(models, config=transformers.BertConfig):
    torch.manual_seed(0)
    return Mine(config(**models.TEXT)).eval()


def ready(models, model):
    binviz.binarize_(model, "bit-w1a1")
    with torch.no_grad():
        model(**models.inputs("bert"))
    return model


def writers(folder):
    return {
        "save": lambda model: binviz.save(model, folder / "model"),
        "save_packed": lambda model: (
            binviz.save_packed(model, folder / "m.safetensors"),
            folder / "m.safetensors",
        )[1],
        "pack, save_packed": lambda model: (
            binviz.save_packed(binviz.pack(model), folder / "m.safetensors"),
            folder / "m.safetensors",
        )[1],
        "save_pretrained": lambda model: (model.save_pretrained(folder / "model"), folder / "model")[1],
    }


@pytest.mark.parametrize("way", writers(None))
@torch.no_grad()
def test_a_class_of_ones_own_is_given_to_load(models, tmp_path, way):
    model = ready(models, mine(models))
    place = writers(tmp_path)[way](model)
    with pytest.raises(UserError, match=r"no model class 'Mine'.*load\(\.\.\., model_class=\)"):
        binviz.load(place)
    again = binviz.load(place, model_class=Mine)
    assert type(again) is Mine and again.binviz_recipe.name == "bit-w1a1"
    given = models.inputs("bert")
    torch.testing.assert_close(again(**given), model(**given))
    for wrong, message in (
        (BertModel, "model_class is 'BertModel'"),
        (nn.Linear, "PreTrainedModel"),
        ("Mine", "derives"),
    ):
        with pytest.raises(UserError, match=message):
            binviz.load(place, model_class=wrong)


def renamed(models):
    kind = type("BertForMaskedLM", (Mine,), {})
    return kind(transformers.BertConfig(**models.TEXT))


def stranger(models):
    return transformers.SplinterModel(transformers.SplinterConfig(**models.TEXT))


def another_head(models):
    model = models.tiny("bert")
    model.classifier = nn.Sequential(nn.Linear(16, 8), nn.Linear(8, 3))
    return model


def another_width(models):
    model = models.tiny("bert")
    model.classifier = nn.Linear(16, 5)
    return model


def one_layer_less(models):
    model = models.tiny("bert")
    del model.bert.encoder.layer[1]
    return model


def a_binary_part(models):
    model = models.tiny("bert")
    binviz.binarize_(model.bert, "bit-w1a1")
    return model


NOT_LOADABLE = {
    "another class's name": (renamed, "give it a name of its own"),
    "another configuration": (lambda models: mine(models, OtherConfig), "config_class is not that"),
    "an unknown family": (stranger, "no model class"),
    "another head": (another_head, "this BertForSequenceClassification does not fit its configuration"),
    "a wider head": (another_width, "classifier"),
    "a layer less": (one_layer_less, "lacks bert.encoder.layer.1"),
    "a binary part": (a_binary_part, "has binary layers and no recipe"),
    "a plain network": (lambda models: models.tiny("sequential"), "no configuration"),
}


@pytest.mark.parametrize(("make", "message"), NOT_LOADABLE.values(), ids=NOT_LOADABLE)
def test_what_could_not_be_loaded_is_not_written(models, tmp_path, make, message):
    model = make(models)
    for save in (
        lambda: binviz.save(model, tmp_path / "m"),
        lambda: binviz.save_packed(model, tmp_path / "m.safetensors"),
    ):
        before = torch.get_rng_state()
        with pytest.raises(UserError, match=message) as caught:
            save()
        assert "\n" not in str(caught.value) and torch.equal(torch.get_rng_state(), before)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["bert", "roberta", "electra", "vit", "deit", "swin", "cnn"])
@pytest.mark.parametrize("recipe", ["bit-w1a1", "bipft-b"])
@torch.no_grad()
def test_a_checkpoint_of_transformers_comes_back_binary(models, tmp_path, name, recipe):
    """What the Trainer writes in each of its checkpoints."""
    model, given = models.tiny(name), models.inputs(name)
    binviz.binarize_(model, recipe, lambda module, layer: layer != "layers.0.fc1")
    wanted = models.logits(model, given)
    model.save_pretrained(tmp_path)
    again = binviz.load(tmp_path)
    assert again.binviz_recipe == model.binviz_recipe
    kinds = [type(part) for part in model.modules() if isinstance(part, BinaryLayer)]
    assert [type(part) for part in again.modules() if isinstance(part, BinaryLayer)] == kinds != []
    torch.testing.assert_close(models.logits(again, given), wanted)


def test_the_recipe_belongs_to_one_model_and_follows_it(models, tmp_path):
    model = models.tiny("bert")
    twin = type(model)(model.config)
    binviz.binarize_(model, "bnn")
    assert not hasattr(twin.config, "binviz_recipe")
    binviz.binarize_(model, "bibert")
    assert model.config.binviz_recipe["name"] == "bibert"
    binviz.save(model, tmp_path)
    assert "binviz_recipe" not in json.loads((tmp_path / "config.json").read_text())
    assert binviz.load(tmp_path).config.binviz_recipe == model.config.binviz_recipe


HOSTILE = [
    ([], "not a recipe"),
    ("os.system", "not a recipe"),
    ({"name": "x", "weight": {"binarizer": "__import__"}}, "no binarizer"),
    ({"name": "x", "weight": {"binarizer": "bnn"}, "estimator_rank": 10**9}, "lacks"),
]


@pytest.mark.parametrize(("entry", "message"), HOSTILE)
def test_a_hostile_entry_is_refused_in_one_line(models, tmp_path, entry, message):
    model = models.tiny("bert")
    binviz.binarize_(model, "bibert")
    model.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"binviz_recipe": entry}))
    with pytest.raises(UserError, match=message) as caught:
        binviz.load(tmp_path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600


def test_a_packed_model_has_no_save_pretrained(models, tmp_path):
    model = models.tiny("bert")
    binviz.binarize_(model, "bibert")
    packed = binviz.pack(model)
    for part in (packed, packed.bert):
        with pytest.raises(UserError, match="save_packed") as caught:
            part.save_pretrained(tmp_path / "model")
        assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())
    model.save_pretrained(tmp_path / "model")


def with_position_ids(folder):
    state = load_file(folder / "model.safetensors")
    state["bert.embeddings.position_ids"] = torch.arange(16)[None]
    save_file(state, folder / "model.safetensors")


def only_a_pickle(folder):
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"never read")


def in_pieces(folder):
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text("{}")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (with_position_ids, "position_ids; an older transformers wrote it: read it with from_pretrained"),
        (only_a_pickle, "pytorch_model.bin is a pickle.*save_pretrained"),
        (in_pieces, "in several files.*save_pretrained"),
    ],
)
def test_old_checkpoints_get_a_line_that_helps(models, tmp_path, edit, message):
    models.tiny("bert").save_pretrained(tmp_path)
    edit(tmp_path)
    with pytest.raises(UserError, match=message) as caught:
        binviz.load(tmp_path)
    assert "\n" not in str(caught.value)
