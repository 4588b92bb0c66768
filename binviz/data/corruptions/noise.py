"""Noise: Gaussian, of few photons, and dead or saturated pixels."""

from __future__ import annotations

import numpy as np

from binviz.data.corruptions.draws import Draws, Pictures


def gaussian_noise(x: Pictures, draws: Draws, sigma: float) -> Pictures:
    r"""$x + \sigma n$, n standard normal for every value.

    >>> x = np.full((1, 2, 2, 1), 0.5, np.float32)
    >>> float(gaussian_noise(x, Draws(0, 0, 1, 0), 0.0).max())
    0.5
    """
    return x + sigma * draws.normal(*x.shape[1:])


def shot_noise(x: Pictures, draws: Draws, photons: float) -> Pictures:
    r"""$\mathrm{Poisson}(x c) / c$: c photons make a value of 1.

    >>> x = np.zeros((1, 2, 2, 1), np.float32)
    >>> float(shot_noise(x, Draws(0, 0, 1, 0), 50).max())
    0.0
    """
    return draws.each(lambda stream, index: stream.poisson(x[index] * photons)).astype(np.float32) / photons


def impulse_noise(x: Pictures, draws: Draws, share: float) -> Pictures:
    """A share of the values becomes 0 or 1, both equally often.

    >>> x = np.full((1, 100, 100, 1), 0.5, np.float32)
    >>> float((impulse_noise(x, Draws(0, 0, 1, 0), 0.05) != 0.5).mean().round(2))
    0.05
    """
    struck, salt = draws.uniform(0, 1, *x.shape[1:]), draws.uniform(0, 1, *x.shape[1:])
    return np.where(struck < share, (salt < 0.5).astype(np.float32), x)
