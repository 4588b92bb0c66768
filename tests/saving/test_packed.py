"""Packed files: sizes proven from the header, the same numbers, the same bytes, and no trust in what is read."""

import copy
import json
import math
import pickle
import shutil
import struct

import pytest
import torch
import transformers
from safetensors import safe_open
from safetensors.torch import save_file

import binviz
from binviz import recipes
from binviz.errors import UserError
from binviz.layers import BinaryConv2d, BinaryEmbedding, BinaryLinear
from binviz.networks import DigitsCNN, DigitsCNNConfig
from binviz.saving.packed import packed_bytes, read_metadata, read_tokenizer

BINARY = (BinaryLinear, BinaryConv2d, BinaryEmbedding)
#: Those on probabilities differ from those on scores in one binarizer; one of them stands for all.
#: Of all kinds of scales; the others are for `make slow`.
SHORT = ("bit-w1a1", "bivit-w1a1", "bipft-b", "fda")
RECIPES = [name for name in recipes.names() if not name.endswith("-threshold") or name == "bnn-threshold"]
#: BERT in these; the others float and in three very different ones.
MODELS = {recipe: ["bert"] for recipe in (*RECIPES, None)}
for recipe in ("bit-w1a1", "bivit-w1a1", "bipft-b", None):
    MODELS[recipe] += ["roberta", "electra", "vit", "deit", "swin", "cnn"]


def binary(models, name="bert", recipe="bit-w1a1"):
    model = models.tiny(name)
    if recipe is not None:
        binviz.binarize_(model, recipe)
    models.logits(model, models.inputs(name))
    return model


def header(path):
    """What safetensors' specification says a file begins with, read without its library."""
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8 : 8 + length]), data[8 + length :]


@pytest.mark.parametrize(
    "recipe", [pytest.param(name, marks=[pytest.mark.slow] * (name not in SHORT)) for name in MODELS], ids=str
)
def test_a_packed_file(models, tmp_path, recipe):
    for name in MODELS[recipe]:
        assert_packed_file(models, tmp_path, name, recipe)


