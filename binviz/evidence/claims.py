r"""A claim of a paper as an inequality on recorded runs, with a verdict.

    accuracy(better) > accuracy(worse) - margin

The noise rule compares two models on the same examples (McNemar 1947). An example counts for the one that is
right where the other is wrong; with several seeds it counts by the sign of the sum over the seeds that both
have. With b and c examples for either side of n,

    margin 0:  exact two-sided binomial test of b against c, at 5 %, on the side of the mean difference
    else:      one-sided 95 % normal bound of the mean difference over examples, each averaged over its seeds
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from binviz.evidence.runs import Run

Verdict = Literal["holds", "weak", "fails", "not run"]
LEVEL = 0.05


@dataclass(frozen=True)
class Claim:
    """One sentence of a paper, as an inequality.

    Args:
        text: what is claimed, in one line.
        source: paper and place.
        better, worse: names of cells.
        margin: `better` may stay this much below `worse`, as a share of the examples.
        equal: whether as good is enough ("at least as good as").
    """

    text: str
    source: str
    better: str
    worse: str
    margin: float = 0.0
    equal: bool = False


@dataclass(frozen=True)
class Finding:
    """A claim's verdict.

    difference: better - worse, as a share of the examples. p: of the exact test. seeds: how many both have.
    """

    claim: Claim
    verdict: Verdict
    difference: float = float("nan")
    p: float = float("nan")
    seeds: int = 0


def judge(claim: Claim, records: Mapping[tuple[str, int], Run]) -> Finding:
    """The verdict on a claim.

    holds: the inequality is true beyond noise; with `equal`, it is true of the measured values. weak: within
    noise. fails: the measured values contradict it; with `equal`, beyond noise. not run: a record is missing,
    or has no predictions (regression).

    Args:
        claim: what to judge.
        records: (cell, seed) -> run.

    >>> run = lambda cell, bits: Run("e", cell, 0, {}, "", {}, {"accuracy": 0.5}, 1.0, bits)
    >>> records = {("a", 0): run("a", "ff"), ("b", 0): run("b", "01")}
    >>> judge(Claim("a beats b", "nobody", "a", "b"), records).verdict
    'holds'
    """
    seeds = sorted(seed for name, seed in records if name == claim.better and (claim.worse, seed) in records)
    pairs = [(records[claim.better, seed], records[claim.worse, seed]) for seed in seeds]
    pairs = [(a, b) for a, b in pairs if a.predictions and len(a.predictions) == len(b.predictions)]
    if not pairs:
        return Finding(claim, "not run")
    n = examples(pairs[0][0])
    ahead = np.sum([_correct(a)[:n] - _correct(b)[:n] for a, b in pairs], axis=0)
    b, c = int((ahead > 0).sum()), int((ahead < 0).sum())
    difference = float(ahead.mean()) / len(pairs)
    p = _exact(b, c)
    if claim.margin:
        error = float(ahead.std()) / len(pairs) / np.sqrt(n)
        beyond = difference - 1.645 * error > -claim.margin
    else:
        beyond = p < LEVEL and (b - c) * difference > 0
    surplus = difference + claim.margin
    verdict: Verdict
    if claim.equal:
        verdict = "holds" if surplus >= 0 else "fails" if beyond else "weak"
    else:
        verdict = "fails" if surplus <= 0 else "holds" if beyond else "weak"
    return Finding(claim, verdict, difference, p, len(pairs))


def examples(run: Run) -> int:
    """How many examples a run was judged on, from its accuracy and the number of right ones.

    >>> examples(Run("e", "c", 0, {}, "", {}, {"accuracy": 0.75}, 1.0, "07"))
    4
    """
    right, bits = int(_correct(run).sum()), 4 * len(run.predictions)
    accuracy = run.metrics["accuracy"]
    # The bits are padded to bytes; the recorded accuracy says by how much.
    return min(range(max(bits - 7, 1), bits + 1), key=lambda n: abs(right / n - accuracy))


def _correct(run: Run) -> np.ndarray:
    bits = np.frombuffer(bytes.fromhex(run.predictions), dtype=np.uint8)
    return np.unpackbits(bits, bitorder="little").astype(np.int64)


def _exact(b: int, c: int) -> float:
    """McNemar's exact p-value."""
    from scipy.stats import binomtest

    return float(binomtest(b, b + c).pvalue) if b + c else 1.0
