r"""Statistics over a whole data set in constant memory: moments and a histogram that merge exactly.

Bins are as wide as a power of two and start at its multiples, $[i\,2^k, (i+1)\,2^k)$, so that two bins of one
width are one bin of the next. Where values spread too far, neighbouring bins are added up and k grows by one;
no range has to be known before, nothing is cut off, and the counts do not depend on the order or the size of
the batches.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from binviz.analysis.capture import run
from binviz.analysis.shadow import shadow
from binviz.analysis.sites import layout_for_reading, select

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

#: The narrowest bins are 2^-40 wide; a tensor of equal values needs no more than one.
_NARROWEST = -40
BINS = 2048
#: Far beyond float32; the square of what is larger would overflow.
_LARGEST = 1e100


@dataclass
class Summary:
    """Count, mean, variance, extremes and a histogram of the finite values seen so far.

    Attributes:
        count: how many values. non_finite: how many more were nan, infinite or beyond 1e100.
        mean, low, high: of the values; nan while there is none.
        bins: the most that the histogram keeps, at least 2; 16 kB by default.

    >>> summary = Summary()
    >>> summary.add([1.0, 2.0]).add([3.0]).mean
    2.0
    >>> round(summary.variance, 6), summary.low, summary.high
    (0.666667, 1.0, 3.0)
    """

    bins: int = BINS
    count: int = 0
    non_finite: int = 0
    mean: float = math.nan
    low: float = math.nan
    high: float = math.nan
    _squares: float = 0.0  # sum of squared distances from the mean
    _power: int = _NARROWEST
    _first: int = 0
    _counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def variance(self) -> float:
        """Of the population, in the squared unit of the values; nan while there is none."""
        return self._squares / self.count if self.count else math.nan

    @property
    def std(self) -> float:
        """Standard deviation, in the values' unit.

        >>> Summary().add([1.0, 1.0, 5.0, 5.0]).std
        2.0
        """
        return math.sqrt(self.variance)

    def add(self, values: ArrayLike) -> Summary:
        """Take more values in, of any shape; returns itself.

        >>> summary = Summary().add([[1.0, 3.0], [5.0, float("nan")]])
        >>> summary.count, summary.non_finite, summary.mean
        (3, 1, 3.0)
        """
        x = np.asarray(values, np.float64).ravel()
        finite = x[np.abs(x) <= _LARGEST]
        if finite.size:
            mean = float(finite.mean())
            batch = Summary(self.bins, finite.size, 0, mean, float(finite.min()), float(finite.max()))
            batch._squares = float(((finite - mean) ** 2).sum())
            batch._power = _power_for(batch.low, batch.high, self.bins)
            index = np.floor(np.ldexp(finite, -batch._power)).astype(np.int64)
            batch._first = int(index.min())
            batch._counts = np.bincount(index - batch._first)
            self.merge(batch)
        self.non_finite += x.size - finite.size
        return self

    def merge(self, other: Summary) -> Summary:
        """Take in what another summary with the same `bins` has seen; returns itself.

        Mean and variance are put together as by Chan, Golub and LeVeque (1979), which loses no digits.

        >>> both = Summary().add([1.0, 2.0]).merge(Summary().add([6.0]))
        >>> both.count, both.mean, both.high
        (3, 3.0, 6.0)
        """
        if other.bins != self.bins:
            raise ValueError(f"summaries of {self.bins} and {other.bins} bins do not merge")
        self.non_finite += other.non_finite
        if not other.count:
            return self
        if not self.count:
            self.mean, self.low, self.high = other.mean, other.low, other.high
            self._power, self._first, self._counts = other._power, other._first, other._counts.copy()
        else:
            total, apart = self.count + other.count, other.mean - self.mean
            self._squares += apart**2 * self.count * other.count / total
            self.mean += apart * other.count / total
            self.low, self.high = min(self.low, other.low), max(self.high, other.high)
            power = max(self._power, other._power, _power_for(self.low, self.high, self.bins))
            parts = [_coarsened(part, power) for part in (self, other)]
            self._power, self._first = power, min(first for first, _ in parts)
            counts = np.zeros(max(first + len(c) for first, c in parts) - self._first, np.int64)
            for first, part in parts:
                counts[first - self._first : first - self._first + len(part)] += part
            self._counts = counts
        self._squares += other._squares
        self.count += other.count
        return self

    def histogram(self, bins: int = 64) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Edges (n + 1) and counts (n), n of at most `bins`, at least 2, equally wide; every value is in one of them.

        >>> edges, counts = Summary().add([0.0, 1.0, 1.0]).histogram(2)
        >>> edges.tolist(), counts.tolist()
        ([0.0, 1.0, 2.0], [1, 2])
        """
        if not self.count:
            return np.zeros(1), np.zeros(0, np.int64)
        power = max(self._power, _power_for(self.low, self.high, bins))
        first, counts = _coarsened(self, power)
        return np.ldexp(np.arange(first, first + len(counts) + 1, dtype=np.float64), power), counts

    def entropy(self) -> float:
        """Bits of the distribution over the bins; for codes, which all have bins of their own, the code entropy.

        >>> Summary().add([-1, 1, 1, -1]).entropy()
        1.0
        """
        if not self.count:
            return math.nan
        shares = self._counts[self._counts > 0] / self.count
        return max(0.0, -float(shares @ np.log2(shares)))


