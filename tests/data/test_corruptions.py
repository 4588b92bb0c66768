"""The fifteen corruptions against independent definitions, and what all of them owe."""

import colorsys
import io

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from binviz.data import digits, photos
from binviz.data.corruptions import CORRUPTIONS, NAMES, blur, corrupt, digital, noise, weather
from binviz.data.corruptions.corruption import SEVERITIES
from binviz.data.corruptions.draws import Draws
from binviz.data.corruptions.resample import bilinear, enlarged, mirrored, spread
from binviz.errors import UserError

RNG = np.random.default_rng(0)
#: Whose official parameters grow at every step; the others have several, of which some fall.
GROWING = [name for name in NAMES if name not in ("glass_blur", "elastic_transform", "frost")]


def a_draw(count=1):
    return Draws(0, 0, count, 0)


@pytest.fixture(scope="module")
def crops():
    """Thirty squares of the two photographs, shrunk to 32 pixels."""
    squares = [
        Image.fromarray(photos.load(name)[row : row + 128, column : column + 128]).resize((32, 32))
        for name in photos.NAMES
        for row in (0, 128, 256)
        for column in range(0, 512, 102)
    ]
    return np.stack([np.asarray(square) for square in squares])


@pytest.fixture(scope="module")
def small():
    return (255 - 15 * digits.raw("test")[0][:60]).astype(np.uint8)


def test_there_are_the_fifteen_of_the_paper():
    groups = {group: [each for each in NAMES if CORRUPTIONS[each].group == group] for group in
              ("noise", "blur", "weather", "digital")}  # fmt: skip
    assert [len(names) for names in groups.values()] == [3, 4, 4, 4] and len(NAMES) == 15
    assert all(len(each.steps) == 5 for each in CORRUPTIONS.values())
    assert "synthetic" in CORRUPTIONS["frost"].title


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(2, 1, 1), (1, 1, 5, 3), (2, 2, 3), (1, 8, 8), (1, 33, 17, 3)], ids=str)
def test_pictures_of_any_size_stay_pictures(name, shape):
    pictures = RNG.integers(0, 256, shape, dtype=np.uint8)
    before = pictures.copy()
    for severity in (1, 5):
        changed = corrupt(pictures, name, severity)
        assert changed.shape == shape and changed.dtype == np.uint8
        assert np.array_equal(changed, corrupt(pictures, name, severity))
    assert np.array_equal(pictures, before)
    untouched = corrupt(pictures, name, 0)
    assert np.array_equal(untouched, before) and untouched is not pictures


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_is_corrupted_alike_alone_and_among_others(name, small):
    together = corrupt(small[:6], name, 4, seed=3)
    assert np.array_equal(together[4:5], corrupt(small[4:5], name, 4, seed=3, first=4))
    fixed = ("defocus_blur", "zoom_blur", "brightness", "contrast", "pixelate", "jpeg_compression")
    assert np.array_equal(together, corrupt(small[:6], name, 4, seed=4)) is (name in fixed)


@pytest.mark.parametrize("name", NAMES)
def test_each_severity_is_worse_than_the_one_before(name, crops, small):
    def error(pictures, severity):
        return np.abs(corrupt(pictures, name, severity).astype(int) - pictures).mean()

    errors = [error(crops, each) for each in SEVERITIES]
    assert errors[0] > 0.5
    assert name not in GROWING or np.all(np.diff(errors) >= 0), errors
    assert name not in GROWING or errors[-1] > 1.4 * errors[0], errors
    # Of eight pixels 0.95 and 0.9 are both seven, so that on digits only the ends are compared
    assert error(small, 5) > error(small, 1) > 0.5


@pytest.mark.parametrize(
    ("pictures", "name", "severity", "said"),
    [
        (np.zeros((1, 4, 4), np.uint8), "rain", 1, "no corruption 'rain'"),
        (np.zeros((1, 4, 4), np.uint8), "frosts", 1, "did you mean 'frost'"),
        (np.zeros((1, 4, 4), np.uint8), "fog", 6, "choose 0"),
        (np.zeros((1, 4, 4), np.uint8), "fog", -1, "choose 0"),
        (np.zeros((1, 4, 4), np.float32), "fog", 1, "pass uint8"),
        (np.zeros((4, 4), np.uint8), "fog", 1, "pass uint8"),
        (np.zeros((1, 4, 4, 4), np.uint8), "fog", 1, "pass uint8"),
        (np.zeros((1, 0, 4), np.uint8), "fog", 1, "pass uint8"),
    ],
)
def test_what_cannot_be_corrupted_is_said_in_one_line(pictures, name, severity, said):
    with pytest.raises(UserError, match=said):
        corrupt(pictures, name, severity)


