"""DB-LLM's cells: what is equal between rows, that all of them run, and the speeds of what they leave."""

from dataclasses import replace

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

import binviz
from binviz import zoo
from binviz.data.corpus import open_corpus
from binviz.errors import UserError
from binviz.evidence import runs
from binviz.evidence.claims import judge
from binviz.experiments import dbllm, decoding
from binviz.experiments.cells import reproduce
from binviz.recipes import Choice, Recipe
from binviz.tasks import causal


def test_students_see_as_much_and_start_from_the_same_model():
    students = [cell for cell in dbllm.EXPERIMENT.cells if not cell.stage.is_float]
    assert len({cell.stage.train for cell in students}) == 1
    assert {cell.teacher for cell in students} == {"float"}
    assert set(dbllm.EXPERIMENT.claims) == set(dbllm.EXPECTED)


@pytest.fixture
def small(tmp_path, monkeypatch):
    """The experiment with two steps a row, on a text of ours and a LLaMA of one layer."""
    lines = [
        f"a {one} cat sees the {other} dog" for one in ("good", "bad") for other in ("big", "red", "old")
    ]
    (tmp_path / "text.txt").write_text("\n".join(lines * 60), "utf-8")
    monkeypatch.setattr(causal, "corpus", lambda name, split: open_corpus(str(tmp_path / "text.txt")))
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1}
    monkeypatch.setattr(causal, "SIZES", causal.SIZES | sizes)
    for name, value in (("_TOKENS", {}), ("LENGTH", 12), ("PLACES", 32), ("PIECES", 270)):
        monkeypatch.setattr(causal, name, value)
    monkeypatch.setattr(runs, "SHIPPED", tmp_path / "none")
    for name, value in (("PROMPT", 8), ("WRITTEN", 6)):
        monkeypatch.setattr(decoding, name, value)

    def short(cell):
        train = replace(cell.stage.train, steps=2, batch_size=4, precision="no")
        return replace(cell, stage=replace(cell.stage, train=train))

    return replace(dbllm.EXPERIMENT, name="small", cells=tuple(map(short, dbllm.EXPERIMENT.cells)))


@pytest.mark.slow
def test_every_row_runs_and_is_judged(small, tmp_path):
    out = tmp_path / "out"
    found = {run.cell: run for run in reproduce(small, out)}
    assert len(found) == len(small.cells) and all(run.metrics["perplexity"] > 1 for run in found.values())
    assert found["novels.db-llm.own-text"].data["train"] == "1024 sequences that the model wrote"
    records = small.records(out)
    assert all(judge(claim, records).verdict != "not run" for claim in small.claims)
    assert all(judge(claim, records).by == "scores" for claim in small.claims)
    # Scales that stay are where they started, others are not
    learned, stayed = (zoo.load(out / f"novels.{row}.seed0") for row in ("fdb", "rounded"))
    teacher = zoo.load(out / "novels.float.seed0").model.layers[0].mlp.up_proj.weight
    start = teacher.abs().amax(1)
    scale = [model.model.layers[0].mlp.up_proj.weight_binarizer.alpha_1 for model in (learned, stayed)]
    assert torch.equal(scale[1], start) and not torch.equal(scale[0], start)
    rows = ("float", "db-llm", "one-bit", "ternary")
    measured = [decoding.measure(out / f"novels.{row}.seed0") for row in rows]
    for run, bases in zip(measured, (0, 3, 1, 2), strict=True):
        assert run.metrics["prefill"] > 0 and run.metrics["generation"] > 0
        assert ("packed_prefill" in run.metrics) == (bases > 0)
        assert run.metrics.get("same_tokens", 1.0) == 1.0
    assert measured[0].metrics["bytes"] > measured[1].metrics["bytes"] > measured[3].metrics["bytes"]
    assert measured[3].metrics["bytes"] > measured[2].metrics["bytes"]
    alone = decoding.timed(zoo.load(out / "novels.ternary.seed0"), "t", "none", written=4, unpacked=False)
    assert "generation" not in alone.metrics and alone.metrics["packed_generation"] > 0
    assert alone.metrics["same_tokens"] == 1.0
    assert "zeros_1" in measured[1].metrics and "zeros_1" not in measured[3].metrics


def test_what_is_no_decoder_is_not_timed():
    with pytest.raises(UserError, match="a ViTForImageClassification is no decoder"):
        decoding.measure(zoo.describe("digits-vit.float").path)


def test_a_decoder_with_fewer_places_than_the_prompt_is_not_timed(tmp_path):
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 1, "num_key_value_heads": 1}
    config = LlamaConfig(num_hidden_layers=1, vocab_size=9, max_position_embeddings=40, **sizes)
    binviz.save(LlamaForCausalLM(config), tmp_path / "novels.float.seed0")
    with pytest.raises(UserError, match="has 40 places for tokens; 192 are needed"):
        decoding.measure(tmp_path / "novels.float.seed0")


def test_zeros_are_those_of_the_two_sets():
    torch.manual_seed(0)
    layer = torch.nn.Linear(130, 3)
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), layer, torch.nn.Linear(3, 4))
    binviz.binarize_(model, "db-llm", lambda module, name: name == "1")
    found, step = decoding.zeros(model), layer.weight.abs().amax(1, keepdim=True) / 2
    first = layer.weight >= step / 2
    second = layer.weight - 2 * step * first <= -step / 2
    assert found["zeros_1"] == pytest.approx(1 - first.float().mean().item())
    assert found["zeros_2"] == pytest.approx(1 - second.float().mean().item())
    words = torch.cat([first, torch.zeros(3, 62, dtype=torch.bool)], 1).view(-1, 64)
    assert found["zero_words_1"] == pytest.approx((~words.any(1)).float().mean().item())
    binviz.binarize_(
        model, Recipe("g", Choice("fdb-weight", {"group": 65})), lambda module, name: name == "1"
    )
    halves = layer.weight.view(6, 65)
    ones = (halves >= halves.abs().amax(1, keepdim=True) / 4).float().mean()
    assert decoding.zeros(model)["zeros_1"] == pytest.approx(1 - ones.item())
