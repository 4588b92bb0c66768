r"""Is a difference more than noise, and how large would it have to be? Paired tests, each with its power.

A sample d holds what one side is ahead by: on each example (of one seed, or the mean over seeds), or at each seed.
`TESTS` has three ways to ask whether its mean is zero, all at 5 %, two-sided:

    right or wrong   exact binomial test of the examples ahead against those behind (McNemar 1947)
    scores           signs of d flipped at random: how often is the mean as far from zero? (Fisher 1935)
    seeds            Student's t of d; under five seeds it says nothing

`seen` has the smallest true mean that such a test finds four times in five. `holm` has what is left of each p where
many claims are asked at once. For the binomial test, with a share psi of the n examples on which the two sides differ,
`seen` is the sample size of McNemar's test read the other way round (Connor 1987, Biometrics 43:207):
n = (z_a sqrt(psi) + z_b sqrt(psi - d^2))^2 / d^2, solved for d with d^2 left out beside psi, so that d is no smaller:

    seen = (z_{1 - level/2} + z_{power}) * sqrt(psi / n)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Kind = Literal["right or wrong", "scores", "seeds"]

LEVEL, POWER = 0.05, 0.8
#: With fewer seeds, and no examples to compare, nothing is beyond noise.
SEEDS = 5
#: Up to so many differences that are not zero all their signs are tried; of more, FLIPS draws.
EXACT, FLIPS = 12, 9999


def mcnemar(ahead: Floats) -> float:
    """Exact two-sided p: of the examples that count for a side, is either side's share a half?

    >>> mcnemar(np.array([1.0] * 6 + [0.0] * 94))
    0.03125
    """
    from scipy.stats import binomtest

    b, c = int((ahead > 0).sum()), int((ahead < 0).sum())
    return float(binomtest(b, b + c).pvalue) if b + c else 1.0


def sign_flip(ahead: Floats) -> float:
    """Two-sided p: the share of sign patterns whose mean is as far from zero; deterministic.

    >>> sign_flip(np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]))
    0.03125
    """
    d = ahead[ahead != 0]
    if not len(d):
        return 1.0
    least = abs(d.sum()) * (1 - 1e-9)  # sums in another order round otherwise
    if len(d) <= EXACT:
        patterns = np.arange(2 ** len(d))[:, None] >> np.arange(len(d)) & 1
        return float((np.abs((2 * patterns - 1) @ d) >= least).mean())
    random, found = np.random.default_rng(0), 1
    for _ in range(FLIPS // 99):
        found += int((np.abs((2 * random.integers(2, size=(99, len(d))) - 1) @ d) >= least).sum())
    return found / (FLIPS + 1)


def student(ahead: Floats) -> float:
    """Two-sided p of the mean over seeds; NaN where they are too few.

    >>> student(np.array([1.0, 2.0, 3.0, 4.0])), round(student(np.array([1.0, 2.0, 3.0, 4.0, 5.0])), 3)
    (nan, 0.013)
    """
    from scipy.stats import t

    if len(ahead) < SEEDS:
        return float("nan")
    mean, error = abs(ahead.mean()), ahead.std(ddof=1) / np.sqrt(len(ahead))
    return float(2 * t.sf(mean / error, len(ahead) - 1)) if error else float(mean == 0)


TESTS: dict[Kind, Callable[[Floats], float]] = {
    "right or wrong": mcnemar,
    "scores": sign_flip,
    "seeds": student,
}


def inside(ahead: Floats, kind: Kind, margin: float) -> float:
    """One-sided p: is the mean above -margin? Below the level exactly where `bound` is; NaN where seeds are too few.

    >>> lost = np.array([1.0] * 40 + [-1.0] * 50 + [0.0] * 10)  # a mean of -0.1, an error of 0.094
    >>> round(inside(lost, "right or wrong", 0.3), 4), bound(lost, "right or wrong") > -0.3
    (0.017, True)
    """
    from scipy.stats import norm, t

    error = _error(ahead, kind)
    if error == 0:
        return float(ahead.mean() <= -margin)
    z = (ahead.mean() + margin) / error
    return float(t.sf(z, len(ahead) - 1) if kind == "seeds" else norm.sf(z))


def holm(p: Sequence[float]) -> list[float]:
    """What each p is worth among all of them: the chance of any false one stays below the level (Holm 1979).

    With m of them in rising order, p_(i) becomes the largest of (m - j + 1) p_(j) over j <= i, and at most 1.

    Args:
        p: of each test; NaN where there was none, which stays and does not count.

    >>> holm([0.01, 0.04, 0.03, float("nan")])
    [0.03, 0.06, 0.06, nan]
    """
    tested = sorted((value, index) for index, value in enumerate(p) if not np.isnan(value))
    found, largest = [float("nan")] * len(p), 0.0
    for before, (value, index) in enumerate(tested):
        largest = max(largest, min(1.0, (len(tested) - before) * value))
        found[index] = largest
    return found


def bound(ahead: Floats, kind: Kind) -> float:
    """One-sided 95 % lower bound of the mean; NaN where seeds are too few.

    >>> round(bound(np.array([1.0] * 60 + [-1.0] * 40), "right or wrong"), 3)  # 0.2 - 1.645 * 0.098
    0.039
    """
    return float(ahead.mean() - _quantile(1 - LEVEL, ahead, kind) * _error(ahead, kind))


def interval(ahead: Floats, kind: Kind) -> tuple[float, float]:
    """95 % interval of the mean; NaN where seeds are too few.

    >>> low, high = interval(np.array([1.0] * 60 + [-1.0] * 40), "right or wrong")  # 0.2 -+ 1.96 * 0.098
    >>> round(low, 3), round(high, 3)
    (0.008, 0.392)
    """
    half = _quantile(1 - LEVEL / 2, ahead, kind) * _error(ahead, kind)
    return float(ahead.mean() - half), float(ahead.mean() + half)


def wilson(share: float, examples: int) -> tuple[float, float]:
    """95 % interval of a share of independent examples (Wilson 1927).

    >>> low, high = wilson(0.5, 100)
    >>> round(low, 3), round(high, 3)
    (0.404, 0.596)
    """
    from scipy.stats import norm

    z = float(norm.ppf(1 - LEVEL / 2))
    middle = (share + z * z / (2 * examples)) / (1 + z * z / examples)
    half = z / (1 + z * z / examples) * np.sqrt(share * (1 - share) / examples + z * z / (4 * examples**2))
    return float(middle - half), float(middle + half)


def seen(ahead: Floats, kind: Kind, margin: bool = False) -> float:
    """The smallest true mean that a test with this noise finds four times in five; NaN where seeds are too few.

    Args:
        ahead: (n,).
        kind: of the test.
        margin: whether a one-sided bound is asked for; the mean is then counted from the margin.

    >>> round(seen(np.array([1.0] * 60 + [-1.0] * 40 + [0.0] * 772), "right or wrong"), 3)
    0.032
    """
    # seen = (q(1 - level / 2) + q(power)) * error, q normal or t; level in place of level / 2 if one-sided
    level = LEVEL if margin else LEVEL / 2
    error = (
        _error(ahead, kind) if margin or kind == "seeds" else float(np.sqrt((ahead**2).mean() / len(ahead)))
    )
    found = (_quantile(1 - level, ahead, kind) + _quantile(POWER, ahead, kind)) * error
    if kind == "right or wrong" and not margin:
        # No test of signs finds fewer than k examples, where 2 / 2^k is the first p below the level.
        k = 1 + int(np.ceil(np.log2(1 / LEVEL)))
        found = max(found, k / len(ahead))
    return float(found)


def _error(ahead: Floats, kind: Kind) -> float:
    """Standard error of the mean."""
    if kind != "seeds":
        return float(ahead.std() / np.sqrt(len(ahead)))
    return float(ahead.std(ddof=1) / np.sqrt(len(ahead))) if len(ahead) >= SEEDS else float("nan")


def _quantile(share: float, ahead: Floats, kind: Kind) -> float:
    from scipy.stats import norm, t

    return float(t.ppf(share, len(ahead) - 1) if kind == "seeds" else norm.ppf(share))
