"""Runs by the questions that they answer."""

import math

import numpy as np
import pytest

from binviz.evidence import runs
from binviz.evidence.claims import Claim, judge
from binviz.evidence.noise import interval, wilson
from binviz.evidence.runs import Run, of_examples
from binviz.experiments import questions, registry


@pytest.fixture(scope="module")
def found():
    return questions.questions()


def test_every_claim_and_every_run_has_its_question(found):
    claims = {claim for name in registry.NAMES for claim in registry.get(name).claims}
    assert {finding.claim for question in found for finding in question.findings} == claims
    placed = {run.path for question in found for run in question.runs}
    assert placed == {run.path for run in runs.runs()}
    assert len({question.text for question in found}) == len(found)


def test_a_question_has_one_finding_a_task(found):
    two_steps = next(
        each for each in found if each.text.startswith("Two steps are better than one, with as many")
    )
    assert [finding.claim.better for finding in two_steps.findings] == [
        "sst2.bit-w1a1.two-step",
        "mrpc.bit-w1a1.two-step",
    ]
    assert two_steps in questions.answering(found, runs.find("bit", "sst2.bit-w1a1.two-step"))


def run(cell, correct, seed=0):
    values = np.array(correct, dtype=bool)
    return Run("own", cell, seed, {}, "", {}, {"accuracy": float(values.mean())}, 1.0, **of_examples(values))


def test_the_interval_of_a_difference_is_that_of_its_mean():
    a, b = run("a", [1] * 60 + [0] * 40), run("b", [1] * 45 + [0] * 55)
    finding = judge(Claim("a beats b", "", "a", "b"), {("a", 0): a, ("b", 0): b})
    ahead = np.array([0.0] * 45 + [1.0] * 15 + [0.0] * 40)
    error = ahead.std() / 10
    assert (finding.low, finding.high) == pytest.approx((0.15 - 1.96 * error, 0.15 + 1.96 * error), abs=1e-4)
    assert finding.low < finding.difference < finding.high
    assert interval(ahead, "right or wrong") == (finding.low, finding.high)
    assert f"between {100 * finding.low:+.1f}" in questions.in_words(finding)


@pytest.mark.parametrize(("right", "of"), [(0, 20), (13, 20), (20, 20), (780, 872)])
def test_wilson_is_where_the_score_test_is_at_its_level(right, of):
    for bound in wilson(right / of, of):
        if 1e-9 < bound < 1 - 1e-9:
            z = (right / of - bound) / math.sqrt(bound * (1 - bound) / of)
            assert abs(z) == pytest.approx(1.959964, abs=1e-4)


def test_what_is_within_noise_or_not_run_is_said():
    claim = Claim("a beats b", "", "a", "b")
    close = judge(claim, {("a", 0): run("a", [1, 0] * 50), ("b", 0): run("b", [0, 1] * 50)})
    assert questions.in_words(close).startswith("Fails, within noise: +0.0 points")
    assert questions.in_words(judge(claim, {})) == "Not run."
    assert questions.sides(judge(claim, {}), {}) == ()


def test_published_numbers_stand_only_beside_the_paper_s_own_setting():
    told = {
        row: questions.published(runs.find("bit", f"sst2.{row}"))
        for row in (
            "float",
            "bibert",
            "bit-w1a1",
            "bit-w1a1.two-step",
            "bit-w1a4",
            "bit-w1a1.fixed",
            "bnn-threshold",
        )
    }
    scores = {row: found and found.scores["sst2"] for row, found in told.items()}
    assert scores == {
        "float": 93.2, "bibert": 88.7, "bit-w1a1": 87.7, "bit-w1a1.two-step": 89.9, "bit-w1a4": 91.5,
        "bit-w1a1.fixed": None, "bnn-threshold": None,
    }  # fmt: skip
    assert questions.published(runs.find("digits", "digits-vit.float")) is None
    mrpc = questions.side([runs.find("bit", "mrpc.bit-w1a1")], "accuracy", "BiT")
    assert mrpc.published is None  # the source does not say which metric it prints there
