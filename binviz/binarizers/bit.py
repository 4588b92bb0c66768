r"""BiT weights: the sign of the centred tensor times its mean magnitude, identity gradient.

Liu et al. 2022, "BiT: Robustly Binarized Multi-distilled Transformer" (2205.13016), section 2. Its
activations are "elastic-signed" and "elastic-unsigned".
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from binviz.binarizers.base import Binarizer, Code, Cut, mean_abs, with_surrogate
from binviz.binarizers.options import Option
from binviz.binarizers.registry import register


def bit_weight_code(weight: Tensor, mean: Tensor, axes: tuple[int, ...] | None = (-1,)) -> Code:
    """BiT's code of weights whose mean is known.

    An embedding layer calls it on the rows it gathered, with the mean of the whole table, and never
    binarizes the rest.

    Args:
        weight: (..., n), rows gathered from a table or any tensor.
        mean: what is subtracted before the sign, broadcastable to weight; detached here.
        axes: the axes that share a scale; None is all of them.

    >>> import torch
    >>> table = torch.tensor([[0.5, -0.2, 0.1], [0.3, 0.4, -0.7]])
    >>> bit_weight_code(table[[1]], table.mean()).q.tolist()
    [[1.0, 1.0, -1.0]]
    """
    # sign(W - e) = +1 where W >= e
    q = weight.detach().clone().ge_(mean.detach()).mul_(2).sub_(1)
    scale = mean_abs(weight, axes)
    return Code(with_surrogate(weight, q, lambda w: 1 / scale), scale, weight.new_zeros(()))


@register("bit-weight")
class BiTWeight(Binarizer):
    r"""Sign of the centred tensor times the tensor's mean magnitude; the gradient passes unchanged.

    $$q(w) = \operatorname{sign}(w - e), \quad e = \tfrac1N \textstyle\sum w, \quad m = \tfrac1N \sum |w|
    \qquad \frac{\partial q}{\partial w} = \tfrac1m$$

    so the value m q has the gradient 1 everywhere. m is that of the tensor before centring. Both e
    and m are detached.

    Args:
        features, channel_axis: weights (out, in, ...) by default; no parameter.
        per_row: one m for each row, as for word embeddings; e stays the mean of the whole tensor.
            A layer that gathers rows calls `bit_weight_code` instead.

    The paper and the official code agree; an exact zero, a code 0 there, is +1 here.

    >>> import torch
    >>> w = torch.tensor([[0.5, -0.2, 0.1], [0.3, 0.4, -0.7]])
    >>> [[round(v, 5) for v in row] for row in BiTWeight()(w).tolist()]
    [[0.36667, -0.36667, 0.36667], [0.36667, 0.36667, -0.36667]]
    """

    takes = ("weight",)
    options: ClassVar = {"per_row": Option("a scale for each row")}

    def __init__(self, *, features: int = 1, channel_axis: int = 0, per_row: bool = False) -> None:
        super().__init__(features=features, channel_axis=channel_axis)
        self.per_row = per_row
        self.scale_kind = "per_row" if per_row else "static"

    def encode(self, x: Tensor) -> Code:
        return bit_weight_code(x, x.detach().mean(), self._row_axes(x) if self.per_row else None)

    def cut(self, x: Tensor) -> Cut | None:
        return Cut(x - x.mean(), of="value less the tensor's mean")
