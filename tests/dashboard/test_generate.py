"""The page Generate, with two tiny networks that are made here; and those that are in the box."""

import doctest
import json

import numpy as np
import pytest
from binviz_dashboard import cache, denoise

import binviz
from binviz import zoo
from binviz.evidence import runs
from binviz.experiments import generated
from binviz.tasks import diffusion
from binviz.training.bundle import bundle

FLOAT, BINARY = "digits-diffusion.float", "digits-diffusion.binarydm-w1a8"
REFERENCE = {"classifier": "digits-cnn.float", "count": 450, "steps": 20}


@pytest.fixture
def bundled(tmp_path, monkeypatch):
    """A zoo with nothing but two tiny networks that draw, and a record of what one of them drew."""
    monkeypatch.setattr(zoo, "FOLDER", tmp_path / "models")
    monkeypatch.setattr(runs, "SHIPPED", tmp_path / "runs")
    zoo._manifest.cache_clear()
    for name in (FLOAT, BINARY):
        model = diffusion.DIGITS.start("unet-8", seed=0)[0].eval()
        if name == BINARY:
            binviz.binarize_(model, "binarydm-w1a8")
            model(**diffusion.DIGITS.problem(None, 4, 0).calibration)
        run = runs.Run("binarydm", name, 0, {}, "", {}, {}, 1.0)
        bundle(name, model.eval(), run, lambda model: ({"loss": 0.25}, np.zeros(0)))
    metrics = {"frechet": 51.25, "frechet_held_out": 0.5}
    runs.write(runs.Run("generated", BINARY, 0, REFERENCE, "", {}, metrics, 1.0), runs.SHIPPED)
    for each in (cache.model, cache.denoised):
        each.clear()
    yield
    for each in (cache.model, cache.denoised):
        each.clear()
    zoo._manifest.cache_clear()


def charts(app):
    return [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]


def test_examples_in_docstrings():
    assert doctest.testmod(denoise).failed == 0


def test_without_networks_the_page_says_so(visit, monkeypatch):
    monkeypatch.setattr(zoo, "names", lambda pattern="*": [])
    app = visit("generate")
    assert not app.exception and "holds no networks that draw" in app.error[0].value


def test_what_is_in_the_box_is_on_record():
    pair = denoise.pairs()[BINARY]
    for entry in pair:
        assert list(denoise.recorded(entry)) == ["Held-out loss", "Frechet distance"]
    assert "it is no FID" in denoise.about(pair)


@pytest.mark.slow
def test_both_networks_draw_from_the_same_noise(visit, bundled):
    app = visit("generate", seed="3", steps="5", step="2")
    assert not app.exception and not app.error and not app.warning
    pictures, courses = charts(app)
    assert len(pictures["data"]) == 3 and len(courses["data"]) >= 2
    code = {}
    exec(pictures["layout"]["meta"]["code"], code)
    assert code["figure"].layout.meta["alt"] == pictures["layout"]["meta"]["alt"]
    shown = {metric.label: metric.value for metric in app.metric}
    assert shown == {
        "Held-out loss, Float": "0.2500",
        "Held-out loss, 1-bit": "0.2500",
        "Frechet distance, 1-bit": "51.2",
    }
    assert "it is no FID" in app.caption[-1].value and "have 0.5" in app.caption[-1].value
    app.slider(key="step").set_value(5).run()
    assert charts(app)[0]["data"] != pictures["data"]
    at_the_end = charts(app)[0]["data"][0]["z"]
    app.get("button_group")[1].set_value(denoise.BELIEVED).run()
    assert charts(app)[0]["data"][0]["z"] == at_the_end, "with no noise left they are the same"


def test_a_pair_is_two_networks_of_one_task(bundled):
    found = denoise.pairs()
    assert list(found) == [BINARY] and found[BINARY].teacher.name == FLOAT
    assert found[BINARY].task is generated.KNOWN["digits-diffusion"]
