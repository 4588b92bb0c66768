"""save and load: nothing is lost, nothing is left over, and what does not fit is told in one line."""

import json
import shutil

import pytest
import torch
import transformers
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook

import binviz
from binviz import recipes
from binviz.errors import UserError
from binviz.saving import build, folder

#: Those on probabilities differ from those on scores in one binarizer; one of them stands for all.
#: Of all kinds of scales; the others are for `make slow`.
SHORT = ("bit-w1a1", "bivit-w1a1", "bipft-b", "fda")
RECIPES = [name for name in recipes.names() if not name.endswith("-threshold") or name == "bnn-threshold"]
#: BERT in these; the others float and in three very different ones.
MODELS = {recipe: ["bert"] for recipe in (*RECIPES, None)}
for recipe in ("bit-w1a1", "bipft-b", "fda", None):
    MODELS[recipe] += ["roberta", "electra", "vit", "deit", "swin", "cnn"]


def binary(models, name="bert", recipe="bit-w1a1", filter_fn=None, started=True):
    model = models.tiny(name)
    if recipe is not None:
        binviz.binarize_(model, recipe, filter_fn)
    if started:
        models.logits(model, models.inputs(name))
    return model


def same_state(one, other):
    one, other = one.state_dict(), other.state_dict()
    return set(one) == set(other) and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    "recipe", [pytest.param(name, marks=[pytest.mark.slow] * (name not in SHORT)) for name in MODELS], ids=str
)
def test_round_trip(models, tmp_path, recipe):
    for name, started in [*((name, True) for name in MODELS[recipe]), ("bert", False)]:
        model = binary(models, name, recipe, started=started)
        again = binviz.load(binviz.save(model, tmp_path / f"{name}, started {started}"))
        assert type(again) is type(model) and not again.training
        assert getattr(again, "binviz_recipe", None) == getattr(model, "binviz_recipe", None)
        assert same_state(again, model)
        given = models.inputs(name)
        assert torch.equal(models.logits(again, given), models.logits(model, given))


FILTERS = {
    "embed": {"embed"},
    "fc2": {"layers.0.fc2"},
    "attention": {"layers.1.attention", "layers.0.query"},
    "all but one": {
        "embed",
        "pooler",
        *(f"layers.{i}.{part}" for i in (0, 1) for part in ("query", "key", "fc1")),
    },
}


@pytest.mark.parametrize("names", FILTERS.values(), ids=FILTERS)
def test_what_a_filter_left_float_stays_float(models, tmp_path, names):
    model = binary(models, filter_fn=lambda module, name: name not in names)
    again = binviz.load(binviz.save(model, tmp_path))
    assert [type(module) for module in again.modules()] == [type(module) for module in model.modules()]
    given = models.inputs("bert")
    assert torch.equal(models.logits(again, given), models.logits(model, given))


@pytest.mark.parametrize("then", ["bibert", "bivit-w1a1", "bipft-b"])
def test_a_model_that_changed_its_recipe(models, tmp_path, then):
    model = binary(models)
    binviz.binarize_(model, then)
    again = binviz.load(binviz.save(model, tmp_path))
    given = models.inputs("bert")
    assert torch.equal(models.logits(again, given), models.logits(model, given))


def language_model(recipe):
    torch.manual_seed(0)
    model = transformers.BertForMaskedLM(
        transformers.BertConfig(
            vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24
        )
    ).eval()
    model.cls.predictions.decoder.weight.data += 0.05
    if recipe:
        binviz.binarize_(model, recipe)
    return model


@pytest.mark.parametrize("recipe", ["bit-w1a1", None])
def test_tied_weights_stay_tied(models, tmp_path, recipe):
    model = language_model(recipe)
    again = binviz.load(binviz.save(model, tmp_path))
    given = {"input_ids": torch.tensor([[3, 4, 5]])}
    assert torch.equal(models.logits(again, given), models.logits(model, given))
    assert again.cls.predictions.decoder.weight is again.bert.embeddings.word_embeddings.weight


def write_earlier_names(model):
    """Let a model give its state as files had it while binarizers of attention were called as projections are."""

    def rename(module, state, prefix, metadata):
        for name in [name for name in state if ".binary." in name]:
            state[name.replace("_binarizer.", ".")] = state.pop(name)

    return model.register_state_dict_post_hook(rename)


