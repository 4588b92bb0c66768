"""A folder to start from: what it describes is held against its weights before anything is built."""

import json

import pytest
import torch

from binviz.bench.originals import bert, tokenizer
from binviz.errors import UserError
from binviz.saving import save
from binviz.tasks.glue import pretrained


@pytest.fixture
def folder(tmp_path):
    return save(bert(), tmp_path / "start", tokenizer())


def changed(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | values), "utf-8")


def test_a_whole_one(folder):
    model, words = pretrained("sst2", str(folder), 0)
    assert torch.equal(model.bert.pooler.dense.weight, bert().bert.pooler.dense.weight)
    assert words("good")["input_ids"] == [2, 5, 3]


ODD = {
    "many layers": {"num_hidden_layers": 10**4},
    "endless layers": {"num_hidden_layers": 10**9},
    "many labels": {"num_labels": 10**9},
    "many words": {"vocab_size": 10**12},
    "wide": {"intermediate_size": 2**16, "hidden_size": 2**16},
    "chunks": {"chunk_size_feed_forward": 7},
    "endless chunks": {"chunk_size_feed_forward": float("inf")},
    "another kind": {"model_type": "\x1b[31m"},
    "no kind": {"model_type": None},
    "words for a number": {"hidden_size": "wide"},
    "no heads": {"num_attention_heads": 0},
    "architectures of numbers": {"architectures": [5]},
    "architecture of a word": {"architectures": "BertModel"},
}


@pytest.mark.parametrize("values", ODD.values(), ids=ODD)
def test_configurations_that_are_another_model_s(folder, values):
    changed(folder / "config.json", **values)
    with pytest.raises(UserError) as caught:
        pretrained("sst2", str(folder), 0)
    assert str(caught.value).isprintable()


def test_a_list_for_a_configuration(folder):
    (folder / "config.json").write_text("[1]", "utf-8")
    with pytest.raises(UserError, match="not a model's configuration"):
        pretrained("sst2", str(folder), 0)


def test_weights_that_are_missing(folder):
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    state = load_file(path)
    del state["bert.embeddings.word_embeddings.weight"]
    save_file(state, path, {"format": "pt"})
    with pytest.raises(UserError, match=r"lack bert\.embeddings\.word_embeddings\.weight"):
        pretrained("sst2", str(folder), 0)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match="cannot be read"):
        pretrained("sst2", str(folder), 0)
    path.unlink()
    with pytest.raises(UserError, match="holds no weights"):
        pretrained("sst2", str(folder), 0)


def test_a_head_is_drawn_anew(folder):
    from safetensors.torch import load_file, save_file

    state = load_file(folder / "model.safetensors")
    kept = {name: value for name, value in state.items() if "classifier" not in name and "pooler" not in name}
    save_file(kept, folder / "model.safetensors", {"format": "pt"})
    assert pretrained("sst2", str(folder), 0)[0].config.num_labels == 2


def test_a_tokenizer_that_reads_nothing(folder):
    changed(folder / "tokenizer_config.json", model_max_length="long")
    with pytest.raises(UserError, match="tokenizer"):
        pretrained("sst2", str(folder), 0)
