r"""IR-Net: standardised weights, scales that are powers of two, and a surrogate that turns from a line into a step.

Qin et al. 2020, "Forward and Backward Information Retention for Accurate Binary Neural Networks" (1909.10788), as CMIM
trains it (2207.02970).
"""

from __future__ import annotations

import torch
from torch import Tensor

from binviz.binarizers.base import Binarizer, Code, Cut, mean_abs, sign, with_surrogate
from binviz.binarizers.registry import register


def steepness(t: float) -> tuple[float, float]:
    """The surrogate's k and t at progress t.

    >>> [tuple(round(x, 4) for x in steepness(t)) for t in (0, 0.5, 1)]
    [(100.0, 0.01), (3.1623, 0.3162), (1.0, 10.0)]
    """
    # t = 10^(-2 + 3 e / E),  k = max(1 / t, 1)
    steep = 10.0 ** (-2 + 3 * t)
    return max(1 / steep, 1.0), steep


class _ErrorDecay(Binarizer):
    """Base of both: the surrogate that `set_progress` drives."""

    def __init__(self, *, features: int = 1, channel_axis: int = -1) -> None:
        super().__init__(features=features, channel_axis=channel_axis)
        self.k, self.t = steepness(0)

    def set_progress(self, t: float) -> None:
        self.k, self.t = steepness(t)

    def _slope(self, x: Tensor) -> Tensor:
        # k t (1 - tanh^2(t x))
        return x.mul(self.t).tanh_().square_().mul_(-1).add_(1).mul_(self.k * self.t)


@register("ir-net-weight")
class IRNetWeight(_ErrorDecay):
    r"""Sign of the standardised row times a power of two.

    $$\hat w = \frac{w - \bar w}{\sigma}, \quad q(w) = \operatorname{sign}(\hat w), \quad
    s = 2^{\operatorname{round}(\log_2 \frac1n \sum |\hat w|)} \qquad
    \frac{\partial q}{\partial \hat w} = k t\,(1 - \tanh^2(t \hat w)), \quad k = \max(\tfrac1t, 1)$$

    with mean and unbiased deviation of the row, and t from 0.01 to 10 as $10^{-2 + 3p}$ at progress p. The gradient
    goes through mean and deviation; the scale is detached.

    Args:
        features, channel_axis: weights (out, in, ...) by default; no parameter.

    The value is near the standardised weight, not the weight: a norm behind the layer takes its size out.
    `set_progress` drives k and t. A deviation is at least 1e-5, where the official code divides a row of equal weights
    by 0.

    >>> import torch
    >>> IRNetWeight()(torch.tensor([[0.0, 1.0, 2.0], [0.5, 0.25, 0.0]])).tolist()
    [[-0.5, 0.5, 0.5], [0.5, 0.5, -0.5]]
    """

    takes = ("weight",)
    scale_kind = "per_row"

    def __init__(self, *, features: int = 1, channel_axis: int = 0) -> None:
        super().__init__(features=features, channel_axis=channel_axis)

    def encode(self, x: Tensor) -> Code:
        axes = self._row_axes(x)
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        centred = wide - wide.mean(axes, keepdim=True)
        others = max(x[:1].numel() - 1, 1)
        variance = centred.square().sum(axes, keepdim=True) / others
        standard = centred * variance.clamp(min=1e-10).rsqrt()
        scale = mean_abs(standard, axes).log2().round().exp2()
        q = with_surrogate(standard, sign(standard), self._slope, inplace=True)
        return Code(q.to(x.dtype), scale, x.new_zeros(()))

    def cut(self, x: Tensor) -> Cut | None:
        return self._above_row_mean(x)


@register("ir-net-activation")
class IRNetActivation(_ErrorDecay):
    r"""Sign of activations whose derivative turns from a line into a step.

    $$q(x) = \operatorname{sign}(x) \qquad
    \frac{\partial q}{\partial x} = k t\,(1 - \tanh^2(t x)), \quad k = \max(\tfrac1t, 1)$$

    with t from 0.01 to 10 as $10^{-2 + 3p}$ at progress p.

    Args:
        features, channel_axis: ignored; x has any shape.

    `set_progress` drives k and t.

    >>> import torch
    >>> IRNetActivation()(torch.tensor([-0.3, 0.0, 2.0])).tolist()
    [-1.0, 1.0, 1.0]
    """

    def encode(self, x: Tensor) -> Code:
        q = with_surrogate(x, sign(x), self._slope, inplace=True)
        return Code(q, x.new_ones(()), x.new_zeros(()))

    def cut(self, x: Tensor) -> Cut | None:
        return Cut(x)
