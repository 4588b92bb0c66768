"""`binviz train glue` from end to end, on a generated data set and a tiny model."""

import json
import subprocess
import sys
from dataclasses import asdict

import datasets
import pytest
import torch
import transformers
from typer.testing import CliRunner

import binviz
from binviz import cli
from binviz.errors import UserError
from binviz.evidence import runs
from binviz.training import configs, glue

PIECES = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    *"abdgloy",
    *(f"##{c}" for c in "abdgloy"),
    "good",
    "bad",
]
WORDS = ("good", "bad", "lady", "old", "boy")


def sentences(seed, count):
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randint(5, (count, 4), generator=generator).tolist()
    return [" ".join(WORDS[i] for i in row) for row in chosen]


@pytest.fixture(scope="module")
def classroom(tmp_path_factory):
    """A mirror with sst2, mrpc and stsb, and a pre-trained model "some/bert"."""
    folder = tmp_path_factory.mktemp("mirror")
    for task, columns in (
        ("sst2", ["sentence"]),
        ("mrpc", ["sentence1", "sentence2"]),
        ("stsb", ["sentence1", "sentence2"]),
    ):
        place = folder / "datasets/nyu-mll/glue" / task
        place.mkdir(parents=True)
        for seed, (split, count) in enumerate((("train", 40), ("validation", 12))):
            table = {name: sentences(10 * seed + i, count) for i, name in enumerate(columns)}
            good = [text.count("good") for text in table[columns[0]]]
            table["label"] = [float(g) for g in good] if task == "stsb" else [int(g > 0) for g in good]
            datasets.Dataset.from_dict(table).to_parquet(place / f"{split}-00000-of-00001.parquet")
    save(folder / "models/some/bert")
    return folder


def save(folder, cls=transformers.BertModel, vocabulary=21, **options):
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=vocabulary,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=128,
        **options,
    )
    cls(config).save_pretrained(folder)
    transformers.BertTokenizer(vocab={piece: i for i, piece in enumerate(PIECES)}).save_pretrained(folder)
    return folder


@pytest.fixture
def here(classroom, monkeypatch):
    monkeypatch.setenv("BINVIZ_MIRROR", str(classroom))
    return classroom


def config(task="sst2", stages=("float", "bit-w1a2", "bit-w1a1"), **options):
    settings = {"epochs": 1.0, "binary_steps": 4, "batch_size": 8, "precision": "no"}
    return glue.GlueConfig(task, stages, **{"start": "some/bert"} | settings | options)


COMMAND = [
    "train",
    "glue",
    "--start",
    "some/bert",
    "--epochs",
    "1",
    "--binary-steps",
    "4",
    "--batch-size",
    "8",
]


def test_one_command_trains_a_chain(here, tmp_path):
    words = [*COMMAND, "--stages", "float,bit-w1a2,bit-w1a1", "--out", str(tmp_path)]
    said = CliRunner().invoke(cli.app, words)
    assert said.exit_code == 0, said.output
    assert [line.split(":")[0] for line in said.stdout.splitlines()[:3]] == ["float", "bit-w1a2", "bit-w1a1"]
    model = binviz.load(tmp_path / "sst2.float+bit-w1a2+bit-w1a1.seed0")
    assert model.binviz_recipe.name == "bit-w1a1"
    run = runs.read(tmp_path / "runs/glue/sst2.float+bit-w1a2+bit-w1a1.seed0.json")
    assert run.curves["watched"] == [1, 2, 3, 4]
    for name in ("flips/layers.1.fc2", "scale/layers.0.attention.query", "shift/layers.0.fc1", "flips/embed"):
        assert len(run.curves[name]) == 4
    assert {name.partition("/")[0] for name in run.curves} == {
        "step",
        "loss",
        "accuracy",
        "watched",
        "flips",
        "scale",
        "shift",
    }
    assert not [name for name in run.curves if "bert" in name]


