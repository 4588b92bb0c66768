"""Sequences with hidden words: drawn by their number alone, hidden as BERT hides them."""

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForMaskedLM, BertForPreTraining, BertTokenizer

from binviz.errors import UserError
from binviz.losses import inputs_of
from binviz.losses.mlm import TARGETS, mlm_loss, predict
from binviz.tasks.language import Sequences, judge, problem

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"w{i}" for i in range(200))]
TOKENIZER = BertTokenizer(vocab={piece: i for i, piece in enumerate(PIECES)})
CLS, SEP, MASK = 2, 3, 4


def tokens(count, seed=0):
    found = np.random.default_rng(seed).integers(5, len(PIECES), count)
    found[::11] = SEP
    return found.astype(np.uint16)


def sequences(count=2000, length=32, seed=0, next_sentence=False):
    return Sequences(tokens(count), TOKENIZER, length, seed, next_sentence)


def shown(row):
    """The sequence before words were hidden."""
    ids = row["input_ids"].copy()
    ids[row["positions"]] = row["labels"]
    return ids


def test_an_epoch_shows_every_stretch_once_in_another_order_each_time():
    found = sequences()
    epochs = [
        [tuple(shown(found.row(k + e * found.per_epoch))[1:-1]) for k in range(found.per_epoch)]
        for e in (0, 1)
    ]
    whole = tokens(2000)[: found.per_epoch * 30].reshape(-1, 30).tolist()
    assert sorted(epochs[0]) == sorted(epochs[1]) == sorted(map(tuple, whole))
    assert epochs[0] != epochs[1]


@pytest.mark.parametrize("next_sentence", [False, True])
def test_batches_of_any_size_hold_the_same_sequences(next_sentence):
    found, other = (sequences(next_sentence=next_sentence) for _ in range(2))
    whole, halves = found.batch(range(60, 68)), [other.batch(range(k, k + 4)) for k in (64, 60)][::-1]
    for name in whole:
        parts = [half[name] for half in halves]
        if name == "positions":
            parts[1] = parts[1] + 4 * 32
        assert torch.equal(whole[name], torch.cat(parts))


def test_words_are_hidden_as_bert_does():
    found = sequences(60_000, length=128)
    rows = [found.row(k) for k in range(found.per_epoch)]
    before = np.concatenate([row["labels"] for row in rows])
    after = np.concatenate([row["input_ids"][row["positions"]] for row in rows])
    assert {len(row["labels"]) for row in rows} == {round(0.15 * 126)}
    assert not np.isin(before, TOKENIZER.all_special_ids).any()
    masked, kept = (after == MASK).mean(), (after == before).mean()
    assert abs(masked - 0.8) < 0.02 and abs(kept - 0.1) < 0.02
    words = after[after != MASK]
    assert not np.isin(words, TOKENIZER.all_special_ids).any()
    # All other tokens are as they were, and the marks are where they belong
    whole = {tuple(part) for part in tokens(60_000)[: found.per_epoch * 126].reshape(-1, 126).tolist()}
    for row in rows:
        ids = shown(row)
        assert (ids[0], ids[-1]) == (CLS, SEP) and tuple(ids[1:-1]) in whole


def test_the_next_sentence_follows_in_half_of_the_cases():
    found = sequences(40_000, next_sentence=True)
    rows = [found.row(k) for k in range(found.per_epoch)]
    whole = {tuple(part) for part in tokens(40_000)[: found.per_epoch * 29].reshape(-1, 29).tolist()}
    for row in rows:
        ids = shown(row)
        assert ids[0] == CLS and ids[15] == ids[-1] == SEP
        assert row["token_type_ids"].tolist() == [0] * 16 + [1] * 16
        if not row["next_sentence_label"]:
            assert tuple(np.delete(ids, [0, 15, 31])) in whole
    assert abs(np.mean([row["next_sentence_label"] for row in rows]) - 0.5) < 0.06


def small(kind=BertForMaskedLM):
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    return kind(BertConfig(**sizes, vocab_size=len(PIECES), max_position_embeddings=32)).eval()


def test_the_loss_is_transformers_own():
    model, batch = small(BertForPreTraining), sequences(next_sentence=True).batch(range(4))
    labels = torch.full((4, 32), -100)
    labels.view(-1)[batch["positions"]] = batch["labels"]
    inputs = inputs_of(batch, TARGETS)
    wanted = model(**inputs, labels=labels, next_sentence_label=batch["next_sentence_label"]).loss
    torch.testing.assert_close(mlm_loss(predict(model, batch), batch), wanted)


def test_the_loss_of_bipft_is_the_sum_of_its_parts():
    from binviz import losses

    batch = sequences(next_sentence=True).batch(range(4))
    student, teacher = small(BertForPreTraining), small(BertForPreTraining)
    for parameter in student.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    inputs = inputs_of(batch, TARGETS)
    got, wanted = (model(**inputs, output_hidden_states=True) for model in (student, teacher))
    hidden = [((a - b) ** 2).mean() for a, b in zip(got.hidden_states, wanted.hidden_states, strict=True)]
    p = wanted.seq_relationship_logits.softmax(-1)
    soft = -(p * got.seq_relationship_logits.log_softmax(-1)).mean()
    expected = mlm_loss(predict(student, batch), batch) + 0.5 * sum(hidden) / len(hidden) + soft
    loss = losses.LossChoice("bipft", {"hidden_weight": 0.5}).make(teacher, TARGETS)(student, batch)
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert student.bert.encoder.layer[0].output.dense.weight.grad.abs().sum() > 0


def test_a_model_that_knows_nothing_is_judged_so():
    model = small()
    for parameter in model.parameters():
        parameter.data.zero_()
    metrics, values = judge(model, sequences())
    assert metrics["loss"] == pytest.approx(np.log(len(PIECES))) and metrics["perplexity"] == pytest.approx(
        len(PIECES)
    )
    assert len(values) == sequences().per_epoch and values.mean() == pytest.approx(-metrics["loss"])


def test_the_problem_starts_alike_whatever_the_batch():
    first, second = (problem(sequences(), sequences(seed=1), TOKENIZER, size, {}) for size in (4, 8))
    assert torch.equal(first.calibration["input_ids"], second.calibration["input_ids"])


def test_what_cannot_be_a_sequence():
    with pytest.raises(UserError, match="has 10 tokens, too few for a sequence of 32"):
        sequences(10)
    with pytest.raises(UserError, match=r"needs a tokenizer with \[CLS\]"):
        Sequences(
            tokens(100), type("Bare", (), {f"{m}_token_id": None for m in ("cls", "sep", "mask")}), 32, 0
        )
