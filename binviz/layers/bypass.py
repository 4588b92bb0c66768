r"""The way around a layer for any two numbers of channels: copies, and means of what does not fit.

From c channels to $c' = rc + m$, $0 \le m < c$, it has r copies of all of them and m means more: with
$s = \lfloor c / m \rfloor$ the j-th of the first m - 1 is that of the channels $j, j + (m - 1), \dots$, s of them, and
the last one that of all others. There is nothing to learn and nothing to multiply.

Yin et al. 2024, "BiDense" (2411.10346), the channel-adaptive full-precision bypass. The official code fails where m is
1, and has another order of channels for tokens; here there is one order.
"""

from __future__ import annotations

import torch
from torch import Tensor


def bypass(x: Tensor, channels: int) -> Tensor:
    """The same with another number of channels, (B, c, ...) -> (B, channels, ...).

    >>> x = torch.arange(1.0, 9.0).view(1, 8)
    >>> bypass(x, 3).tolist(), bypass(x, 5).tolist(), bypass(x, 9)[0, 7:].tolist()
    ([[2.0, 3.0, 6.5]], [[1.0, 2.0, 3.0, 4.0, 6.5]], [8.0, 4.5])
    """
    copies, means = divmod(channels, x.shape[1])
    parts = [x] * copies
    if means:
        first = x.shape[1] // means * (means - 1)
        if first:
            parts.append(x[:, :first].unflatten(1, (-1, means - 1)).mean(1))
        parts.append(x[:, first:].mean(1, keepdim=True))
    return torch.cat(parts, 1)
