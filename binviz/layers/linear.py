r"""A linear layer that multiplies codes and then applies scales.

With activations $x \approx q_x s_x + c$ and weights $W \approx q_w s_w$ (one scale a row of W):

$$y = \underbrace{(q_x q_w^\top)}_{\text{integers}} \odot (s_x s_w) + c\, s_w \textstyle\sum_k q_w + b$$

A scale of each activation row is applied before the bias: $y = ((q_x q_w^\top) \odot s_w) \odot s_x + b$.
The product of small integers is exact in float32, so a packed engine that computes it in integers and keeps
this order of the float operations gives the same numbers. The result has x's dtype.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from binviz.binarizers import Binarizer
from binviz.layers.tap import tap


class BinaryLinear(nn.Linear):
    """Linear layer with binarized weights and, unless `activation` is None, binarized activations.

    Args:
        in_features: size of x's last axis.
        out_features: size of y's last axis.
        bias: whether b is there.
        weight: binarizer of the (out, in) weight, channel axis 0.
        activation: binarizer of the (..., in) input, channel axis -1; None keeps it float.
        output_scale: learned factor per output channel, ones at the start (XNOR-Net++, 1909.13863, case 1).

    >>> import torch
    >>> from binviz import binarizers
    >>> layer = BinaryLinear(3, 2, weight=binarizers.get("bnn"), activation=binarizers.get("bnn"), bias=False)
    >>> _ = layer.weight.data.copy_(torch.tensor([[1.0, -1.0, 1.0], [0.5, 0.5, -0.5]]))
    >>> layer(torch.tensor([2.0, 3.0, -4.0])).tolist()
    [-1.0, 3.0]
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        weight: Binarizer,
        activation: Binarizer | None,
        bias: bool = True,
        output_scale: bool = False,
    ) -> None:
        super().__init__(in_features, out_features, bias=bias)
        self.weight_binarizer = weight
        self.activation_binarizer = activation
        self.output_scale = nn.Parameter(self.weight.new_ones(out_features)) if output_scale else None

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out)."""
        w = self.weight_binarizer.encode(self.weight)
        weight_scale = w.scale.reshape(-1)
        if self.activation_binarizer is None:
            y = F.linear(x, w.q) * weight_scale
        else:
            tap(self, "pre", x)
            code = self.activation_binarizer.encode(x)
            tap(self, "code", code)
            dot = F.linear(code.q, w.q)
            if self.activation_binarizer.scale_kind == "per_row":
                y = dot * weight_scale * code.scale
            else:
                y = dot * (weight_scale * code.scale)
            if self.activation_binarizer.shifted:
                y = y + code.shift * (weight_scale * w.q.sum(-1))
        if self.output_scale is not None:
            y = y * self.output_scale
        y = y if self.bias is None else y + self.bias
        return y.to(x.dtype)
