"""Costs of trained networks: whose bytes and times stand in a record, and that a busy machine gives none."""

import pytest

import binviz
from binviz import zoo
from binviz.bench import efficiency, pair
from binviz.errors import UserError


@pytest.fixture
def folder(tmp_path):
    """A binary network of the digits as `binviz reproduce` leaves it."""
    model = zoo.load("digits-cnn.float")
    binviz.binarize_(model, "bnn")
    return str(binviz.save(model, tmp_path / "my runs" / "digits-cnn.bnn.seed1"))


def test_a_record_has_both_networks(folder, tmp_path, monkeypatch, capsys):
    for module in (efficiency, pair):
        monkeypatch.setattr(module, "steady", lambda limits: True)
    monkeypatch.setattr(efficiency, "ROUNDS", 1)
    monkeypatch.setattr(efficiency, "set_threads", lambda threads: None)
    out = tmp_path / "out"
    efficiency.main(["digits-cnn.float", folder, "--task", "digits", "--out", str(out)])
    run = efficiency.runs.read(out / "efficiency" / "digits-cnn.bnn.seed1.json")
    assert (run.cell, run.seed) == ("digits-cnn.bnn", 1)
    file = binviz.save_packed(zoo.load(folder), tmp_path / "one.safetensors")
    header = int.from_bytes((tmp_path / "one.safetensors").read_bytes()[:8], "little") + 8
    assert run.metrics["bytes"] == file - header
    floats = zoo.load("digits-cnn.float").state_dict().values()
    assert run.metrics["bytes_float"] == sum(value.nbytes for value in floats)
    assert all(value > 0 for value in run.metrics.values())
    assert "digits-cnn.bnn answer_seconds" in capsys.readouterr().out


def test_a_busy_machine_gives_no_record(folder, monkeypatch):
    monkeypatch.setattr(efficiency, "steady", lambda limits: False)
    with pytest.raises(UserError, match="measure again when it is idle"):
        efficiency.measure(folder, "digits-cnn.float", "digits", rounds=1)
