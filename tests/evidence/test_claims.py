"""Verdicts on claims, against counts made by hand."""

import numpy as np
import pytest
from scipy.stats import binomtest

from binviz.evidence.claims import Claim, examples, judge
from binviz.evidence.runs import Run, correct_bits


def run(cell, correct, seed=0):
    correct = np.asarray(correct, dtype=bool)
    metrics = {"accuracy": float(correct.mean())} if correct.size else {"pearson": 0.5}
    return Run("e", cell, seed, {}, "", {}, metrics, 1.0, correct_bits(correct))


def records(*runs):
    return {(run.cell, run.seed): run for run in runs}


def pair(both, better, worse, neither):
    """Two models' right answers with these counts."""
    a = [1] * both + [1] * better + [0] * worse + [0] * neither
    b = [1] * both + [0] * better + [1] * worse + [0] * neither
    return records(run("a", a), run("b", b))


CLAIM = Claim("a is better than b", "nobody", "a", "b")


@pytest.mark.parametrize(
    ("counts", "verdict"),
    [
        ((50, 20, 5, 25), "holds"),
        ((50, 12, 8, 30), "weak"),
        ((50, 10, 10, 30), "fails"),
        ((50, 8, 12, 30), "fails"),
        ((100, 0, 0, 0), "fails"),
        ((50, 5, 0, 0), "weak"),  # 2 / 2^5 = 0.0625
        ((50, 6, 0, 0), "holds"),  # 2 / 2^6 = 0.03125
    ],
    ids=str,
)
def test_better(counts, verdict):
    found = judge(CLAIM, pair(*counts))
    b, c, n = counts[1], counts[2], sum(counts)
    assert found.verdict == verdict
    assert found.difference == pytest.approx((b - c) / n)
    assert found.p == pytest.approx(binomtest(b, b + c).pvalue if b + c else 1.0)


@pytest.mark.parametrize(
    ("counts", "verdict"),
    [((50, 10, 10, 30), "holds"), ((50, 8, 12, 30), "weak"), ((50, 5, 20, 25), "fails")],
    ids=str,
)
def test_at_least_as_good(counts, verdict):
    assert judge(Claim("", "", "a", "b", equal=True), pair(*counts)).verdict == verdict


@pytest.mark.parametrize(
    ("lost", "verdict"), [(30, "holds"), (85, "weak"), (100, "fails"), (104, "fails"), (150, "fails")]
)
def test_within_a_margin(lost, verdict):
    """Of 1000 examples `lost` more are wrong; 10 % may be. 100 of 1000 is the margin itself."""
    found = judge(Claim("", "", "a", "b", margin=0.1), pair(500, 10, lost + 10, 480 - lost))
    assert found.difference == pytest.approx(-lost / 1000)
    error = np.sqrt(lost + 20 - lost**2 / 1000) / 1000
    assert (found.difference - 1.645 * error > -0.1) == (verdict == "holds")
    assert found.verdict == verdict


def test_seeds_count_an_example_once():
    """Three seeds that agree are no more examples than one."""
    once = pair(50, 8, 2, 40)
    thrice = {
        (cell, seed): Run(**(vars(r) | {"seed": seed})) for (cell, _), r in once.items() for seed in range(3)
    }
    one, three = judge(CLAIM, once), judge(CLAIM, thrice)
    assert (three.seeds, three.verdict) == (3, one.verdict)
    assert three.p == pytest.approx(one.p) and three.difference == pytest.approx(one.difference)


def test_seeds_that_contradict_each_other():
    second = records(run("a", [1] * 5 + [0] * 25, seed=1), run("b", [1] * 25 + [0] * 5, seed=1))
    found = judge(CLAIM, pair(5, 20, 0, 5) | second)
    assert found.seeds == 2 and found.difference == pytest.approx(0)
    assert found.verdict == "fails"


def test_the_side_of_the_mean_counts():
    """Of three seeds, 11 examples are gained in all and 30 lost in one each: ahead in the mean, behind in the count."""
    gained, lost, same = [1] * 11, [0] * 30, [1] * 59
    pairs = {}
    for seed in range(3):
        first = gained + [0 if i % 3 == seed else 1 for i in range(30)] + same
        second = [0] * 11 + [1] * len(lost) + same
        pairs |= records(run("a", first, seed=seed), run("b", second, seed=seed))
    found = judge(CLAIM, pairs)
    assert found.difference > 0 and found.p < 0.05
    assert found.verdict == "weak"


def test_more_seeds_make_a_margin_surer():
    random = np.random.default_rng(0)

    def pairs(seeds):
        """80 of 1000 examples more are wrong in the mean, others in each seed."""
        found = {}
        for seed in range(seeds):
            worse = random.random(1000) < 0.9
            found |= records(
                run("a", list(worse & (random.random(1000) < 0.911)), seed=seed),
                run("b", list(worse), seed=seed),
            )
        return judge(Claim("", "", "a", "b", margin=0.1), found)

    one, nine = pairs(1), pairs(9)
    assert nine.difference == pytest.approx(-0.08, abs=0.01)
    assert nine.verdict == "holds"
    assert one.seeds == 1 and nine.seeds == 9


@pytest.mark.parametrize(
    "given",
    [
        {},
        records(run("a", [1, 0])),
        records(run("a", [1, 0]), run("b", [1, 0], seed=1)),
        records(run("a", []), run("b", [])),
        records(run("a", [1] * 8), run("b", [1] * 20)),
    ],
    ids=["nothing", "one side", "other seeds", "a regression", "other examples"],
)
def test_not_run(given):
    found = judge(CLAIM, given)
    assert (found.verdict, found.seeds) == ("not run", 0)


@pytest.mark.parametrize("n", [1, 7, 8, 9, 408, 872])
def test_how_many_examples(n):
    correct = np.random.default_rng(n).random(n) < 0.8
    assert examples(run("a", correct)) == n or not correct.any()
