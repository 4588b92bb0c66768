"""Accuracy by length against a naive count, and what a factor changes in a model."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from binviz import zoo
from binviz.data import glue
from binviz.errors import UserError
from binviz.evidence import runs
from binviz.experiments import lengths


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 60)), min_size=1))
def test_by_length(pairs):
    correct, long = (np.array(column) for column in zip(*pairs, strict=True))
    found = lengths.by_length(correct, long)
    for name, low, high in (("1_16", 1, 16), ("17_22", 17, 22), ("23_30", 23, 30), ("31_", 31, 60)):
        of_class = [right for right, length in pairs if low <= length <= high]
        assert found.get(f"accuracy_{name}") == (sum(of_class) / len(of_class) if of_class else None)


def test_a_factor_changes_the_scales_of_attention_alone():
    model = zoo.load("sst2-minilm.bit-w1a1")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    lengths.scale_attention_(model, 0.5)
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert len(changed) == 6 and all(name.endswith("binary.attention_binarizer.alpha") for name in changed)
    assert all(torch.equal(model.state_dict()[name], before[name] / 2) for name in changed)


def test_without_a_scale_there_is_nothing_to_change():
    with pytest.raises(UserError, match="no learned scale"):
        lengths.scale_attention_(zoo.load("digits-vit.bibert"), 0.5)


def test_the_command(monkeypatch, tmp_path, capsys):
    texts = [("good " * n,) for n in (3, 20, 40, 5)]
    monkeypatch.setattr(glue, "load", lambda task, split: glue.Examples(texts, [1, 1, 1, 0], "digest"))
    zoo_model = zoo.load("sst2-minilm.bit-w1a1")
    monkeypatch.setattr(lengths.binviz, "load", lambda folder: zoo_model)
    monkeypatch.setattr(
        lengths.binviz,
        "load_tokenizer",
        lambda folder, load=lengths.binviz.load_tokenizer: load("sst2-minilm.float"),
    )
    lengths.main(["sst2.bit-w1a1.seed3", "--factors", "1", "--out", str(tmp_path)])
    run = runs.read(tmp_path / "runs/lengths/sst2.bit-w1a1.attention-1.seed3.json")
    assert capsys.readouterr().out.startswith("sst2.bit-w1a1.attention-1 accuracy ")
    assert set(run.metrics) == {"accuracy", "accuracy_1_16", "accuracy_17_22", "accuracy_31_"}
    assert run.metrics["accuracy_1_16"] == 0.5


def test_a_name_that_is_no_cells(tmp_path):
    with pytest.raises(UserError, match=r"^mymodel is not named"):
        lengths.measure(tmp_path / "mymodel", 1.0)


def test_a_folder_that_is_not_there_is_one_line(capsys):
    with pytest.raises(SystemExit):
        lengths.main(["/nowhere/sst2.x.seed0"])
    assert (
        capsys.readouterr()
        .err.splitlines()[-1]
        .startswith("python -m binviz.experiments.lengths: error: no model")
    )