def test_files_with_earlier_names(models, tmp_path):
    model = binary(models)
    hook = write_earlier_names(model)
    binviz.save(model, tmp_path / "folder")
    binviz.save_packed(model, tmp_path / "file.safetensors")
    hook.remove()
    state = load_file(tmp_path / "folder" / "model.safetensors")
    assert "bert.encoder.layer.0.attention.self.binary.query.alpha" in state
    assert not state.keys() <= model.state_dict().keys()
    assert same_state(binviz.load(tmp_path / "folder"), model)
    given = models.inputs("bert")
    assert torch.equal(
        models.logits(binviz.load(tmp_path / "file.safetensors"), given), models.logits(model, given)
    )


@pytest.mark.parametrize("recipe", ["bit-w1a1", "bibert"])
def test_a_part_of_a_binary_model_is_refused(models, tmp_path, recipe):
    """It has no recipe: it would come back float, and under a recipe that learns no scales nobody would notice."""
    model = binary(models, recipe=recipe)
    for write in (
        lambda part: binviz.save(part, tmp_path / "folder"),
        lambda part: binviz.save_packed(part, tmp_path / "file.safetensors"),
        lambda part: binviz.save_packed(binviz.pack(part), tmp_path / "file.safetensors"),
    ):
        with pytest.raises(UserError, match="has binary layers and no recipe: save the model"):
            write(model.bert)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("recipe", ["bit-w1a1", "bibert"])
def test_a_model_inside_another_module_has_the_recipe(models, tmp_path, recipe):
    outer = nn.ModuleDict({"inner": models.tiny("bert")})
    binviz.binarize_(outer, recipe)
    given = models.inputs("bert")
    wanted = models.logits(outer["inner"].eval(), given)
    outer["inner"].save_pretrained(tmp_path / "pretrained")
    binviz.save(outer["inner"], tmp_path / "folder")
    for name in ("pretrained", "folder"):
        assert torch.equal(models.logits(binviz.load(tmp_path / name), given), wanted)


def test_a_recipe_of_ones_own(models, tmp_path):
    mine = recipes.get("bivit-w1a1").but(
        "mine", embedding=recipes.Choice("bivit-weight"), keep_float=("pooler",)
    )
    model = binary(models, recipe=mine)
    again = binviz.load(binviz.save(model, tmp_path))
    assert again.binviz_recipe == mine
    given = models.inputs("bert")
    assert torch.equal(models.logits(again, given), models.logits(model, given))


def test_tokenizer_is_kept(models, tmp_path):
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "##ly"]
    tokenizer = transformers.BertTokenizer(vocab={piece: i for i, piece in enumerate(pieces)})
    binviz.save(binary(models), tmp_path, tokenizer)
    again = binviz.load_tokenizer(tmp_path)
    assert again("badly good").input_ids == tokenizer("badly good").input_ids == [2, 6, 7, 5, 3]


def test_the_folder_says_nothing_of_where_the_model_came_from(models, tmp_path):
    model = binary(models)
    model.config._name_or_path = "/home/someone/secret"
    binviz.save(model, tmp_path)
    assert "secret" not in (tmp_path / "config.json").read_text()


