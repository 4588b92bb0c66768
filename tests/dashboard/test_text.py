"""The page Find the text, on a tiny detector that is made here."""

import io
import json
import re

import numpy as np
import pytest
import torch
from binviz_dashboard import cache, found_text
from PIL import Image

from binviz.data import text_boxes, text_regions
from binviz.errors import UserError
from binviz.networks import DBNet, DBNetConfig


@pytest.fixture
def there(monkeypatch):
    """A detector in the box, untrained but for a head that says something of the picture."""
    torch.manual_seed(0)
    model = DBNet(DBNetConfig(width=4, pyramid=8))
    with torch.no_grad():
        model.probability[-1].weight += 0.5
    monkeypatch.setattr(cache, "detected", lambda name, key, picture: found_text.look(model, picture))
    return model


def maps(app):
    """Names -> maps that the page draws, in hundredths."""
    spec = json.loads(app.get("plotly_chart")[0].proto.spec)
    titles = [note["text"] for note in spec["layout"]["annotations"]][1:]
    return dict(
        zip(
            titles, [trace["z"]["bdata"] for trace in spec["data"] if trace["type"] == "heatmap"], strict=True
        )
    )


def test_the_detector_in_the_box_finds_words_of_a_scene(visit):
    app = visit("text", scene="3")
    assert not app.exception and not app.error
    said = " ".join(each.value for each in app.markdown)
    right, words = re.search(r"(\d+) of (\d+) words have a box", said).groups()
    assert 0 < int(right) <= int(words)


@pytest.mark.slow
def test_k_moves_the_soft_map_alone_and_a_fixed_threshold_the_others(visit, there):
    app = visit("text", scene="4")
    assert not app.exception
    first = maps(app)
    app.slider(key="k").set_value(5).run()
    assert [name for name, value in maps(app).items() if value != first[name]] == ["soft step of P - T"]
    app.toggle(key="learned-thresholds").set_value(False).run()
    app.slider(key="text-threshold").set_value(0.55).run()
    assert not app.exception and "cut at 0.55" in "".join(each.value for each in app.caption)
    assert maps(app)["probability P"] == first["probability P"]
    assert len({*maps(app).values(), *first.values()}) == 5  # P, two T, two steps


def test_the_boxes_drawn_are_those_of_the_map(there):
    scene = found_text.scene(2)
    wanted = text_regions.regions(scene.polygons, scene.ignored, (128, 128))
    perfect = found_text.Maps(wanted.shrunk, wanted.thresholds)
    count = len(scene.polygons)
    said = found_text.in_words(scene, perfect, None)
    assert said == f"{count} of {count} words have a box of their own; 0 more boxes have no word."
    figure = found_text.figure(scene.picture, perfect, 50.0, None)
    drawn = np.array(
        [[x, y] for x, y in zip(figure.data[1].x, figure.data[1].y, strict=True) if x is not None]
    )
    corners = text_boxes.boxes(wanted.shrunk).corners
    np.testing.assert_allclose(drawn.reshape(-1, 5, 2)[:, :4], corners, atol=0.06)


def test_the_code_of_a_figure_runs(there, monkeypatch):
    monkeypatch.setattr("binviz.load", lambda name: there)
    made = {}
    exec(found_text.code(4, 50.0, None), made)
    assert made["figure"].layout.meta["alt"].startswith("A picture with")


def test_the_step_beside_its_signs():
    for k in (1.0, 200.0):
        soft, slope = found_text.curves(k).data[1:3]
        x = np.array(soft.x)
        np.testing.assert_allclose(soft.y, 1 / (1 + np.exp(-k * x)), atol=1e-6)
        np.testing.assert_allclose(slope.y, k * soft.y * (1 - soft.y), atol=1e-4)


def test_a_visitors_picture(there):
    file = io.BytesIO()
    Image.new("RGB", (700, 333), (200, 30, 30)).save(file, "JPEG")
    picture = found_text.own(file.getvalue())
    assert picture.shape == (160, 320, 3)
    found = found_text.look(there, picture)
    assert found.probability.shape == found.threshold.shape == (160, 320)
    assert 0 <= found_text.alive(found, 200.0, None) <= found_text.alive(found, 1.0, None) == 1
    for bad in (b"", b"no picture", file.getvalue()[:300]):
        with pytest.raises(UserError):
            found_text.own(bad)
