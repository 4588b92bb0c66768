"""Metrics against hand values, logits in the order of the examples, word pieces and stages."""

import json

import numpy as np
import pytest
import torch
import transformers

import binviz
from binviz.data import glue
from binviz.errors import UserError
from binviz.evidence import runs
from binviz.losses import LossChoice
from binviz.networks import DigitsCNN, DigitsCNNConfig
from binviz.tasks import Problem, text
from binviz.tasks.glue import metrics_of
from binviz.tasks.vocabulary import choose_pieces, cut_vocabulary
from binviz.training import stages
from binviz.training.settings import TrainConfig
from binviz.training.stages import Stage

LETTERS = [*"abdgloy", *(f"##{letter}" for letter in "abdgloy")]
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, "good", "bad", "##ly", "film"]


def tokenizer():
    return transformers.BertTokenizer(vocab={piece: i for i, piece in enumerate(PIECES)}, do_lower_case=True)


def bert(num_labels=2):
    torch.manual_seed(0)
    return transformers.BertForSequenceClassification(
        transformers.BertConfig(
            vocab_size=len(PIECES),
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=24,
            max_position_embeddings=16,
            num_labels=num_labels,
        )
    ).eval()


def two_logits(predicted):
    return np.eye(2)[predicted]


# 3 true positives, 1 false positive, 2 false negatives, 4 true negatives
LABELS, PREDICTED = np.array([1] * 5 + [0] * 5), np.array([1, 1, 1, 0, 0, 1, 0, 0, 0, 0])


def test_metrics_by_hand():
    logits = two_logits(PREDICTED)
    assert metrics_of("sst2", LABELS, logits) == {"accuracy": 0.7}
    assert metrics_of("mrpc", LABELS, logits) == pytest.approx({"accuracy": 0.7, "f1": 6 / 9})
    assert metrics_of("qqp", LABELS, logits)["f1"] == pytest.approx(6 / 9)
    matthews = (3 * 4 - 1 * 2) / (5 * 5 * 4 * 6) ** 0.5
    assert metrics_of("cola", LABELS, logits)["matthews"] == pytest.approx(matthews)
    labels = np.array([0, 1, 2, 2])
    assert metrics_of("mnli", labels, np.eye(3)[[0, 1, 2, 0]]) == {"accuracy": 0.75}


def test_correlations_by_hand():
    found = metrics_of("stsb", np.array([1.0, 2.0, 3.0, 4.0]), np.array([[1.0], [2.0], [4.0], [3.0]]))
    # ranks 1 2 4 3: 1 - 6 * (1 + 1) / (4 * 15)
    assert found == pytest.approx({"pearson": 0.8, "spearman": 0.8})


@pytest.mark.parametrize("task", list(glue.TASKS))
def test_a_model_that_always_says_the_same(task):
    """What an untrained binary model does; it is worth a number and no warning."""
    labels = np.array([0, 1, 0, 1])
    logits = np.zeros((4, glue.task(task).num_labels))
    found = metrics_of(task, labels, logits)
    assert all(np.isfinite(value) for value in found.values())
    assert found.get("accuracy", 0.5) == 0.5
    assert {found[name] for name in ("f1", "matthews", "pearson", "spearman") if name in found} <= {0.0}
    metrics_of(task, np.zeros(4, dtype=int) + (labels if "pearson" in found else 0), logits)


def test_unknown_task():
    with pytest.raises(UserError, match="no GLUE task 'sst'"):
        metrics_of("sst", LABELS, two_logits(PREDICTED))


def test_logits_in_the_order_of_the_examples():
    texts = [("good film",), ("bad",), ("badly good good film",), ("film",), ("good bad film bad film",)]
    model = bert().train()
    found = text.logits_of(model, tokenizer(), glue.Examples(texts, [0] * 5, ""), 16, batch_size=2)
    assert found.shape == (5, 2) and found.dtype == np.float32
    assert not model.training
    for row, (words,) in zip(found, texts, strict=True):
        alone = model(**tokenizer()(words, return_tensors="pt")).logits[0]
        np.testing.assert_allclose(row, alone.detach().numpy(), atol=1e-5)


def test_pairs_and_long_texts_are_cut():
    rows = text.encode(tokenizer(), glue.Examples([("good " * 50, "bad " * 50)], [0], ""), 12)
    assert len(rows[0]["input_ids"]) == 12
    assert set(rows[0]["token_type_ids"]) == {0, 1}
    batch = text.collate(tokenizer(), [*rows, {name: values[:3] for name, values in rows[0].items()}])
    assert batch["attention_mask"].sum(1).tolist() == [12, 3]


# A smaller table of word pieces.


def test_pieces_that_are_kept():
    pieces = choose_pieces(tokenizer(), ["good good film", "badly good"], len(PIECES) - 2)
    assert pieces == [*PIECES[:5], *LETTERS, "good", "bad"]  # as often as the others, and first in the table
    assert choose_pieces(tokenizer(), ["good"], 3) == PIECES[: 5 + len(LETTERS)]


