"""Gaps: their text, what fills them, and a binary table that is cut."""

import pytest
import torch

import binviz
from binviz import tasks, zoo
from binviz.data import gaps, validate
from binviz.data.corpus import open_corpus
from binviz.errors import UserError
from binviz.losses import LossChoice
from binviz.tasks import glue, words
from binviz.tasks.vocabulary import choose_pieces, cut_vocabulary
from binviz.training.evaluate import evaluate_named, loaded
from binviz.training.settings import TrainConfig
from binviz.training.stages import Stage, prepare


def test_our_sentences_have_one_gap_and_a_word_of_one_piece():
    assert len({gap.text for gap in gaps.load()}) == 24
    for gap in gaps.load():
        assert gap.text.count("___") == 1 and gap.word.isalnum() and gap.word == gap.word.lower()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the text is empty"),
        ("A good dog.", "the text has no gap; write ___ where one word is missing"),
        ("A ___ [MASK].", "the text has 2 gaps"),
        ("good " * 70 + "___", "the text has 71 word pieces; shorten it to 62 or fewer"),
        ("good " * 501 + "___", "shorten it to 500"),
    ],
    ids=["empty", "none", "two", "long", "far too long"],
)
def test_texts_with_no_gap_to_fill(models, text, said):
    with pytest.raises(UserError, match=said):
        words.fill(*models.fills(), text)


def test_the_likeliest_words_of_all_are_given(models):
    model, tokenizer = models.fills()
    found = words.fill(model, tokenizer, "a __ dog.", count=7)
    ids = tokenizer("a [MASK] dog.", return_tensors="pt")
    with torch.no_grad():
        shares = model(**ids).logits[0, 2].double().softmax(-1)
    order = shares.argsort(descending=True)[:7].tolist()
    assert [piece for piece, _ in found] == tokenizer.convert_ids_to_tokens(order)
    assert [share for _, share in found] == pytest.approx(shares[order].tolist(), rel=1e-5)
    on_bits = words.fill(binviz.pack(model, fused=False), tokenizer, "a [MASK] dog.", count=7)
    assert dict(on_bits) == pytest.approx(dict(found), rel=1e-5)
    assert validate.check_gap("a ____ b") == "a [MASK] b"


@pytest.mark.slow
def test_a_cut_binary_table_keeps_its_codes(models, tmp_path):
    model, tokenizer = models.fills(words=("good", "bad", "dog", "king"))
    pieces = choose_pieces(tokenizer, ["good dog", "good"], len(tokenizer) - 2)
    assert "good" in pieces and "dog" in pieces and "king" not in pieces and "##k" in pieces
    with pytest.raises(UserError, match="cut what load gives of its packed file"):
        cut_vocabulary(model, tokenizer, pieces, 16)
    binviz.save_packed(model, tmp_path / "whole.safetensors")
    small = binviz.load(tmp_path / "whole.safetensors")
    fewer = cut_vocabulary(small, tokenizer, pieces, 16)
    binviz.save_packed(small, tmp_path / "small.safetensors", fewer, half_head=True)
    again = binviz.load(tmp_path / "small.safetensors")
    given = "a good dog"
    wanted = model.bert(**tokenizer(given, return_tensors="pt")).last_hidden_state
    assert torch.equal(again.bert(**fewer(given, return_tensors="pt")).last_hidden_state, wanted)
    assert again.config.vocab_size == len(pieces) == again.get_output_embeddings().out_features
    assert fewer.tokenize("king") == ["k", "##i", "##n", "##g"]


@pytest.fixture
def wiki(tmp_path, monkeypatch):
    """In place of wikitext-2 a text of ours."""
    (tmp_path / "text.txt").write_text("a good dog is a bad king. " * 40, "utf-8")
    monkeypatch.setattr(words, "corpus", lambda split: open_corpus(str(tmp_path / "text.txt")))


@pytest.mark.slow
def test_a_model_is_judged_by_its_name(models, tmp_path, wiki):
    model, tokenizer = models.fills()
    path = tmp_path / "model.safetensors"
    binviz.save_packed(model, path, tokenizer)
    metrics, values = evaluate_named(str(path), "words", packed=True)
    assert set(metrics) == {"loss", "perplexity", "accuracy"} and len(values) > 1
    task = tasks.get("words")
    held_out = task.held_out(tokenizer)
    assert held_out.collate(held_out.examples[:2])["input_ids"].shape == (2, words.LENGTH)
    problem = task.problem(tokenizer, 4, 0)
    assert problem.batch_of(3)["input_ids"].shape == (4, words.LENGTH) and problem.loss == LossChoice("mlm")
    with pytest.raises(UserError, match="no sentence has the number 24; choose one from 0 to 23"):
        task.example(24, "", tokenizer)
    with pytest.raises(UserError, match="has an output layer for words; sst2 has none"):
        loaded(str(path), "sst2")
    with pytest.raises(UserError, match="has no output layer for words; words has one"):
        loaded("digits-cnn.float", "words")


@pytest.mark.slow
def test_signs_and_scales_of_a_packed_file_are_fine_tuned(models, tmp_path, monkeypatch):
    """Through a cell's start: what becomes latent weights gives the codes and scales of the file."""
    words_model, tokenizer = models.fills()
    binviz.save_packed(words_model, tmp_path / "words-tiny.safetensors", tokenizer)
    monkeypatch.setattr(zoo, "names", lambda pattern="*": ["words-tiny"])
    stored = binviz.load(tmp_path / "words-tiny.safetensors")
    monkeypatch.setattr(zoo, "load", lambda name: stored)
    monkeypatch.setattr(zoo, "load_tokenizer", lambda name: tokenizer)
    model, _ = glue.start("sst2", "words-tiny", 0)
    ids = tokenizer("a good dog", return_tensors="pt")
    with torch.no_grad():
        wanted = stored.bert(**ids).last_hidden_state
    batch = {**ids, "labels": torch.tensor([1])}
    problem = tasks.Problem("sst2", lambda step: batch, lambda model: ({}, None), {}, batch, tokenizer)
    loss = prepare(model, Stage("bipft-a", TrainConfig(1, 1e-3), LossChoice("labels")), problem)
    with torch.no_grad():
        torch.testing.assert_close(model.bert(**ids).last_hidden_state, wanted, rtol=1e-4, atol=1e-4)
    weight = model.bert.encoder.layer[0].output.dense.weight
    assert torch.equal(weight.sign(), stored.bert.encoder.layer[0].output.dense.weight)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    before, first = weight.detach().clone(), loss(model, batch).item()
    for _ in range(5):
        optimizer.zero_grad()
        loss(model, batch).backward()
        optimizer.step()
    assert loss(model, batch).item() < first
    assert not torch.equal(weight, before)
