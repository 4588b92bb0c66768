r"""A claim of a paper as an inequality on recorded runs, with a verdict.

    metric(better) > metric(worse) - margin

The noise rule compares two models on the same examples, by what each example is worth to either (McNemar's test where
answers are right or wrong, signs flipped at random where they have scores), each example once: with several seeds by
the mean over those that both have. Metrics that have no values of single examples are compared by their seeds. A
difference of the metric holds where the test finds one at 5 %, in the same direction; one with a margin where the
one-sided 95 % bound of the mean over examples is inside it. `binviz.evidence.noise` has the tests and what they see.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from binviz.evidence.noise import LEVEL, TESTS, Floats, Kind, inside, interval, seen
from binviz.evidence.runs import Run, each_example

Verdict = Literal["holds", "weak", "fails", "not run"]
#: Of one seed each: the run of the cell that is to be better, and of the other.
Pairs = list[tuple[Run, Run]]
ACCURACY = "accuracy"


@dataclass(frozen=True)
class Claim:
    """One sentence of a paper, as an inequality.

    Args:
        text: what is claimed, in one line.
        source: paper and place.
        better, worse: names of cells.
        margin: `better` may stay this much below `worse`, in the unit of the metric.
        equal: whether as good is enough ("at least as good as").
        metric: of the runs.
        lower: whether less of it is better, such as of an error.
        written: the day on which the inequality was first committed, before its runs.
        theirs: the difference that the source printed, in the unit of the metric; None where it is not known.
        where: on which network and data.
        needs: texts of claims of the same experiment that it stands on: where one fails, this one says nothing.
        history: what was changed since it was written, each with its day.

    >>> claim = Claim("1 bit loses at most 2 points", "table 1", "a.bit", "a.float", margin=0.02)
    >>> claim.metric, claim.equal
    ('accuracy', False)
    """

    text: str
    source: str
    better: str
    worse: str
    margin: float = 0.0
    equal: bool = False
    metric: str = ACCURACY
    lower: bool = False
    written: str = ""
    theirs: float | None = None
    where: str = ""
    needs: tuple[str, ...] = ()
    history: tuple[str, ...] = ()

    @property
    def inequality(self) -> str:
        """It as a formula on names of cells.

        >>> Claim("", "", "a.bit", "a.float", margin=0.02).inequality
        'accuracy(a.bit) > accuracy(a.float) - 0.02'
        """
        sign = "<" if self.lower else ">"
        plus = self.lower == (self.margin > 0)
        margin = f" {'+' if plus else '-'} {abs(self.margin):g}" if self.margin else ""
        return f"{self.metric}({self.better}) {sign}{'=' * self.equal} {self.metric}({self.worse}){margin}"


@dataclass(frozen=True)
class Finding:
    """A claim's verdict.

    difference: of the metric, positive where `better` is better. p: of the test, one-sided and from the margin where
    there is a margin, NaN where there was no test. seeds: how many both have. by: what was tested, see
    `binviz.evidence.noise`. seen: the smallest difference that this test would have seen four times in five, from the
    margin if there is one; of the metric, or of the mean score. low, high: 95 % interval of the difference, NaN where
    the test is of something else than the metric. failed: runs of both sides that have no number; nothing is judged by
    them.

    >>> found = Finding(Claim("a beats b", "table 1", "a", "b"), "not run")
    >>> found.verdict, found.difference, found.seeds
    ('not run', nan, 0)
    """

    claim: Claim
    verdict: Verdict
    difference: float = float("nan")
    p: float = float("nan")
    seeds: int = 0
    by: Kind = "seeds"
    seen: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    failed: tuple[str, ...] = ()

    @property
    def doubt(self) -> str:
        """Why a claim that fails is not contradicted by that: "within noise" or "untested"; "" where it is, or holds.

        >>> Finding(Claim("a beats b", "", "a", "b"), "fails", -0.01, 0.4).doubt
        'within noise'
        """
        if self.verdict != "fails":
            return ""
        if np.isnan(self.p):
            return "untested"
        # With a margin p is small where the mean is inside it, and near 1 where it is outside for certain
        certain = self.p > 1 - LEVEL if self.claim.margin else self.p < LEVEL
        return "" if certain else "within noise"


def judge(claim: Claim, records: Mapping[tuple[str, int], Run]) -> Finding:
    """The verdict on a claim.

    holds: the inequality is true beyond noise; with `equal`, it is true of the measured values. weak: it is true of
    the measured values, but within noise, or of too few seeds where nothing else can be tested. fails: the measured
    values contradict it (`Finding.doubt` says whether beyond noise). not run: a record is missing, failed, has no such
    metric or was made on other examples.

    Args:
        claim: what to judge.
        records: (cell, seed) -> run.

    >>> run = lambda cell, bits: Run("e", cell, 0, {}, "", {}, {"accuracy": 0.5}, 1.0, bits, examples=8)
    >>> records = {("a", 0): run("a", "ff"), ("b", 0): run("b", "01")}
    >>> judge(Claim("a beats b", "nobody", "a", "b"), records).verdict
    'holds'
    """
    sides = (claim.better, claim.worse)
    failed = tuple(
        f"{cell} seed {seed}" for (cell, seed), run in records.items() if cell in sides and run.failed
    )
    by, pairs = _finest(claim, _alike(claim, records))
    if not pairs:
        return Finding(claim, "not run", failed=failed)
    each = _leads(claim, pairs, by)
    ahead = each[:, 0] if by == "seeds" else each.mean(axis=0)
    of_examples = by == "right or wrong" and claim.metric == ACCURACY
    difference = float((each if of_examples else _leads(claim, pairs, "seeds")).mean())
    if claim.margin:
        p = inside(ahead, by, claim.margin)
        beyond = p < LEVEL
    else:
        p = TESTS[by](ahead)
        towards = np.sign(ahead).sum() if by == "right or wrong" else ahead.mean()
        beyond = p < LEVEL and towards * difference > 0
    verdict = _verdict(claim, difference + claim.margin, beyond, tested=not np.isnan(p))
    low, high = interval(ahead, by) if of_examples or by == "seeds" else (float("nan"),) * 2
    least = seen(ahead, by, bool(claim.margin))
    return Finding(claim, verdict, difference, p, len(pairs), by, least, low, high, failed)


def _alike(claim: Claim, records: Mapping[tuple[str, int], Run]) -> Pairs:
    """The runs of both cells, seed by seed, that were made on the same examples."""
    there = {key for key, run in records.items() if not run.failed}
    seeds = sorted(seed for name, seed in there if name == claim.better and (claim.worse, seed) in there)
    pairs = [(records[claim.better, seed], records[claim.worse, seed]) for seed in seeds]
    alike = [(a, b) for a, b in pairs if a.examples == b.examples]
    return [(a, b) for a, b in alike if a.examples == alike[0][0].examples]


def _finest(claim: Claim, pairs: Pairs) -> tuple[Kind, Pairs]:
    """The finest test that some pairs can be put to, and these; no pairs where none can."""
    for by in TESTS:  # the finest first
        usable = [pair for pair in pairs if all(_has(run, claim, by) for run in pair)]
        if usable:
            return by, usable
    return "seeds", []


def _leads(claim: Claim, pairs: Pairs, by: Kind) -> Floats:
    """How far `better` is ahead: (pairs, examples), or of the metric alone (pairs, 1)."""
    return np.array([_worth(a, claim, by) - _worth(b, claim, by) for a, b in pairs])


def _verdict(claim: Claim, surplus: float, beyond: bool, tested: bool) -> Verdict:
    """What a surplus over the margin means, by whether it is beyond noise; what is not tested does not hold."""
    if surplus < 0 or (surplus == 0 and not claim.equal):
        return "fails"
    return "holds" if tested and (beyond or claim.equal) else "weak"


def _has(run: Run, claim: Claim, by: Kind) -> bool:
    """Whether a run can be judged like that."""
    if by == "right or wrong" and claim.metric == ACCURACY:
        return bool(run.predictions)
    if claim.metric not in run.metrics:
        return False
    if by == "seeds":
        return True
    if not (run.predictions if by == "right or wrong" else run.scores):
        return False
    # A margin of the metric is one of the examples only where the metric is their mean; float16 has three digits.
    metric, mean = _worth(run, claim, "seeds").item(), _worth(run, claim, by).mean()
    return not claim.margin or bool(np.isclose(metric, mean, rtol=1e-3))


def _worth(run: Run, claim: Claim, by: Kind) -> Floats:
    """What is compared, higher is better: (examples,) values, or the metric alone (1,)."""
    if by == "seeds":
        return np.array([-run.metrics[claim.metric] if claim.lower else run.metrics[claim.metric]])
    values = each_example(run)
    assert values is not None
    return values.astype(float)
