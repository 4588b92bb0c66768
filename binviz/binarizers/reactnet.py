r"""ReActNet: a sign whose threshold is learned for each channel ("RSign").

Liu et al. 2020, "ReActNet" (2003.03488), section 4.2. Its weights are Bi-Real's ("bireal-weight").
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from binviz.binarizers.base import Binarizer, Code, Cut, sign, with_surrogate
from binviz.binarizers.bireal import triangle
from binviz.binarizers.registry import register


@register("reactnet-activation")
class ReActNetActivation(Binarizer):
    r"""Sign of activations after a learned shift of each channel, triangle derivative.

    $$q(x) = \operatorname{sign}(x + t)
    \qquad \frac{\partial q}{\partial x} = \frac{\partial q}{\partial t} = \max(2 - |2(x + t)|,\, 0)$$

    Args:
        features: number of channels; the parameter `threshold` t is (features,), zeros at the start.
        channel_axis: -1 for (..., features), 1 for (B, features, H, W).

    The paper writes sign(x - alpha), so t is -alpha. In the official code of BiBench the linear layer
    takes sign(x), and t moves only the surrogate; here it moves the code.

    >>> import torch
    >>> binarizer = ReActNetActivation(features=2)
    >>> _ = binarizer.threshold.data.copy_(torch.tensor([0.5, -0.5]))
    >>> binarizer(torch.tensor([[-0.2, 0.2]])).tolist()
    [[1.0, -1.0]]
    """

    shifts = ("threshold",)

    def __init__(self, *, features: int = 1, channel_axis: int = -1) -> None:
        super().__init__(features=features, channel_axis=channel_axis)
        self.threshold = nn.Parameter(torch.zeros(features))

    def encode(self, x: Tensor) -> Code:
        moved = x + self._per_channel(self.threshold, x).to(x.dtype)
        q = with_surrogate(moved, sign(moved), triangle, inplace=True)
        return Code(q, x.new_ones(()), x.new_zeros(()))

    def cut(self, x: Tensor) -> Cut | None:
        return Cut(x + self._per_channel(self.threshold, x), of="x + threshold")
