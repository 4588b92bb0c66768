"""Weather: snow, frost, fog, and too much light."""

from __future__ import annotations

import numpy as np

from binviz.data.corruptions.blur import along
from binviz.data.corruptions.draws import Draws, Pictures
from binviz.data.corruptions.resample import enlarged, line, spread

#: Rec. 601: how bright red, green and blue are.
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
#: Colour of ice, and over how many cells and with which weight its needles lie.
ICE = np.array([0.80, 0.90, 1.0], np.float32)
NEEDLES = ((3, 0.5), (6, 0.35), (12, 0.25))


def grey(x: Pictures) -> Pictures:
    """(N, H, W, 1): how bright pictures of one or three channels are.

    >>> grey(np.float32([[[[1, 0, 0]]]])).shape
    (1, 1, 1, 1)
    """
    return (x @ LUMA)[..., None] if x.shape[-1] == 3 else x


def snow(
    x: Pictures, draws: Draws, mean: float, spread_of: float, zoom: float, threshold: float,
    radius: float, sigma: float, kept: float,
) -> Pictures:  # fmt: skip
    r"""$a x + (1 - a) \max(x, 1.5\, y + 0.5) + s + s'$: paler, with flakes s that fall, and s turned by 180 degrees.

    s is normal noise, enlarged, of which what lies above a threshold is blurred along the fall; y is the luma of x.

    >>> snow(np.zeros((2, 8, 8, 3), np.float32), Draws(0, 0, 2, 0), 0.3, 0.3, 1.25, 0.65, 14, 12, 0.8).shape
    (2, 8, 8, 3)
    """
    high, wide = x.shape[1:3]
    flakes = mean + spread_of * draws.normal(high, wide, 1)
    flakes = spread(flakes, enlarged(high, zoom), enlarged(wide, zoom))
    flakes = np.where(flakes < threshold, np.float32(0), flakes.clip(0, 1))
    flakes = along(flakes, draws.uniform(-135, -45), radius, sigma)
    paler = kept * x + (1 - kept) * np.maximum(x, 1.5 * grey(x) + 0.5)
    return paler + flakes + flakes[:, ::-1, ::-1]


def frost(x: Pictures, draws: Draws, kept: float, ice: float) -> Pictures:
    r"""$a x + b f$ with ice f on the lens. **Synthetic**: the official f is cut out of five photographs of frost.

    Ours are needles, ridges of smooth noise of several sizes: $f = \sum_k w_k (1 - |n_k|)^3$, tinted.

    >>> frost(np.zeros((1, 8, 8, 3), np.float32), Draws(0, 0, 1, 0), 1.0, 0.2).shape
    (1, 8, 8, 3)
    """
    high, wide, channels = x.shape[1:]
    needles = np.zeros((len(x), high, wide, 1), np.float32)
    for cells, weight in NEEDLES:
        lattice = draws.normal(cells + 1, cells + 1, 1)
        places = [line(np.linspace(0, cells, size), cells + 1) for size in (high, wide)]
        needles += weight * np.maximum(1 - np.abs(spread(lattice, *places)), 0) ** 3
    return kept * x + ice * needles * (ICE if channels == 3 else ICE @ LUMA)


def fractal(draws: Draws, side: int, decay: float) -> Pictures:
    """(N, side, side) in [0, 1]: clouds by the diamond-square algorithm on a torus.

    Args:
        draws: of N pictures. side: a power of two, at least 2.
        decay: how much less the middle of half as large a square may stray; its square, as in the official code.

    >>> clouds = fractal(Draws(0, 0, 3, 0), 8, 2.0)
    >>> clouds.shape, float(clouds.min()), float(clouds.max())
    ((3, 8, 8), 0.0, 1.0)
    """
    x = np.zeros((len(draws.streams), side, side), np.float64)
    step, stray = side, 1.0
    while step >= 2:
        half, cells = step // 2, side // step

        def between(sums: np.ndarray, stray: float = stray, cells: int = cells) -> np.ndarray:
            return sums / 4 + stray * draws.uniform(-1, 1, cells, cells)

        corner = x[:, ::step, ::step]
        pairs = corner + np.roll(corner, -1, 1)
        middle = x[:, half::step, half::step] = between(pairs + np.roll(pairs, -1, 2))
        across = middle + np.roll(middle, 1, 1), corner + np.roll(corner, -1, 2)
        down = middle + np.roll(middle, 1, 2), corner + np.roll(corner, -1, 1)
        x[:, ::step, half::step] = between(across[0] + across[1])
        x[:, half::step, ::step] = between(down[0] + down[1])
        step, stray = half, stray / decay**2
    x -= x.min((1, 2), keepdims=True)
    return (x / x.max((1, 2), keepdims=True)).astype(np.float32)


def fog(x: Pictures, draws: Draws, amount: float, decay: float) -> Pictures:
    r"""$(x + c f)\, m / (m + c)$: clouds f over it, and the brightest value m as bright as before.

    >>> fog(np.ones((1, 5, 7, 1), np.float32), Draws(0, 0, 1, 0), 0.5, 3.0).shape
    (1, 5, 7, 1)
    """
    high, wide = x.shape[1:3]
    side = 1 << (max(high, wide, 2) - 1).bit_length()
    most = x.max((1, 2, 3), keepdims=True)
    return (x + amount * fractal(draws, side, decay)[:, :high, :wide, None]) * (most / (most + amount))


def brightness(x: Pictures, draws: Draws, more: float) -> Pictures:
    """More of HSV's value V, the largest channel, at most 1; hue and saturation stay.

    >>> brightness(np.float32([[[[0.5, 0.25, 0]]]]), Draws(0, 0, 1, 0), 0.3).ravel().tolist()
    [0.800000..., 0.400000..., 0.0]
    """
    value = x.max(-1, keepdims=True)
    lighter = np.minimum(value + np.float32(more), 1)
    return np.where(value > 0, x * (lighter / np.where(value > 0, value, 1)), lighter)
