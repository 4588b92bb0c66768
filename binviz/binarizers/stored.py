r"""Weights that are codes already: loaded from a packed file, with the scale stored beside them."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from binviz.binarizers.base import Binarizer, Code, sign, with_surrogate
from binviz.binarizers.bnn import clipped
from binviz.binarizers.options import Option
from binviz.binarizers.registry import register
from binviz.errors import UserError

MOST_BASES = 24  # bits of a float32 weight that holds them


@register("stored")
class Stored(Binarizer):
    r"""Sign of codes -1 and +1 times a stored scale.

    $$q(w) = \operatorname{sign}(w) \qquad \frac{\partial q}{\partial w} = \mathbf 1[\,|w| \le 1\,]$$

    The latent weight is lost in a packed file, so nothing can be computed from it: the scale is a
    buffer, not learned. The gradient is the plain clipped one, which lets such a model be trained on.

    A weight of several bases is stored as the whole number that its bits make, basis 0 the lowest, and cannot be
    trained on: $q_p = 2\,\lfloor w / 2^p \rfloor \bmod 2 - 1$ has no latent weight behind it.

    Args:
        features: number of output channels.
        channel_axis: weights (out, in, ...) by default.
        per_row: the buffer `scale` is (bases * features,), else (bases,) or a scalar; ones until it is loaded.
        bases: how many are stored as bits, 24 at most.
        offset: with one more basis behind them, of ones, whose scale alone is stored.

    Raises:
        UserError: more bases than that, an offset that is neither True nor False, or training a weight of several.

    >>> binarizer = Stored(features=2)
    >>> _ = binarizer.scale.copy_(torch.tensor([0.5, 2.0]))
    >>> binarizer(torch.tensor([[1.0, -1.0], [-1.0, 1.0]])).tolist()
    [[0.5, -0.5], [-2.0, 2.0]]
    """

    takes = ()
    options: ClassVar = {
        "per_row": Option("a scale for each row"),
        "bases": Option("binary weights that are added", low=1, high=MOST_BASES),
        "offset": Option("a number for each row is added"),
    }
    scale: Tensor

    def __init__(
        self,
        *,
        features: int = 1,
        channel_axis: int = 0,
        per_row: bool = True,
        bases: int = 1,
        offset: bool = False,
    ) -> None:
        super().__init__(features=features, channel_axis=channel_axis)
        self._check(bases=bases)
        if not isinstance(offset, bool):  # a file may say anything
            raise UserError(f"offset is True or False, not {offset!r}")
        self.basis_count, self.offset = bases + offset, offset
        self.scale_kind = "per_row" if per_row else "static"
        numbers = self.basis_count * features if per_row else self.basis_count
        self.register_buffer("scale", torch.ones(() if numbers == 1 and not per_row else numbers))

    def encode(self, x: Tensor) -> Code:
        q = with_surrogate(x, sign(x), clipped, inplace=True)
        scale = self._per_channel(self.scale, x) if self.scale_kind == "per_row" else self.scale
        return Code(q, scale, x.new_zeros(()))

    def bases(self, w: Tensor) -> tuple[Code, ...]:
        if self.basis_count == 1:
            return (self.encode(w),)
        if self.training and torch.is_grad_enabled():
            raise UserError(
                f"a weight of {self.basis_count} bases from a packed file cannot be trained on; train the model that "
                "was packed, or call .eval()"
            )
        whole, scales = w.detach().long(), self.scale.view(self.basis_count, -1)
        planes = [sign(w)]
        if self.bit_count > 1:
            planes = [2 * (whole >> p & 1) - 1 for p in range(self.bit_count)]
        planes += [torch.ones_like(w)] * self.offset
        return tuple(
            Code(q.to(w.dtype), self._per_channel(scale, w), w.new_zeros(()))
            for q, scale in zip(planes, scales, strict=True)
        )


def whole_numbers(codes: Tensor) -> Tensor:
    """What `Stored` takes for a weight of these bases.

    Args:
        codes: -1 and +1, (bases, out, ...), any dtype.

    Returns:
        (out, ...) in the codes' dtype: of one basis its codes, of several the number that their bits make.

    >>> whole_numbers(torch.tensor([[1.0, -1.0], [-1.0, 1.0]])).tolist()
    [1.0, 2.0]
    """
    if len(codes) == 1:
        return codes[0]
    worth = 2 ** torch.arange(len(codes)).view(-1, *[1] * (codes.ndim - 1))
    return ((codes > 0) * worth).sum(0).to(codes.dtype)
