r"""Bi-Real Net: a triangle as the derivative of the sign.

Liu et al. 2018, "Bi-Real Net" (1808.00278), section 3.3: the derivative of a piecewise quadratic
that hugs the sign ("ApproxSign").
"""

from __future__ import annotations

from torch import Tensor

from binviz.binarizers.base import Binarizer, Code, Cut, mean_abs, sign, with_surrogate
from binviz.binarizers.bnn import Clipped, Edge
from binviz.binarizers.registry import register


def triangle(x: Tensor) -> Tensor:
    r"""Triangle derivative: max(2 - \|2x\|, 0).

    >>> import torch
    >>> triangle(torch.tensor([-1.0, -0.25, 0.0, 0.5])).tolist()
    [0.0, 1.5, 2.0, 1.0]
    """
    return x.abs().mul_(-2).add_(2).clamp_(min=0)


@register("bireal-weight")
class BiRealWeight(Clipped):
    r"""Sign of each output channel times its mean magnitude; the gradient skips the scale.

    $$q(w) = \operatorname{sign}(w), \quad s = \tfrac1n \textstyle\sum |w|
    \qquad \frac{\partial q}{\partial w} = \tfrac1s\,\mathbf 1[\,|w| \le 1\,]$$

    so the scaled value s q has the gradient 1 in the window, whatever s is: the magnitude of a weight
    does not change how fast it moves. The scale is detached.

    Args:
        features, channel_axis: weights (out, in, ...) by default; no parameter.
        edge: whether the gradient "passes" or "blocks" at exactly |w| = 1; the official code passes it.

    The paper's gradient is magnitude-aware (through s); the official code, also ReActNet's, detaches
    s as here.

    >>> import torch
    >>> BiRealWeight()(torch.tensor([[0.5, -1.5], [0.25, 0.25]])).tolist()
    [[1.0, -1.0], [0.25, 0.25]]
    """

    takes = ("weight",)
    scale_kind = "per_row"

    def __init__(self, *, features: int = 1, channel_axis: int = 0, edge: Edge = "passes") -> None:
        super().__init__(features=features, channel_axis=channel_axis, edge=edge)

    def encode(self, x: Tensor) -> Code:
        scale = mean_abs(x, self._row_axes(x))
        q = with_surrogate(x, sign(x), lambda w: self._window(w).div(scale), inplace=True)
        return Code(q, scale, x.new_zeros(()))


@register("bireal-activation")
class BiRealActivation(Binarizer):
    r"""Sign of activations with the triangle derivative.

    $$q(x) = \operatorname{sign}(x)
    \qquad \frac{\partial q}{\partial x} = \max(2 - |2x|,\, 0)$$

    Args:
        features, channel_axis: ignored; x has any shape.

    The official code builds the quadratic from three masks; the derivative is the same, also at the
    corners.

    >>> import torch
    >>> x = torch.tensor([-1.5, -0.5, 0.0, 0.25], requires_grad=True)
    >>> BiRealActivation()(x).sum().backward()
    >>> x.grad.tolist()
    [0.0, 1.0, 2.0, 1.5]
    """

    def encode(self, x: Tensor) -> Code:
        q = with_surrogate(x, sign(x), triangle, inplace=True)
        return Code(q, x.new_ones(()), x.new_zeros(()))

    def cut(self, x: Tensor) -> Cut | None:
        return Cut(x)
