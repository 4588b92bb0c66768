"""A scale that no batch has started is one notion: the table, packing and files all say so."""

import copy
from types import SimpleNamespace

import pytest
import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

import binviz
from binviz import binarizers, recipes
from binviz.binarizers import Binarizer, unstarted
from binviz.packed import why_not_fused


def waiting(model):
    """Independent of `unstarted`: by the buffers of the state."""
    return [name.removesuffix(".initialized") for name, value in model.state_dict().items()
            if name.endswith("initialized") and not value]  # fmt: skip


@pytest.mark.parametrize("recipe", [name for name in recipes.names() if not name.endswith("-threshold")])
def test_the_table_counts_them(models, recipe):
    model = models.tiny("bert")
    table = binviz.binarize_(model, recipe)
    assert list(table.unstarted) == unstarted(model) == waiting(model)
    said = "run one batch first" in str(table).splitlines()[-1]
    assert said == bool(waiting(model))
    assert len(str(table).splitlines()) == len(table.rows) + 2


@pytest.mark.parametrize("name", binarizers.names())
def test_every_binarizer_knows_whether_it_has_started(name):
    binarizer = binarizers.get(name)
    assert binarizer.has_started == ("initialized" not in binarizer.state_dict())
    if not binarizer.has_started:
        with torch.device("meta"):
            assert not binarizers.get(name).has_started
        binarizer.initialize(torch.ones(2, 3))
        assert binarizer.has_started and not unstarted(binarizer)


@pytest.mark.parametrize("name", [name for name in binarizers.names() if unstarted(binarizers.get(name))])
def test_of_several_processes_all_start_as_the_first(name, monkeypatch):
    """In a pass that all of them make, and in no other; two real ones: tests/training/test_processes.py."""
    monkeypatch.setattr(distributed, "broadcast", lambda tensor, **options: tensor.fill_(5))
    alone, beside = binarizers.get(name), binarizers.get(name)
    alone(torch.ones(2, 3))
    running = SimpleNamespace(process_group=None)
    monkeypatch.setattr(DistributedDataParallel, "_get_active_ddp_module", lambda: running)
    beside(torch.ones(2, 3))
    assert beside.scales and alone.has_started and beside.has_started
    for scale in beside.scales:
        assert (getattr(alone, scale) != 5).all() and (getattr(beside, scale) == 5).all()


def test_whatever_is_made_of_such_a_model_says_so_once(models, tmp_path, caplog):
    model = models.tiny("bert")
    binviz.binarize_(model, "bit-w1a1")
    first = waiting(model)[0]
    makes = {
        "the packed model": lambda: binviz.pack(model),
        "the saved model": lambda: binviz.save(model, tmp_path / "folder"),
        "the file": lambda: binviz.save_packed(model, tmp_path / "file.safetensors"),
    }
    for what, make in makes.items():
        caplog.clear()
        make()
        (line,) = [record.getMessage() for record in caplog.records]
        assert line.startswith(f"{what} answers by the first batch") and f"({first}, ...)" in line
        assert line.endswith("run one batch first") and "\n" not in line
    assert "no batch has started yet; run one batch" in why_not_fused(binviz.pack(model))


def test_a_started_one_says_nothing(models, tmp_path, caplog):
    model = models.tiny("bert")
    binviz.binarize_(model, "bit-w1a1")
    fresh = copy.deepcopy(model)
    with torch.no_grad():
        model(**models.inputs("bert"))
    assert unstarted(model) == [] and unstarted(fresh)
    packed = binviz.pack(model)
    binviz.save(model, tmp_path / "folder")
    binviz.save_packed(model, tmp_path / "file.safetensors")
    again = binviz.binarize_(model, "bit-w1a1")
    assert not caplog.records and not again.unstarted
    assert why_not_fused(packed) == "" and unstarted(packed) == []


def test_running_a_shadow_starts_nothing(models):
    model = models.tiny("bert")
    binviz.binarize_(model, "bit-w1a1")
    before = unstarted(model)
    binviz.capture(model, models.inputs("bert"), "embed")
    assert unstarted(model) == before
    assert all(isinstance(model.get_submodule(path), Binarizer) for path in before)
