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


ODD = {
    "no column": ({"text": ["a"], "label": [1]}, "have no column 'sentence'"),
    "no label": ({"sentence": ["a"]}, "have no column 'label'"),
    "no rows": ({"sentence": [], "label": []}, "no example"),
    "numbers": ({"sentence": [1], "label": [1]}, "example 0 of sst2 validation has no text"),
    "nothing": ({"sentence": ["a", None], "label": [1, 0]}, "example 1 of sst2 validation has no text"),
    "another label": ({"sentence": ["a"], "label": [2]}, "has the label 2, not 0 to 1"),
    "no label there": ({"sentence": ["a"], "label": [None]}, "has the label None"),
    "a share": ({"sentence": ["a"], "label": [0.5]}, "has the label 0.5"),
}


@pytest.mark.parametrize(("rows", "line"), ODD.values(), ids=ODD)
def test_tables_that_are_another_s(two_mirrors, rows, line):
    path = two_mirrors / "datasets/nyu-mll/glue/sst2/validation-00000-of-00001.parquet"
    datasets.Dataset.from_dict(rows).to_parquet(path)
    with pytest.raises(UserError, match=line):
        glue.load("sst2", "validation")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + bytes(100) + b"PAR1", b"text"], ids=len)
def test_files_that_are_no_tables(two_mirrors, content):
    path = two_mirrors / "datasets/nyu-mll/glue/sst2/validation-00000-of-00001.parquet"
    path.write_bytes(content)
    with pytest.raises(UserError, match="cannot be read as a parquet file"):
        glue.load("sst2", "validation")


def test_a_file_that_changes_is_read_again(two_mirrors):
    """No older copy is met."""
    assert glue.load("sst2", "validation").texts[0] == ("bright",)
    mirror(two_mirrors / "again", "dark")
    new = two_mirrors / "again/datasets/nyu-mll/glue/sst2/validation-00000-of-00001.parquet"
    new.replace(two_mirrors / "datasets/nyu-mll/glue/sst2/validation-00000-of-00001.parquet")
    assert glue.load("sst2", "validation").texts[0] == ("dark",)
