"""Verdicts on claims, against counts made by hand."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest

from binviz.evidence.claims import Claim, judge
from binviz.evidence.runs import Run, of_examples


def run(cell, correct, seed=0):
    correct = np.asarray(correct, dtype=bool)
    metrics = {"accuracy": float(correct.mean())} if correct.size else {"pearson": 0.5}
    return measured(cell, correct, metrics, seed)


def measured(cell, values, metrics, seed=0):
    return Run("e", cell, seed, {}, "", {}, metrics, 1.0, **of_examples(np.asarray(values)))


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
    [((50, 10, 10, 30), "holds"), ((50, 8, 12, 30), "fails"), ((50, 5, 20, 25), "fails")],
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


def test_right_answers_need_no_accuracy_beside_them():
    counts = (50, 20, 5, 25)
    bare = {key: replace(r, metrics={}) for key, r in pair(*counts).items()}
    assert judge(CLAIM, bare) == judge(CLAIM, pair(*counts))
    assert judge(replace(CLAIM, metric="f1"), bare).verdict == "not run"


def test_another_metric_of_right_answers_is_tested_by_them():
    """Both must point the same way: the metric, and the examples."""
    for f1, verdict in ((0.9, "holds"), (0.5, "fails")):
        given = pair(50, 20, 5, 25)
        given = {
            (cell, seed): replace(r, metrics=r.metrics | {"f1": f1 if cell == "a" else 0.7})
            for (cell, seed), r in given.items()
        }
        found = judge(replace(CLAIM, metric="f1"), given)
        assert (found.verdict, found.by) == (verdict, "right or wrong")
        assert found.difference == pytest.approx(f1 - 0.7)
    given = {
        key: replace(r, metrics={"f1": 0.8 if key[0] == "a" else 0.7})
        for key, r in pair(50, 5, 20, 25).items()
    }
    assert judge(replace(CLAIM, metric="f1"), given).verdict == "weak"


def scored(gain, metric="loss", noise=1.0, n=400, seed=0):
    """Two models whose losses differ by `gain` in the mean; a score is minus an example's loss."""
    random = np.random.default_rng(seed)
    b = random.random(n) + 1
    a = b - gain - noise * (random.permutation(n) - (n - 1) / 2) / n
    runs = (measured(cell, -loss, {metric: float(loss.mean())}, seed) for cell, loss in (("a", a), ("b", b)))
    return records(*runs)


@pytest.mark.parametrize(
    ("gain", "verdict"), [(0.1, "holds"), (0.01, "weak"), (-0.01, "fails"), (-0.1, "fails")]
)
def test_scores(gain, verdict):
    found = judge(Claim("", "", "a", "b", metric="loss", lower=True), scored(gain))
    assert (found.verdict, found.by, found.seeds) == (verdict, "scores", 1)
    assert found.difference == pytest.approx(gain)
    assert (found.p < 0.05) == (abs(gain) == 0.1)
    # The other way round the claim is the opposite one
    other = judge(Claim("", "", "b", "a", metric="loss", lower=True), scored(gain))
    assert other.p == found.p and other.difference == pytest.approx(-gain)


def test_scores_within_a_margin_of_their_mean():
    """Noise of 1 / sqrt(12 * 400) each: the bound is 0.024 below."""
    claim = Claim("", "", "a", "b", margin=0.1, metric="loss", lower=True)
    assert [judge(claim, scored(-lost)).verdict for lost in (0.05, 0.09, 0.11)] == ["holds", "weak", "fails"]
    found = judge(claim, scored(-0.05, metric="loss") | scored(-0.05, seed=1))
    assert (found.by, found.seeds) == ("scores", 2)


def test_a_margin_of_a_metric_that_is_no_mean_is_judged_by_seeds():
    given = {key: replace(r, metrics={"pearson": 0.8}) for key, r in scored(0.1).items()}
    found = judge(Claim("", "", "a", "b", margin=0.1, metric="pearson"), given)
    assert (found.by, found.verdict) == ("seeds", "weak")
    found = judge(Claim("", "", "a", "b", metric="pearson"), given)
    assert (found.by, found.verdict) == ("scores", "fails")


def by_seeds(gains):
    """Runs of a metric that has no examples."""
    return {
        (cell, seed): Run("e", cell, seed, {}, "", {}, {"fid": 30.0 - gain * (cell == "a")}, 1.0)
        for seed, gain in enumerate(gains)
        for cell in "ab"
    }


@pytest.mark.parametrize(
    ("gains", "options", "verdict"),
    [
        ([2.0, 2.1, 1.9, 2.2, 1.8], {}, "holds"),
        ([2.0, 2.1, 1.9, 2.2], {}, "weak"),
        ([2.0, 2.1, 1.9, 2.2], {"equal": True}, "weak"),
        ([2.0], {"margin": 1.0}, "weak"),
        ([2.0, -3.0, 4.0, -1.0, 0.5], {}, "weak"),
        ([2.0, -3.0, 4.0, -1.0, 0.5], {"equal": True}, "holds"),
        ([-2.0, -2.1, -1.9, -2.2, -1.8], {"equal": True}, "fails"),
        ([-2.0, -2.1, -1.9], {"equal": True}, "fails"),
        ([-2.0], {}, "fails"),
        ([-2.0, -2.1, -1.9, -2.2, -1.8], {"margin": 2.5}, "holds"),
        ([-2.0, -2.1, -1.9, -2.2, -1.8], {"margin": 2.1}, "weak"),
        ([-2.0, -2.1, -1.9, -2.2, -1.8], {"margin": 1.9}, "fails"),
        ([0.0] * 5, {}, "fails"),
    ],
    ids=str,
)
def test_seeds_alone(gains, options, verdict):
    found = judge(Claim("", "", "a", "b", metric="fid", lower=True, **options), by_seeds(gains))
    assert (found.verdict, found.by, found.seeds) == (verdict, "seeds", len(gains))
    assert found.difference == pytest.approx(np.mean(gains))
    assert np.isnan(found.p) == np.isnan(found.seen) == (len(gains) < 5)


def test_what_is_measured_of_examples_counts_before_seeds():
    """A seed that kept no examples is left out."""
    given = pair(50, 20, 5, 25)
    given |= {(cell, 1): replace(given[cell, 0], predictions="", seed=1) for cell in "ab"}
    assert judge(CLAIM, given) == judge(CLAIM, pair(50, 20, 5, 25))
