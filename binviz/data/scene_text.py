r"""Generated photographs of words: signs and lettering in several fonts, turned and seen at an angle, among clutter.

A word is set in a font, laid onto a quadrilateral whose corners are those of a turned rectangle moved at random, and
painted in a colour that differs from what is behind it, with a panel below it or without. Its polygon is that
quadrilateral. Where a word's corner (u, v) lies, eight equations say,

$$u = \frac{a x + b y + c}{g x + h y + 1}, \qquad v = \frac{d x + e y + f}{g x + h y + 1}.$$

The fonts are Pillow's own (Aileron, CC0), which is always there, and those of matplotlib where that is installed
(DejaVu, Bitstream Vera's licence; STIX, OFL 1.1); none is copied. Words are letters at random: nothing can be guessed.

>>> scene = generate(1, np.random.default_rng(1))[0]
>>> scene.picture.shape, scene.polygons.shape[1:]
((128, 128, 3), (4, 2))
"""

from __future__ import annotations

import math
import string
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

#: Height and width of a picture, in pixels.
SIZE = 128
#: Height of a line of type before it is laid onto a picture, and the edge around it, in pixels.
TYPE, EDGE = 32, 2
#: Words of a picture, at most, and the share of pictures that have none.
WORDS, EMPTY = 5, 1 / 16
#: How often a place is looked for.
TRIES = 8
#: Files of matplotlib.
FONTS = (
    "DejaVuSans.ttf",
    "DejaVuSans-Bold.ttf",
    "DejaVuSerif.ttf",
    "DejaVuSansMono-Bold.ttf",
    "STIXGeneral.ttf",
    "STIXGeneralBolIta.ttf",
)


@dataclass(frozen=True)
class Scene:
    """A picture and where its words are.

    picture: (H, W, 3) uint8. polygons: (n, 4, 2) float, corners x, y in pixels, clockwise from where a word begins;
    whole numbers are the middles of pixels. ignored: (n,) bool, words that nobody is asked to find.
    """

    picture: NDArray[np.uint8]
    polygons: NDArray[np.float64]
    ignored: NDArray[np.bool_]


@cache
def fonts() -> dict[str, Any]:
    """Name -> font of TYPE pixels: Pillow's own, and those of `FONTS` that are there.

    >>> next(iter(fonts()))
    'Aileron'
    """
    from PIL import ImageFont

    found: dict[str, Any] = {"Aileron": ImageFont.load_default(TYPE)}
    spec = find_spec("matplotlib")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        for name in FONTS:
            path = Path(place, "mpl-data", "fonts", "ttf", name)
            if path.exists():
                found[path.stem] = ImageFont.truetype(path, TYPE, layout_engine=ImageFont.Layout.BASIC)
    return found


def generate(count: int, rng: np.random.Generator, size: int = SIZE) -> list[Scene]:
    """Some scenes.

    Args:
        count: how many.
        rng: whose state alone decides what comes, given the fonts.
        size: height and width in pixels, at least 64.
    """
    return [scene(rng, size) for _ in range(count)]


def scene(rng: np.random.Generator, size: int = SIZE) -> Scene:
    """One of them, see `generate`."""
    picture = background(rng, size)
    polygons: list[NDArray[np.float64]] = []
    for _ in range(0 if rng.random() < EMPTY else rng.integers(1, WORDS + 1)):
        word = set_type(rng)
        for _ in range(TRIES):
            polygon = place(word.width / word.height, rng, size)
            if polygon is not None and all(apart(polygon, other) for other in polygons):
                picture = painted(picture, word, polygon, rng)
                polygons.append(polygon)
                break
    return Scene(
        weathered(picture, rng),
        np.array(polygons).reshape(-1, 4, 2),
        np.zeros(len(polygons), bool),
    )