def test_noise_has_the_variance_of_its_formula():
    x = np.full((1, 200, 200, 3), 0.4, np.float32)
    assert noise.gaussian_noise(x, a_draw(), 0.08).std() == pytest.approx(0.08, rel=0.02)
    shot = noise.shot_noise(x, a_draw(), 50)  # Poisson: variance = mean, so 0.4 / 50
    assert shot.mean() == pytest.approx(0.4, rel=0.01) and shot.var() == pytest.approx(0.4 / 50, rel=0.03)
    struck = noise.impulse_noise(x, a_draw(), 0.07)
    assert set(np.unique(struck)) == {0, np.float32(0.4), 1}
    assert (struck == 1).mean() == pytest.approx(0.035, rel=0.1)


def test_a_point_out_of_focus_is_the_disk():
    point = np.zeros((1, 9, 9, 1), np.float32)
    point[0, 4, 4] = 1
    seen = blur.defocus_blur(point, a_draw(), 1.5, 0.1)[0, :, :, 0]
    assert seen.sum() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(seen[3:6, 3:6], 1 / 9, atol=1e-6)  # all nine lie within 1.5
    soft = blur.disk(0.4, 0.5)
    assert soft.shape == (3, 3) and soft[1, 1] / soft[0, 1] == pytest.approx(np.exp(2), rel=1e-4)


def test_motion_blur_is_imagemagicks_sum():
    x = RNG.random((3, 7, 6, 3), dtype=np.float32)
    angles, radius, sigma = np.array([-45.0, 20.0, 90.0]), 2, 1.2
    expected = np.zeros_like(x, dtype=float)
    taps = [np.exp(-(i**2) / (2 * sigma**2)) for i in range(2 * radius + 1)]
    taps = [tap for tap in taps if tap / sum(taps) >= blur.LEAST]
    for n, angle in enumerate(np.deg2rad(angles)):
        for row in range(7):
            for column in range(6):
                for i, tap in enumerate(taps):
                    r = min(max(row + int(np.ceil(i * np.sin(angle) - 0.5)), 0), 6)
                    c = min(max(column + int(np.ceil(i * np.cos(angle) - 0.5)), 0), 5)
                    expected[n, row, column] += tap / sum(taps) * x[n, r, c]
    np.testing.assert_allclose(blur.along(x, angles, radius, sigma), expected, atol=1e-6)


@pytest.mark.parametrize(("side", "factor"), [(32, 1.04), (32, 2.25), (8, 1.25), (7, 1.11)])
def test_an_enlarged_picture_is_scipys(side, factor):
    x = RNG.random((1, side, side, 1), dtype=np.float32)
    offset = (side - 1) / 2 * (1 - 1 / factor)
    expected = ndimage.affine_transform(x[0, :, :, 0], [1 / factor] * 2, offset, order=1)
    matrix = enlarged(side, factor)
    np.testing.assert_allclose(spread(x, matrix, matrix)[0, :, :, 0], expected, atol=1e-5)


def test_clouds_are_those_of_the_diamond_square_algorithm():
    """Point by point, as it is described, on a torus of eight."""
    side, decay = 8, 2.0
    drawn, x = Draws(0, 0, 1, 0), np.zeros((side, side))
    step, stray = side, 1.0
    while step >= 2:
        half, cells = step // 2, side // step
        squares, right, down = (drawn.uniform(-1, 1, cells, cells)[0] for _ in range(3))

        def at(row, column, x=x):
            return x[row % side, column % side]

        grid = [(r, c) for r in range(cells) for c in range(cells)]
        for r, c in grid:
            row, column = r * step, c * step
            around = [at(row + a, column + b) for a in (0, step) for b in (0, step)]
            x[row + half, column + half] = sum(around) / 4 + stray * squares[r, c]
        for row, column, drawn_there in [
            *((r * step, c * step + half, right[r, c]) for r, c in grid),
            *((r * step + half, c * step, down[r, c]) for r, c in grid),
        ]:
            around = [at(row - half, column), at(row + half, column), at(row, column - half)]
            x[row, column] = (sum(around) + at(row, column + half)) / 4 + stray * drawn_there
        step, stray = half, stray / decay**2
    expected = (x - x.min()) / (x.max() - x.min())
    np.testing.assert_allclose(weather.fractal(Draws(0, 0, 1, 0), side, decay)[0], expected, atol=1e-5)


