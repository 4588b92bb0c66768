"""`binviz pretrain` from end to end, on a generated text and a tiny encoder."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch
import transformers
from transformers import BertTokenizer
from typer.testing import CliRunner

import binviz
from binviz import cli
from binviz.binarizers import unstarted
from binviz.errors import UserError
from binviz.evidence import runs
from binviz.files import alone
from binviz.training import configs, glue, pretrain
from binviz.training.pretrain import PretrainConfig

WORDS = ("good", "bad", "lady", "old", "boy", "dog", "goal")
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
TINY = {"stages": ("float", "bipft-a"), "pieces": 0, "positions": 0, "length": 16, "batch_size": 4}
TINY |= {"float_steps": 6, "steps": 6, "lr": 1e-2, "binary_lr": 1e-2, "warmup": 2.0, "checkpoint_every": 2}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a text of 600 lines and an encoder."""
    folder = tmp_path_factory.mktemp("pretrain")
    generator = torch.Generator().manual_seed(0)
    lines = torch.randint(len(WORDS), (600, 5), generator=generator).tolist()
    text = "\n".join(" ".join(WORDS[i] for i in line) for line in lines)
    (folder / "text.txt").write_text(text, "utf-8")
    torch.manual_seed(0)
    options = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    options |= {"vocab_size": len(PIECES), "max_position_embeddings": 32, "hidden_dropout_prob": 0.0}
    model = transformers.BertModel(transformers.BertConfig(**options, attention_probs_dropout_prob=0.0))
    model.save_pretrained(folder / "bert")
    BertTokenizer(vocab={piece: i for i, piece in enumerate(PIECES)}).save_pretrained(folder / "bert")
    return folder


def config(place, **options):
    return PretrainConfig(text=str(place / "text.txt"), start=str(place / "bert"), **TINY | options)


def words_of(config, out):
    """The command of a configuration, whose settings are in a file."""
    file = out.with_suffix(".toml")
    lines = {
        name: value for name, value in vars(config).items() if value != getattr(PretrainConfig, name, None)
    }
    lines = {name: list(value) if isinstance(value, tuple) else value for name, value in lines.items()}
    text = (
        f"{name} = {str(value).lower() if value in (True, False) else repr(value)}"
        for name, value in lines.items()
    )
    file.write_text("\n".join(text), "utf-8")
    return ["pretrain", "--config", str(file), "--out", str(out)]


@pytest.mark.slow
def test_a_binary_encoder_is_trained_and_saved(place, tmp_path):
    settings = config(place, float_steps=60, steps=40, marks=(0.25,))
    found = pretrain.train(settings, tmp_path)
    first, last = (found["bipft-a"].curves["loss"][i] for i in (0, -1))
    assert last < first and set(found["float"].metrics) == {"loss", "perplexity", "accuracy"}
    assert found["bipft-a"].config["tokens"] == 40 * 4 * 16
    model = binviz.load(tmp_path / "mlm.float+bipft-a.seed0")
    assert model.binviz_recipe.name == "bipft-a" and not unstarted(model)
    # The model of the mark is another one, and has a record of its own
    mark = binviz.load(tmp_path / "mlm.float+bipft-a.at-10.seed0")
    assert not torch.equal(
        mark.bert.encoder.layer[0].output.dense.weight, model.bert.encoder.layer[0].output.dense.weight
    )
    assert (
        runs.read(tmp_path / "runs/pretrain/mlm.float+bipft-a.at-10.seed0.json").config["train"]["steps"]
        == 10
    )
    # The same command finds everything done; with more steps it goes on
    again = pretrain.train(settings, tmp_path)
    assert again["bipft-a"].metrics == found["bipft-a"].metrics
    # Another student of the same float self
    other = pretrain.train(replace(settings, stages=("float", "bipft-b"), steps=2, marks=()), tmp_path)
    assert other["float"].metrics == found["float"].metrics
    longer = pretrain.train(replace(settings, steps=44, marks=()), tmp_path)["bipft-a"]
    assert longer.curves["step"][-1] == 44 and longer.curves["loss"][:40] == found["bipft-a"].curves["loss"]


def test_the_next_sentence(place, tmp_path):
    found = pretrain.train(config(place, next_sentence=True, stages=("float", "bipft-b")), tmp_path)
    assert "next_sentence" in found["bipft-b"].metrics
    assert type(binviz.load(tmp_path / "mlm.float+bipft-b.seed0")).__name__ == "BertForPreTraining"


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_numbers(place, tmp_path):
    """Killed without warning in the middle of a stage. Each is a process of its own, as a user's is."""
    settings = config(place, steps=40)
    whole, cut = (
        [sys.executable, "-m", "binviz.cli", *words_of(settings, tmp_path / to)] for to in ("whole", "cut")
    )
    # The order of sums depends on the number of threads.
    quiet = {
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
        "env": os.environ | {"OMP_NUM_THREADS": "1"},
    }
    subprocess.run(whole, check=True, **quiet)
    process = subprocess.Popen(cut, **quiet)
    checkpoint, until = tmp_path / "cut/mlm.float+bipft-a.seed0.checkpoint", time.monotonic() + 120
    while not checkpoint.exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
    process.wait()
    assert checkpoint.exists()
    subprocess.run(cut, check=True, **quiet)
    wanted, found = (
        runs.read(tmp_path / to / "runs/pretrain/mlm.float+bipft-a.seed0.json") for to in ("whole", "cut")
    )
    assert (found.curves, found.metrics) == (wanted.curves, wanted.metrics)