# A model is replaced whole or not at all.


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), SafetensorError("I/O error")], ids=repr
)
def test_a_failed_save_leaves_the_previous_model(models, tmp_path, monkeypatch, error):
    model = binary(models)
    binviz.save(model, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(model, filename):
        with open(filename, "wb") as file:
            file.write(b"half")
        raise error

    monkeypatch.setattr(folder, "save_model", full)
    other = binary(models, recipe="bibert")
    with pytest.raises(UserError, match="cannot write") as caught:
        binviz.save(other, tmp_path)
    assert "\n" not in str(caught.value)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert same_state(binviz.load(tmp_path), model)


def test_a_float_model_over_a_binary_one(models, tmp_path):
    binviz.save(binary(models), tmp_path)
    model = binary(models, recipe=None)
    binviz.save(model, tmp_path)
    assert same_state(binviz.load(tmp_path), model)


def test_a_file_in_the_folders_place(models, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot write"):
        binviz.save(binary(models), tmp_path / "file")


def test_a_plain_network_is_refused(models, tmp_path):
    with pytest.raises(UserError, match="Sequential has no configuration"):
        binviz.save(binary(models, "sequential"), tmp_path / "model")
    assert not (tmp_path / "model").exists()


# Folders that are damaged, or meant to do damage.


def tensors(change):
    def edit(folder):
        state = load_file(folder / "model.safetensors")
        change(state)
        save_file(state, folder / "model.safetensors")

    return edit


def values(file, **changes):
    def edit(folder):
        found = json.loads((folder / file).read_text())
        (folder / file).write_text(json.dumps(found | changes))

    return edit


def content(file, data):
    return lambda folder: (folder / file).write_bytes(data)


QUERY = "bert.encoder.layer.0.attention.self.query"
DAMAGED = {
    "no config": (lambda folder: (folder / "config.json").unlink(), "is no saved model"),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "is no saved model"),
    "config of garbage": (content("config.json", b"\xff{"), "cannot read"),
    "config of a list": (content("config.json", b"[1]"), "names no model class"),
    "config of depth": (content("config.json", b"[" * 100_000), "cannot read"),
    "no architecture": (values("config.json", architectures=[]), "names no model class"),
    "architecture of a number": (values("config.json", architectures=[3]), "names no model class"),
    "unknown class": (values("config.json", architectures=["BertForEverything"]), "no model class"),
    "a class that is no model": (values("config.json", architectures=["BertConfig"]), "no model class"),
    "a module": (values("config.json", architectures=["models"]), "no model class"),
    "an abstract class": (values("config.json", architectures=["PreTrainedModel"]), "no model class"),
    "another class": (values("config.json", architectures=["ViTModel"]), "cannot be used|does not fit"),
    "a decoder": (values("config.json", is_decoder=True), "decoder"),
    "impossible heads": (values("config.json", num_attention_heads=3), "cannot be used"),
    "unknown activation": (values("config.json", hidden_act="rulu"), "cannot be used"),
    "a size of a word": (values("config.json", hidden_size="16"), "cannot be used"),
    "wider": (values("config.json", intermediate_size=32), "does not fit"),
    "deeper": (values("config.json", num_hidden_layers=3), "lacks bert.encoder.layer.2"),
    "shallower": (values("config.json", num_hidden_layers=1), "has the unknown bert.encoder.layer.1"),
    "huge": (values("config.json", hidden_size=2**15, intermediate_size=2**16), "does not fit"),
    "huger": (values("config.json", vocab_size=10**12), "a size of 1000000000000"),
    "endless": (values("config.json", num_hidden_layers=300), "larger model than the file holds"),
    "many labels": (values("config.json", num_labels=10**9), "a size of 1000000000"),
    "recipe of garbage": (content("recipe.json", b"recipe"), "cannot read"),
    "recipe of a list": (content("recipe.json", b"[]"), "not a recipe"),
    "recipe of version 2": (values("recipe.json", version=2), "version 2 is unknown"),
    "another recipe": (
        lambda folder: (folder / "recipe.json").write_text(json.dumps(recipes.get("fda").to_dict())),
        "does not fit",
    ),
    "no recipe": (lambda folder: (folder / "recipe.json").unlink(), "has the unknown"),
    "huge rank": (values("recipe.json", estimator_rank=10**9), "lacks"),
    "weights of garbage": (content("model.safetensors", b"weights"), "is damaged"),
    "weights of nothing": (content("model.safetensors", b""), "is damaged"),
    "weights cut short": (
        lambda folder: (folder / "model.safetensors").write_bytes(
            (folder / "model.safetensors").read_bytes()[:-1]
        ),
        "is damaged",
    ),
    "a tensor missing": (tensors(lambda state: state.pop(f"{QUERY}.bias")), f"lacks {QUERY}.bias"),
    "a tensor too many": (tensors(lambda state: state.update(extra=torch.zeros(1))), "has the unknown extra"),
    "a tensor of another shape": (
        tensors(lambda state: state.update({f"{QUERY}.weight": torch.zeros(16, 8)})),
        r"query.weight \(16, 8\) instead of \(16, 16\)",
    ),
}


@pytest.fixture(scope="module")
def whole(models, tmp_path_factory):
    """A saved model, to be damaged."""
    return binviz.save(binary(models), tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize(("edit", "message"), DAMAGED.values(), ids=DAMAGED)
def test_damaged_folders(whole, tmp_path, edit, message):
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    edit(tmp_path)
    made = []
    watching = register_module_parameter_registration_hook(lambda *parameter: made.append(1))
    try:
        with pytest.raises(UserError, match=message) as caught:
            binviz.load(tmp_path)
    finally:
        watching.remove()
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600
    assert len(made) < 1000  # the model has some 40, one of 60,000 layers takes an hour


def test_attention_kernels_named_in_a_configuration_are_not_fetched(models, tmp_path):
    """Transformers would download and run code from the hub."""
    model = binary(models)
    binviz.save(model, tmp_path)
    values("config.json", attn_implementation="someone/kernel", _attn_implementation="someone/kernel")(
        tmp_path
    )
    assert same_state(binviz.load(tmp_path), model)


def test_a_loaded_model_takes_sentences_of_any_length(models, tmp_path):
    """Transformers' layers in chunks refuse a length that is no multiple of the chunk's."""
    model = binary(models)
    binviz.save(model, tmp_path)
    values("config.json", chunk_size_feed_forward=1000)(tmp_path)
    given = models.inputs("bert")
    assert torch.equal(models.logits(binviz.load(tmp_path), given), models.logits(model, given))


BACKBONE = {"backbone": "evil/repo", "use_timm_backbone": False, "use_pretrained_backbone": True}


@pytest.mark.parametrize("name", ["DetrModel", "BertModel"])
def test_backbones_named_in_a_configuration_are_not_fetched(monkeypatch, name):
    """Transformers would ask the hub for a backbone's configuration."""
    asked = []

    def ask(*args, **kwargs):
        asked.append(args)
        raise OSError("the hub was asked")

    monkeypatch.setattr("transformers.utils.hub.hf_hub_download", ask)
    monkeypatch.setattr("huggingface_hub.hf_api.HfApi._build_hf_headers", ask)
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "vocab_size": 9}
    config = {"architectures": [name], **BACKBONE, **sizes}
    if name == "BertModel":
        built = build.build(config, None)
        assert not any(hasattr(built.config, key) for key in BACKBONE)
    else:
        with pytest.raises(UserError, match="no model class"):
            build.build(config, None)
    nested = build._harmless({"parts": [config | {"backbone_config": {}}]}, build.LARGEST)
    assert not any("backbone" in key for key in nested["parts"][0])
    assert asked == []


def test_loading_leaves_random_numbers_alone(models, tmp_path):
    binviz.save(binary(models), tmp_path)
    before = torch.get_rng_state()
    binviz.load(tmp_path)
    assert torch.equal(torch.get_rng_state(), before)


def test_image_processor_is_kept(models, tmp_path):
    processor = transformers.ViTImageProcessorPil(size={"height": 8, "width": 8}, image_mean=[0.25] * 3)
    binviz.save(binary(models, "vit"), tmp_path, processor)
    assert binviz.load_tokenizer(tmp_path).to_dict() == processor.to_dict()


def test_a_folder_without_tokenizer(models, tmp_path):
    binviz.save(binary(models, "cnn"), tmp_path)
    with pytest.raises(UserError, match="no tokenizer or image processor") as caught:
        binviz.load_tokenizer(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_missing_folder(tmp_path):
    with pytest.raises(UserError, match="no saved model"):
        folder.load_folder(tmp_path / "nothing")


def test_loading_leaves_no_hook_behind(models, tmp_path):
    """The guard against endless models watches parameters while one is built, and only then."""
    binviz.save(binary(models), tmp_path)
    binviz.load(tmp_path)
    values("config.json", num_hidden_layers=300)(tmp_path)
    with pytest.raises(UserError):
        binviz.load(tmp_path)
    nn.Sequential(*[nn.Linear(1, 1) for _ in range(1000)])
    assert not torch.nn.modules.module._global_parameter_registration_hooks
