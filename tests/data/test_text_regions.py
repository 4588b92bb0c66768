"""What a detector of text learns from, against numbers of the official functions and a loop over pixels."""

import io

import datasets
import numpy as np
import pytest
from PIL import Image

from binviz.data import sources, text_photos
from binviz.data.text_regions import regions
from binviz.errors import UserError

RECTANGLE = np.array([[10.0, 8], [39, 8], [39, 23], [10, 23]])
ALONG = [0.3, 0.314669, 0.411002, 0.507334, 0.603667, 0.7, 0.603667, 0.507334, 0.411002, 0.314669, 0.3]


def of(*polygons, ignored=(), shape=(32, 48)):
    given = np.zeros(len(polygons), bool)
    given[list(ignored)] = True
    return regions(np.array(polygons).reshape(-1, 4, 2), given, shape)


def test_a_rectangle_of_the_official_code():
    found = of(RECTANGLE)
    rows, columns = np.nonzero(found.shrunk)
    assert len(rows) == 176
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (12, 19, 14, 35)
    np.testing.assert_allclose(found.thresholds[15, 5:16], ALONG, atol=1e-5)
    np.testing.assert_allclose(found.thresholds[3:14, 24], ALONG, atol=1e-5)
    rows, columns = np.nonzero(found.near)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (4, 27, 6, 43)
    # Six pixels at each rounded corner are further than D; the official fill leaves out five
    assert len(rows) == 24 * 38 - 4 * 6
    assert found.mask.all() and all(part.dtype == np.float32 for part in found)


def test_a_slanted_word_pixel_by_pixel():
    polygon = np.array([[6.0, 20], [40, 5], [44, 17], [9, 30]])
    found = of(polygon)
    x, y = polygon.T
    area = abs(sum(x[i - 1] * y[i] - x[i] * y[i - 1] for i in range(4))) / 2
    shift = area * 0.84 / sum(np.hypot(x[i] - x[i - 1], y[i] - y[i - 1]) for i in range(4))
    for row, column in np.ndindex(32, 48):
        point, far, within = np.array([column, row]), np.inf, True
        for a, b in zip(polygon, np.roll(polygon, -1, 0), strict=True):
            t = np.clip((point - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
            far = min(far, np.linalg.norm(point - a - t * (b - a)))
            within &= (b - a)[0] * (point - a)[1] - (b - a)[1] * (point - a)[0] > 0  # it is convex
        at = row, column
        assert found.thresholds[at] == pytest.approx(0.3 + 0.4 * max(0, 1 - far / shift), abs=1e-5)
        assert found.near[at] == (within or far < shift)
        assert found.shrunk[at] == (within and far >= shift - 0.5)


def test_of_two_words_the_larger_threshold_counts():
    lower = RECTANGLE + np.array([0, 18])
    one, other = of(RECTANGLE), of(lower, shape=(60, 48))
    both = of(RECTANGLE, lower, shape=(60, 48))
    alone = np.full((60, 48), 0.3, np.float32)
    alone[:32] = one.thresholds
    np.testing.assert_array_equal(both.thresholds, np.maximum(alone, other.thresholds))


def test_what_nobody_is_asked_to_find_is_cut_out_and_gives_no_label():
    small = np.array([[4.0, 4], [30, 4], [30, 11], [4, 11]])
    for found in (of(RECTANGLE, ignored=[0]), of(small)):
        assert not found.shrunk.any() and not found.near.any() and (found.thresholds == np.float32(0.3)).all()
    assert (of(RECTANGLE, ignored=[0]).mask[9:23, 11:39] == 0).all() and of(small).mask.sum() < 32 * 48
    assert of(np.maximum(small, [0, 0]) * [1, 8 / 7]).shrunk.any()  # 8 pixels high


def test_a_picture_without_text_and_words_beyond_its_edge():
    found = of()
    assert not found.shrunk.any() and not found.near.any() and found.mask.all()
    beyond = of(RECTANGLE - [25, 15])
    np.testing.assert_array_equal(beyond.near, np.pad(of(RECTANGLE).near[15:, 25:], ((0, 15), (0, 25))))
    assert not of(RECTANGLE - [200, 0]).near.any()


@pytest.mark.parametrize("polygon", [RECTANGLE[[0, 1, 0, 1]], RECTANGLE * [1, 0], RECTANGLE[[0, 0, 0, 0]]])
def test_a_polygon_of_zero_area(polygon):
    with pytest.raises(UserError, match="polygon 1 has no area; leave it out, or mark it as ignored"):
        of(RECTANGLE, polygon)
    with pytest.raises(UserError, match="polygon 1 has no area"):
        of(RECTANGLE, polygon, ignored=[0])
    found = of(polygon, ignored=[0])
    assert not found.shrunk.any() and np.isfinite(found.thresholds).all()


@pytest.mark.parametrize("ignored", [[], [1]])
def test_a_corner_that_is_no_number(ignored):
    with pytest.raises(UserError, match="polygon 1 has a corner that is no number"):
        of(RECTANGLE, RECTANGLE * np.nan, ignored=ignored)


def test_photographs_are_scaled_with_their_polygons(tmp_path, monkeypatch):
    def photos(*polygons, ignore=()):
        file = io.BytesIO()
        Image.new("RGB", (200, 100)).save(file, "PNG")
        row = {
            "image": {"bytes": file.getvalue(), "path": "a.png"},
            "polygons": [p.ravel().tolist() for p in polygons],
        }
        table = datasets.Dataset.from_list([row | {"ignore": [i in ignore for i in range(len(polygons))]}])
        table = table.cast_column("image", datasets.Image())
        monkeypatch.setattr(sources, "load_dataset", lambda *given: table)
        return text_photos.load()

    (found,) = photos(RECTANGLE, RECTANGLE * [1, 0], ignore=[1])
    assert found.picture.shape == (320, 640, 3) and found.ignored.tolist() == [False, True]
    np.testing.assert_allclose(found.polygons[0], RECTANGLE * [3.2, 3.2])
    with pytest.raises(UserError, match="polygon 1 has no area"):
        photos(RECTANGLE, RECTANGLE * [1, 0])
    with pytest.raises(UserError, match="other than four corners"):
        photos(RECTANGLE[:3])
    (none,) = photos()
    assert none.polygons.shape == (0, 4, 2)
