r"""Corruptions of recordings, before any spectrogram: noise of two colours, and another speed. The kinds are common.

The severities are ours. Noise n of a colour is added with so many decibels between what is spoken and itself:

$$x + n \sqrt{\frac{\bar{x^2}}{\bar{n^2}}\, 10^{-d / 10}}$$

The mean of x is over its samples up to the last that is not 0, since silence behind a recording is no part of it.
Speed is changed by resampling, as in training sets (Ko and others 2015, "Audio Augmentation for Speech Recognition"),
so that the voice gets higher or lower with it.

>>> tone = (9000 * np.sin(0.8 * np.arange(8320))).astype(np.int16)[None]
>>> SPEECH.corrupt(tone, "white_noise", 3).shape, SPEECH.corrupt(tone, "speed", 3).dtype.name
((1, 8320), 'int16')
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from binviz.data.corruptions.corruption import Corruption, Corruptions
from binviz.data.corruptions.draws import Draws
from binviz.errors import UserError

#: A sample of 1.
FULL = 32768


def louder(x: NDArray[Any], noise: NDArray[Any], decibels: float) -> NDArray[Any]:
    """Recordings (N, samples) with noise of the same shape, see above; a silent one stays silent.

    >>> louder(np.array([[1.0, -1.0, 0.0, 0.0]]), np.ones((1, 4)), 20.0).round(3).tolist()
    [[1.1, -0.9, 0.1, 0.1]]
    """
    samples = x.shape[1]
    spoken = samples - np.argmax(x[:, ::-1] != 0, 1)
    power = np.square(x).sum(1) / spoken / np.square(noise).mean(1)
    return x + noise * np.sqrt(power * 10 ** (-decibels / 10))[:, None]


def white_noise(x: NDArray[Any], draws: Draws, decibels: float) -> NDArray[Any]:
    """All frequencies are equally strong.

    >>> white_noise(np.zeros((1, 9)), Draws(0, 0, 1, 0), 0).any()
    np.False_
    """
    return louder(x, draws.normal(x.shape[1]).astype(np.float64), decibels)


def pink_noise(x: NDArray[Any], draws: Draws, decibels: float) -> NDArray[Any]:
    """The power of frequency f is proportional to 1/f: more of it lies where voices are. Frequency 0 has none.

    >>> pink_noise(np.ones((2, 9)), Draws(0, 0, 2, 0), 0).shape
    (2, 9)
    """
    spectrum = np.fft.rfft(draws.normal(x.shape[1]).astype(np.float64))
    spectrum[:, 0] = 0
    spectrum[:, 1:] /= np.sqrt(np.arange(1, spectrum.shape[1]))
    return louder(x, np.fft.irfft(spectrum, x.shape[1]), decibels)


def speed(x: NDArray[Any], draws: Draws, percent: int) -> NDArray[Any]:
    """So many percent faster, or the other way round, half of the recordings each. What comes too late is cut off.

    >>> speed(np.ones((1, 30)), Draws(0, 0, 1, 0), 25).shape
    (1, 30)
    """
    from scipy.signal import resample_poly

    samples, changed = x.shape[1], np.zeros_like(x)
    faster = draws.uniform(0, 1) < 0.5
    for chosen, up, down in ((faster, 100, 100 + percent), (~faster, 100 + percent, 100)):
        found = resample_poly(x[chosen], up, down, axis=1)[:, :samples]
        changed[chosen, : found.shape[1]] = found
    return changed


def _check(recordings: Any) -> NDArray[np.int16]:
    recordings = np.asarray(recordings)
    if recordings.dtype != np.int16 or recordings.ndim != 2 or recordings.shape[1] < 2:
        raise UserError(
            f"recordings of shape {recordings.shape} and {recordings.dtype.name} are given; "
            "pass int16 of (N, samples)"
        )
    return recordings


def _apply(part: NDArray[np.int16], chosen: Corruption, severity: int, draws: Draws) -> NDArray[np.int16]:
    after = chosen.apply(part / FULL, draws, *chosen.parameters(severity))
    return (FULL * after).round().clip(-FULL, FULL - 1).astype(np.int16)


_DECIBELS = ((50,), (40,), (30,), (20,), (10,))
SPEECH = Corruptions(
    "recording",
    "The corruptions are ours: noise of 50 to 10 decibels below the voice, and 5 to 25 % more or less speed.",
    {
        "white_noise": Corruption("white noise", "noise", white_noise, _DECIBELS),
        "pink_noise": Corruption("pink noise", "noise", pink_noise, _DECIBELS),
        "speed": Corruption("another speed", "speed", speed, ((5,), (10,), (15,), (20,), (25,))),
    },
    _check,
    _apply,
)