@pytest.mark.parametrize(
    ("task", "metrics", "distillation"),
    [("mrpc", {"accuracy", "f1"}, "bibert"), ("stsb", {"pearson", "spearman"}, "bit")],
)
def test_pairs_and_regression(here, tmp_path, task, metrics, distillation):
    records = glue.train(config(task, ("float", "bibert"), distillation=distillation), tmp_path)
    assert set(records["bibert"].metrics) == metrics
    assert records["bibert"].curves["loss"][0] > 0
    found = records["bibert"]
    assert (bool(found.predictions), bool(found.scores)) == (task == "mrpc", task == "stsb")
    worth = runs.each_example(found)
    assert len(worth) == found.examples > 0 and (task == "mrpc" or (worth <= 0).all())


def test_a_student_without_a_teacher(here, tmp_path):
    """From labels alone, by the same command."""
    words = [*COMMAND, "--stages", "float,bit-w1a1", "--distillation", "labels", "--out", str(tmp_path)]
    said = CliRunner().invoke(cli.app, words)
    assert said.exit_code == 0, said.output
    run = runs.read(tmp_path / "runs/glue/sst2.float+bit-w1a1.seed0.json")
    assert run.config["identity"]["loss"] == {"name": "labels"}
    assert run.config["identity"]["recipe"]["name"] == "bit-w1a1" and run.curves["step"] == [1, 2, 3, 4]


