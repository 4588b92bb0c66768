import datasets
import pytest
import torch
import transformers

from binviz.data import glue, sources
from binviz.errors import UserError


def mirror(folder, sentence):
    path = folder / "datasets/nyu-mll/glue/sst2"
    path.mkdir(parents=True)
    table = datasets.Dataset.from_dict({"sentence": [sentence, "dull"], "label": [1, 0], "idx": [0, 1]})
    table.to_parquet(path / "validation-00000-of-00001.parquet")
    return folder


@pytest.fixture
def two_mirrors(tmp_path, monkeypatch):
    first, second = mirror(tmp_path / "a", "bright"), mirror(tmp_path / "b", "other")
    monkeypatch.setenv("BINVIZ_MIRROR", f"{tmp_path / 'absent'}:{first}:{second}")
    return first


def test_the_first_mirror_that_has_it_is_used(two_mirrors, caplog):
    with caplog.at_level("INFO", "binviz"):
        examples = glue.load("sst2", "validation")
    assert examples.texts == [("bright",), ("dull",)] and examples.labels == [1, 0]
    assert str(two_mirrors) in caplog.text


def test_a_split_that_is_not_there(two_mirrors):
    with pytest.raises(UserError, match="no split 'train'"):
        glue.load("sst2", "train")


def test_no_mirror_and_no_network(monkeypatch):
    monkeypatch.delenv("BINVIZ_MIRROR", raising=False)
    with pytest.raises(UserError, match="BINVIZ_MIRROR") as error:
        glue.load("mrpc", "train")
    assert "\n" not in str(error.value)


def test_a_model_nobody_has(monkeypatch):
    monkeypatch.delenv("BINVIZ_MIRROR", raising=False)
    with pytest.raises(UserError, match="BINVIZ_MIRROR"):
        sources.pretrained(transformers.AutoModel, "nobody/nothing")


def test_a_pickle_is_not_read(tmp_path, monkeypatch):
    folder = tmp_path / "models/some/bert"
    folder.mkdir(parents=True)
    config = transformers.BertConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, vocab_size=9
    )
    config.save_pretrained(folder)
    torch.save({}, folder / "pytorch_model.bin")
    monkeypatch.setenv("BINVIZ_MIRROR", str(tmp_path))
    with pytest.raises(UserError, match="safetensors"):
        sources.pretrained(transformers.BertModel, "some/bert", use_safetensors=True)


def test_mnli_is_judged_on_its_matched_split():
    assert glue.task("mnli").validation == "validation_matched"