def test_a_cut_table_reads_what_it_keeps_as_before():
    model, old = bert(), tokenizer()
    wanted = model(**old("good bad goody", return_tensors="pt")).logits
    keep = choose_pieces(old, ["good bad"], 5 + len(LETTERS) + 2)
    new = cut_vocabulary(model, old, keep, positions=8)
    assert torch.equal(model(**new("good bad goody", return_tensors="pt")).logits, wanted)
    assert model.config.vocab_size == len(keep) == model.bert.embeddings.word_embeddings.num_embeddings
    assert model.config.max_position_embeddings == 8
    # a word whose piece is gone is spelled
    assert new.tokenize("BADLY") == ["bad", "##l", "##y"]
    again = type(model)(model.config)
    again.load_state_dict(model.state_dict(), strict=True)


# Stages.


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "at least one stage"),
        (("bit-w1a1", "float"), "only come first"),
        (("float", "bit"), "no recipe named"),
    ],
    ids=str,
)
def test_stages_that_make_no_sense(names, message):
    with pytest.raises(UserError, match=message):
        stages.check_stages(names)


def digits_problem(batches):
    def batch(step):
        generator = torch.Generator().manual_seed(step)
        images = torch.randn(8, 1, 8, 8, generator=generator)
        return {"pixel_values": images, "labels": (images.mean((1, 2, 3)) > 0).long()}

    def batch_of(step):
        batches.append(step)
        return batch(step)

    def judge(model):
        held_out = batch(1000)
        correct = (model(held_out["pixel_values"]).logits.argmax(-1) == held_out["labels"]).numpy()
        return {"accuracy": float(correct.mean())}, correct

    return Problem("signs", batch_of, judge, {"train": "0"}, calibration=batch(1001))


def chain(names, float_steps, steps):
    return [
        Stage("float", TrainConfig(steps=float_steps, lr=1e-2))
        if name == "float"
        else Stage(name, TrainConfig(steps=steps, lr=1e-2), LossChoice("bit"))
        for name in names
    ]


def run_chain(out, batches, names=("float", "bit-w1a2", "fda"), steps=3):
    torch.manual_seed(0)
    return stages.run_stages(
        digits_problem(batches),
        chain(names, 4, steps),
        DigitsCNN(DigitsCNNConfig(width=4, depth=1)),
        out,
        name="signs",
        experiment="test",
        config={"why": "to see"},
        identify={},
    )


def test_a_chain_of_stages(tmp_path):
    batches = []
    records = run_chain(tmp_path, batches)
    assert list(records) == ["float", "bit-w1a2", "fda"]
    last = records["fda"]
    assert (last.cell, last.curves["step"]) == ("signs.float+bit-w1a2+fda", [1, 2, 3])
    assert last.config["why"] == "to see" and last.config["train"]["steps"] == 3
    assert last.metrics["accuracy"] == bin(int(last.predictions, 16)).count("1") / 8
    model = binviz.load(tmp_path / "signs.float+bit-w1a2+fda.seed0")
    assert model.binviz_recipe.name == "fda"
    assert {run.cell: run for run in runs.runs(tmp_path / "runs")}[last.cell] == last
    assert not list(tmp_path.glob("*.checkpoint"))

    # a finished chain is not trained again; a chain that goes on from it starts behind it
    trained = len(batches)
    assert run_chain(tmp_path, batches) == records
    assert len(batches) == trained

    # a stage that is trained anew, after loading the one before, comes out the same
    for path in (tmp_path / "runs/test").glob("*fda*"):
        path.unlink()
    again = run_chain(tmp_path, batches)["fda"]
    assert again.curves == last.curves and again.predictions == last.predictions
    assert json.dumps(again.metrics) == json.dumps(last.metrics)


def test_other_settings_do_not_pass_for_a_finished_stage(tmp_path):
    run_chain(tmp_path, [])
    with pytest.raises(UserError, match="other settings"):
        run_chain(tmp_path, [], steps=4)


def test_a_decoder_is_refused_before_it_is_trained(tmp_path):
    batches = []
    config = transformers.GPTNeoXConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, vocab_size=9
    )
    with pytest.raises(UserError, match="is not a model that binviz knows"):
        stages.run_stages(
            digits_problem(batches),
            chain(("float", "bit-w1a1"), 1, 1),
            transformers.GPTNeoXModel(config),
            tmp_path,
            name="signs",
            experiment="test",
            config={},
            identify={},
        )
    assert not batches


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lr", -1.0),
        ("steps", 0),
        ("precision", "fp16"),
        ("optimizer", "adam"),
        ("schedule", "sine"),
        ("lr", float("nan")),
    ],
)
def test_settings_that_make_no_sense(name, value):
    with pytest.raises(UserError, match=name):
        TrainConfig(**{"steps": 1, "lr": 1.0} | {name: value})
