"""What corruptions of every kind of data share: a name, parameters of five severities, random numbers of each input."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from binviz.data.corruptions.draws import Draws
from binviz.errors import UserError, near

SEVERITIES = (1, 2, 3, 4, 5)
#: Side of CIFAR-10-C's pictures, in pixels, for which parameters of pictures are.
SIDE = 32
#: Inputs that are corrupted at once.
CHUNK = 500


@dataclass(frozen=True)
class Corruption:
    """One of them.

    title: for a person. group: what kind of damage it is. apply: (inputs, random numbers, *parameters) -> inputs.
    steps: the parameters of the five severities. Of pictures, on `SIDE` pixels: lengths: which of them are lengths in
    pixels. small: what they are multiplied with, at least, on smaller pictures.
    """

    title: str
    group: str
    apply: Callable[..., NDArray[Any]]
    steps: tuple[tuple[float, ...], ...]
    lengths: tuple[int, ...] = ()
    small: float = 0.0

    def parameters(self, severity: int, side: int = SIDE) -> tuple[float, ...]:
        """Of a severity, 1 to 5, for pictures of so many pixels.

        >>> from binviz.data.corruptions import CORRUPTIONS
        >>> CORRUPTIONS["motion_blur"].parameters(1), CORRUPTIONS["motion_blur"].parameters(1, 8)
        ((6, 1), (3.0, 0.5))
        """
        factor = max(side / SIDE, self.small)
        given = self.steps[severity - 1]
        return tuple(
            value * factor if at in self.lengths and factor != 1 else value for at, value in enumerate(given)
        )


def _plainly(part: NDArray[Any], chosen: Corruption, severity: int, draws: Draws) -> NDArray[Any]:
    return chosen.apply(part, draws, *chosen.parameters(severity))


@dataclass(frozen=True)
class Corruptions:
    """All that there are of one kind of data.

    noun: for one input. about: whose they are, in a sentence. known: name -> corruption. check: inputs of any kind ->
    an array (N, ...); a UserError where they are not of this one. apply: (some inputs, corruption, severity, random
    numbers) -> inputs.
    """

    noun: str
    about: str
    known: Mapping[str, Corruption]
    check: Callable[[Any], NDArray[Any]]
    apply: Callable[[NDArray[Any], Corruption, int, Draws], NDArray[Any]] = _plainly

    def check_choice(self, name: str, severity: int) -> None:
        """Raise UserError unless there are such a corruption and severity."""
        if name not in self.known:
            raise UserError(f"no corruption {name!r}; {near(name, self.known)}")
        if severity not in (0, *SEVERITIES):
            raise UserError(f"the severity is {severity!r}; choose 0 (none) to 5")

    def corrupt(self, inputs: Any, name: str, severity: int, seed: int = 0, first: int = 0) -> NDArray[Any]:
        """Corrupt inputs, each by random numbers of its own: alike alone and among others, and at all severities.

        Args:
            inputs: (N, ...).
            name: of a corruption.
            severity: 1 to 5; 0 changes nothing.
            seed: of the random numbers.
            first: the number of the first input, where these are a part of more.

        Returns:
            As `inputs`; a new array.

        Raises:
            UserError: another name or severity; other inputs.
        """
        self.check_choice(name, severity)
        inputs = self.check(inputs)
        if severity == 0 or not len(inputs):
            return inputs.copy()
        stream = list(self.known).index(name)
        changed = []
        for start in range(0, len(inputs), CHUNK):
            part = inputs[start : start + CHUNK]
            draws = Draws(seed, first + start, len(part), stream)
            changed.append(self.apply(part, self.known[name], severity, draws))
        return np.concatenate(changed)
