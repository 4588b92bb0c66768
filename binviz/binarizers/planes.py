r"""Bit planes of a picture: the grey levels that it has anyway, as a weighted sum of pictures of one bit.

Vorabbi, Maltoni and Santi 2023, "Input Layer Binarization with Bit-Plane Encoding" (2305.02885): so a first layer, too,
multiplies bits. With $p_i \in \{0, 1\}$ the planes of a grey level g and w the signs of a filter

$$g = \sum_i 2^i p_i \qquad\Rightarrow\qquad w * g = \sum_i 2^i (w * p_i)$$

holds in integers, so nothing is lost where a picture has no more levels than the planes.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from binviz.binarizers.base import Binarizer, Code, with_surrogate
from binviz.binarizers.options import Option
from binviz.binarizers.registry import register


@register("bit-planes")
class BitPlanes(Binarizer):
    r"""Grey levels of a picture, whose bits are its planes; nothing is learned.

    With n levels from low to high:

    $$q(x) = \operatorname{clip}\big(\operatorname{round}(\tfrac{x - low}{s}), 0, n - 1\big), \quad
    s = \frac{high - low}{n - 1}
    \qquad \frac{\partial q}{\partial x} = \tfrac1s\,\mathbf 1[\,low \le x \le high\,]$$

    The value is q s + low: x itself where x is a level.

    Args:
        features, channel_axis: ignored; x has any shape.
        greys: number of levels n, 3 to 256, which a picture of eight bits has; a code takes log2 n planes, rounded up.
        low: what black is in the network's input.
        high: what white is there.

    No official code. The paper has eight planes; of what it says only the planes, their weights $2^i$ and their sum are
    taken over: its binary convolution of each plane has the same filters here, and so the sum is that of the picture.
    A padded position adds nothing to the sum, as everywhere here: it is the middle grey that is 0.

    >>> import torch
    >>> BitPlanes(greys=3)(torch.tensor([-1.0, -0.4, 0.2, 7.0])).tolist()
    [-1.0, 0.0, 0.0, 1.0]
    """

    scale_kind = "static"
    constant_shift = True
    takes = ("input",)
    options: ClassVar = {
        "greys": Option("grey levels", low=3, high=256),
        "low": Option("value of black", low=-3.0, high=0.0),
        "high": Option("value of white", low=0.5, high=3.0),
    }

    def __init__(
        self,
        *,
        features: int = 1,
        channel_axis: int = -1,
        greys: int = 256,
        low: float = -1.0,
        high: float = 1.0,
    ) -> None:
        super().__init__(features=features, channel_axis=channel_axis)
        self._check(greys=greys, low=low, high=high)
        self.levels = tuple(range(greys))
        self.low, self.high = low, high
        self.shifted = low != 0

    def encode(self, x: Tensor) -> Code:
        step = (self.high - self.low) / self.levels[-1]
        q = ((x.detach() - self.low) / step).round_().clamp_(0, self.levels[-1])

        def derivative(x: Tensor) -> Tensor:
            return ((x >= self.low) & (x <= self.high)).to(x.dtype).div_(step)

        q = with_surrogate(x, q, derivative, inplace=True)
        one = x.new_ones((), dtype=torch.promote_types(x.dtype, torch.float32))
        return Code(q, step * one, self.low * one)
