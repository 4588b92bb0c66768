r"""A net of units that draw their sign, so small that every outcome can be counted.

A unit with the drive $a$ gives $b = +1$ with probability $\sigma(2a)$ and else $-1$; its mean is $\tanh(a)$. With
$n$ units there are $2^n$ outcomes, and the expected loss is a plain sum with an exact gradient:

$$\mathcal L(W) = \sum_{b} P_W(b)\,\big(y_W(b) - t\big)^2$$

What training computes from a single outcome is an estimate of that gradient. Its mean and its variance are sums
over the same outcomes, so they are exact, too (Bengio, Leonard, Courville 2013, 1308.3432, on such units).

>>> net = random_net((2, 3, 1), seed=0)
>>> x, t = torch.tensor([1.0, -1.0], dtype=torch.float64), 1.0
>>> error = moments(net, [(x, t)], "REINFORCE")
>>> round(error.bias, 12), error.variance > 1
(0.0, True)
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from binviz.binarizers.bireal import triangle
from binviz.binarizers.bnn import clipped
from binviz.errors import UserError

#: One (out, in + 1) matrix a layer, biases in the last column; the last layer has one row and no sign.
Net = Sequence[Tensor]

#: Straight-through estimators: the slope that stands for the derivative of the sign.
SLOPES: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": torch.ones_like,
    "clipped": clipped,
    "triangle": triangle,
    "slope of the mean": lambda a: 1 - torch.tanh(a) ** 2,
}
#: All estimators; the last two multiply the gradient of log P by the loss, less its mean or not.
ESTIMATORS = (*SLOPES, "REINFORCE", "REINFORCE with baseline")
#: More outcomes than 2^16 take too long to count.
MOST_UNITS = 16


class Moments(NamedTuple):
    """Squared bias and variance (trace of the covariance) of an estimate, both over the exact gradient's square."""

    bias: float
    variance: float


def random_net(sizes: Sequence[int], seed: int = 0) -> list[Tensor]:
    """Float64 weights with the variance 1 / in, for layers of the given widths.

    Args:
        sizes: inputs, units of each layer, and 1 for the answer.
        seed: of the draw.

    Raises:
        UserError: no unit, more than one answer, or too many units to count their outcomes.

    >>> [tuple(matrix.shape) for matrix in random_net((2, 3, 1))]
    [(3, 3), (1, 4)]
    """
    if len(sizes) < 3 or min(sizes) < 1 or sizes[-1] != 1:
        raise UserError(f"sizes are inputs, units of at least one layer, and 1; not {tuple(sizes)}")
    if sum(sizes[1:-1]) > MOST_UNITS:
        raise UserError(
            f"{sum(sizes[1:-1])} units have too many outcomes to count; take at most {MOST_UNITS}"
        )
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(wide, before + 1, generator=generator, dtype=torch.float64) / before**0.5
        for before, wide in itertools.pairwise(sizes)
    ]


def outcomes(units: int) -> Tensor:
    """Every vector of -1 and +1, (2^units, units) float64.

    >>> outcomes(2).tolist()
    [[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]]
    """
    return torch.tensor(list(itertools.product((-1.0, 1.0), repeat=units)), dtype=torch.float64)


def codes_of(net: Net) -> list[Tensor]:
    """All outcomes of a net, split by layer: (outcomes, units) each.

    >>> [tuple(codes.shape) for codes in codes_of(random_net((2, 3, 2, 1)))]
    [(32, 3), (32, 2)]
    """
    units = [len(matrix) for matrix in net[:-1]]
    return list(outcomes(sum(units)).split(units, dim=1))


def drives(net: Net, x: Tensor, codes: Sequence[Tensor]) -> list[Tensor]:
    """What each layer hands to its sign, and last the answer, when the units' signs are `codes`.

    Args:
        net: L layers.
        x: (inputs,).
        codes: L - 1 tensors (outcomes, units).

    Returns:
        L tensors (outcomes, units), the last one (outcomes, 1).

    >>> net = random_net((2, 3, 1))
    >>> [tuple(drive.shape) for drive in drives(net, torch.zeros(2, dtype=torch.float64), codes_of(net))]
    [(8, 3), (8, 1)]
    """
    inputs = [x.expand(len(codes[0]), -1), *codes]
    return [F.linear(given, matrix[:, :-1], matrix[:, -1]) for given, matrix in zip(inputs, net, strict=True)]