@pytest.mark.slow
def test_a_killed_process_goes_on_to_the_same_numbers(here, tmp_path):
    """Not an exception: the process is gone in the middle of the last stage."""
    wanted = glue.train(config(binary_steps=6), tmp_path / "unbroken")
    script = f"""
import os
from pathlib import Path
import torch
from binviz.training import book, glue, settings
torch.set_num_threads({torch.get_num_threads()})  # the order of sums depends on it
config = glue.GlueConfig(**{asdict(config(binary_steps=6))!r})
taken, original = [], book.observe.curves
def die(*args):
    taken.append(1)
    if len(taken) > 6 + 4:  # the second binary stage
        os._exit(9)
    return original(*args)
book.observe.curves = die
settings.TrainConfig.__init__.__defaults__ = (*settings.TrainConfig.__init__.__defaults__[:-1], 2)  # checkpoint_every
glue.train(config, Path({str(tmp_path / "killed")!r}))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == 9, done.stderr
    left = {path.name for path in (tmp_path / "killed").iterdir()}
    assert left == {
        "runs",
        "sst2.float.seed0",
        "sst2.float+bit-w1a2.seed0",
        "sst2.float+bit-w1a2+bit-w1a1.seed0.checkpoint",
    }
    found = glue.train(config(binary_steps=6), tmp_path / "killed")
    for stage, run in found.items():
        assert run.curves == wanted[stage].curves
        assert (run.metrics, run.predictions) == (wanted[stage].metrics, wanted[stage].predictions)


@pytest.mark.slow
def test_two_processes(here, tmp_path, launch):
    """One record, written once, of twice the examples."""
    words = [*COMMAND, "--stages", "float,bit-w1a1", "--precision", "no", "--out", str(tmp_path)]
    launch("-m", "binviz.cli", *words)
    run = runs.read(tmp_path / "runs/glue/sst2.float.seed0.json")
    assert run.curves["step"] == [1, 2]  # 40 examples in batches of twice 8
    assert binviz.load(tmp_path / "sst2.float+bit-w1a1.seed0").binviz_recipe.name == "bit-w1a1"


# Starts that do not fit.


def test_a_start_with_other_labels(here, tmp_path):
    three = save(tmp_path / "three", transformers.BertForSequenceClassification, num_labels=3)
    with pytest.raises(UserError, match="is fine-tuned for 3 labels, sst2 has 2"):
        glue.train(config(start=str(three)), tmp_path)
    binviz.save(binviz.load(three), tmp_path / "saved", binviz.load_tokenizer(three))
    with pytest.raises(UserError, match="gives 3 labels, sst2 has 2"):
        glue.train(config(stages=("bit-w1a1",), start=str(tmp_path / "saved")), tmp_path)


def test_a_start_without_a_head(here, tmp_path):
    binviz.save(
        transformers.BertModel.from_pretrained(here / "models/some/bert"),
        tmp_path / "bare",
        binviz.load_tokenizer(here / "models/some/bert"),
    )
    with pytest.raises(UserError, match="is a BertModel, which gives no labels; begin with 'float'"):
        glue.train(config(stages=("bit-w1a1",), start=str(tmp_path / "bare")), tmp_path)


def test_a_start_with_another_vocabulary(here, tmp_path):
    small = save(tmp_path / "small", vocabulary=10)
    with pytest.raises(UserError, match=f"has piece {len(PIECES) - 1}, its model only 10"):
        glue.train(config(start=str(small)), tmp_path)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--task", "sst"], "no GLUE task 'sst'"),
        (["--stages", "float,bit-w1a3"], "no recipe named 'bit-w1a3'"),
        (["--distillation", "best"], "no loss 'best'; did you mean"),
        (["--config", "nothing.toml"], "is not a configuration"),
        (["--seed", "-1"], "seed must be at least 0"),
        (["--seed", str(2**70)], "seed must be at least 0 and less than 2**63"),
        (["--epochs", "nan"], "epochs must be greater than 0"),
        (["--epochs", "inf"], "epochs must be greater than 0 and at most"),
        (["--lr", "0"], "lr must be greater than 0"),
        (["--pieces", "-1"], "pieces must be at least 0"),
    ],
    ids=lambda value: value[1] if isinstance(value, list) else "",
)
def test_a_mistake_is_answered_before_anything_is_loaded(here, tmp_path, words, message):
    said = CliRunner().invoke(cli.app, ["train", "glue", "--out", str(tmp_path), *words])
    assert isinstance(said.exception, UserError) and message in str(said.exception)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed = -1", "seed must be at least 0 and less than 2**63, not -1"),
        (f"seed = {2**70}", "seed must be less than"),
        ("epochs = nan", "epochs must be greater than 0 and at most 1e+09, not nan"),
        (f"epochs = 1{400 * '0'}", "epochs must be less than 2**63"),
        ("binary_epochs = inf", "binary_epochs must be at least 0 and at most 1e+09, not inf"),
        ("binary_steps = 0", "binary_steps must be greater than 0"),
        ("batch_size = 0", "batch_size must be greater than 0"),
        ("binary_lr = nan", "binary_lr must be greater than 0"),
        ("scale_lr = -1.0", "scale_lr must be greater than 0"),
        ("positions = -1", "positions must be at least 0"),
        ("dropout = 2.0", "dropout must be at least 0 and less than 1, not 2.0"),
        ("dropout = 1.0", "dropout must be at least 0 and less than 1"),
        ("dropout = nan", "dropout must be at least 0"),
        ("label_weight = -1.0", "label_weight must be at least 0"),
        ("hidden_weight = nan", "hidden_weight must be at least 0"),
    ],
    ids=lambda value: value[:20],
)
def test_numbers_out_of_range_in_a_file(here, tmp_path, text, message):
    (tmp_path / "bad.toml").write_text(text)
    words = ["train", "glue", "--config", str(tmp_path / "bad.toml"), "--out", str(tmp_path / "out")]
    said = CliRunner().invoke(cli.app, words)
    assert isinstance(said.exception, UserError) and message in str(said.exception)
    assert "\n" not in str(said.exception) and not (tmp_path / "out").exists()


# Configuration files.


def test_the_papers_setting():
    """BiT's scripts: learning rate, epochs and batch size of each task, optimizer, alphas kept."""
    wanted = {
        "cola": (5e-4, 50, 16),
        "mnli": (2e-4, 6, 16),
        "mrpc": (5e-4, 20, 8),
        "sst2": (1e-4, 10, 8),
        "stsb": (5e-4, 20, 8),
        "qqp": (2e-4, 6, 32),
        "qnli": (2e-4, 10, 8),
        "rte": (5e-4, 20, 8),
    }
    for task, (lr, epochs, batch_size) in wanted.items():
        found = glue.GlueConfig(task, **configs.read("bit-bert-base", task))
        assert (found.binary_lr, found.binary_epochs, found.batch_size) == (lr, epochs, batch_size)
        assert found.stages == ("float", "bit-w1a2", "bit-w1a1")
        assert (found.optimizer, found.keep_alphas) == ("bert-adam", True)


