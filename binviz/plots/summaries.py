"""From arrays to the few numbers a figure needs: nothing larger reaches a notebook or a browser."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class Histogram(NamedTuple):
    """`counts[i]` values lie between `edges[i]` and `edges[i + 1]`."""

    edges: Sequence[float]
    counts: Sequence[int]


class Sweep(NamedTuple):
    """Error (in % of the input's energy) against a scale or a threshold, and where it is least."""

    values: Sequence[float]
    errors: Sequence[float]
    best: float
    best_error: float


def histogram(values: ArrayLike, bins: int = 40, span: tuple[float, float] | None = None) -> Histogram:
    """Count values in equal bins over `span`, by default from the smallest to the largest value.

    What lies outside the span is counted in the outermost bins, so no value is lost.

    >>> histogram([0.0, 0.5, 1.0, 9.0], bins=2, span=(0.0, 1.0))
    Histogram(edges=[0.0, 0.5, 1.0], counts=[1, 3])
    """
    x = np.asarray(values, dtype=np.float64).ravel()
    low, high = span if span is not None else (float(x.min()), float(x.max()))
    if not low < high:
        low, high = low - 0.5, low + 0.5
    counts, edges = np.histogram(x.clip(low, high), bins=bins, range=(low, high))
    return Histogram(edges.tolist(), counts.tolist())


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


def scale_sweep(x: ArrayLike, codes: ArrayLike, points: int = 81) -> Sweep:
    r"""Error of `scale * codes` for scales from zero to twice the best one.

    $$E(\alpha) = \frac{\sum (x - \alpha q)^2}{\sum x^2}, \qquad \alpha^* = \frac{\sum x q}{\sum q^2}$$

    >>> scale_sweep([-1.0, 3.0], [-1.0, 1.0], points=3)
    Sweep(values=[0.0, 2.0, 4.0], errors=[100.0, 20.0, 100.0], best=2.0, best_error=20.0)
    """
    x, q = np.asarray(x, dtype=np.float64).ravel(), np.asarray(codes, dtype=np.float64).ravel()
    xx, xq, qq = (float((a * b).sum()) for a, b in ((x, x), (x, q), (q, q)))
    energy, qq = xx or 1.0, qq or 1.0
    best = xq / qq
    values = np.linspace(0.0, 2.0 * best if best > 0 else 1.0, points)
    errors = 100 * (xx - 2 * values * xq + values**2 * qq) / energy
    return Sweep(values.tolist(), errors.tolist(), best, 100 * (xx - best * xq) / energy)


def threshold_sweep(x: ArrayLike, levels: tuple[int, int] = (-1, 1), points: int = 161) -> Sweep:
    r"""Error of the two-level code `high where x >= t, else low`, each threshold t with its own best scale.

    $$E(t) = 1 - \frac{\max(0, \sum x q_t)^2}{\sum x^2 \sum q_t^2}$$

    >>> sweep = threshold_sweep([0.0, 0.1, 0.9, 1.0], levels=(0, 1), points=11)
    >>> round(sweep.best, 3), round(sweep.best_error, 3)
    (0.1, 0.824)
    """
    x = np.sort(np.asarray(x, dtype=np.float64).ravel())
    low, high = levels
    values = np.linspace(*central_span(x), points)
    first = np.searchsorted(x, values, side="left")
    above = np.concatenate([np.cumsum(x[::-1])[::-1], [0.0]])[first]
    xq = high * above + low * (x.sum() - above)
    qq = high**2 * (x.size - first) + low**2 * first
    energy = float((x * x).sum()) or 1.0
    explained = np.divide(np.maximum(xq, 0) ** 2, qq, out=np.zeros(points), where=qq > 0)
    errors = 100 * (1 - explained / energy)
    best = int(errors.argmin())
    return Sweep(values.tolist(), errors.tolist(), float(values[best]), float(errors[best]))