def background(rng: np.random.Generator, size: int) -> Image:
    """A shade from one corner to another, and on it shapes, bars and lines that are no text."""
    from PIL import Image, ImageDraw

    corners = rng.integers(0, 256, (2, 2, 3), np.uint8)
    picture = Image.fromarray(corners).resize((size, size), Image.Resampling.BILINEAR)
    draw = ImageDraw.Draw(picture)
    for _ in range(rng.integers(2, 12)):
        colour = tuple(rng.integers(0, 256, 3).tolist())
        x, y = rng.integers(-size // 4, size, 2).tolist()
        w, h = rng.integers(4, size // 2, 2).tolist()
        kind, line = rng.integers(5), int(rng.integers(1, 4))
        if kind == 0:
            draw.rectangle((x, y, x + w, y + h), fill=colour)
        elif kind == 1:
            draw.ellipse((x, y, x + w, y + h), fill=colour)
        elif kind == 2:
            draw.arc((x, y, x + w, y + h), 0, 270, fill=colour, width=line)
        elif kind == 3:
            draw.line((x, y, x + w, y + h), fill=colour, width=line)
        else:  # a fence
            for step in range(0, w, 3 * line):
                draw.line((x + step, y, x + step, y + h // 3), fill=colour, width=line)
    return picture


def set_type(rng: np.random.Generator) -> Image:
    """A word of two to eight letters or digits, white on black, with an edge around what is painted."""
    from PIL import Image, ImageDraw

    known = tuple(fonts().values())
    font = known[rng.integers(len(known))]
    letters = (string.ascii_uppercase, string.ascii_lowercase, string.ascii_letters, string.digits)
    alphabet = letters[rng.choice(len(letters), p=(0.35, 0.35, 0.15, 0.15))]
    text = "".join(alphabet[i] for i in rng.integers(len(alphabet), size=rng.integers(2, 9)))
    left, top, right, bottom = (int(side) for side in font.getbbox(text))
    word = Image.new("L", (right - left + 2 * EDGE, bottom - top + 2 * EDGE))
    ImageDraw.Draw(word).text((EDGE - left, EDGE - top), text, fill=255, font=font)
    return word


def place(aspect: float, rng: np.random.Generator, size: int) -> NDArray[np.float64] | None:
    """Corners (4, 2) for a word of that width over height, or None where it does not fit in.

    >>> corners = place(3.0, np.random.default_rng(0), 128)
    >>> bool((corners >= 1).all() and (corners <= 126).all())
    True
    """
    height = min(size * rng.uniform(0.09, 0.25), 0.85 * size / aspect)
    half = np.array([aspect * height, height]) / 2
    angle = math.radians(np.clip(rng.normal(0, 12), -35, 35))
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    corners = (square * half + rng.uniform(-0.12, 0.12, (4, 2)) * height) @ turn
    low, high = 1 - corners.min(0), size - 2 - corners.max(0)
    if (low > high).any():
        return None
    return corners + rng.uniform(low, high)


def apart(one: NDArray[np.float64], other: NDArray[np.float64], gap: float = 2.0) -> bool:
    """Whether a gap lies between the upright rectangles around two polygons.

    >>> square = np.array([[0.0, 0], [4, 0], [4, 4], [0, 4]])
    >>> apart(square, square + 3), apart(square, square + [7, 0])
    (False, True)
    """
    before, behind = one.max(0) + gap < other.min(0), other.max(0) + gap < one.min(0)
    return bool((before | behind).any())


def homography(corners: NDArray[np.float64], width: float, height: float) -> NDArray[np.float64]:
    """The eight numbers a to h above: from corners (4, 2) to those of a rectangle of that width and height.

    >>> square = np.array([[0.0, 0], [2, 0], [2, 2], [0, 2]])
    >>> homography(square, 4, 6).round(6).tolist()  # twice as wide, three times as high
    [2.0, 0.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0]
    """
    wanted = np.array([[0, 0], [width, 0], [width, height], [0, height]], float)
    rows = []
    for (x, y), (u, v) in zip(corners, wanted, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    return np.linalg.solve(np.array(rows), wanted.ravel())


def painted(picture: Image, word: Image, polygon: NDArray[np.float64], rng: np.random.Generator) -> Image:
    """The picture with a word on the polygon, some of them on a panel."""
    from PIL import Image, ImageDraw

    # Pillow's coordinates begin at the edge of a pixel, a polygon's in its middle
    numbers = tuple(homography(polygon + 0.5, *word.size).tolist())
    mask = word.transform(picture.size, Image.Transform.PERSPECTIVE, numbers, Image.Resampling.BILINEAR)
    (left, top), (right, bottom) = polygon.min(0), polygon.max(0)
    behind = np.asarray(picture.crop((int(left), int(top), int(right) + 1, int(bottom) + 1))).mean((0, 1))
    if rng.random() < 0.4:
        behind = rng.uniform(0, 255, 3)
        outline = (polygon.mean(0) + 1.1 * (polygon - polygon.mean(0))).ravel().tolist()
        ImageDraw.Draw(picture).polygon(outline, fill=tuple(behind.astype(int).tolist()))
    colour = readable(behind, rng)
    strength = rng.uniform(0.75, 1)
    mask = mask.point(lambda value: value * strength)
    return Image.composite(Image.new("RGB", picture.size, colour), picture, mask)


def readable(behind: NDArray[np.float64], rng: np.random.Generator) -> tuple[int, int, int]:
    """A colour whose mean is at least 80 levels away from that of what is behind it.

    >>> sum(readable(np.array([250.0, 250, 250]), np.random.default_rng(0))) / 3 <= 170
    True
    """
    colour, grey = rng.uniform(0, 255, 3), behind.mean()
    room = [side for side in ((0, grey - 80), (grey + 80, 255)) if side[0] <= side[1]]
    low, high = room[rng.integers(len(room))]
    mean = np.clip(colour.mean(), low, high)
    # Towards black or white in one proportion, which keeps every part of the colour in its range
    if mean < colour.mean():
        colour *= mean / colour.mean()
    else:
        colour = 255 - (255 - colour) * (255 - mean) / (255 - colour.mean())
    red, green, blue = colour.astype(int).tolist()
    return red, green, blue


def weathered(picture: Image, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The picture in colours less bright, a little out of focus, with the noise of a camera."""
    from PIL import Image, ImageFilter

    picture = Image.blend(picture, picture.convert("L").convert("RGB"), rng.uniform(0, 0.8))
    blurred = np.asarray(picture.filter(ImageFilter.GaussianBlur(rng.uniform(0, 0.8))), np.float32)
    noise = rng.standard_normal(blurred.shape, np.float32) * np.float32(rng.uniform(0, 10))
    return np.clip(blurred + noise, 0, 255).astype(np.uint8)
