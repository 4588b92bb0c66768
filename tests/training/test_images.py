"""`binviz train images` on settings that cannot be used."""

import numpy as np
import pytest
from PIL import Image
from transformers import ViTConfig, ViTForImageClassification
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


@pytest.fixture
def folder(tmp_path):
    """Three classes of pictures, of 16 pixels a side."""
    for label in range(3):
        (tmp_path / "colours" / "rgb"[label]).mkdir(parents=True)
        for i in range(10):
            pixels = np.zeros((16, 16, 3), np.uint8)
            pixels[..., label] = 200 + i
            Image.fromarray(pixels).save(tmp_path / "colours" / "rgb"[label] / f"{i}.png")
    return tmp_path / "colours"


@pytest.mark.parametrize("arch", ["vit", "swin", "cnn"])
def test_a_folder_of_pictures_is_learned_binarized_and_loaded_again(folder, tmp_path, arch):
    words = ["--dataset", str(folder), "--arch", arch, "--width", "16", "--stages", "float,bivit-w1a1"]
    words += [
        "--steps",
        "3",
        "--binary-steps",
        "2",
        "--batch-size",
        "9",
        "--mix",
        "cutmix",
        "--out",
        str(tmp_path),
    ]
    said = CliRunner().invoke(cli.app, ["train", "images", *words])
    assert said.exit_code == 0, said.output
    run = runs.read(tmp_path / f"runs/colours/colours-{arch}-16.float+bivit-w1a1.seed0.json")
    assert run.config["identity"]["augment"] == "cutmix" and run.examples == 3
    config = binviz.load(tmp_path / f"colours-{arch}-16.float+bivit-w1a1.seed0").config
    assert config.id2label == {0: "b", 1: "g", 2: "r"}


def test_a_data_set_and_an_architecture_that_do_not_fit(folder, tmp_path):
    for words, message in [
        (["--arch", "swin"], "no architecture 'swin'; choose one of: vit, cnn"),
        (["--dataset", str(folder), "--arch", "swin", "--size", "24"], "multiple of 16 pixels, not 24"),
        (["--dataset", str(folder), "--arch", "vgg"], "or the hub id or folder of a checkpoint"),
        (["--dataset", str(folder), "--width", "20"], "the width of 'vit-20' is no multiple of 16"),
        (["--dataset", str(tmp_path / "none")], "neither in a BINVIZ_MIRROR"),
        (["--size", "16"], "the digits have 8 pixels"),
        (["--mix", "shuffle"], "shuffle"),
    ]:
        said = CliRunner().invoke(cli.app, ["train", "images", "--out", str(tmp_path / "out"), *words])
        assert isinstance(said.exception, UserError) and message in str(said.exception), (
            words,
            said.exception,
        )


def test_a_checkpoint_gets_a_head_for_the_classes(folder, tmp_path):
    settings = {"image_size": 16, "patch_size": 8, "hidden_size": 16, "num_attention_heads": 2}
    start = ViTForImageClassification(ViTConfig(**settings, num_hidden_layers=1, intermediate_size=16))
    start.save_pretrained(tmp_path / "start")
    words = ["--dataset", str(folder), "--stages", "bivit-w1a1", "--binary-steps", "1", "--batch-size", "4"]
    words += ["--arch", str(tmp_path / "start"), "--out", str(tmp_path / "out")]
    said = CliRunner().invoke(
        cli.app, ["train", "images", *words, "--stages", "float,bivit-w1a1", "--steps", "1"]
    )
    assert said.exit_code == 0, said.output
    (found,) = (tmp_path / "out").glob("colours-start.float+bivit-w1a1.seed0")
    assert binviz.load(found).classifier.out_features == 3
    other = CliRunner().invoke(cli.app, ["train", "images", *words, "--size", "32"])
    assert "takes pictures of 16 pixels, not 32" in str(other.exception) or "begin with" in str(
        other.exception
    )
