r"""ReCU: weights standardised and clamped so that the dead ones in the tails can be revived.

Xu et al. 2021, "ReCU: Reviving the Dead Weights in Binary Neural Networks" (2103.12369): the
rectified clamp at the tau and 1 - tau quantiles of a Laplace distribution.
"""

from __future__ import annotations

from math import e, log, sqrt

import torch
from torch import Tensor, nn

from binviz.binarizers.base import Binarizer, Code, Cut, mean_abs, sign, with_surrogate
from binviz.binarizers.bireal import triangle
from binviz.binarizers.registry import register

_EPSILON = 1e-5


def tau(t: float) -> float:
    """The quantile at progress t: A e^t + B, 0.85 at the start and 0.99 at the end.

    >>> [round(tau(t), 4) for t in (0, 0.5, 1)]
    [0.85, 0.9029, 0.99]
    """
    a = (0.99 - 0.85) / (e - 1)
    return a * e**t + 0.85 - a


def clamp_ratio(tau: float) -> float:
    r"""Where the clamp sits, in units of the mean magnitude: $Q_\tau / E|w| = -\ln(2 - 2\tau)$.

    >>> round(clamp_ratio(0.92), 4)
    1.8326
    """
    return -log(2 - 2 * tau)


def _variance(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Unbiased variance; torch's own is many times slower on a CPU."""
    centred = x - x.mean(axes, keepdim=True)
    square = centred.square().sum(axes, keepdim=True)
    return square / max(x.numel() // max(square.numel(), 1) - 1, 1)


@register("recu-weight")
class ReCUWeight(Binarizer):
    r"""Sign of the standardised row times a learned scale; the clamp lets only the inner ones learn.

    $$\hat w = 2\sqrt2\,\frac{w - \bar w}{\sqrt{\sigma^2 + 10^{-5}}}, \quad q(w) = \operatorname{sign}(\hat w)
    \qquad \frac{\partial q}{\partial \hat w} = \mathbf 1[\,|\hat w| \le Q_\tau\,],
    \quad Q_\tau = -E|\hat w| \ln(2 - 2\tau)$$

    with mean and variance of the row; the gradient goes through both, Q_tau is detached and taken over
    the whole tensor. The scale has its true gradient.

    Args:
        features: number of output channels; the parameter `scale` is (features,).
        channel_axis: weights (out, in, ...) by default.

    `set_progress` drives tau. The official code's linear layers add the bias after the scale, as here;
    its convolutions before, so that a bias there is multiplied by the scale: here the bias comes last in
    both. The official code draws the scale from uniform(0, 1); here it starts as
    the mean magnitude of each row of the first weight it sees, so that conversion is deterministic
    and near the loaded weights: load them before the first forward or call `initialize`.

    >>> import torch
    >>> ReCUWeight(features=2)(torch.tensor([[0.5, 1.5], [-0.25, -0.75]])).tolist()
    [[-1.0, 1.0], [0.5, -0.5]]
    """

    takes = ("weight",)
    scale_kind = "per_row"
    scales = ("scale",)

    def __init__(self, *, features: int = 1, channel_axis: int = 0) -> None:
        super().__init__(features=features, channel_axis=channel_axis)
        self.scale = nn.Parameter(torch.ones(features))
        self.register_buffer("initialized", torch.tensor(False))
        self.tau = tau(0)

    def set_progress(self, t: float) -> None:
        self.tau = tau(t)

    @torch.no_grad()
    def initialize(self, x: Tensor) -> None:
        """Start the scale from the mean magnitude of each output channel of x."""
        self.scale.copy_(self._mean_abs_per_feature(x))
        self.initialized.fill_(True)

    def encode(self, x: Tensor) -> Code:
        self._initialize_once(x)
        axes = self._row_axes(x)
        centred = x - x.mean(axes, keepdim=True)
        standard = centred * (2 * sqrt(2) * (_variance(x, axes) + _EPSILON).rsqrt())
        limit = clamp_ratio(self.tau) * mean_abs(standard)
        q = with_surrogate(standard, sign(centred), lambda w: w.abs().le_(limit), inplace=True)
        return Code(q, self._per_channel(self.scale, x), x.new_zeros(()))

    def cut(self, x: Tensor) -> Cut | None:
        return self._above_row_mean(x)


@register("recu-activation")
class ReCUActivation(Binarizer):
    r"""Sign of activations; the triangle derivative sees them divided by their row's deviation.

    $$q(x) = \operatorname{sign}(x)
    \qquad \frac{\partial q}{\partial \hat x} = \max(2 - |2 \hat x|,\, 0),
    \quad \hat x = \frac{x}{\sqrt{\sigma^2 + 10^{-5}}}$$

    with the variance of the row (a token, or a whole sample of images); the gradient goes through it.
    In eval mode x-hat is x itself.

    Args:
        features: ignored.
        channel_axis: -1 for (..., features), 1 for (B, C, H, W).

    As the official code of BiBench. Dividing by a positive number moves no sign, so the forward is the
    same in training and in use.

    >>> import torch
    >>> ReCUActivation()(torch.tensor([-0.3, 0.0, 2.0])).tolist()
    [-1.0, 1.0, 1.0]
    """

    def encode(self, x: Tensor) -> Code:
        seen = x
        if self.training:
            wide = x.to(torch.promote_types(x.dtype, torch.float32))
            seen = wide * (_variance(wide, self._row_axes(x)) + _EPSILON).rsqrt()
        q = with_surrogate(seen, sign(x), triangle, inplace=True)
        return Code(q, x.new_ones(()), x.new_zeros(()))

    def cut(self, x: Tensor) -> Cut | None:
        return Cut(x)
