"""A pre-trained encoder is bundled, and its answers to our gaps are recorded: from folders to files."""

import dataclasses

import pytest

import binviz
from binviz import zoo
from binviz.data import gaps as sentences
from binviz.data.corpus import open_corpus
from binviz.errors import UserError
from binviz.evidence import gaps, runs
from binviz.tasks import words
from binviz.training import gaps as record_gaps
from binviz.training import words as bundle_words
from binviz.training.evaluate import evaluate_named


def leave(out, cell, model, tokenizer, steps, stages):
    """A model and its record as `binviz pretrain` leaves them."""
    train = {"steps": steps, "batch_size": 4}
    config = {"train": train, "stages": stages, "steps": 40, "float_steps": 6, "length": 64}
    metrics = {"loss": 2.0, "perplexity": 7.4, "accuracy": 0.25}
    run = runs.Run("pretrain", cell, 0, config, "the last step", {"train": "0"}, metrics, 1.0)
    binviz.save(model, out / f"{cell}.seed0", tokenizer)
    runs.write(run, out / "runs")
    return out / f"{cell}.seed0"


@pytest.fixture
def place(models, tmp_path, monkeypatch):
    """What `binviz pretrain` left, and a source tree without models; in place of wikitext-2 a text of ours."""
    (tmp_path / "text.txt").write_text("a good dog is a bad king. " * 40, "utf-8")
    monkeypatch.setattr(words, "corpus", lambda split: open_corpus(str(tmp_path / "text.txt")))
    monkeypatch.setattr(words, "PIECES", 70)
    monkeypatch.setattr(words, "POSITIONS", 64)
    monkeypatch.setattr(zoo, "FOLDER", tmp_path / "models")
    monkeypatch.setattr(runs, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setattr(gaps, "SHIPPED", tmp_path / "gaps.json")
    out = tmp_path / "out"
    leave(out, "mlm.float", *models.fills(recipe=None), 6, ["float"])
    leave(out, "mlm.float+bipft-a.at-10", *models.fills(), 10, ["float", "bipft-a"])
    leave(out, "mlm.float+bipft-a", *models.fills(), 40, ["float", "bipft-a"])
    zoo._manifest.cache_clear()
    yield out
    zoo._manifest.cache_clear()


def test_a_pre_trained_encoder_is_bundled(place, models, capsys):
    bundle_words.main([str(place / "mlm.float+bipft-a.seed0")])
    entry = zoo.describe("words-minilm.bipft-a")
    assert capsys.readouterr().out.startswith(f"words-minilm.bipft-a: {entry.bytes:,} bytes, loss")
    assert entry.run == ("pretrain", "mlm.float+bipft-a", 0) and "wikitext" in entry.provenance
    model, tokenizer = zoo.load(entry.name), zoo.load_tokenizer(entry.name)
    assert len(tokenizer) == 70 < len(models.fills()[1]) and model.config.vocab_size == 70
    metrics, _ = evaluate_named(entry.name, entry.task)
    assert entry.metrics == pytest.approx(metrics, rel=1e-4)
    assert entry.record.file["trained"]["perplexity"] == 7.4 and entry.record.file["sha256"] == entry.sha256


def test_what_fills_our_gaps_is_recorded(place, capsys):
    record_gaps.main([str(place)])
    found = gaps.shipped()
    cells = ["mlm.float", "mlm.float+bipft-a.at-10", "mlm.float+bipft-a"]
    assert [model.cell for model in found.models] == cells
    assert [model.tokens for model in found.models] == [6 * 256, 10 * 256, 40 * 256]
    assert found.words == tuple(gap.word for gap in sentences.load())
    assert all(len(each) == 5 and each[0][1] >= each[4][1] for each in found.models[0].answers)
    assert capsys.readouterr().out.count("of 24 right") == 3


def test_an_unfinished_run_is_neither_bundled_nor_asked(place, capsys):
    run = runs.read(place / "runs/pretrain/mlm.float+bipft-a.seed0.json")
    config = run.config | {"train": run.config["train"] | {"steps": 20}}
    runs.write(dataclasses.replace(run, config=config), place / "runs")
    for command, given in ((bundle_words, place / "mlm.float+bipft-a.seed0"), (record_gaps, place)):
        with pytest.raises(SystemExit):
            command.main([str(given)])
        assert "is not finished; the same binviz pretrain goes on with it" in capsys.readouterr().err
    with pytest.raises(UserError, match="no record of binviz pretrain"):
        record_gaps.record([place / "nothing"])
