"""A corrupted task is the task with other held-out inputs, and its records say of what they are."""

import hashlib
import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import binviz
from binviz import cli, tasks, zoo
from binviz.data import corruptions, glue, speech
from binviz.errors import UserError
from binviz.evidence import robustness as records
from binviz.experiments import robustness
from binviz.tasks.corrupted import corrupted

DIGITS = tasks.get("digits")


def test_without_severity_it_is_the_task_itself():
    assert corrupted(DIGITS, "fog", 0) is DIGITS


def test_its_parts_show_the_same_pictures():
    snowy = corrupted(DIGITS, "snow", 2, seed=5)
    raw, _ = DIGITS.pictures.held_out()
    expected = corruptions.corrupt(raw, "snow", 2, seed=5)
    held_out, model = snowy.held_out(None), zoo.load("digits-cnn.float")
    batch = held_out.collate([held_out.examples[i] for i in (3, 7)])
    for place, index in enumerate((3, 7)):
        example = snowy.example(index, "", None)
        assert (
            np.array_equal(example.picture, expected[index])
            and example.truth == DIGITS.example(index, "", None).truth
        )
        assert torch.equal(example.inputs["pixel_values"][0], batch["pixel_values"][place])
        made = {}
        exec(example.imports + example.code, made)
        assert torch.equal(made["inputs"]["pixel_values"], example.inputs["pixel_values"])
    metrics, correct = snowy.judge(model, None)
    problem = snowy.problem(None, 16, 0)
    assert metrics["accuracy"] == correct.mean() < DIGITS.judge(model, None)[0]["accuracy"]
    assert problem.evaluate(model)[0] == metrics and "snow 2, seed 5" in problem.data.values()
    assert torch.equal(
        problem.batch_of(0)["pixel_values"], DIGITS.problem(None, 16, 0).batch_of(0)["pixel_values"]
    )


@pytest.fixture
def drawn(monkeypatch):
    """Twelve recordings, and as many texts or pairs of them, in place of the data sets."""

    def recordings(split, unheard=""):
        samples = np.random.default_rng(0).integers(-9000, 9000, (12, speech.LENGTH)).astype(np.int16)
        return speech.Recordings(samples, np.arange(12) % 10, np.arange(12) % 6)

    def texts(name, split):
        words = ["the", "film", "was", "never", "quite", "as", "dull", "or", "funny", "as", "its", "songs"]
        drawn = np.random.default_rng(0).choice(words, (12, len(glue.task(name).columns), 9))
        rows = [tuple(" ".join(words) for words in row) for row in drawn]
        return glue.Examples(rows, [i % 2 for i in range(12)], "")

    monkeypatch.setattr(speech, "load", recordings)
    monkeypatch.setattr(glue, "load", texts)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "corruption", "model"),
    [
        ("points", "dropout", ""),
        ("speech", "white_noise", ""),
        ("speech-unheard", "speed", ""),
        ("sst2", "dropped_letter", "sst2-minilm.float"),
        ("mrpc", "swapped_letters", "sst2-minilm.float"),
    ],
)
def test_other_kinds_of_data(drawn, name, corruption, model):
    task, spoilt = tasks.get(name), corrupted(tasks.get(name), corruption, 5, seed=2)
    network, tokenizer = zoo.load(model) if model else task.start("", 0)[0], task.tokenizer(model)
    raw, labels = task.kind.held_out()
    expected = task.kind.corruptions.corrupt(raw, corruption, 5, seed=2)
    found, same = spoilt.kind.held_out()
    assert np.array_equal(found, expected) and np.array_equal(same, labels)
    inputs = task.kind.read(expected[:12], tokenizer)
    held_out = spoilt.held_out(tokenizer)
    batch = held_out.collate(held_out.examples[:12])
    assert all(torch.equal(batch[key], value) for key, value in inputs.items())
    with torch.no_grad():
        answers = network.eval()(**inputs).logits.argmax(-1).numpy()
    metrics, correct = spoilt.judge(network, tokenizer)
    assert np.array_equal(correct[:12], answers == labels[:12]) and metrics == {"accuracy": correct.mean()}
    # Without a corruption it is what the task itself is judged on
    clean = task.kind.logits(network, raw, tokenizer).argmax(-1) == labels
    assert np.array_equal(clean, task.judge(network, tokenizer)[1])


@pytest.mark.parametrize(
    ("name", "corruption", "model"),
    [("points", "jitter", ""), ("speech", "pink_noise", ""), ("sst2", "doubled_letter", "sst2-minilm.float")],
)
def test_an_example_of_another_kind_and_its_code(drawn, name, corruption, model):
    task = tasks.get(name)
    tokenizer = task.tokenizer(model)
    clean = task.example(5, model, tokenizer)
    shown = corrupted(task, corruption, 5).example(5, model, tokenizer)
    assert shown.truth == clean.truth and shown.key.startswith(clean.key)
    assert (shown.texts == clean.texts) is (not clean.texts) and (shown.tokens != ()) is (clean.tokens != ())
    assert any(not torch.equal(shown.inputs[key], value) for key, value in clean.inputs.items())
    made = {}
    exec(shown.imports + shown.code, made)
    assert all(torch.equal(made["inputs"][key], value) for key, value in shown.inputs.items())


