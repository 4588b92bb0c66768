r"""Weights that are codes already: loaded from a packed file, with the scale stored beside them."""

from __future__ import annotations

import torch
from torch import Tensor

from binviz.binarizers.base import Binarizer, Code, sign, with_surrogate
from binviz.binarizers.bnn import clipped
from binviz.binarizers.registry import register


@register("stored")
class Stored(Binarizer):
    r"""Sign of codes -1 and +1 times a stored scale.

    $$q(w) = \operatorname{sign}(w) \qquad \frac{\partial q}{\partial w} = \mathbf 1[\,|w| \le 1\,]$$

    The latent weight is lost in a packed file, so nothing can be computed from it: the scale is a
    buffer, not learned. The gradient is the plain clipped one, which lets such a model be trained on.

    Args:
        features: number of output channels.
        channel_axis: weights (out, in, ...) by default.
        per_row: the buffer `scale` is (features,), else a scalar; ones until it is loaded.

    >>> binarizer = Stored(features=2)
    >>> _ = binarizer.scale.copy_(torch.tensor([0.5, 2.0]))
    >>> binarizer(torch.tensor([[1.0, -1.0], [-1.0, 1.0]])).tolist()
    [[0.5, -0.5], [-2.0, 2.0]]
    """

    scale: Tensor

    def __init__(self, *, features: int = 1, channel_axis: int = 0, per_row: bool = True) -> None:
        super().__init__(features=features, channel_axis=channel_axis)
        self.scale_kind = "per_row" if per_row else "static"
        self.register_buffer("scale", torch.ones(features if per_row else ()))

    def encode(self, x: Tensor) -> Code:
        q = with_surrogate(x, sign(x), clipped, inplace=True)
        scale = self._per_channel(self.scale, x) if self.scale_kind == "per_row" else self.scale
        return Code(q, scale, x.new_zeros(()))
