r"""BinaryConnect: the sign of a weight, whose gradient is the latent weight's own.

Courbariaux et al. 2015, "BinaryConnect" (1511.00363), algorithm 1.
"""

from __future__ import annotations

from torch import Tensor

from binviz.binarizers.base import Binarizer, Code, Cut, sign, with_surrogate
from binviz.binarizers.registry import register


@register("binary-connect-weight")
class BinaryConnectWeight(Binarizer):
    r"""Sign of a weight, no scale; the gradient passes everywhere.

    $$q(w) = \begin{cases} +1 & w \ge 0 \\ -1 & w < 0 \end{cases}
    \qquad \frac{\partial q}{\partial w} = 1$$

    Args:
        features, channel_axis: ignored; w has any shape.

    The paper puts latent weights back to [-1, 1] behind every step; that belongs to the training, not to the
    binarizer. With a gradient that ends at 1, as `bnn`'s, a weight that has come out there never moves again.

    >>> import torch
    >>> w = torch.tensor([-0.3, 0.0, 2.0], requires_grad=True)
    >>> q = BinaryConnectWeight()(w)
    >>> q.sum().backward()
    >>> q.tolist(), w.grad.tolist()
    ([-1.0, 1.0, 1.0], [1.0, 1.0, 1.0])
    """

    takes = ("weight",)

    def __init__(self, *, features: int = 1, channel_axis: int = 0) -> None:
        super().__init__(features=features, channel_axis=channel_axis)

    def encode(self, x: Tensor) -> Code:
        return Code(with_surrogate(x, sign(x), None), x.new_ones(()), x.new_zeros(()))

    def cut(self, x: Tensor) -> Cut | None:
        return Cut(x)