def assert_packed_file(models, tmp_path, name, recipe):
    model, path, given = binary(models, name, recipe), tmp_path / "model.safetensors", models.inputs(name)
    size = binviz.save_packed(model, path)
    # bytes: counted, in the header, on the disk
    entries, body = header(path)
    entries.pop("__metadata__")
    listed = sum(entry["data_offsets"][1] - entry["data_offsets"][0] for entry in entries.values())
    assert packed_bytes(model) == listed == len(body)
    assert size == path.stat().st_size
    # numbers
    again = binviz.load(path)
    assert type(again) is type(model) and not again.training
    assert torch.equal(models.logits(again, given), models.logits(model, given))
    # bytes again
    binviz.save_packed(again, tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", ["bert", "cnn"])
@pytest.mark.parametrize("recipe", ["bit-w1a1", "xnor", "bnn"])
def test_bits_one_by_one(models, tmp_path, name, recipe):
    model, path = binary(models, name, recipe), tmp_path / "model.safetensors"
    binviz.save_packed(model, path)
    entries, body = header(path)
    layers = {path: module for path, module in model.named_modules() if isinstance(module, BINARY)}
    assert layers
    for layer_path, layer in layers.items():
        code = layer.weight_binarizer.encode(layer.weight)
        rows = code.q.flatten(1).tolist()
        width = math.ceil(len(rows[0]) / 64)
        entry = entries[f"{layer_path}.bits"]
        assert (entry["dtype"], entry["shape"]) == ("U64", [len(rows), width])
        start, end = entry["data_offsets"]
        words = struct.unpack(f"<{len(rows) * width}Q", body[start:end])
        for r, row in enumerate(rows):
            bits = sum(int(value == 1) << k for k, value in enumerate(row))
            assert [words[r * width + w] for w in range(width)] == [
                (bits >> (64 * w)) % 2**64 for w in range(width)
            ]
        entry = entries[f"{layer_path}.scale"]
        assert entry["dtype"] == "F32"
        assert entry["shape"] == ([] if code.scale.numel() == 1 else [len(rows)])
        assert f"{layer_path}.weight" not in entries
    with safe_open(path, framework="pt") as file:
        for layer_path, layer in layers.items():
            scale = layer.weight_binarizer.encode(layer.weight).scale
            assert torch.equal(file.get_tensor(f"{layer_path}.scale").reshape(-1), scale.reshape(-1))


def test_a_weight_costs_one_bit(models):
    """BERT's linears here are 16 and 24 wide: one word a row, and one float for all or for each row."""
    assert packed_bytes(binary(models)) < sum(4 * p.numel() for p in binary(models).parameters()) / 2
    layer = BinaryLinear(128, 5, weight=binviz.binarizers.get("bnn"), activation=None, bias=False)
    assert packed_bytes(torch.nn.Sequential(layer)) == 5 * 2 * 8 + 4


def test_half_a_float_model(models, tmp_path):
    model, path = binary(models, recipe=None), tmp_path / "model.safetensors"
    binviz.save_packed(model, path, half=True)
    with safe_open(path, framework="pt") as file:
        assert {file.get_tensor(name).dtype for name in file.keys()} <= {torch.float16, torch.int64}  # noqa: SIM118
    again = binviz.load(path)
    for name, value in model.named_parameters():
        assert torch.equal(again.get_parameter(name), value.half().float())


def test_a_number_too_large_for_half_is_refused(models, tmp_path):
    model, path = binary(models, recipe=None), tmp_path / "model.safetensors"
    bias = model.bert.pooler.dense.bias
    bias.data[0] = torch.inf
    binviz.save_packed(model, path, half=True)
    before = path.read_bytes()
    bias.data[1] = 1e5
    with pytest.raises(UserError, match=r"bert.pooler.dense.bias .* float16"):
        binviz.save_packed(model, path, half=True)
    assert path.read_bytes() == before


def test_one_output_with_a_scale_of_its_own(models, tmp_path):
    """A row's scale is a vector even where there is only one row."""
    torch.manual_seed(0)
    model = DigitsCNN(DigitsCNNConfig(width=1, depth=1)).eval()
    binviz.binarize_(model, "xnor")
    binviz.save_packed(model, tmp_path / "model.safetensors")
    given = {"pixel_values": torch.randn(2, 1, 8, 8)}
    again = binviz.load(tmp_path / "model.safetensors")
    assert torch.equal(models.logits(again, given), models.logits(model, given))


@pytest.mark.parametrize("recipe", ["bit-w1a1", "bibert", None])
def test_a_language_model_whose_head_shares_the_table(models, tmp_path, recipe):
    """The head needs the floats, the table only their signs: one tensor cannot be both."""
    torch.manual_seed(0)
    model = transformers.BertForMaskedLM(
        transformers.BertConfig(
            vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24
        )
    ).eval()
    model.cls.predictions.decoder.weight.data += 0.01
    if recipe:
        binviz.binarize_(model, recipe)
    given = {"input_ids": torch.tensor([[3, 4, 5]])}
    wanted = models.logits(model, given)
    path = tmp_path / "model.safetensors"
    binviz.save_packed(model, path)
    again = binviz.load(path)
    assert torch.equal(models.logits(again, given), wanted)
    # and once more through a folder
    assert torch.equal(models.logits(binviz.load(binviz.save(again, tmp_path / "folder")), given), wanted)


def test_a_head_in_half_moves_no_threshold(models, tmp_path):
    model, tokenizer = models.fills()
    ids, path = tokenizer("a good dog", return_tensors="pt"), tmp_path / "model.safetensors"
    whole = binviz.save_packed(model, path)
    assert binviz.save_packed(model, path, half_head=True) < whole
    entries, body = header(path)
    del entries["__metadata__"]
    assert packed_bytes(model, half_head=True) == len(body)
    assert {name.partition(".")[0] for name, entry in entries.items() if entry["dtype"] == "F16"} == {"cls"}
    assert all(entry["dtype"] == "F16" for name, entry in entries.items() if name.startswith("cls."))
    again = binviz.load(path)
    with torch.no_grad():
        hidden = model.bert(**ids).last_hidden_state
        assert torch.equal(again.bert(**ids).last_hidden_state, hidden)
        rounded = copy.deepcopy(model.cls).half().float()
        assert torch.equal(again(**ids).logits, rounded(hidden))
        assert not torch.equal(again(**ids).logits, model(**ids).logits)
    # What is loaded, or runs on bits, makes the same bytes
    before = path.read_bytes()
    for other in (again, binviz.pack(model)):
        binviz.save_packed(other, path, half_head=True)
        assert path.read_bytes() == before


def test_a_head_that_cannot_be_in_half(models, tmp_path):
    path = tmp_path / "model.safetensors"
    with pytest.raises(UserError, match="a BertModel has none"):
        binviz.save_packed(models.fills()[0].bert, path, half_head=True)
    model, _ = models.fills()
    model.cls.predictions.transform.dense = BinaryLinear(
        16, 16, weight=binviz.binarizers.get("bnn"), activation=None
    )
    with pytest.raises(UserError, match=r"thresholds of cls\.predictions\.transform\.dense"):
        binviz.save_packed(model, path, half_head=True)


def test_a_packed_model_in_a_folder(models, tmp_path):
    model, path = binary(models), tmp_path / "model.safetensors"
    binviz.save_packed(model, path)
    again = binviz.load(binviz.save(binviz.load(path), tmp_path / "folder"))
    given = models.inputs("bert")
    assert torch.equal(models.logits(again, given), models.logits(model, given))


def test_training_goes_on_from_the_signs_and_their_scale(models, tmp_path):
    """Latent weights are lost; a new recipe starts from sign times scale, not from ones."""
    model, path = binary(models, recipe="bibert"), tmp_path / "model.safetensors"
    binviz.save_packed(model, path)
    again, given = binviz.load(path), models.inputs("bert")
    wanted = models.logits(again, given)
    models.logits(again, given).square().sum().backward()
    assert again.bert.embeddings.word_embeddings.weight.grad.abs().sum() > 0
    binviz.binarize_(again, "bibert")
    torch.testing.assert_close(models.logits(again, given), wanted, rtol=1e-4, atol=1e-4)
    layer = again.bert.encoder.layer[0].output.dense
    scale = model.bert.encoder.layer[0].output.dense.weight.abs().mean(1)
    torch.testing.assert_close(layer.weight.abs(), scale[:, None].expand_as(layer.weight))


# What cannot be packed.


def test_refused_models(models, tmp_path):
    path = tmp_path / "model.safetensors"
    with pytest.raises(UserError, match="has no configuration"):
        binviz.save_packed(binary(models, "sequential"), path)
    with pytest.raises(UserError, match="half=True is for float models"):
        binviz.save_packed(binary(models), path, half=True)
    shifted = recipes.Choice("elastic-unsigned", {"bits": 2, "subtract_min": True})
    for role in ("nonneg_activation", "attention"):
        with pytest.raises(UserError, match="depends on the batch"):
            binviz.save_packed(
                binary(models, recipe=recipes.get("bit-w1a2").but("mine", **{role: shifted})), path
            )
    assert not path.exists()


def test_a_failed_save_leaves_the_previous_file(models, tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    binviz.save_packed(binary(models), path)
    before = path.read_bytes()

    def full(tensors, filename, metadata):
        filename.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("binviz.saving.packed.save_file", full)
    with pytest.raises(UserError, match="No space left on device; the previous file is unharmed"):
        binviz.save_packed(binary(models, recipe="bnn"), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_names_with_dots_do_not_meet(models, tmp_path):
    """`a.bit-w1a1` and `a.bnn` must not share a temporary file or lose their ends."""
    for recipe in ("bit-w1a1", "bnn"):
        binviz.save_packed(binary(models, recipe=recipe), tmp_path / f"sst2-bert.{recipe}")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sst2-bert.bit-w1a1", "sst2-bert.bnn"]


# Files that are damaged, or meant to do damage.


def rewritten(path, edit=lambda tensors: None, **metadata):
    with safe_open(path, framework="pt") as file:
        found, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    edit(tensors)
    metadata = {
        key: value if isinstance(value, str) else json.dumps(value) for key, value in metadata.items()
    }
    save_file(tensors, path, found | metadata)


def changed(key, **changes):
    def edit(path):
        rewritten(path, **{key: read_metadata(path)[key] | changes})

    return edit


def metadata(**values):
    return lambda path: rewritten(path, **values)


def tensors(edit):
    return lambda path: rewritten(path, edit)


def cut(length):
    return lambda path: path.write_bytes(path.read_bytes()[:length])


def set_padding(found):
    words = found[f"{QUERY}.bits"].numpy()
    words |= 1 << 63  # rows are 16 wide


def huge_and_empty(path):
    empty = torch.zeros(0, 2**34, dtype=torch.uint64)
    rewritten(path, lambda found: found.update({f"{QUERY}.bits": empty}))
    changed("shapes", **{QUERY: [0, 2**40]})(path)


def retyped(name, dtype):
    return tensors(lambda found: found.update({name: found[name].view(dtype)}))


class Explosive:
    """Unpickling it would write a file."""

    def __reduce__(self):
        return (open, ("exploded", "w"))


QUERY = "bert.encoder.layer.0.attention.self.query"
DAMAGED = {
    "no file": (lambda path: path.unlink(), "no model named|cannot be read"),
    "empty": (cut(0), "cannot be read"),
    "cut in the length": (cut(5), "cannot be read"),
    "cut in the header": (cut(100), "cannot be read"),
    "cut in the tensors": (cut(-1), "cannot be read"),
    "longer": (lambda path: path.write_bytes(path.read_bytes() + b"\0"), "cannot be read"),
    "a pickle": (lambda path: path.write_bytes(pickle.dumps(Explosive())), "cannot be read"),
    "a torch pickle": (lambda path: torch.save({"weight": torch.zeros(2)}, path), "cannot be read"),
    "text": (lambda path: path.write_text("binviz" * 100), "cannot be read"),
    "an endless header": (lambda path: path.write_bytes(struct.pack("<Q", 2**62) + b"{}"), "cannot be read"),
    "no metadata": (lambda path: save_file({"a": torch.zeros(1)}, path), "not a packed binviz model"),
    "another format": (metadata(format="gguf"), "not a packed binviz model"),
    "another version": (metadata(version="2"), "format version 2; this binviz reads version 1"),
    "metadata of garbage": (metadata(config="{"), "cannot be read"),
    "metadata of depth": (metadata(shapes="[" * 100_000), "cannot be read"),
    "config of a list": (metadata(config=[]), "names no model class"),
    "config of null": (metadata(config=None), "names no model class"),
    "recipe of a list": (metadata(recipe=[1]), "not a recipe"),
    "recipe of null": (metadata(recipe=None), "has the unknown"),
    "recipe of version 2": (changed("recipe", version=2), "version 2 is unknown"),
    "recipe of endless words": (
        changed("recipe", weight={"binarizer": "x" * 5000}),
        "no binarizer named 'xxx",
    ),
    "a switch of words": (
        changed("config", output_hidden_states="x"),
        "output_hidden_states is 'x', no number",
    ),
    "a switch of lists": (changed("config", output_hidden_states=[[]]), "output_hidden_states is"),
    "tokenizer of a list": (metadata(tokenizer=[]), "header is damaged"),
    "shapes of a list": (metadata(shapes=[]), "header is damaged"),
    "shapes of words": (changed("shapes", **{QUERY: ["a", "b"]}), "is damaged"),
    "shapes of a number": (changed("shapes", **{QUERY: 16}), "is damaged"),
    "an empty shape": (changed("shapes", **{QUERY: []}), "is damaged"),
    "negative shapes": (changed("shapes", **{QUERY: [16, -4, -4]}), "is damaged"),
    "a shape beyond floats": (changed("shapes", **{QUERY: [16, *[9] * 1000]}), "is damaged"),
    "another K": (changed("shapes", **{QUERY: [16, 65]}), "is damaged"),
    "another number of rows": (changed("shapes", **{QUERY: [17, 16]}), "is damaged"),
    "a narrower K": (changed("shapes", **{QUERY: [16, 15]}), "is damaged|does not fit"),
    "a huge shape": (changed("shapes", **{QUERY: [2**40, 2**40]}), "is damaged"),
    "a huge shape without rows": (huge_and_empty, "is damaged|does not fit"),
    "a shape of no layer": (changed("shapes", classifier=[3, 16]), "classifier has no bits"),
    "bits of floats": (
        tensors(lambda found: found.update({f"{QUERY}.bits": found[f"{QUERY}.bits"].float()})),
        "is damaged",
    ),
    "integers for floats": (
        retyped("classifier.weight", torch.int32),
        "classifier.weight int32 instead of float",
    ),
    "bits of three axes": (
        tensors(lambda found: found.update({f"{QUERY}.bits": found[f"{QUERY}.bits"][None]})),
        "is damaged",
    ),
    "padding bits": (tensors(set_padding), "is damaged: .*bits after the last"),
    "no bits": (tensors(lambda found: found.pop(f"{QUERY}.bits")), f"{QUERY} has no bits"),
    "no scale": (tensors(lambda found: found.pop(f"{QUERY}.scale")), f"lacks {QUERY}.weight_binarizer.scale"),
    "no bias": (tensors(lambda found: found.pop(f"{QUERY}.bias")), f"lacks {QUERY}.bias"),
    "a tensor too many": (tensors(lambda found: found.update(extra=torch.zeros(1))), "has the unknown extra"),
    "a scale of another shape": (
        tensors(lambda found: found.update({f"{QUERY}.scale": torch.ones(16)})),
        "does not fit",
    ),
    "fewer than no heads": (changed("config", num_attention_heads=-1), "num_attention_heads is -1, and must"),
    "no heads": (
        changed("config", num_attention_heads=0),
        "configuration .*cannot be used|must be at least 1",
    ),
    "huge": (changed("config", hidden_size=2**15, intermediate_size=2**16), "does not fit"),
    "huger": (changed("config", hidden_size=10**12), "a size of 1000000000000"),
    "endless": (changed("config", num_hidden_layers=300), "larger model than the file holds"),
    "many labels": (changed("config", num_labels=10**9), "a size of 1000000000"),
    "huge rank": (changed("recipe", estimator_rank=10**9), "lacks"),
    "another class": (changed("config", architectures=["os.system"]), "no model class"),
}


@pytest.fixture(scope="module")
def whole(models, tmp_path_factory):
    """A packed file, to be damaged."""
    path = tmp_path_factory.mktemp("whole") / "model.safetensors"
    binviz.save_packed(binary(models), path)
    return path


@pytest.mark.parametrize(("edit", "message"), DAMAGED.values(), ids=DAMAGED)
def test_damaged_files(whole, tmp_path, monkeypatch, edit, message):
    monkeypatch.chdir(tmp_path)
    path = shutil.copy(whole, tmp_path / "model.safetensors")
    edit(path)
    with pytest.raises(UserError, match=message) as caught:
        binviz.load_packed(path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600
    assert not (tmp_path / "exploded").exists()


def test_a_folder_is_no_packed_file(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        binviz.load_packed(tmp_path)


# Tokenizers.


def tokenizer():
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "##ly"]
    return transformers.BertTokenizer(vocab={piece: i for i, piece in enumerate(pieces)}, do_lower_case=True)


def test_tokenizer_is_kept(models, tmp_path):
    path = tmp_path / "model.safetensors"
    binviz.save_packed(binary(models), path, tokenizer())
    again = binviz.load_tokenizer(path)
    assert again("BADLY good").input_ids == [2, 6, 7, 5, 3]
    assert str(tmp_path) not in path.read_bytes().decode("latin-1")


def test_image_processor_is_kept(models, tmp_path):
    path = tmp_path / "model.safetensors"
    processor = transformers.ViTImageProcessorPil(size={"height": 8, "width": 8}, image_mean=[0.25] * 3)
    binviz.save_packed(binary(models, "vit"), path, processor)
    assert binviz.load_tokenizer(path).to_dict() == processor.to_dict()


def test_two_saves_are_the_same_bytes(models, tmp_path):
    model = binary(models)
    for name in ("one", "two"):
        binviz.save_packed(model, tmp_path / name, tokenizer())
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_no_tokenizer(models, tmp_path):
    path = tmp_path / "model.safetensors"
    binviz.save_packed(binary(models), path)
    with pytest.raises(UserError, match="holds no tokenizer"):
        read_tokenizer(path)


EVIL = {"auto_map": {"AutoTokenizer": [None, "evil.Tokenizer"]}, "tokenizer_class": "Tokenizer"}


@pytest.mark.parametrize(
    "files",
    [
        {"tokenizer_config.json": []},
        {"tokenizer.json": {"model": 3}},
        {"tokenizer_config.json": EVIL},
        {"..": {}},
        {"preprocessor_config.json": {"image_processor_type": "Evil"}},
    ],
    ids=["list", "garbage", "code", "parent", "image processor"],
)
def test_damaged_tokenizers(models, tmp_path, files):
    path = tmp_path / "model.safetensors"
    binviz.save_packed(binary(models), path, tokenizer())
    rewritten(path, tokenizer=files)
    with pytest.raises(UserError, match="holds no tokenizer or image processor") as caught:
        read_tokenizer(path)
    assert "\n" not in str(caught.value)


def test_tokenizer_files_stay_in_their_folder(models, tmp_path, monkeypatch):
    """A name that leads out of the temporary folder is not written."""
    (tmp_path / "inner").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "inner"))
    path = tmp_path / "model.safetensors"
    binviz.save_packed(binary(models), path, tokenizer())
    files = read_metadata(path)["tokenizer"]
    rewritten(
        path, tokenizer=files | {"../../evil.json": {}, str(tmp_path / "worse.json"): {}, "code.py": {}}
    )
    assert read_tokenizer(path)("good").input_ids == [2, 5, 3]
    assert sorted(found.name for found in tmp_path.rglob("*")) == ["inner", "model.safetensors"]
