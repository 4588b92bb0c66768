"""BiBench's overall metrics against their definitions, written out in single numbers."""

import math

import numpy as np
import pytest

from binviz.errors import UserError
from binviz.evidence import overall

NAN = float("nan")


def quadratic(*groups):
    """Of groups of (above, below) pairs."""
    means = [sum(a / b for a, b in group) / len(group) for group in groups]
    return math.sqrt(sum(mean * mean for mean in means) / len(means))


def test_of_tasks_and_of_architectures():
    """Groups of different sizes: each counts once, whatever its number of networks."""
    found = overall.task([[0.9, 0.6], [0.5], [0.2, 0.3, 0.4]], [[0.95, 0.9], [0.8], [0.9, 0.8, 0.7]])
    groups = [(0.9, 0.95), (0.6, 0.9)], [(0.5, 0.8)], [(0.2, 0.9), (0.3, 0.8), (0.4, 0.7)]
    assert found == pytest.approx(quadratic(*groups))
    assert overall.architecture([[0.5], [0.7]], [[1.0], [0.9]]) == pytest.approx(
        quadratic([(0.5, 1.0)], [(0.7, 0.9)])
    )


def test_robustness_is_of_gaps_and_float_over_binary():
    found = overall.robust([0.8, 0.7], [[0.6, 0.5], [0.3, 0.6]], [0.9, 0.95], [[0.8, 0.9], [0.6, 0.7]])
    first, second = [(0.1, 0.2), (0.05, 0.2)], [(0.3, 0.5), (0.25, 0.1)]
    assert found == pytest.approx(quadratic(first, second))


def test_training_and_inference_are_float_over_binary():
    for function in (overall.training, overall.inference):
        found = function([4.0, 10.0], [2.0, 3.0], [0.5, 0.2], [0.1, 0.4])
        assert found == pytest.approx(quadratic([(2, 4), (3, 10)], [(0.1, 0.5), (0.4, 0.2)]))


def test_complexity_counts_what_stays_float_in_full():
    found = overall.complexity([1000.0], [100.0], [5000.0], [50.0])
    size, work = 900 / 32 + 100, 4950 / 64 + 50
    assert found == pytest.approx(quadratic([(1000, size)], [(5000, work)]))


def test_a_quadratic_mean_is_above_the_plain_one_unless_all_are_alike():
    means = np.random.default_rng(0).random((20, 5))
    assert all(overall.quadratic_mean(each) > each.mean() for each in means)
    assert overall.quadratic_mean([0.3] * 4) == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("binary", "floats", "says"),
    [
        ([], [], "at least one"),
        ([[0.5]], [[0.5], [0.6]], "the same groups"),
        ([[0.5]], [[0.5, 0.6]], "the same groups"),
        ([[0.5, NAN]], [[0.5, 0.6]], "leave out what was not run or failed"),
        ([[0.5]], [[float("inf")]], "finite"),
        ([[0.5]], [[0.0]], "leave such a network out"),
        ([["half"]], [[1.0]], "must be numbers"),
    ],
)
def test_bad_input_is_one_line(binary, floats, says):
    with pytest.raises(UserError, match=says):
        overall.task(binary, floats)


def test_a_network_without_a_gap_is_refused():
    with pytest.raises(UserError, match="0 or less"):
        overall.robust([0.5], [[0.5]], [0.9], [[0.8]])
    with pytest.raises(UserError, match="as many on every side"):
        overall.robust([0.5, 0.6], [[0.5], [0.4, 0.3]], [0.9], [[0.8]])
    with pytest.raises(UserError, match="one for each network"):
        overall.robust([0.5, 0.6], [[0.5, 0.4, 0.3]], [0.9], [[0.8]])