def test_what_cannot_be_corrupted():
    for name in ("words", "stsb"):
        with pytest.raises(UserError, match=r"no corruptions of .* choose one of: .*digits"):
            corrupted(tasks.get(name), "fog", 1)
    with pytest.raises(UserError, match="no corruption 'fog'; choose one of: neighbouring_key"):
        corrupted(tasks.get("sst2"), "fog", 1)
    with pytest.raises(UserError, match="did you mean 'fog'"):
        corrupted(DIGITS, "fogg", 1)
    with pytest.raises(UserError, match="severity"):
        corrupted(DIGITS, "fog", 9)


def run(*arguments):
    return CliRunner().invoke(cli.app, ["robustness", *map(str, arguments)])


@pytest.mark.slow
def test_a_record_counts_what_the_corrupted_task_says(tmp_path):
    names = ["digits-cnn.float", "digits-cnn.xnor"]
    ran = run(*names, "--seed", 2, "--examples", 40, "--out", tmp_path)
    assert ran.exit_code == 0, ran.output
    for name in names:
        found = records.read(tmp_path / f"{name}.json")
        assert (found.examples, found.task, found.seed) == (40, "digits", 2)
        correct = corrupted(DIGITS, "shot_noise", 4, seed=2).judge(zoo.load(name), None)[1]
        assert found.right["shot_noise"][3] == correct[:40].sum()
        assert found.clean == DIGITS.judge(zoo.load(name), None)[1][:40].sum()
    assert "all corruptions" in ran.stdout


def test_many_folders_at_once(tmp_path):
    task, out = tasks.get("points"), tmp_path / "the records"
    folders = [
        tmp_path / "a run" / f"points-pointnet.{name}.seed0" for name in ("float", "bnn", "bnn.lr-0.3")
    ]
    for seed, folder in enumerate(folders):
        binviz.save(task.start("pointnet-4", seed)[0], folder)
    ran = run(*folders, "--task", "points", "--examples", 90, "--out", out)
    assert ran.exit_code == 0, ran.output
    assert {path.name for path in out.iterdir()} == {f"{folder.name}.json" for folder in folders}
    found = records.records(folder=out)
    for folder in folders:
        record, model = found[folder.name], zoo.load(folder)
        assert (record.task, record.model_sha256, record.examples) == ("points", "", 90)
        assert tuple(record.right) == tuple(task.kind.corruptions.known)
        assert record.right["rotation"][4] == corrupted(task, "rotation", 5).judge(model, None)[1][:90].sum()
    assert "lost points" in ran.stdout and "points-pointnet.bnn.lr-0.3.seed0" in ran.stdout


def test_records_of_an_experiment_lie_apart(tmp_path, monkeypatch):
    record = records.records()["digits-vit.float"]
    monkeypatch.setattr(records, "SHIPPED", tmp_path)
    records.write(record, tmp_path / "bibench")
    assert records.records() == {} and records.records("bibench") == {record.model: record}


def test_texts_have_a_digest_of_their_own():
    one, other = np.array([["ab", "c"]], object), np.array([["a", "bc"]], object)
    labels = np.zeros(1, np.int64)
    assert len({robustness.digest(raw, each) for raw in (one, other) for each in (labels, labels + 1)}) == 4


def test_bad_input_is_one_line(tmp_path, monkeypatch):
    monkeypatch.delenv("BINVIZ_MIRROR", raising=False)
    speech.load.cache_clear()
    folders = [tmp_path / place / "a.seed0" for place in ("one", "other")]
    for folder in folders:
        binviz.save(tasks.get("speech").start("cnn-4", 0)[0], folder)
    for arguments, said in (
        (["words-minilm.bipft-a"], "no corruptions of words"),
        ([folders[0]], "say which task"),
        ([folders[0], "--task", "speech"], "neither in a BINVIZ_MIRROR folder"),
        ([*folders, "--task", "speech"], "two of the models are called a.seed0"),
        (["digits-vit.float", "cifar10-vit.float"], "cifar10-vit.float does not read what digits holds"),
    ):
        with pytest.raises(UserError, match=said) as caught:
            raise run(*arguments).exception
        assert "\n" not in str(caught.value)


def test_shipped_records_are_of_the_shipped_models_and_data():
    shipped, data = records.records(), robustness.digest(*DIGITS.pictures.held_out())
    assert set(shipped) >= {name for name in zoo.names() if zoo.describe(name).task == "digits"}
    for name, record in shipped.items():
        if name in zoo.names():
            assert record.model_sha256 == hashlib.sha256(zoo.describe(name).path.read_bytes()).hexdigest()
        assert tuple(record.right) == tuple(tasks.get(record.task).kind.corruptions.known)
        if record.task == "digits":
            assert record.data == {"test": data} and record.examples == 450


def edited(record, **changes):
    return json.dumps({**json.loads(record), **changes})


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[:-9],
        lambda text: edited(text, examples=0),
        lambda text: edited(text, clean=451),
        lambda text: edited(text, right={"fog": [1, 2, 3, 4]}),
        lambda text: edited(text, right={"fog": [1, 2, 3, 4, -5]}),
        lambda text: edited(text, right={}),
        lambda text: edited(text, model="../a"),
        lambda text: edited(text, more=1),
        lambda text: edited(text, chance="high"),
    ],
)
def test_a_damaged_record_is_said_in_one_line(tmp_path, spoil):
    text = records.write(records.records()["digits-vit.float"], tmp_path).read_text("utf-8")
    (tmp_path / "a.json").write_text(spoil(text), "utf-8")
    with pytest.raises(UserError, match="not a record of robustness"):
        records.read(tmp_path / "a.json")
