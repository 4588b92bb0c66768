"""A linear layer that multiplies codes and then applies scales, see `binviz.layers.base`."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from binviz.binarizers import Binarizer
from binviz.layers.base import BinaryProduct
from binviz.layers.called import answers


class BinaryLinear(BinaryProduct, nn.Linear):
    """Linear layer with binarized weights and, unless `activation` is None, binarized activations.

    Low-rank adapters (PEFT's LoRA) stand beside it as beside any linear, in training and packed. Merged into the weight
    they are not what they were: it is the latent weight that is added to, and then binarized.

    Args:
        in_features: size of x's last axis.
        out_features: size of y's last axis.
        bias: whether b is there.
        weight: binarizer of the (out, in) weight, channel axis 0.
        activation: binarizer of the (..., in) input, channel axis -1; None keeps it float.
        output_scale: learned factor per output channel, ones at the start (XNOR-Net++, 1909.13863, case 1).

    Raises:
        UserError: a weight with a shift, of other codes than -1 and +1, or of groups that are not whole; an activation
            whose scale would differ along the axis that is summed.

    >>> import torch
    >>> from binviz import binarizers
    >>> layer = BinaryLinear(3, 2, weight=binarizers.get("bnn"), activation=binarizers.get("bnn"), bias=False)
    >>> _ = layer.weight.data.copy_(torch.tensor([[1.0, -1.0, 1.0], [0.5, 0.5, -0.5]]))
    >>> layer(torch.tensor([2.0, 3.0, -4.0])).tolist()
    [-1.0, 3.0]
    """

    summed, grouped = 1, True
    #: Whether the float layer's weight is (in, out), as in GPT-2.
    was_transposed: bool = False

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
        nn.Linear.__init__(self, in_features, out_features, bias=bias)
        self.set_binarizers(weight, activation, output_scale)

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out)."""
        answers(self.place)
        return self.product(x)

    def sums(self, x: Tensor, q: Tensor) -> Tensor:
        return F.linear(x, q)

    def sums_of_ones(self, x: Tensor, q: Tensor) -> Tensor:
        return q.sum(-1)

    def along(self, rows: Tensor) -> Tensor:
        return rows.reshape(-1)
