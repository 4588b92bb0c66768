r"""A threshold relative to each row's maximum: the fair plain binarizer of a softmax.

The sign of a softmax is constant, so a plain 1-bit attention map needs a threshold that follows
the row. He et al. 2023, "BiViT" (2211.07091), section 3.2 derive one quarter of the maximum
("bivit-attention"); this is the plain half.
"""

from __future__ import annotations

from torch import Tensor

from binviz.binarizers.base import Binarizer, Code, Cut, with_surrogate
from binviz.binarizers.registry import register


def row_threshold(x: Tensor, fraction: float) -> Tensor:
    """1 where x is at least `fraction` of its row's maximum, else 0. A row is the last axis, x >= 0.

    No row is ever empty; a row of zeros becomes ones, a row with a nan zeros.

    >>> import torch
    >>> row_threshold(torch.tensor([0.5, 0.2, 0.12, 0.1]), 0.25).tolist()
    [1.0, 1.0, 0.0, 0.0]
    """
    x = x.detach()
    return x.clone().ge_(x.amax(-1, keepdim=True).mul_(fraction))


def part_of_maximum(x: Tensor) -> Tensor:
    """Each value over its row's maximum, x's shape, float64; a row of zeros is at its maximum.

    >>> import torch
    >>> part_of_maximum(torch.tensor([[0.5, 0.25], [0.0, 0.0]])).tolist()
    [[1.0, 0.5], [1.0, 1.0]]
    """
    wide = x.detach().double()
    most = wide.amax(-1, keepdim=True)
    return (wide / most).masked_fill_(most == 0, 1)


@register("row-threshold")
class RowThreshold(Binarizer):
    r"""Probabilities to {0, 1} at half the row's maximum.

    $$q(a) = \begin{cases} 1 & a \ge \tfrac12 \max_{\text{row}} a \\ 0 & \text{else} \end{cases}
    \qquad \frac{\partial q}{\partial a} = 1$$

    The gradient goes straight through to the softmax's output; clipping it to [0, 1] would change
    nothing, since probabilities lie there.

    Args:
        features, channel_axis: ignored; x is (..., L), probabilities or other numbers >= 0, and a
            row is the last axis.

    No official code: it is the baseline that plain methods get in binviz.

    >>> import torch
    >>> RowThreshold()(torch.tensor([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1]])).tolist()
    [[1.0, 1.0, 0.0], [0.0, 1.0, 0.0]]
    """

    levels = (0, 1)
    takes = ("probs",)

    def encode(self, x: Tensor) -> Code:
        q = with_surrogate(x, row_threshold(x, 0.5), None)
        return Code(q, x.new_ones(()), x.new_zeros(()))

    def cut(self, x: Tensor) -> Cut | None:
        return Cut(part_of_maximum(x), 0.5, "part of its row's maximum")
