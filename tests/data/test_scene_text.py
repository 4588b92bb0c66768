"""Generated scenes of text: words are where their polygons say, whatever fonts there are."""

import numpy as np
import pytest
from PIL import Image

from binviz.data import scene_text


@pytest.fixture(params=["every font", "Pillow's alone"])
def fonts(request, monkeypatch):
    if request.param != "every font":
        monkeypatch.setattr(scene_text, "find_spec", lambda name: None)
    scene_text.fonts.cache_clear()
    yield scene_text.fonts()
    scene_text.fonts.cache_clear()


def test_scenes_are_decided_by_the_generator_alone(fonts):
    first, again = (scene_text.generate(3, np.random.default_rng(5)) for _ in range(2))
    assert all(np.array_equal(a.picture, b.picture) for a, b in zip(first, again, strict=True))
    assert all(np.array_equal(a.polygons, b.polygons) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0].picture, first[1].picture)
    assert next(iter(fonts)) == "Aileron"


def test_words_lie_inside_the_picture_and_apart():
    scenes = scene_text.generate(60, np.random.default_rng(0), size=96)
    counts = [len(scene.polygons) for scene in scenes]
    assert min(counts) == 0 and 3 <= max(counts) <= scene_text.WORDS
    for scene in scenes:
        assert scene.picture.shape == (96, 96, 3) and scene.picture.dtype == np.uint8
        assert ((scene.polygons >= 0) & (scene.polygons <= 95)).all()
        low, high = scene.polygons.min(1), scene.polygons.max(1)
        for i in range(len(low)):
            for j in range(i):
                assert (high[i] + 2 < low[j]).any() or (high[j] + 2 < low[i]).any()


def test_a_word_is_painted_on_its_polygon_and_nowhere_else(monkeypatch):
    """A word that is all ink fills its quadrilateral: the share of pixels that it covers is the polygon's area."""
    monkeypatch.setattr(scene_text, "readable", lambda behind, rng: (255, 255, 255))

    class Plain:
        """A generator that asks for no panel and for full strength."""

        random = staticmethod(lambda: 1.0)
        uniform = staticmethod(lambda low, high, size=None: high)

    polygon = np.array([[20.0, 30], [90, 18], [96, 44], [14, 58]])
    found = scene_text.painted(Image.new("RGB", (128, 128)), Image.new("L", (90, 32), 255), polygon, Plain)
    ink = np.asarray(found)[..., 0] / 255
    x, y = polygon.T
    area = abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
    assert abs(ink.sum() - area) < 0.05 * area
    rows, columns = np.nonzero(ink)
    # A pixel whose middle lies on the border, as those at the corners do, may be painted or not
    first, last = np.array([rows.min(), columns.min()]), np.array([rows.max(), columns.max()])
    low, high = np.array([y.min(), x.min()]), np.array([y.max(), x.max()])
    assert (low <= first).all() and (first <= low + 1).all()
    assert (high - 1 <= last).all() and (last <= high).all()
    middle = polygon.mean(0).astype(int)
    assert ink[middle[1], middle[0]] == 1


def test_ink_is_never_like_what_is_behind_it():
    rng = np.random.default_rng(0)
    for _ in range(200):
        behind = rng.uniform(0, 255, 3)
        colour = np.array(scene_text.readable(behind, rng))
        assert ((colour >= 0) & (colour <= 255)).all()
        assert abs(colour.mean() - behind.mean()) > 78