@pytest.mark.slow
def test_two_processes_learn_as_one_with_batches_of_twice_the_size(place, tmp_path, launch):
    """The loop's curve is of the first process's batches, so weights and held-out loss are compared."""
    halves, whole = config(place, next_sentence=True), config(place, next_sentence=True, batch_size=8)
    launch("-m", "binviz.cli", *words_of(halves, tmp_path / "two"))
    pretrain.train(whole, tmp_path / "one")
    for name in ("mlm.float", "mlm.float+bipft-a"):
        two, one = (
            runs.read(tmp_path / each / f"runs/pretrain/{name}.seed0.json") for each in ("two", "one")
        )
        assert two.metrics["loss"] == pytest.approx(one.metrics["loss"], rel=1e-3)
        assert two.config["tokens"] == one.config["tokens"]


# Bad input.


def test_two_runs_into_one_folder(place, tmp_path):
    script = "import sys; from pathlib import Path; from binviz.files import alone\n"
    script += "with alone(Path(sys.argv[1])): print('in', flush=True); input()"
    other = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdout.readline().strip() == b"in"
    with pytest.raises(UserError, match="another run is writing into"):
        pretrain.train(config(place), tmp_path)
    other.communicate(b"\n")
    # It is free again, also after an error
    with pytest.raises(KeyError), alone(tmp_path):
        raise KeyError
    with alone(tmp_path):
        pass


def test_a_cache_of_another_text(place, tmp_path):
    settings = config(place, float_steps=1, stages=("float",))
    pretrain.train(settings, tmp_path / "first", tmp_path / "cache")
    (tmp_path / "other.txt").write_text("good dog\n" * 100)
    with pytest.raises(UserError, match="made from another text"):
        pretrain.train(
            replace(settings, text=str(tmp_path / "other.txt")), tmp_path / "second", tmp_path / "cache"
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": 4}, "length must be at least 8"),
        ({"length": 64, "positions": 32}, "length 64 is more than the 32 positions"),
        ({"marks": (0.5, 1.5)}, "marks are shares between 0 and 1"),
        ({"marks": (0.5,), "schedule": "linear"}, "marks need the constant schedule"),
        ({"steps": 0}, "steps must be greater than 0"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_settings_that_cannot_be(options, message):
    with pytest.raises(UserError, match=message):
        PretrainConfig("some.txt", **options)


def test_texts_and_starts_that_do_not_fit(place, tmp_path):
    with pytest.raises(UserError, match="has 32 positions; length 64 is more"):
        pretrain.train(config(place, length=64), tmp_path)
    (tmp_path / "short.txt").write_text("good dog")
    with pytest.raises(UserError, match="too few for a sequence of 16"):
        pretrain.train(replace(config(place), text=str(tmp_path / "short.txt")), tmp_path / "out")
    with pytest.raises(UserError, match="no output layer for words; begin with the stage 'float'"):
        pretrain.train(config(place, stages=("bipft-a",)), tmp_path / "other")


def test_mistakes_in_the_command(tmp_path):
    for words, message in (
        (["--config", "nothing.toml"], "is not a configuration"),
        ([], "say what to learn from"),
        (["--text", "a.txt", "--stages", "float,bipft-c"], "no recipe named 'bipft-c'"),
    ):
        words = ["pretrain", "--out", str(tmp_path), "--pieces", "0", *words]
        said = CliRunner().invoke(cli.app, words)
        assert isinstance(said.exception, UserError) and message in str(said.exception)


def test_every_shipped_configuration_can_be_used():
    for name in configs.names(configs.PRETRAIN):
        assert PretrainConfig(**configs.read_pretrain(name)).tokens > 10**6


# Fine-tuning what was pre-trained.


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["bipft-a", "bipft-b"])
def test_a_classifier_keeps_all_that_its_binary_encoder_has_learned(place, tmp_path, recipe):
    from binviz.losses import LossChoice
    from binviz.tasks import Problem
    from binviz.tasks.glue import start
    from binviz.training.settings import TrainConfig
    from binviz.training.stages import Stage, prepare

    pretrain.train(config(place, stages=("float", recipe)), tmp_path)
    folder = tmp_path / f"mlm.float+{recipe}.seed0"
    words, (model, tokenizer) = binviz.load(folder), start("mrpc", str(folder), 0)
    ids = tokenizer(["good dog bad boy"], ["lady"], return_tensors="pt")
    batch = {**ids, "labels": torch.tensor([1])}
    problem = Problem("mrpc", lambda step: batch, lambda model: ({}, None), {}, batch, tokenizer)
    prepare(model, Stage(recipe, TrainConfig(1, 1e-3), LossChoice("labels")), problem)
    kept = model.base_model.state_dict()
    for name, value in words.base_model.state_dict().items():
        assert torch.equal(kept[name], value), name
    with torch.no_grad():
        wanted = words.base_model(**ids).last_hidden_state
        assert torch.equal(model.base_model(**ids).last_hidden_state, wanted)
    # The command that fine-tunes takes it, and its head is that of the float self
    settings = glue.GlueConfig("mrpc", stages=(recipe,), start=str(folder))
    taken, _ = glue.start_model(settings)
    glue.check_fit(taken, tokenizer, settings)
    assert torch.equal(taken.classifier.weight, model.classifier.weight)
    other, _ = start("mrpc", str(tmp_path / "mlm.float.seed0"), 0)
    assert torch.equal(other.classifier.weight, model.classifier.weight)
    assert torch.equal(other.base_model.pooler.dense.weight, model.base_model.pooler.dense.weight)
