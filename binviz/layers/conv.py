r"""A convolution that multiplies codes and then applies scales; the order is that of `layers.linear`.

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
from binviz.layers.tap import tap


class BinaryConv2d(nn.Conv2d):
    """2-D convolution with binarized weights and, unless `activation` is None, binarized activations.

    Args:
        sizes: in_channels, out_channels, kernel_size and so on, as for torch.nn.Conv2d.
        weight: binarizer of the (out, in/groups, h, w) weight, channel axis 0.
        activation: binarizer of the (B, in, H, W) input, channel axis 1; None keeps it float.
        output_scale: learned factor per output channel, ones at the start.
        conv_options: those of torch.nn.Conv2d; `padding_mode` other than "zeros" is refused.

    Raises:
        UserError: another padding mode.

    >>> import torch
    >>> from binviz import binarizers
    >>> conv = BinaryConv2d(1, 1, 3, padding=1, bias=False, weight=binarizers.get("bnn"),
    ...                     activation=binarizers.get("bnn", channel_axis=1))
    >>> _ = conv.weight.data.fill_(1.0)
    >>> conv(torch.ones(1, 1, 3, 3))[0, 0].tolist()
    [[4.0, 6.0, 4.0], [6.0, 9.0, 6.0], [4.0, 6.0, 4.0]]
    """

    def __init__(
        self,
        *sizes: Any,
        weight: Binarizer,
        activation: Binarizer | None,
        output_scale: bool = False,
        **conv_options: Any,
    ) -> None:
        super().__init__(*sizes, **conv_options)
        if self.padding_mode != "zeros":
            raise UserError(
                f"a binary convolution pads with zeros, not {self.padding_mode!r}; keep this layer float"
            )
        self.weight_binarizer = weight
        self.activation_binarizer = activation
        self.output_scale = nn.Parameter(self.weight.new_ones(self.out_channels)) if output_scale else None

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) -> (B, out, H', W'); without B as well."""
        if x.ndim == 3:
            return self(x[None])[0]
        w = self.weight_binarizer.encode(self.weight)
        scale = w.scale.reshape(1, -1, 1, 1)
        q = x
        if self.activation_binarizer is not None:
            tap(self, "pre", x)
            code = self.activation_binarizer.encode(x)
            tap(self, "code", code)
            q = code.q
        y = self._convolve(q, w.q)
        if self.activation_binarizer is None:
            y = y * scale
        elif self.activation_binarizer.scale_kind == "per_row":
            y = y * scale * code.scale
        else:
            y = y * (scale * code.scale)
        if self.activation_binarizer is not None and self.activation_binarizer.shifted:
            y = y + code.shift * scale * self._convolve(torch.ones_like(q[:1]), w.q)
        if self.output_scale is not None:
            y = y * self.output_scale.view(1, -1, 1, 1)
        y = y if self.bias is None else y + self.bias.view(1, -1, 1, 1)
        return y.to(x.dtype)

    def _convolve(self, x: Tensor, w: Tensor) -> Tensor:
        return F.conv2d(x, w, None, self.stride, self.padding, self.dilation, self.groups)
