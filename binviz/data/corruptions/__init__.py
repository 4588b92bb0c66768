r"""The fifteen corruptions of ImageNet-C at five severities, for pictures of any size, on NumPy, SciPy and Pillow.

Hendrycks and Dietterich 2019, "Benchmarking Neural Network Robustness to Common Corruptions and Perturbations"
(1903.12261), with the parameters of its CIFAR-10-C, whose pictures have 32 pixels a side (the official
`make_cifar_c.py`). The functions are our own, each in terms of its formula; random numbers are ours too, so that single
pictures differ from the published ones, and accuracies are not to be compared with published ones to the last point.

Where they differ:

- **frost is synthetic**: there are no photographs of frost here, see `weather.frost`;
- results are rounded to grey levels, not cut, so that a corruption of strength zero changes nothing;
- `glass_blur` exchanges pixels, where the official code copies; `elastic_transform` reads a picture once, not twice;
  `zoom_blur` enlarges about the middle, by fractions of a pixel, where the official code rounds to whole ones;
- lengths are CIFAR-10-C's in pixels for pictures of 32 pixels, and grow with the shorter side above. On smaller ones,
  as scikit-learn's digits of 8, `elastic_transform` shrinks with the side; blurs do not, since one that is a quarter
  as long would do nothing, but motion and snow are half as long (`Corruption.small`).

Random numbers belong to a picture, by the seed and its number: a picture is corrupted alike alone and among others, and
at each severity by the same numbers.

Recordings, clouds of points and texts have corruptions of their own, see `speech`, `points` and `typos`.

>>> import numpy as np
>>> pictures = np.full((2, 8, 8), 200, np.uint8)
>>> corrupt(pictures, "contrast", 5).tolist() == pictures.tolist()  # there is none to be lost
True
>>> corrupt(pictures, "fog", 3).shape, corrupt(pictures, "fog", 3).dtype.name
((2, 8, 8), 'uint8')
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from binviz.data.corruptions import blur, digital, noise, weather
from binviz.data.corruptions.corruption import Corruption, Corruptions
from binviz.data.corruptions.draws import Draws
from binviz.data.corruptions.points import POINTS
from binviz.data.corruptions.speech import SPEECH
from binviz.data.corruptions.typos import TYPOS
from binviz.errors import UserError


def _one(*values: float) -> tuple[tuple[float, ...], ...]:
    return tuple((value,) for value in values)


CORRUPTIONS: dict[str, Corruption] = {
    "gaussian_noise": Corruption("Gaussian noise", "noise", noise.gaussian_noise, _one(0.04, 0.06, 0.08, 0.09, 0.10)),
    "shot_noise": Corruption("shot noise", "noise", noise.shot_noise, _one(500, 250, 100, 75, 50)),
    "impulse_noise": Corruption("impulse noise", "noise", noise.impulse_noise, _one(0.01, 0.02, 0.03, 0.05, 0.07)),
    "defocus_blur": Corruption(
        "defocus blur", "blur", blur.defocus_blur,
        ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)), lengths=(0, 1), small=1,
    ),
    "glass_blur": Corruption(
        "glass blur", "blur", blur.glass_blur,
        ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)), lengths=(0, 1), small=1,
    ),
    "motion_blur": Corruption(
        "motion blur", "blur", blur.motion_blur,
        ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)), lengths=(0, 1), small=0.5,
    ),
    "zoom_blur": Corruption("zoom blur", "blur", blur.zoom_blur, _one(7, 12, 16, 21, 26)),
    "snow": Corruption(
        "snow", "weather", weather.snow,
        (
            (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
            (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
            (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
            (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
            (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
        ),
        lengths=(4, 5), small=0.5,
    ),
    "frost": Corruption(
        "frost (synthetic)", "weather", weather.frost,
        ((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)),
    ),
    "fog": Corruption("fog", "weather", weather.fog, ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75))),
    "brightness": Corruption("brightness", "weather", weather.brightness, _one(0.05, 0.1, 0.15, 0.2, 0.3)),
    "contrast": Corruption("contrast", "digital", digital.contrast, _one(0.75, 0.5, 0.4, 0.3, 0.15)),
    "elastic_transform": Corruption(
        "elastic", "digital", digital.elastic_transform,
        ((0, 0, 2.56), (1.6, 6.4, 2.24), (2.56, 1.92, 1.92), (3.2, 1.28, 1.6), (3.2, 0.96, 0.96)), lengths=(0, 1, 2),
    ),
    "pixelate": Corruption("pixelate", "digital", digital.pixelate, _one(0.95, 0.9, 0.85, 0.75, 0.65)),
    "jpeg_compression": Corruption("JPEG", "digital", digital.jpeg_compression, _one(80, 65, 58, 50, 40)),
}  # fmt: skip
NAMES = tuple(CORRUPTIONS)


def _check(pictures: Any) -> NDArray[np.uint8]:
    pictures = np.asarray(pictures)
    grey = pictures.ndim == 3
    if pictures.dtype != np.uint8 or not (grey or pictures.shape[3:] == (3,)) or 0 in pictures.shape[1:]:
        raise UserError(
            f"pictures of shape {pictures.shape} and {pictures.dtype.name} are given; "
            "pass uint8 of (N, H, W), or (N, H, W, 3) in colour"
        )
    return pictures


def _apply(part: NDArray[np.uint8], chosen: Corruption, severity: int, draws: Draws) -> NDArray[np.uint8]:
    x = np.multiply(part, np.float32(1 / 255), dtype=np.float32)
    given = chosen.parameters(severity, min(part.shape[1:3]))
    after = chosen.apply(x if part.ndim == 4 else x[..., None], draws, *given)
    return (255 * after).round().clip(0, 255).astype(np.uint8).reshape(part.shape)


PICTURES = Corruptions(
    "picture",
    "The corruptions are ours, after ImageNet-C with CIFAR-10-C's parameters; frost is synthetic.",
    CORRUPTIONS,
    _check,
    _apply,
)


def corrupt(
    pictures: NDArray[np.uint8], name: str, severity: int, seed: int = 0, first: int = 0
) -> NDArray[np.uint8]:
    """Corrupt pictures.

    Args:
        pictures: (N, H, W) grey or (N, H, W, 3) red, green, blue; uint8, 0 black and 255 white.
        name: one of `NAMES`.
        severity: 1 to 5; 0 changes nothing.
        seed: of the random numbers.
        first: the number of the first picture, where the pictures are a part of more.

    Returns:
        As `pictures`; a new array.

    Raises:
        UserError: another name or severity; other pictures.

    >>> photo = np.arange(75, dtype=np.uint8).reshape(1, 5, 5, 3)
    >>> corrupt(photo, "pixelate", 0).tolist() == photo.tolist()
    True
    """
    return PICTURES.corrupt(pictures, name, severity, seed, first)


#: Name -> corruption, of all kinds of data.
ALL = {**CORRUPTIONS, **SPEECH.known, **POINTS.known, **TYPOS.known}