def test_brightness_is_that_of_hsv():
    x = RNG.random((1, 4, 5, 3), dtype=np.float32)
    x[0, 0, 0] = 0
    changed = weather.brightness(x, a_draw(), 0.3)
    for before, after in zip(x.reshape(-1, 3), changed.reshape(-1, 3), strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*map(float, before))
        expected = colorsys.hsv_to_rgb(hue, saturation, min(value + 0.3, 1))
        np.testing.assert_allclose(after, expected, atol=1e-6)


def test_contrast_and_fog_and_frost_on_known_pictures():
    x = RNG.random((2, 6, 6, 3), dtype=np.float32)
    for picture, after in zip(x, digital.contrast(x, a_draw(2), 0.15), strict=True):
        for channel in range(3):
            mean = picture[..., channel].mean()
            np.testing.assert_allclose(
                after[..., channel], mean + 0.15 * (picture[..., channel] - mean), atol=1e-6
            )
    black = np.zeros((1, 16, 16, 3), np.float32)
    ice = weather.frost(black, a_draw(), 1, 1)
    assert ice[..., 2].mean() > ice[..., 0].mean() > 0.05  # bluish
    np.testing.assert_allclose(weather.frost(black + 1, a_draw(), 0.75, 0), 0.75)
    foggy = weather.fog(x, a_draw(2), 1.0, 2.0)
    assert (foggy.max((1, 2, 3)) <= x.max((1, 2, 3)) + 1e-6).all() and foggy.std() < x.std()


def test_pixelate_and_jpeg_are_pillows():
    picture = RNG.integers(0, 256, (1, 9, 7, 3), dtype=np.uint8)
    image = Image.fromarray(picture[0])
    small = image.resize((int(7 * 0.65), int(9 * 0.65)), Image.Resampling.BOX)
    expected = small.resize((7, 9), Image.Resampling.BOX)
    assert np.array_equal(corrupt(picture, "pixelate", 5)[0], expected)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=40)
    assert np.array_equal(corrupt(picture, "jpeg_compression", 5)[0], Image.open(file))


def test_an_elastic_picture_is_read_where_its_points_came_from():
    """Without the smooth noise a known affine map is left, here against SciPy's own reading."""
    x = RNG.random((1, 12, 10, 1), dtype=np.float32)
    moved = a_draw().uniform(-1.5, 1.5, 3, 2)[0]
    points = np.array([6, 5]) + 3 * np.array([[1, 1], [1, -1], [-1, -1]])
    forth = np.linalg.solve(
        np.column_stack([points, np.ones(3)]), points + moved
    )  # (row, column, 1) -> place
    back = np.linalg.inv(np.column_stack([forth, [0, 0, 1]]))
    rows, columns = np.mgrid[:12, :10]
    places = np.stack([rows, columns, np.ones_like(rows)], -1) @ back
    expected = ndimage.map_coordinates(
        x[0, ..., 0], places[..., :2].transpose(2, 0, 1), order=1, mode="mirror"
    )
    found = digital.elastic_transform(x, a_draw(), 0.0, 0.0, 1.5)[0, ..., 0]
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_glass_exchanges_neighbours_only():
    x = np.arange(100, dtype=np.float32).reshape(1, 10, 10, 1) / 100
    after = blur.glass_blur(x, a_draw(), 0.01, 1, 1)
    assert sorted(after.ravel()) == sorted(x.ravel())
    assert np.array_equal(after[0, 0, 9], x[0, 0, 9])  # a corner that nothing reaches
    far = np.abs(after - x)[0, ..., 0].max()
    assert 0 < far < 0.5


def test_reading_between_pixels_is_scipys():
    x = RNG.random((2, 5, 4, 3), dtype=np.float32)
    rows, columns = RNG.uniform(-9, 14, (2, 6, 7)), RNG.uniform(-9, 14, (2, 6, 7))
    for n in range(2):
        for channel in range(3):
            expected = ndimage.map_coordinates(
                x[n, ..., channel], [rows[n], columns[n]], order=1, mode="mirror"
            )
            np.testing.assert_allclose(bilinear(x, rows, columns)[n, ..., channel], expected, atol=1e-5)
    assert mirrored(np.array([-7.5, 0.0, 3.0]), 1).tolist() == [0, 0, 0]
