"""What a camera's or a network's software does: contrast, elastic distortion, coarse pixels, JPEG."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image
from scipy import ndimage

from binviz.data.corruptions.draws import Draws, Pictures
from binviz.data.corruptions.resample import bilinear


def contrast(x: Pictures, draws: Draws, kept: float) -> Pictures:
    r"""$\bar x + c (x - \bar x)$, the mean of each channel.

    >>> contrast(np.float32([[[[0.0]], [[1.0]]]]), Draws(0, 0, 1, 0), 0.5).ravel().tolist()
    [0.25, 0.75]
    """
    mean = x.mean((1, 2), keepdims=True)
    return mean + kept * (x - mean)


def elastic_transform(x: Pictures, draws: Draws, strength: float, sigma: float, shift: float) -> Pictures:
    """Three points near the middle are moved, an affine map; then every pixel, by smooth noise.

    The official code reads the picture twice, once for each; here it is read once, at both maps together.

    Args:
        x: (N, H, W, C). draws: of the N pictures.
        strength: of the smooth noise, in pixels. sigma: how smooth, in pixels. shift: of the three points, at most.

    >>> x = np.random.default_rng(0).random((1, 6, 6, 1), dtype=np.float32)
    >>> bool((elastic_transform(x, Draws(0, 0, 1, 0), 0, 0, 0) == x).all())
    True
    """
    high, wide = x.shape[1:3]
    centre, arm = np.array([high // 2, wide // 2]), max(min(high, wide) // 3, 1)
    points = centre + arm * np.array([[1, 1], [1, -1], [-1, -1]])
    moved = points + draws.uniform(-shift, shift, 3, 2)
    # moved = points A, with a column of ones; a pixel is read where A's inverse says that it came from
    ones = np.ones((len(x), 3, 1))
    back = np.linalg.solve(
        np.concatenate([moved, ones], 2), np.broadcast_to(points.astype(float), moved.shape)
    )
    noise = [draws.uniform(-1, 1, high, wide) for _ in range(2)]
    smooth = [
        strength * ndimage.gaussian_filter(each, (0, sigma, sigma), mode="reflect", truncate=3)
        for each in noise
    ]
    rows, columns = (
        grid + part for grid, part in zip(np.mgrid[:high, :wide].astype(float), smooth, strict=True)
    )
    places = np.stack([rows, columns, np.ones_like(rows)], -1) @ back[:, None]
    return bilinear(x, places[..., 0].round(4), places[..., 1].round(4))


def _as_image(picture: np.ndarray) -> Image.Image:
    """A picture of (H, W, C) in [0, 1]."""
    levels = (255 * picture).round().astype(np.uint8)
    return Image.fromarray(levels if levels.shape[-1] == 3 else levels[..., 0])


def _each(x: Pictures, change: Callable[[Image.Image], Image.Image]) -> Pictures:
    """The pictures, each changed as a Pillow image."""
    changed = [np.asarray(change(_as_image(picture)), np.float32) for picture in x]
    return np.stack(changed).reshape(x.shape) / np.float32(255)


def pixelate(x: Pictures, draws: Draws, share: float) -> Pictures:
    """Shrunk to a share of its width and height, and enlarged again, both with Pillow's box.

    >>> pixelate(np.ones((1, 8, 8, 3), np.float32), Draws(0, 0, 1, 0), 0.65).min().item()
    1.0
    """
    high, wide = x.shape[1:3]
    small = max(int(wide * share), 1), max(int(high * share), 1)
    box = Image.Resampling.BOX
    return _each(x, lambda image: image.resize(small, box).resize((wide, high), box))


def jpeg_compression(x: Pictures, draws: Draws, quality: int) -> Pictures:
    """Written as a JPEG of that quality, and read again.

    >>> jpeg_compression(np.ones((1, 8, 8, 1), np.float32), Draws(0, 0, 1, 0), 40).min().item()
    1.0
    """

    def written(image: Image.Image) -> Image.Image:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        return Image.open(file)

    return _each(x, written)
