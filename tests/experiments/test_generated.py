"""Pictures that a network draws: their record, and the file beside it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import binviz
from binviz import zoo
from binviz.analysis import frechet
from binviz.errors import UserError
from binviz.evidence import runs
from binviz.experiments import generated
from binviz.experiments.generated import diffusion


def test_pictures_stand_in_rows():
    pictures = np.arange(6, dtype=np.uint8)[:, None, None] * np.ones((2, 3), np.uint8)
    found = generated.sheet(pictures, row=3)
    assert found.shape == (2 * 3 + 1, 3 * 4 + 1)
    assert [found[1 + 3 * (i // 3), 1 + 4 * (i % 3)] for i in range(6)] == list(range(6))
    assert (found[::3] == 128).all() and (found[:, ::4] == 128).all()
    assert generated.sheet(np.zeros((2, 4, 4, 3), np.uint8), row=1).shape == (11, 6, 3)


def test_the_same_noise_is_drawn_whatever_the_batch(monkeypatch):
    model = diffusion.DIGITS.start("unet-8", seed=1)[0].eval()
    whole = generated.draw(model, diffusion.DIGITS, count=5, steps=2)
    monkeypatch.setattr(generated, "BATCH", 2)
    torch.testing.assert_close(
        generated.draw(model, diffusion.DIGITS, count=5, steps=2), whole, rtol=1e-3, atol=1e-3
    )


def test_the_command(tmp_path, capsys):
    model = diffusion.DIGITS.start("unet-8", seed=0)[0].eval()
    folder = tmp_path / "digits-diffusion.float.seed3"
    binviz.save(model, folder)
    generated.main([str(folder), "--out", str(tmp_path), "--count", "16", "--steps", "2"])
    assert capsys.readouterr().out.startswith("digits-diffusion.float frechet ")
    run = runs.read(tmp_path / "runs/generated/digits-diffusion.float.seed3.json")
    assert run.seed == 3 and run.config["classifier"] == "digits-cnn.float"
    # It never saw a digit: real ones are nearer to real ones
    assert run.metrics["frechet"] > run.metrics["frechet_held_out"] > 0
    path = generated.picture_of(run, tmp_path / "runs")
    assert path.stat().st_size < 50_000
    with Image.open(path) as picture:
        assert picture.size == (8 * 9 + 1, 2 * 9 + 1)


def test_a_bundled_network_draws_as_its_cell():
    run, _ = generated.measure("digits-diffusion.binarydm-w1a8", count=16, steps=1)
    assert (run.cell, run.seed) == ("digits-diffusion.binarydm", 0)


def test_a_name_that_is_no_cells(tmp_path):
    for place in (tmp_path / "digits-diffusion.float", tmp_path / "digits.float.seed0", "digits-cnn.float"):
        with pytest.raises(UserError, match="neither a bundled network that draws nor named"):
            generated.measure(str(place))


@pytest.mark.slow
def test_pictures_of_sixteen_pixels_are_read_enlarged(tmp_path, monkeypatch):
    random = torch.Generator().manual_seed(0)
    photos = {split: torch.rand(n, 3, 16, 16, generator=random) for split, n in (("train", 30), ("test", 40))}
    of = replace(diffusion.CIFAR, load=photos.__getitem__)
    monkeypatch.setitem(generated.KNOWN, of.name, of)
    model = of.start("unet-8", seed=0)[0].eval()
    binviz.save(model, tmp_path / "cifar10-diffusion.float.seed0")
    run, sheet = generated.measure(str(tmp_path / "cifar10-diffusion.float.seed0"), count=16, steps=1)
    assert run.config["classifier"] == "cifar10-vit.float" and sheet.shape == (2 * 17 + 1, 8 * 17 + 1, 3)
    network = zoo.load("cifar10-vit.float")

    def seen(pictures):
        pixels = pictures.repeat_interleave(2, 2).repeat_interleave(2, 3)
        with torch.no_grad():
            return network.vit(pixel_values=pixels).last_hidden_state[:, 0].double().numpy()

    wanted = frechet.frechet(seen(photos["test"][:16]), seen(photos["train"]))
    assert run.metrics["frechet_held_out"] == pytest.approx(wanted, rel=1e-3)
