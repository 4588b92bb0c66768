"""`binviz train images` on settings that cannot be used."""

import pytest
from typer.testing import CliRunner

import binviz
from binviz import cli
from binviz.errors import UserError
from binviz.evidence import runs
from binviz.training.images import ImagesConfig


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--seed", "-1"], "seed must be at least 0"),
        (["--seed", str(2**70)], "seed must be at least 0 and less than 2**63"),
        (["--binary-lr", "nan"], "binary_lr must be greater than 0"),
        (["--hidden-weight", "nan"], "hidden_weight must be at least 0"),
        (["--hidden-weight", "-1"], "hidden_weight must be at least 0"),
        (["--width", "30"], "width must be a multiple of 4, not 30"),
        (
            ["--width", "32", "--stages", "bit-w1a1"],
            "no float model digits-vit-32 here; begin with the stage",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_answered_before_anything_is_trained(tmp_path, words, message):
    said = CliRunner().invoke(cli.app, ["train", "images", "--out", str(tmp_path), *words])
    assert isinstance(said.exception, UserError) and message in str(said.exception)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "value"),
    [("steps", 0), ("lr", float("inf")), ("weight_decay", -0.1), ("batch_size", 0), ("label_weight", -1.0)],
)
def test_settings_that_make_no_sense(name, value):
    with pytest.raises(UserError, match=f"^{name} must be"):
        ImagesConfig(**{name: value})


@pytest.mark.parametrize("arch", ["vit", "cnn"])
def test_another_width_is_another_model(tmp_path, arch):
    words = ["--arch", arch, "--width", "16", "--steps", "1", "--binary-steps", "1", "--out", str(tmp_path)]
    assert CliRunner().invoke(cli.app, ["train", "images", *words]).exit_code == 0
    config = binviz.load(tmp_path / f"digits-{arch}-16.float+bit-w1a1.seed0").config
    assert (config.hidden_size if arch == "vit" else 2 * config.width) == 16
    assert runs.read(tmp_path / f"runs/digits/digits-{arch}-16.float.seed0.json").config["width"] == 16