def probabilities(net: Net, x: Tensor, codes: Sequence[Tensor]) -> Tensor:
    r"""(outcomes,): $P(b) = \prod_i \sigma(2 a_i b_i)$, each unit's drive given the layers below.

    >>> net = random_net((2, 3, 2, 1))
    >>> round(probabilities(net, torch.zeros(2, dtype=torch.float64), codes_of(net)).sum().item(), 12)
    1.0
    """
    hidden = drives(net, x, codes)[:-1]
    return (
        torch.stack([F.logsigmoid(2 * a * b).sum(1) for a, b in zip(hidden, codes, strict=True)]).sum(0).exp()
    )


def expected_loss(net: Net, x: Tensor, t: float) -> Tensor:
    """The loss above, a scalar, by counting; differentiable."""
    codes = codes_of(net)
    return probabilities(net, x, codes) @ (drives(net, x, codes)[-1][:, 0] - t) ** 2


def exact_gradient(net: Net, x: Tensor, t: float) -> Tensor:
    """Its gradient to all weights that stand before a sign, in one row."""
    leaves = [matrix.detach().clone().requires_grad_() for matrix in net]
    gradients = torch.autograd.grad(expected_loss(leaves, x, t), leaves[:-1])
    return torch.cat([gradient.flatten() for gradient in gradients])


def estimates(net: Net, x: Tensor, t: float, estimator: str) -> Tensor:
    r"""What a single outcome says of that gradient, for every outcome: (outcomes, weights).

    With the error $e = y - t$ and a layer's drives $a$ and signs $b$, the gradient to the drives is

    $$\text{straight-through: } \frac{\partial e^2}{\partial b} \odot s(a)
    \qquad \text{REINFORCE: } (e^2 - c)\,\nabla_a \log P = (e^2 - c)\,(b - \tanh a)$$

    and the one to the weights its product with the layer's input. The baseline $c$ is 0 or the expected loss.

    Raises:
        UserError: unknown estimator.
    """
    if estimator not in ESTIMATORS:
        raise UserError(f"no estimator {estimator!r}; choose one of: {', '.join(ESTIMATORS)}")
    codes = codes_of(net)
    inputs = [x.expand(len(codes[0]), -1), *codes]
    answers = drives(net, x, codes)
    error = answers[-1] - t
    baseline = expected_loss(net, x, t) if estimator.endswith("baseline") else 0.0
    to_drives, found = 2 * error, []
    for layer in reversed(range(len(codes))):
        a, b = answers[layer], codes[layer]
        if estimator in SLOPES:
            to_drives = (to_drives @ net[layer + 1][:, :-1]) * SLOPES[estimator](a)
        else:
            to_drives = (error**2 - baseline) * (b - torch.tanh(a))
        with_one = F.pad(inputs[layer], (0, 1), value=1.0)
        found.append((to_drives[:, :, None] * with_one[:, None, :]).flatten(1))
    return torch.cat(found[::-1], dim=1)


def moments(net: Net, examples: Sequence[tuple[Tensor, float]], estimator: str) -> Moments:
    """Bias and variance of the mean of one estimate for each example, all drawn on their own.

    Args:
        net: the weights.
        examples: pairs of input (inputs,) and wanted answer.
        estimator: one of `ESTIMATORS`.
    """
    codes, variance = codes_of(net), 0.0
    means, exact = [], []
    for x, t in examples:
        probability, values = probabilities(net, x, codes), estimates(net, x, t, estimator)
        means.append(probability @ values)
        exact.append(exact_gradient(net, x, t))
        variance += float(probability @ (values - means[-1]).square().sum(1))
    bias, square = (
        torch.stack(means).sum(0) - torch.stack(exact).sum(0),
        torch.stack(exact).sum(0).square().sum(),
    )
    return Moments(float(bias.square().sum() / square), float(variance / square))
