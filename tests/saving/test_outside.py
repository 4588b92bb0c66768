"""A model of somebody else is looked at first, and refused in one line where it cannot be trusted or is too large."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest
import torch
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError
from transformers import BertConfig, BertForSequenceClassification

from binviz.errors import UserError
from binviz.zoo.outside import look

SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "vocab_size": 30,
}


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    place = tmp_path / "models" / "me" / "tiny"
    BertForSequenceClassification(BertConfig(**SIZES)).save_pretrained(place)
    return place


def changed(folder, **values):
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps(config | values), "utf-8")


def test_a_folder_is_looked_at_before_its_weights_and_read_as_it_is(folder):
    found = look(str(folder))
    assert (found.kind, found.bytes) == ("folder", (folder / "model.safetensors").stat().st_size)
    skeleton = found.skeleton()
    assert all(parameter.is_meta for parameter in skeleton.parameters())
    model, tokenizer = found.load()
    assert tokenizer is None and not model.training
    wanted = BertForSequenceClassification.from_pretrained(folder).state_dict()
    assert model.state_dict().keys() == skeleton.state_dict().keys() == wanted.keys()
    assert all(torch.equal(value, wanted[name]) for name, value in model.state_dict().items())


def test_a_bundled_model_and_a_mirrored_one_are_found_by_name(folder, monkeypatch):
    assert look("sst2-minilm.float").load()[1].tokenize("good")
    monkeypatch.setenv("BINVIZ_MIRROR", str(folder.parents[2]))
    assert look("me/tiny", folders=False).folder == folder


@pytest.mark.parametrize(
    "source", ["/etc", "./models", "../models/me/tiny", "~", "C:\\models", "models/me/../me/tiny"]
)
def test_who_sits_elsewhere_reads_no_folder(folder, monkeypatch, source):
    monkeypatch.chdir(folder.parents[2])
    with pytest.raises(UserError, match=r"open to others|no id of a model"):
        look(source, folders=False)


def test_a_folder_that_looks_like_an_id_is_none(folder, monkeypatch):
    monkeypatch.chdir(folder.parents[1])
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *given, **named: 1 / 0)
    with pytest.raises(UserError, match="the hub does not answer"):
        look("me/tiny")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"architectures": ["Mine"], "auto_map": {"AutoModel": "mine.Mine"}}, "needs code of its author"),
        ({"architectures": ["Mine"]}, "no model class 'Mine'"),
        ({"architectures": None}, "no model class"),
        ({"num_hidden_layers": 10**9}, "configuration"),
        ({"num_hidden_layers": 2000}, "larger model"),
    ],
    ids=["remote code", "unknown class", "no class", "absurd", "many layers"],
)
def test_a_configuration_that_cannot_be_used(folder, change, line):
    changed(folder, **change)
    with pytest.raises(UserError, match=line):
        look(str(folder)).skeleton()


def test_pickles_and_large_weights_are_not_read(folder):
    with pytest.raises(UserError, match=r"are 0\.0 GB; here 0\.0 GB"):
        look(str(folder), most=1000)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(UserError, match="a pickle can run code"):
        look(str(folder))


def test_weights_that_do_not_fit_their_configuration(folder):
    changed(folder, hidden_size=3200)
    found = look(str(folder))
    with pytest.raises(UserError):
        found.load()


def hub(monkeypatch, **about):
    """A hub that knows one model; returns what was fetched."""
    fetched = []
    usual = {"gated": False, "private": False, "siblings": [], "sha": "abc", "card_data": None}
    monkeypatch.setattr(
        huggingface_hub.HfApi, "model_info", lambda *given, **named: SimpleNamespace(**(usual | about))
    )
    monkeypatch.setattr(
        huggingface_hub, "hf_hub_download", lambda *given, **named: fetched.append(given) or "nowhere"
    )
    return fetched


def files(**sizes):
    return [SimpleNamespace(rfilename=name.replace("__", "."), size=size) for name, size in sizes.items()]


@pytest.mark.parametrize(
    ("about", "line"),
    [
        ({"gated": "manual"}, "needs a login"),
        ({"private": True}, "needs a login"),
        ({"siblings": files(pytorch_model__bin=9, config__json=9)}, "a pickle can run code"),
        ({"siblings": files(model__safetensors=10**10, config__json=9)}, r"are 10\.0 GB"),
        ({"siblings": files(model__safetensors=10, config__json=10**8)}, r"no config\.json"),
    ],
    ids=["gated", "private", "pickle", "large", "large configuration"],
)
def test_what_the_hub_says_is_enough_to_refuse(monkeypatch, about, line):
    fetched = hub(monkeypatch, **about)
    with pytest.raises(UserError, match=line):
        look("me/tiny")
    assert fetched == []


@pytest.mark.parametrize(
    ("error", "line"), [(GatedRepoError, "needs a login"), (RepositoryNotFoundError, "check the id")]
)
def test_what_the_hub_refuses(monkeypatch, error, line):
    def refuse(*given, **named):
        raise error("no", response=SimpleNamespace(headers={}, request=None, status_code=403))

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", refuse)
    with pytest.raises(UserError, match=line):
        look("me/tiny")


@pytest.mark.parametrize("source", ["", " ", "a b", "a/b/c", "a\x07b", "-a/b", "x" * 400])
def test_what_is_no_name(source):
    with pytest.raises(UserError, match=r"google/bert_uncased_L-2_H-128_A-2"):
        look(source)


def test_what_a_visitor_has_fetched_is_not_kept(folder, monkeypatch):
    sizes = files(
        model__safetensors=(folder / "model.safetensors").stat().st_size, config__json=9, modeling__py=9
    )
    hub(monkeypatch, siblings=sizes, card_data={"license": "mit"})
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *given, **named: folder / "config.json")
    places = []

    def fetch(source, *, revision, local_dir, allow_patterns, ignore_patterns, token):
        assert (source, revision, token) == ("me/tiny", "abc", False) and "*.py" in ignore_patterns
        places.append(local_dir)
        return shutil.copytree(folder, local_dir, dirs_exist_ok=True) if local_dir else folder

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    found = look("me/tiny", folders=False)
    assert (found.kind, found.revision, found.licence) == ("hub", "abc", "mit")
    gone, _ = found.load(keep=False)
    kept, _ = found.load()
    assert places[1] is None and not Path(places[0]).exists()
    assert all(torch.equal(value, kept.state_dict()[name]) for name, value in gone.state_dict().items())
