r"""A convolution that multiplies codes and then applies scales; see `binviz.layers.base`.

Padding is with zeros behind the binarizer: a padded position adds nothing to the sum. It is neither +1 nor
-1, so a kernel on bits corrects for it at the border.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from binviz.binarizers import Binarizer
from binviz.errors import UserError
from binviz.layers.base import BinaryProduct
from binviz.layers.called import answers


class BinaryConv2d(BinaryProduct, nn.Conv2d):
    """2-D convolution with binarized weights and, unless `activation` is None, binarized activations.

    Args:
        sizes: in_channels, out_channels, kernel_size and so on, as for torch.nn.Conv2d.
        weight: binarizer of the (out, in/groups, h, w) weight, channel axis 0.
        activation: binarizer of the (B, in, H, W) input, channel axis 1; None keeps it float.
        output_scale: learned factor per output channel, ones at the start.
        conv_options: those of torch.nn.Conv2d; `padding_mode` other than "zeros" is refused.

    Raises:
        UserError: another padding mode; a weight with a shift or of other codes than -1 and +1; an activation whose
            scale would differ within a window.

    >>> import torch
    >>> from binviz import binarizers
    >>> conv = BinaryConv2d(1, 1, 3, padding=1, bias=False, weight=binarizers.get("bnn"),
    ...                     activation=binarizers.get("bnn", channel_axis=1))
    >>> _ = conv.weight.data.fill_(1.0)
    >>> conv(torch.ones(1, 1, 3, 3))[0, 0].tolist()
    [[4.0, 6.0, 4.0], [6.0, 9.0, 6.0], [4.0, 6.0, 4.0]]
    """

    summed = 3

    def __init__(
        self,
        *sizes: Any,
        weight: Binarizer,
        activation: Binarizer | None,
        output_scale: bool = False,
        **conv_options: Any,
    ) -> None:
        nn.Conv2d.__init__(self, *sizes, **conv_options)
        if self.padding_mode != "zeros":
            raise UserError(
                f"a binary convolution pads with zeros, not {self.padding_mode!r}; keep this layer float"
            )
        self.set_binarizers(weight, activation, output_scale)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) -> (B, out, H', W'); without B as well."""
        answers(self.place)
        return self.product(x) if x.ndim == 4 else self.product(x[None])[0]

    def sums(self, x: Tensor, q: Tensor) -> Tensor:
        return F.conv2d(x, q, None, self.stride, self.padding, self.dilation, self.groups)

    def sums_of_ones(self, x: Tensor, q: Tensor) -> Tensor:
        return self.sums(torch.ones_like(x[:1]), q)

    def along(self, rows: Tensor) -> Tensor:
        return rows.reshape(1, -1, 1, 1)
