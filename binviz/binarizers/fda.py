r"""FDA: the derivative of the sign as a truncated Fourier series.

Xu et al. 2021, "Learning Frequency Domain Approximation for Binary Neural Networks" (2103.00841):
sign(x) is the square wave (4/pi) sum sin((2i+1) w x) / (2i+1); its derivative is kept to n+1 terms,
and a small noise-adaptation network makes up for what was cut off.
"""

from __future__ import annotations

from math import cos, pi
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from binviz.binarizers.base import Code, mean_abs, sign, with_surrogate
from binviz.binarizers.bnn import EDGE, Clipped, Edge, clipped
from binviz.binarizers.options import Option
from binviz.binarizers.registry import register

OMEGA = 0.1


def fourier(x: Tensor, n: int, edge: Edge = "passes") -> Tensor:
    r"""Truncated Fourier derivative: $\frac{4\omega}{\pi} \sum_{i=0}^n \cos((2i+1)\omega x)$ in the window
    of `clipped`, else 0, with omega = 0.1.

    >>> [round(g, 4) for g in fourier(torch.tensor([-0.5, 0.0, 2.0]), 9).tolist()]
    [1.0718, 1.2732, 0.0]
    """
    # sum_{i=0}^n cos((2i+1) y) = sin(2(n+1) y) / (2 sin y); even in y, so y >= 1e-5 avoids 0/0
    y = x.abs().to(torch.promote_types(x.dtype, torch.float32)).mul_(OMEGA).clamp_(min=1e-5)
    series = (y * (2 * (n + 1))).sin_().div_(y.sin_()).mul_(2 * OMEGA / pi)
    return series.masked_fill_(clipped(x, edge) == 0, 0).to(x.dtype)


def terms(t: float) -> int:
    """The series' n at progress t: 9 at the start, 18 at the end.

    >>> terms(0.0), terms(0.5), terms(1.0)
    (9, 13, 18)
    """
    return 9 + int(9 * t)


def noise_weight(t: float) -> float:
    """How much the noise network counts at progress t: 0.05 (1 + cos(pi t)), 0.1 at the start, 0 at the end.

    >>> noise_weight(0.0), noise_weight(1.0)
    (0.1, 0.0)
    """
    return 0.05 * (1 + cos(pi * t))


class _NoiseAdaptation(nn.Module):
    """eta(x) = W2 relu(W1 x) + 0.1 sin(x) along the last axis, which may be narrow: features / 64."""

    def __init__(self, features: int) -> None:
        super().__init__()
        hidden = max(features // 64, 1)
        self.fc1 = nn.Linear(features, hidden, bias=False)
        self.fc2 = nn.Linear(hidden, features, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = x.to(self.fc1.weight.dtype)
        return self.fc2(relu(self.fc1(x))) + 0.1 * x.sin()


class _GradientOf(torch.autograd.Function):
    """The value of q with the gradients of q + extra."""

    @staticmethod
    def forward(ctx, q, extra):
        return q.view_as(q)

    @staticmethod
    def backward(ctx, grad):
        return grad, grad


class _FDA(Clipped):
    options: ClassVar = {"noise": Option("noise-adaptation network", in_training=True), "edge": EDGE}

    def __init__(
        self, *, features: int = 1, channel_axis: int = -1, noise: bool = True, edge: Edge = "passes"
    ) -> None:
        super().__init__(features=features, channel_axis=channel_axis, edge=edge)
        self.noise = _NoiseAdaptation(features) if noise else None
        self.set_progress(0)

    def set_progress(self, t: float) -> None:
        self.terms = terms(t)
        self.noise_weight = noise_weight(t)

    def _codes(self, x: Tensor) -> Tensor:
        n = self.terms
        q = with_surrogate(x, sign(x), lambda x: fourier(x, n, self.edge), inplace=True)
        if self.noise is None or not self.training or self.noise_weight == 0:
            return q
        if self.features == 1:
            eta = self.noise(x.unsqueeze(-1)).squeeze(-1)
        else:
            eta = self.noise(x.movedim(self.channel_axis, -1)).movedim(-1, self.channel_axis)
        return _GradientOf.apply(q, (self.noise_weight * eta).to(x.dtype))


@register("fda-weight")
class FDAWeight(_FDA):
    r"""Sign of each output channel times its mean magnitude, Fourier derivative.

    $$q(w) = \operatorname{sign}(w), \quad s = \tfrac1m \textstyle\sum |w|
    \qquad \frac{\partial q}{\partial w}
    = \frac{4\omega}{\pi} \sum_{i=0}^{n} \cos((2i+1)\omega w) \; \mathbf 1[\,|w| \le 1\,]
    + \lambda \frac{\partial \eta}{\partial w}$$

    with omega = 0.1; n grows from 9 to 18 and lambda falls from 0.1 to 0 by `set_progress`. From
    n = 9 on the series is positive in the window; at n = 18 it is negative for |w| > 0.83. The scale s
    is detached.

    Args:
        features: number of output channels, the width of eta.
        channel_axis: weights (out, in, ...) by default.
        noise: with the noise-adaptation network eta(w) = W2 relu(W1 w) + 0.1 sin(w) of
            features -> features / 64 -> features, in training only.
        edge: whether the series "passes" or "blocks" at exactly |w| = 1; the official code passes it.

    Paper and official code add lambda eta to the *value* in training too, which then is no code; here
    eta takes part in the gradient alone, and its weights learn from the gradient they would have. In
    BiBench's code the activations' eta is made in the first forward, after the optimizer, so it never
    learns; here it is made with the rest. There the weights' eta mixes a row's inputs; here, as for
    activations, it mixes the channels.

    >>> import torch
    >>> FDAWeight(features=2)(torch.tensor([[0.5, -1.5], [0.25, 0.25]])).tolist()
    [[1.0, -1.0], [0.25, 0.25]]
    """

    takes = ("weight",)
    scale_kind = "per_row"

    def __init__(
        self, *, features: int = 1, channel_axis: int = 0, noise: bool = True, edge: Edge = "passes"
    ) -> None:
        super().__init__(features=features, channel_axis=channel_axis, noise=noise, edge=edge)

    def encode(self, x: Tensor) -> Code:
        return Code(self._codes(x), mean_abs(x, self._row_axes(x)), x.new_zeros(()))


@register("fda-activation")
class FDAActivation(_FDA):
    r"""Sign of activations with the Fourier derivative.

    $$q(x) = \operatorname{sign}(x)
    \qquad \frac{\partial q}{\partial x}
    = \frac{4\omega}{\pi} \sum_{i=0}^{n} \cos((2i+1)\omega x) \; \mathbf 1[\,|x| \le 1\,]
    + \lambda \frac{\partial \eta}{\partial x}$$

    Everything else is as for `FDAWeight`.

    Args:
        features: number of channels, the width of eta; 1 makes eta a function of single numbers.
        channel_axis: -1 for (..., features), 1 for (B, features, H, W).
        noise: with the noise-adaptation network, in training only.
        edge: whether the series "passes" or "blocks" at exactly |x| = 1; the official code passes it.

    >>> import torch
    >>> x = torch.tensor([0.0, 0.5, 2.0], requires_grad=True)
    >>> FDAActivation(noise=False)(x).sum().backward()
    >>> [round(g, 4) for g in x.grad.tolist()]
    [1.2732, 1.0718, 0.0]
    """

    def encode(self, x: Tensor) -> Code:
        return Code(self._codes(x), x.new_ones(()), x.new_zeros(()))
