"""From arrays to the few numbers a figure needs: nothing larger reaches a notebook or a browser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Histogram(NamedTuple):
    """`counts[i]` values lie between `edges[i]` and `edges[i + 1]`.

    `outside` of those in the first and last bin lie beyond the edges.
    """

    edges: Sequence[float]
    counts: Sequence[int]
    outside: int = 0


class Sweep(NamedTuple):
    """Error (in % of the input's energy) against a scale or a threshold, and where it is least.

    `used` is where a binarizer stands, and `used_error` its error; None where it is not known.
    """

    values: Sequence[float]
    errors: Sequence[float]
    best: float
    best_error: float
    used: float | None = None
    used_error: float | None = None

    def as_added(self, own: float) -> Sweep:
        """The same in terms of what is added before a comparison, where `own` is: more of it is a lower threshold.

        >>> Sweep([-1, 0, 2], [9, 1, 4], 0, 1, used=0, used_error=1).as_added(5.0)
        Sweep(values=[3.0, 5.0, 6.0], errors=[4, 1, 9], best=5.0, best_error=1, used=5.0, used_error=1)
        """
        values = [own - value for value in reversed(self.values)]
        used = None if self.used is None else own - self.used
        return self._replace(values=values, errors=[*reversed(self.errors)], best=own - self.best, used=used)


def histogram(values: ArrayLike, bins: int = 40, span: tuple[float, float] | None = None) -> Histogram:
    """Count values in equal bins over `span`, by default from the smallest to the largest value.

    What lies outside the span is counted in the outermost bins, so no value is lost, and again in `outside`.

    >>> histogram([0.0, 0.5, 1.0, 9.0], bins=2, span=(0.0, 1.0))
    Histogram(edges=[0.0, 0.5, 1.0], counts=[1, 3], outside=1)
    """
    x = np.asarray(values, dtype=np.float64).ravel()
    low, high = span if span is not None else (float(x.min()), float(x.max()))
    if not low < high:
        low, high = low - 0.5, low + 0.5
    counts, edges = np.histogram(x.clip(low, high), bins=bins, range=(low, high))
    return Histogram(edges.tolist(), counts.tolist(), int(((x < low) | (x > high)).sum()))


def in_words(part: Histogram) -> list[str]:
    """What each bin holds.

    >>> in_words(Histogram([0.0, 0.5, 1.0], [1, 3]))
    ['0 to 0.5: 1 value, 25 %', '0.5 to 1: 3 values, 75 %']
    """
    total = max(sum(part.counts), 1)
    return [
        f"{low:.3g} to {high:.3g}: {count:,} value{'s' * (count != 1)}, {100 * count / total:.3g} %"
        for low, high, count in zip(part.edges[:-1], part.edges[1:], part.counts, strict=True)
    ]


def outliers(parts: Mapping[str, Histogram]) -> str:
    """How many values of each lie beyond the edges, in a sentence; "" where none does.

    >>> outliers({"teacher": Histogram([0, 1], [500], 2), "1-bit": Histogram([0, 1], [500])})
    'Beyond the axis, in the outermost bars: teacher 2 of 500 values.'
    """
    said = [
        f"{name} {part.outside:,} of {sum(part.counts):,}" for name, part in parts.items() if part.outside
    ]
    return f"Beyond the axis, in the outermost bars: {', '.join(said)} values." if said else ""


def spread(part: Histogram) -> float:
    """Standard deviation of a histogram's values, each taken to lie in the middle of its bin.

    >>> spread(Histogram([0.0, 2.0, 4.0], [5, 5]))
    1.0
    """
    edges, counts = np.asarray(part.edges, dtype=float), np.asarray(part.counts, dtype=float)
    centres, share = (edges[:-1] + edges[1:]) / 2, counts / max(counts.sum(), 1)
    mean = float(centres @ share)
    return float(np.sqrt((centres - mean) ** 2 @ share))


def central_span(values: ArrayLike, share: float = 0.998) -> tuple[float, float]:
    """The span that holds the central `share` of the values: a few outliers do not squeeze the rest.

    >>> central_span([0.0, 1.0, 2.0, 3.0, 4.0], share=0.5)
    (1.0, 3.0)
    """
    low, high = np.quantile(np.asarray(values, dtype=np.float64), [(1 - share) / 2, (1 + share) / 2])
    return float(low), float(high)


def scale_sweep(x: ArrayLike, y: ArrayLike, shift: ArrayLike = 0.0, points: int = 81) -> Sweep:
    r"""Error of what a binarizer makes of x, with its own scale times a factor f.

    $$E(f) = \frac{\sum (x - c - f y)^2}{\sum x^2}, \qquad f^* = \frac{\sum (x - c)\, y}{\sum y^2}$$

    The factors hold 1, where the binarizer stands, and the best one, however far that is.

    Args:
        x: the input. y: code times scale, x's shape. shift: c, which stays.
        points: how many factors, beside those two.

    >>> sweep = scale_sweep([-1.0, 3.0], [-1.0, 1.0], points=3)
    >>> sweep.values, sweep.errors
    ([0.0, 1.0, 2.0, 4.0], [100.0, 40.0, 20.0, 100.0])
    >>> sweep.best, sweep.used, sweep.used_error
    (2.0, 1.0, 40.0)
    """
    x, y, c = (np.asarray(part, dtype=np.float64) for part in (x, y, shift))
    rest = x - c
    energy, rr, ry, yy = (float((a * b).sum()) for a, b in ((x, x), (rest, rest), (rest, y), (y, y)))
    best = ry / yy if yy else 1.0
    low, high = min(best, 1.0), max(best, 1.0)
    near = low <= 0 or high / low < 5
    around = (
        np.linspace(min(0.0, 2.0 * low), 2.0 * high, points)
        if near
        else np.geomspace(low / 4, 4 * high, points)
    )
    values = np.unique(np.concatenate([around, [1.0, best]]))

    def error(f: NDArray[np.float64] | float) -> Any:
        return 100 * np.maximum(rr - 2 * f * ry + f * f * yy, 0) / (energy or 1.0)

    return Sweep(
        values.tolist(),
        error(values).tolist(),
        best,
        float(error(best)),
        used=1.0,
        used_error=float(error(1.0)),
    )


def threshold_sweep(
    x: ArrayLike,
    low: ArrayLike,
    high: ArrayLike,
    position: ArrayLike | None = None,
    used: float | None = None,
    points: int = 161,
) -> Sweep:
    r"""Error of `high where position >= t, else low`, for thresholds t; both levels stay.

    $$E(t) = \Big(\sum_{p \ge t} (x - h)^2 + \sum_{p < t} (x - l)^2\Big) \Big/ \sum x^2$$

    Args:
        x: the input. low, high: what becomes of a value below and above, broadcastable to x.
        position: p, what is compared with the threshold, x's shape; x itself if not given.
        used: a threshold that is among those.
        points: how many, beside that one.

    >>> sweep = threshold_sweep([0.0, 0.2, 0.9, 1.0], low=0, high=1, used=0.5, points=11)
    >>> round(sweep.best, 3), round(sweep.best_error, 3), sweep.used == 0.5
    (0.2, 2.703, True)
    """
    x = np.asarray(x, dtype=np.float64)
    p = (x if position is None else np.asarray(position, dtype=np.float64)).ravel()
    above, below = (np.square(x - np.asarray(level, dtype=np.float64)).ravel() for level in (high, low))
    order = np.argsort(p, kind="stable")
    start, end = central_span(p)
    values = np.linspace(start, end, points)
    if used is not None:
        values = np.unique(np.concatenate([values, [used]]))
    first = np.searchsorted(p[order], values, side="left")
    of_above = np.concatenate([np.cumsum(above[order][::-1])[::-1], [0.0]])[first]
    of_below = np.concatenate([[0.0], np.cumsum(below[order])])[first]
    errors = 100 * (of_above + of_below) / (float((x * x).sum()) or 1.0)
    best = int(errors.argmin())
    sweep = Sweep(values.tolist(), errors.tolist(), float(values[best]), float(errors[best]))
    if used is None:
        return sweep
    return sweep._replace(used=used, used_error=float(errors[values == used][0]))
