"""The paired tests against definitions of their own, and their power against experiments repeated many times."""

import itertools

import numpy as np
import pytest
from scipy import stats

from binviz.evidence.noise import EXACT, FLIPS, TESTS, bound, holm, inside, mcnemar, seen, sign_flip, student


def test_few_signs_are_all_flipped():
    d = np.random.default_rng(0).normal(0.5, 1, EXACT)
    patterns = itertools.product((-1, 1), repeat=len(d))
    as_far = [abs(np.dot(signs, d)) >= abs(d.sum()) - 1e-9 for signs in patterns]
    assert sign_flip(d) == np.mean(as_far)
    assert sign_flip(np.append(d, np.zeros(30))) == sign_flip(d)


@pytest.mark.parametrize("mean", [0.0, 0.1, 0.2])
def test_many_signs_are_drawn_alike_each_time(mean):
    d = np.random.default_rng(1).normal(mean, 1, 300)
    p = sign_flip(d)
    assert p == sign_flip(d) == sign_flip(-d) and p * (FLIPS + 1) == pytest.approx(round(p * (FLIPS + 1)))
    assert p == pytest.approx(stats.ttest_1samp(d, 0).pvalue, abs=0.02)


def test_flips_of_ones_are_mcnemars():
    """Of equal differences the mean is a count; the exact tests are one."""
    d = np.array([1.0] * 9 + [-1.0] * 2 + [0.0] * 50)
    assert sign_flip(d) == pytest.approx(mcnemar(d))


def test_student_is_scipys():
    d = np.array([0.3, 0.1, -0.2, 0.5, 0.4, 0.2])
    assert student(d) == pytest.approx(stats.ttest_1samp(d, 0).pvalue)
    low = stats.ttest_1samp(d, 0, alternative="greater").confidence_interval(0.95).low
    assert bound(d, "seeds") == pytest.approx(low)
    assert np.isnan(student(d[:4])) and np.isnan(bound(d[:4], "seeds")) and np.isnan(seen(d[:4], "seeds"))


@pytest.mark.parametrize("kind", TESTS)
def test_nothing_is_no_difference(kind):
    assert TESTS[kind](np.zeros(8)) == 1.0


def draw(kind, mean, n, random):
    if kind != "right or wrong":
        return random.normal(mean, 1, n)
    ahead = random.random(n)  # three of ten examples differ
    return (ahead < 0.15 + mean / 2) * 1.0 - (ahead > 0.85 + mean / 2)


@pytest.mark.parametrize(("kind", "n"), [("right or wrong", 800), ("scores", 200), ("seeds", 6)])
def test_what_is_seen_is_seen_four_times_in_five(kind, n, monkeypatch):
    monkeypatch.setattr("binviz.evidence.noise.FLIPS", 299)
    random = np.random.default_rng(0)
    expected = np.mean([seen(draw(kind, 0.0, n, random), kind) for _ in range(100)])
    found = np.mean([TESTS[kind](draw(kind, expected, n, random)) < 0.05 for _ in range(300)])
    assert found == pytest.approx(0.8, abs=0.08)


@pytest.mark.parametrize(("kind", "n"), [("right or wrong", 800), ("scores", 200), ("seeds", 6)])
def test_what_is_seen_inside_a_margin(kind, n):
    random = np.random.default_rng(0)
    expected = np.mean([seen(draw(kind, 0.0, n, random), kind, margin=True) for _ in range(100)])
    found = np.mean([bound(draw(kind, expected, n, random), kind) > 0 for _ in range(300)])
    assert found == pytest.approx(0.8, abs=0.08)


def test_no_test_of_signs_finds_fewer_than_six_examples():
    six, five = (np.array([1.0] * k + [0.0] * (100 - k)) for k in (6, 5))
    assert mcnemar(six) < 0.05 < mcnemar(five)
    assert seen(np.zeros(100), "right or wrong") == seen(np.eye(100)[0], "right or wrong") == 0.06


def stepped_down(p, level):
    """Holm's own words: compare the smallest p with level / m, the next with level / (m - 1), and stop at the first."""
    rejected = set()
    for step, index in enumerate(sorted(range(len(p)), key=lambda index: p[index])):
        if p[index] > level / (len(p) - step):
            break
        rejected.add(index)
    return rejected


def test_holms_p_is_the_least_level_at_which_the_procedure_rejects():
    random = np.random.default_rng(0)
    for _ in range(50):
        p = list(random.random(7) ** 3)
        adjusted = holm(p)
        for level in (0.001, 0.01, 0.05, 0.2, 0.9):
            assert {i for i, each in enumerate(adjusted) if each <= level} == stepped_down(p, level)
        with_gaps = [p[0], float("nan"), *p[1:], float("nan")]
        assert [each for each in holm(with_gaps) if each == each] == adjusted
    assert holm([]) == [] and holm([0.8, 0.9]) == [1.0, 1.0]


@pytest.mark.parametrize(("kind", "n"), [("right or wrong", 400), ("scores", 60), ("seeds", 6)])
def test_a_margin_is_kept_where_the_bound_is_inside_it(kind, n):
    random = np.random.default_rng(0)
    for _ in range(40):
        ahead = draw(kind, 0.0, n, random)
        margin = float(random.uniform(0.0, 0.2 if kind != "seeds" else 2.0))
        assert (inside(ahead, kind, margin) < 0.05) == (bound(ahead, kind) > -margin)
    assert inside(np.zeros(6), kind, 0.1) == 0.0 and inside(np.zeros(6), kind, -0.1) == 1.0
