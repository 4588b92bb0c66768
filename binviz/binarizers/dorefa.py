r"""DoReFa-Net at one bit: signs of weights with the mean magnitude as scale.

Zhou et al. 2016, "DoReFa-Net" (1606.06160), section 2.3.
"""

from __future__ import annotations

from torch import Tensor

from binviz.binarizers.base import Code, mean_abs, sign, with_surrogate
from binviz.binarizers.bnn import Clipped, Edge
from binviz.binarizers.registry import register


@register("dorefa-weight")
class DoReFaWeight(Clipped):
    r"""Sign of each output channel times its mean magnitude, clipped gradient.

    $$q(w) = \operatorname{sign}(w), \quad s = \tfrac1n \textstyle\sum |w|
    \qquad \frac{\partial q}{\partial w} = \mathbf 1[\,|w| < 1\,]$$

    The scale s is detached. Its activations are binarized by "bnn".

    Args:
        features, channel_axis: weights (out, in, ...) by default; no parameter.
        edge: whether the gradient "passes" or "blocks" at exactly |w| = 1.

    The paper has one scale for the whole tensor and activations in {0, 1}; the official code of
    BiBench, followed here, has one scale for each output channel and signs on both sides. Its
    convolutions give the gradient to the scaled value and pass it at the edge; its linear layers, as
    here, give it to the code and block it there.

    >>> import torch
    >>> DoReFaWeight()(torch.tensor([[0.5, -1.5], [0.25, 0.25]])).tolist()
    [[1.0, -1.0], [0.25, 0.25]]
    """

    takes = ("weight",)
    scale_kind = "per_row"

    def __init__(self, *, features: int = 1, channel_axis: int = 0, edge: Edge = "blocks") -> None:
        super().__init__(features=features, channel_axis=channel_axis, edge=edge)

    def encode(self, x: Tensor) -> Code:
        q = with_surrogate(x, sign(x), self._window, inplace=True)
        return Code(q, mean_abs(x, self._row_axes(x)), x.new_zeros(()))
