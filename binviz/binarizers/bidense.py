r"""BiDense: the threshold and the scale of a channel follow its mean in each picture.

Yin et al. 2024, "BiDense: Binarization for Dense Prediction" (2411.10346), the distribution-adaptive binarizer. Its way
around each layer is `binviz.layers.bypass`.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from binviz.binarizers.base import Binarizer, Code, Cut, mean_abs, sign, with_surrogate
from binviz.binarizers.bireal import BiRealWeight, triangle
from binviz.binarizers.options import Option
from binviz.binarizers.registry import register


@register("bidense-weight")
class BiDenseWeight(BiRealWeight):
    r"""Sign of each output channel times its mean magnitude; the rows of a linear are centred first.

    $$q(w) = \operatorname{sign}(\hat w), \quad \hat w = w \text{ or, of a linear, } w - \bar w, \quad
    s = \tfrac1n \textstyle\sum |w|
    \qquad \frac{\partial q}{\partial \hat w} = \tfrac1s\,\mathbf 1[\,|\hat w| \le 1\,]$$

    So it is Bi-Real's in a convolution and BiBERT's in a linear, as in the official code.

    Args:
        features, channel_axis: weights (out, in, ...) by default; no parameter.
        edge: whether the gradient "passes" or "blocks" at exactly 1; the official code passes it.

    >>> BiDenseWeight()(torch.tensor([[0.5, 1.5]])).tolist(), BiDenseWeight()(torch.tensor([[[[0.5, 1.5]]]])).tolist()
    ([[-1.0, 1.0]], [[[[1.0, 1.0]]]])
    """

    def encode(self, x: Tensor) -> Code:
        if x.ndim != 2:
            return super().encode(x)
        scale, centred = mean_abs(x, (1,)), x - x.mean(1, keepdim=True)
        q = with_surrogate(centred, sign(centred), lambda w: self._window(w).div(scale), inplace=True)
        return Code(q, scale, x.new_zeros(()))

    def cut(self, x: Tensor) -> Cut | None:
        return self._above_row_mean(x) if x.ndim == 2 else super().cut(x)


@register("bidense-activation")
class BiDenseActivation(Binarizer):
    r"""Sign of a picture's channels around their own means, times a scale that follows what is left.

    With means over the positions of one channel of one picture, through which no gradient flows,

    $$\hat x = x + \beta - k\,\bar x, \quad q(x) = \operatorname{sign}(\hat x), \quad
    s = e^{\alpha (\overline{|\hat x|} - 1)}
    \qquad \frac{\partial q}{\partial x} = \max(2 - |2 \hat x|,\, 0)$$

    A linear's input has no such positions: there it is $\operatorname{sign}(x + \beta)$, without a scale.

    Args:
        features: number of channels; the parameters `alpha`, `k` and `beta` are (features,), zeros at the start.
        channel_axis: 1 for pictures (B, features, H, W), -1 for (..., features), which have beta alone.
        scale: whether there is s. It stands inside the sum of a convolution, whose terms are then floats; without it
            the convolution multiplies bits.

    Paper and code subtract b, so beta is -b. In the official code alpha and k start at random, and a form for tokens
    has no -1 in the exponent; none of its layers uses that form, and it is not here.

    >>> x = torch.tensor([[[[1.0, -0.5], [0.2, 0.8]]]])
    >>> binarizer = BiDenseActivation(channel_axis=1)
    >>> _ = binarizer.k.data.fill_(1.0)
    >>> binarizer(x).tolist()
    [[[[1.0, -1.0], [-1.0, 1.0]]]]
    """

    #: An exponent of zero does nothing, as a shift of zero.
    shifts = ("beta", "k", "alpha")
    options: ClassVar = {"scale": Option("a scale of each channel", in_training=True)}

    def __init__(self, *, features: int = 1, channel_axis: int = -1, scale: bool = True) -> None:
        super().__init__(features=features, channel_axis=channel_axis)
        adapts = channel_axis == 1
        self.alpha = nn.Parameter(torch.zeros(features)) if adapts and scale else None
        self.k = nn.Parameter(torch.zeros(features)) if adapts else None
        self.beta = nn.Parameter(torch.zeros(features))
        if self.alpha is not None:
            self.scale_kind = "per_channel"

    def _moved(self, x: Tensor) -> Tensor:
        moved = x + self._per_channel(self.beta, x).to(x.dtype)
        if self.k is None:
            return moved
        return moved - (self._per_channel(self.k, x) * _means(x)).to(x.dtype)

    def encode(self, x: Tensor) -> Code:
        moved = self._moved(x)
        q = with_surrogate(moved, sign(moved), triangle, inplace=True)
        if self.alpha is None:
            return Code(q, x.new_ones(()), x.new_zeros(()))
        # e^(alpha (mean |x^| - 1))
        scale = (self._per_channel(self.alpha, x) * (_means(moved.abs()) - 1)).exp()
        return Code(q, scale, x.new_zeros(()))

    def cut(self, x: Tensor) -> Cut | None:
        said = "x + beta" if self.k is None else "x + beta less k times its channel's mean"
        return Cut(self._moved(x), of=said)


def _means(x: Tensor) -> Tensor:
    """Over the positions of each channel of each picture (B, C, H, W): (B, C, 1, 1), at least float32, detached."""
    return x.detach().mean((2, 3), keepdim=True, dtype=torch.promote_types(x.dtype, torch.float32))
