r"""XNOR-Net: signs with the mean magnitude as scale, on both sides.

Rastegari et al. 2016, "XNOR-Net" (1603.05279), section 3.1: of all alpha * B with B in {-1, +1}, the
nearest to W has B = sign(W) and alpha = mean |W|.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from binviz.binarizers.base import Code, Cut, mean_abs, sign, with_surrogate
from binviz.binarizers.bnn import EDGE, Clipped, Edge
from binviz.binarizers.options import Option
from binviz.binarizers.registry import register


@register("xnor-weight")
class XNORWeight(Clipped):
    r"""Sign of each output channel times its mean magnitude.

    $$q(w) = \operatorname{sign}(w - c), \quad s = \tfrac1n \textstyle\sum |w - c|
    \qquad \frac{\partial q}{\partial w} = \mathbf 1[\,|w - c| \le 1\,]$$

    with c = 0, or the row's mean when `centre` is set. The scale s is detached.

    Args:
        features, channel_axis: weights (out, in, ...) by default; no parameter.
        centre: subtract each output channel's mean first, gradient included.
        edge: whether the gradient "passes" or "blocks" at exactly |w - c| = 1; BiBench passes it.

    The paper's gradient also has a term 1/n from the scale; the official code of BiBench, like this
    one, has not. BiBench centres linear layers and not convolutions, and its convolutions give the
    clipped gradient to the scaled value, without the factor s that linear layers have. Here both kinds
    of layer do what its linear one does, but that centring is an option, off: the recipe `xnor` centres
    no layer, as the paper, and so departs from BiBench's linear layers.

    >>> import torch
    >>> XNORWeight()(torch.tensor([[0.5, -1.5], [0.25, 0.25]])).tolist()
    [[1.0, -1.0], [0.25, 0.25]]
    """

    takes = ("weight",)
    options: ClassVar = {"centre": Option("centre each row first"), "edge": EDGE}
    scale_kind = "per_row"

    def __init__(
        self, *, features: int = 1, channel_axis: int = 0, centre: bool = False, edge: Edge = "passes"
    ) -> None:
        super().__init__(features=features, channel_axis=channel_axis, edge=edge)
        self.centre = centre

    def encode(self, x: Tensor) -> Code:
        axes = self._row_axes(x)
        if self.centre:
            x = x - x.mean(axes, keepdim=True)
        q = with_surrogate(x, sign(x), self._window, inplace=True)
        return Code(q, mean_abs(x, axes), x.new_zeros(()))

    def cut(self, x: Tensor) -> Cut | None:
        return self._above_row_mean(x) if self.centre else super().cut(x)


@register("xnor-activation")
class XNORActivation(Clipped):
    r"""Sign of each row times the row's mean magnitude.

    $$q(x) = \operatorname{sign}(x), \quad s = \tfrac1n \textstyle\sum_{\text{row}} |x|
    \qquad \frac{\partial q}{\partial x} = \mathbf 1[\,|x| \le 1\,]$$

    The scale s is detached. A row is a token for linear layers, a whole sample for images.

    Args:
        features: ignored.
        channel_axis: -1 for (..., features), 1 for (B, C, H, W).
        edge: whether the gradient "passes" or "blocks" at exactly |x| = 1; BiBench passes it.

    The paper gives every position of an image its own scale, a box-filtered map K; the official code
    of BiBench, like this one, has one number for each sample.

    >>> import torch
    >>> XNORActivation()(torch.tensor([[0.5, -1.5], [0.0, 0.25]])).tolist()
    [[1.0, -1.0], [0.125, 0.125]]
    """

    scale_kind = "per_row"

    def encode(self, x: Tensor) -> Code:
        q = with_surrogate(x, sign(x), self._window, inplace=True)
        return Code(q, mean_abs(x, self._row_axes(x)), x.new_zeros(()))
