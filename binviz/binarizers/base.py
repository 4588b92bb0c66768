r"""What every binarizer is: a map from a float tensor to small integer codes, a scale and a shift.

    x  ~  q * scale + shift          q in `levels`

`encode` gives the three parts apart, because layers multiply codes and apply scales afterwards;
`forward` puts them together. Codes and scales are both differentiable: the surrogate gradient of the
code and the true gradient of a learned scale flow through the same expression in training and in use.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

ScaleKind = Literal["none", "static", "per_row"]


class Code(NamedTuple):
    """Codes of a tensor `x` and what turns them back into floats.

    q: integer codes, same shape as x, in a float dtype. scale, shift: broadcastable to x.
    """

    q: Tensor
    scale: Tensor
    shift: Tensor

    def decode(self) -> Tensor:
        """The binarized tensor q * scale + shift, same shape as q."""
        return self.q * self.scale + self.shift


def sign(x: Tensor) -> Tensor:
    """+1 where x >= 0, else -1, in x's dtype. sign(0) = sign(-0.0) = +1 and sign(nan) = -1.

    >>> sign(torch.tensor([-2.0, -0.0, 0.0, 3.0])).tolist()
    [-1.0, 1.0, 1.0, 1.0]
    """
    return (x >= 0).to(x.dtype).mul_(2).sub_(1)


class _Surrogate(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, q, derivative):  # type: ignore[no-untyped-def]
        ctx.save_for_backward(x)
        ctx.derivative = derivative
        return q

    @staticmethod
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        (x,) = ctx.saved_tensors
        return grad * ctx.derivative(x), None, None


def with_surrogate(x: Tensor, q: Tensor, derivative: Callable[[Tensor], Tensor]) -> Tensor:
    """The codes q, whose gradient to x is derivative(x) instead of the true one, which is zero.

    >>> x = torch.tensor([-2.0, 0.5], requires_grad=True)
    >>> q = with_surrogate(x, sign(x.detach()), lambda x: (x.abs() <= 1).to(x.dtype))
    >>> q.sum().backward()
    >>> q.tolist(), x.grad.tolist()
    ([-1.0, 1.0], [0.0, 1.0])
    """
    return _Surrogate.apply(x, q, derivative)


class Binarizer(nn.Module):
    """Base of every binarizer; a subclass implements `encode`.

    Args:
        features: size of the channel axis; binarizers without per-channel parameters ignore it, and
            the default 1 makes such parameters per tensor.
        channel_axis: -1 for linear activations (..., features), 1 for images (B, C, H, W),
            0 for weights (out, in, ...). A *row* is the channel axis and everything behind it for
            activations, and one output channel for weights.
    """

    levels: tuple[int, ...] = (-1, 1)
    scale_kind: ScaleKind = "none"
    #: True where `shift` can differ from zero.
    shifted: bool = False

    def __init__(self, *, features: int = 1, channel_axis: int = -1) -> None:
        super().__init__()
        self.features = features
        self.channel_axis = channel_axis

    @property
    def bits(self) -> int:
        """Bits that one code takes."""
        return (len(self.levels) - 1).bit_length()

    def encode(self, x: Tensor) -> Code:
        """Codes, scale and shift of x. Differentiable by the surrogate."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """encode(x).decode(), same shape as x."""
        return self.encode(x).decode()

    def set_progress(self, t: float) -> None:
        """Training progress t in [0, 1], called by the loop; what a schedule drives follows it."""

    def _per_channel(self, parameter: Tensor, x: Tensor) -> Tensor:
        """A (features,) parameter viewed so that it broadcasts along x's channel axis."""
        shape = [1] * x.ndim
        shape[self.channel_axis] = -1
        return parameter.view(shape)
