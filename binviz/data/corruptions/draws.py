"""Random numbers of one picture: they depend on the seed and the picture's number, not on the others beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pictures = NDArray[np.float32]


class Draws:
    """A stream of random numbers for each of N pictures.

    Args:
        seed: of all. first: number of the first picture. count: N. stream: a number that tells apart what is drawn.

    >>> together, alone = Draws(0, 0, 3, 7).normal(2), Draws(0, 2, 1, 7).normal(2)
    >>> together.shape, bool((together[2] == alone[0]).all())
    ((3, 2), True)
    """

    def __init__(self, seed: int, first: int, count: int, stream: int) -> None:
        self.streams = [np.random.default_rng((seed, stream, first + index)) for index in range(count)]

    def each(self, draw: Callable[[np.random.Generator, int], Any]) -> NDArray[Any]:
        """(N, ...): what `draw` gives for every picture's stream and place among the N."""
        return np.stack([draw(stream, index) for index, stream in enumerate(self.streams)])

    def normal(self, *shape: int) -> Pictures:
        """(N, *shape) standard normal."""
        return self.each(lambda stream, _: stream.standard_normal(shape, dtype=np.float32))

    def uniform(self, low: float, high: float, *shape: int) -> Pictures:
        """(N, *shape) uniform in [low, high)."""
        drawn = self.each(lambda stream, _: stream.random(shape, dtype=np.float32))
        return np.float32(low) + np.float32(high - low) * drawn