def test_optimizer_and_alphas_reach_every_stage(here, tmp_path):
    chosen = config(
        stages=("float", "bit-w1a2"), epochs=0.001, binary_steps=1, optimizer="bert-adam", keep_alphas=True
    )
    first, second = (run.config["identity"] for run in glue.train(chosen, tmp_path).values())
    assert first["train"]["optimizer"] == second["train"]["optimizer"] == "bert-adam"
    assert second["keep_alphas"] is True


def test_options_go_before_the_file(here, tmp_path):
    (tmp_path / "mine.toml").write_text(
        'start = "some/bert"\nstages = ["float", "bibert"]\nepochs = 1\nprecision = "no"\n'
        "[sst2]\nbinary_epochs = 0.4\nbatch_size = 4\n[mrpc]\nbatch_size = 2\n"
    )
    words = [
        "train",
        "glue",
        "--config",
        str(tmp_path / "mine.toml"),
        "--batch-size",
        "8",
        "--out",
        str(tmp_path),
    ]
    said = CliRunner().invoke(cli.app, words)
    assert said.exit_code == 0, said.output
    run = runs.read(tmp_path / "runs/glue/sst2.float+bibert.seed0.json")
    assert run.config["batch_size"] == 8
    assert run.curves["step"] == [1, 2]  # 0.4 epochs of 5 batches
    words[-1] = str(tmp_path / "steps")
    said = CliRunner().invoke(cli.app, [*words, "--binary-steps", "3"])
    assert said.exit_code == 0, said.output
    run = runs.read(tmp_path / "steps/runs/glue/sst2.float+bibert.seed0.json")
    assert run.curves["step"] == [1, 2, 3]


def test_less_than_a_step_is_one(here, tmp_path):
    records = glue.train(config(stages=("float", "bibert"), epochs=0.001, binary_epochs=0.001), tmp_path)
    assert [run.curves["step"] for run in records.values()] == [[1], [1]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lr = ", "is not a configuration"),
        ("learning_rate = 1.0", "no setting 'learning_rate'"),
        ("lr = 'fast'", "lr cannot be 'fast'"),
        ("seed = true", "seed cannot be True"),
        ("keep_alphas = 1", "keep_alphas cannot be 1"),
        ("stages = 'float'", "stages cannot be 'float'"),
        ("task = 'cola'", "no setting 'task'"),
        (f"seed = 0x{5000 * 'f'}", "seed must be less than"),
        (
            f"stages = [0x{5000 * 'f'}]",
            "stages cannot be a number of very many digits; it is a list of names",
        ),
        ("start = '" + 300_000 * "a" + "'", "larger than"),
        ("a = " + 5000 * "[", "is not a configuration"),
        ("[sst3]\nlr = 1.0", "is no GLUE task"),
        ("[sst2]\nlr = [1.0]", "lr cannot be"),
    ],
)
def test_configurations_that_make_no_sense(tmp_path, text, message):
    (tmp_path / "bad.toml").write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        configs.read(str(tmp_path / "bad.toml"), "sst2")
    assert "\n" not in str(caught.value)


def test_records_are_small_and_json(here, tmp_path):
    glue.train(config(stages=("float", "bit-w1a1")), tmp_path)
    path = tmp_path / "runs/glue/sst2.float+bit-w1a1.seed0.json"
    assert path.stat().st_size < 100_000
    assert len(json.loads(path.read_text())["curves"]["watched"]) <= 40