def _power_for(low: float, high: float, bins: int) -> int:
    """The smallest k with which [low, high] falls into `bins` bins of width 2^k."""
    power = _NARROWEST
    if high > low:
        power = max(power, math.frexp((high - low) / bins)[1] - 1)
    # Edges are exact in float64 as long as indices have fewer than 53 bits.
    power = max(power, math.frexp(max(abs(low), abs(high)))[1] - 50)
    while math.floor(math.ldexp(high, -power)) - math.floor(math.ldexp(low, -power)) >= bins:
        power += 1
    return power


def _coarsened(summary: Summary, power: int) -> tuple[int, NDArray[np.int64]]:
    """First index and counts with bins of width 2^power, at least as wide as they are."""
    step = power - summary._power
    index = (summary._first + np.arange(len(summary._counts))) >> min(step, 63)
    counts = np.zeros(int(index[-1] - index[0]) + 1, np.int64)
    np.add.at(counts, index - index[0], summary._counts)
    return int(index[0]), counts


def stream(
    model: nn.Module, batches: Iterable[Any], names: str | Sequence[str] = "*", bins: int = BINS
) -> dict[str, Summary]:
    """Run many batches and keep one `Summary` a name: padding left out, memory independent of their number.

    Args:
        model: float or binary, as in `capture`.
        batches: inputs as in `capture`, any number and any lengths.
        names: patterns as in `capture`; a module that runs several times in a batch counts each time.
        bins: the most that each histogram keeps.

    Returns:
        Name -> Summary, for the names that ran.

    Raises:
        UserError: a name that the model does not have, or inputs that are no tensors.

    >>> network = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    >>> found = stream(network, (torch.randn(4, 2) for _ in range(5)), "1")
    >>> found["1"].count, found["1"].low >= 0
    (60, True)
    """
    layout = layout_for_reading(model)
    chosen = select(model, layout, names)
    found: dict[str, Summary] = {}

    def receive(name: str, value: Tensor, counted: Tensor | None) -> None:
        kept = value if counted is None else value[counted.expand(value.shape)]
        summary = found.setdefault(name, Summary(bins))
        summary.add(kept.detach().cpu().double().numpy())

    twin = shadow(model)  # scales that start from the first batch start once
    with torch.no_grad():
        for inputs in batches:
            run(twin, layout, chosen, inputs, receive, isolate=False)
    return {name: found[name] for name in chosen if name in found}
