r"""BNN: the plain sign with the clipped straight-through estimator.

Courbariaux et al. 2016, "Binarized Neural Networks" (1602.02830), eq. 1 and 4.
"""

from __future__ import annotations

from torch import Tensor

from binviz.binarizers.base import Binarizer, Code, sign, with_surrogate
from binviz.binarizers.registry import register


def clipped(x: Tensor) -> Tensor:
    r"""Clipped straight-through derivative: 1 where \|x\| <= 1, else 0."""
    return x.abs().le_(1)


def clipped_open(x: Tensor) -> Tensor:
    r"""The same with an open window: 1 where \|x\| < 1, else 0."""
    return x.abs().lt_(1)


@register("bnn")
class BNN(Binarizer):
    r"""Sign of weights or activations, no scale.

    $$q(x) = \begin{cases} +1 & x \ge 0 \\ -1 & x < 0 \end{cases}
    \qquad \frac{\partial q}{\partial x} = \mathbf 1[\,|x| \le 1\,]$$

    Args:
        features, channel_axis: ignored; x has any shape.

    XNOR++ uses it for weights and activations too, because its learned factors scale the layer's
    output; BiBERT uses it for activations.

    The official code of BiBench edits the incoming gradient in place; this one does not.

    >>> import torch
    >>> BNN()(torch.tensor([-0.3, 0.0, 2.0])).tolist()
    [-1.0, 1.0, 1.0]
    """

    def encode(self, x: Tensor) -> Code:
        q = with_surrogate(x, sign(x), clipped, inplace=True)
        return Code(q, x.new_ones(()), x.new_zeros(()))
