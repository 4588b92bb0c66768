import itertools
import math

import pytest
import torch

from binviz import UserError
from binviz.playground import stochastic
from binviz.playground.stochastic import ESTIMATORS, SLOPES

SIZES = [(1, 1, 1), (2, 3, 1), (3, 2, 3, 1), (2, 1, 2, 2, 1)]
every_size = pytest.mark.parametrize("sizes", SIZES, ids=str)


def example(sizes, seed=3):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(sizes[0], generator=generator, dtype=torch.float64), -0.7


def scalar_loss(net, x, t):
    """The expected loss with Python's own numbers, one outcome after the other."""
    units = [len(matrix) for matrix in net[:-1]]
    total = 0.0
    for signs in itertools.product((-1, 1), repeat=sum(units)):
        given, rest, probability = x.tolist(), list(signs), 1.0
        for matrix in net[:-1]:
            a = [sum(w * v for w, v in zip(row, [*given, 1.0], strict=True)) for row in matrix.tolist()]
            given, rest = rest[: len(a)], rest[len(a) :]
            for drive, sign in zip(a, given, strict=True):
                probability *= 1 / (1 + math.exp(-2 * drive * sign))
        y = sum(w * v for w, v in zip(net[-1][0].tolist(), [*given, 1.0], strict=True))
        total += probability * (y - t) ** 2
    return total


@every_size
def test_the_expected_loss_is_the_sum_over_outcomes(sizes):
    net, (x, t) = stochastic.random_net(sizes, seed=1), example(sizes)
    assert stochastic.expected_loss(net, x, t).item() == pytest.approx(scalar_loss(net, x, t), rel=1e-12)


@every_size
def test_the_exact_gradient_equals_finite_differences(sizes):
    net, (x, t), step = stochastic.random_net(sizes, seed=1), example(sizes), 1e-6
    found = []
    for matrix in net[:-1]:
        for entry in matrix.view(-1):
            entry += step
            above = scalar_loss(net, x, t)
            entry -= 2 * step
            found.append((above - scalar_loss(net, x, t)) / (2 * step))
            entry += step
    assert torch.allclose(
        stochastic.exact_gradient(net, x, t), torch.tensor(found, dtype=torch.float64), atol=1e-8
    )


@every_size
@pytest.mark.parametrize("estimator", ["REINFORCE", "REINFORCE with baseline"])
def test_reinforce_has_no_bias(sizes, estimator):
    net = stochastic.random_net(sizes, seed=1)
    assert stochastic.moments(net, [example(sizes), example(sizes, seed=4)], estimator).bias < 1e-20


def test_the_baseline_lowers_the_variance():
    sizes = (3, 6, 1)
    plain, less = (
        stochastic.moments(stochastic.random_net(sizes), [example(sizes)], name) for name in ESTIMATORS[-2:]
    )
    assert less.variance < plain.variance


@pytest.mark.parametrize("estimator", SLOPES)
def test_straight_through_is_autograd_with_another_slope(estimator):
    sizes = (2, 3, 2, 1)
    net, (x, t) = stochastic.random_net(sizes, seed=2), example(sizes)
    codes = stochastic.codes_of(net)
    rows = stochastic.estimates(net, x, t, estimator)
    for outcome in (0, 7, 31):
        leaves, given = [matrix.clone().requires_grad_() for matrix in net], x
        for matrix, signs in zip(leaves[:-1], codes, strict=True):
            a = matrix[:, :-1] @ given + matrix[:, -1]
            given = a * SLOPES[estimator](a.detach())
            given = given - given.detach() + signs[outcome]
        error = leaves[-1][0, :-1] @ given + leaves[-1][0, -1] - t
        wanted = torch.autograd.grad(error**2, leaves[:-1])
        assert torch.allclose(rows[outcome], torch.cat([g.flatten() for g in wanted]))


def test_the_bias_of_one_unit_in_closed_form():
    # y = v b + c, drive w x + u: E(estimate - exact) to the drive is 2 v^2 tanh(a) (1 - tanh(a)^2)
    net, (x, t) = stochastic.random_net((1, 1, 1), seed=5), example((1, 1, 1))
    (a,) = stochastic.drives(net, x, stochastic.codes_of(net))[0][0]
    slope = 1 - torch.tanh(a) ** 2
    bias = 2 * net[1][0, 0] ** 2 * torch.tanh(a) * slope
    wanted = bias**2 * (x[0] ** 2 + 1) / stochastic.exact_gradient(net, x, t).square().sum()
    found = stochastic.moments(net, [(x, t)], "slope of the mean")
    assert found.bias == pytest.approx(wanted.item(), rel=1e-10)


def test_variances_of_independent_examples_add_up():
    sizes = (2, 3, 1)
    net, one = stochastic.random_net(sizes), example(sizes)
    single = stochastic.moments(net, [one], "clipped")
    double = stochastic.moments(net, [one, one], "clipped")
    assert double.bias == pytest.approx(single.bias)
    assert double.variance == pytest.approx(single.variance / 2)


@pytest.mark.parametrize("sizes", [(3, 1), (3, 0, 1), (3, 4, 2), (2, 9, 8, 1)], ids=str)
def test_sizes_that_cannot_be(sizes):
    with pytest.raises(UserError, match="units"):
        stochastic.random_net(sizes)


def test_unknown_estimator():
    with pytest.raises(UserError, match="choose one of: identity"):
        stochastic.estimates(stochastic.random_net((1, 1, 1)), *example((1, 1, 1)), "guess")
