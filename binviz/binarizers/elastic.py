r"""Elastic binarization: an activation's range alpha and shift beta are learned.

Liu et al. 2022, "BiT" (2205.13016), the elastic function
$\alpha \cdot \mathrm{round}(\mathrm{clip}((x - \beta) / \alpha, 0, 1))$, and for more than one bit
the learned step of Esser et al. 2019, "Learned Step Size Quantization" (1902.08153).
"""

from __future__ import annotations

from math import sqrt
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from binviz.binarizers.base import Binarizer, Code, Cut, sign, with_surrogate
from binviz.binarizers.bnn import EDGE, Edge, check_edge, clipped
from binviz.binarizers.options import Option
from binviz.binarizers.registry import register
from binviz.errors import UserError

_SMALLEST_ALPHA = 1e-5


def alpha_start(x: Tensor, bits: int, signed: bool, rule: str = "lsq") -> Tensor:
    r"""First value of alpha for activations x, a scalar; zero or nan where x says nothing.

    "lsq": $2\,E|x| / \sqrt{Q_p}$ signed, $4\,E|x| / \sqrt{Q_p}$ unsigned, with Q_p the largest code.
    "paper", one bit: the optimum, $E|x|$ signed, the mean of the entries from 0.5 on unsigned (where
    there is none, as in a wide attention map, the "lsq" value).

    >>> alpha_start(torch.tensor([-1.0, 2.0]), bits=1, signed=True).item()
    3.0
    """
    x = x.detach().to(torch.promote_types(x.dtype, torch.float32))
    largest = max(2 ** (bits - 1) - 1, 1) if signed else 2**bits - 1
    if rule == "paper" and signed:
        return x.abs().mean()
    if rule == "paper" and (x >= 0.5).any():
        return x[x >= 0.5].mean()
    return (2 if signed else 4) * x.abs().mean() / sqrt(largest)


class _Guarded(torch.autograd.Function):
    """alpha, at least 1e-5, with its gradient multiplied by a factor."""

    @staticmethod
    def forward(ctx, alpha, factor):
        ctx.factor = factor
        dtype = torch.promote_types(alpha.dtype, torch.float32)
        return alpha.to(dtype).clamp(min=_SMALLEST_ALPHA)

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.factor, None


class _Step(torch.autograd.Function):
    """Codes q = clamp(round(x / alpha), low, high) with the gradients of a learned step.

    dq/dx = 1/alpha and dq/dalpha = -x/alpha^2 where low <= x/alpha <= high, else 0; the value
    alpha * q then has LSQ's gradient to alpha, q - x/alpha inside and q outside. An edge that "blocks"
    is outside.
    """

    @staticmethod
    def forward(ctx, x, alpha, q, low, high, edge):
        ctx.save_for_backward(x, alpha)
        ctx.low, ctx.high, ctx.edge = low, high, edge
        return q

    @staticmethod
    def backward(ctx, grad):
        x, alpha = ctx.saved_tensors
        ratio = x / alpha
        inside = ratio.clamp(ctx.low, ctx.high).eq_(ratio)
        if ctx.edge == "blocks":
            inside.mul_(ratio.ne(ctx.low)).mul_(ratio.ne(ctx.high))
        grad_x = inside.mul_(grad).div_(alpha)
        grad_alpha = -(grad_x * ratio).sum(dtype=alpha.dtype) if ctx.needs_input_grad[1] else None
        return grad_x, grad_alpha, None, None, None, None


class _Elastic(Binarizer):
    scale_kind = "static"
    scales, shifts = ("alpha",), ("beta",)
    options: ClassVar = {
        "bits": Option(words={1: "1 bit", 2: "2 bits", 4: "4 bits", 8: "8 bits"}),
        "learn_shift": Option("a shift is learned too"),
        "init": Option("start of alpha", words={"lsq": "LSQ's", "paper": "the paper's"}, when=("bits", (1,))),
        "grad_scale": Option("smaller gradient of alpha", in_training=True),
        "edge": EDGE,
        "subtract_min": Option("count from the smallest value", when=("bits", (2, 4, 8))),
    }
    signed: bool

    def __init__(
        self,
        *,
        features: int = 1,
        channel_axis: int = -1,
        bits: Literal[1, 2, 4, 8] = 1,
        learn_shift: bool = False,
        init: Literal["lsq", "paper"] = "lsq",
        grad_scale: bool = True,
        edge: Edge = "passes",
    ) -> None:
        super().__init__(features=features, channel_axis=channel_axis)
        if bits not in (1, 2, 4, 8):
            raise UserError(f"an elastic binarizer has 1, 2, 4 or 8 bits, not {bits!r}")
        if init not in ("lsq", "paper"):
            raise UserError(f"init is 'lsq' or 'paper', not {init!r}")
        if init == "paper" and bits > 1:
            raise UserError("init='paper' is a closed form for one bit; use init='lsq' for more bits")
        if not self.signed:
            self.levels = tuple(range(2**bits))
        elif bits > 1:
            self.levels = tuple(range(-(2 ** (bits - 1)), 2 ** (bits - 1)))
        self.init = init
        self.grad_scale = grad_scale
        self.edge = check_edge(edge)
        self.alpha = nn.Parameter(torch.ones(()))
        self.beta = nn.Parameter(torch.zeros(features)) if learn_shift else None
        self.register_buffer("initialized", torch.tensor(False))

    @torch.no_grad()
    def initialize(self, x: Tensor) -> None:
        """Start alpha from the activations x; zeros, nans and empty tensors leave it for later."""
        start = alpha_start(x, self.bits, self.signed, self.init)
        if start > 0 and start.isfinite():
            self.alpha.copy_(start)
            self.initialized.fill_(True)

    @property
    def _said(self) -> str:
        return "value" if self.beta is None else "x + beta"

    def _moved(self, x: Tensor) -> Tensor:
        return x if self.beta is None else x + self._per_channel(self.beta, x).to(x.dtype)

    def _guarded_alpha(self, x: Tensor) -> Tensor:
        factor = 1 / sqrt(max(x.numel(), 1) * self.levels[-1]) if self.grad_scale else 1.0
        return _Guarded.apply(self.alpha, factor)

    def _rounded(self, x: Tensor, alpha: Tensor) -> Tensor:
        low, high = self.levels[0], self.levels[-1]
        q = (x.detach() / alpha.detach()).round_().clamp_(low, high)
        return _Step.apply(x, alpha, q, low, high, self.edge)


@register("elastic-signed")
class ElasticSigned(_Elastic):
    r"""BiT's activation of either sign: alpha times the sign, with alpha and a shift learned.

    One bit, with y = x + beta:

    $$q(y) = \operatorname{sign}(y), \quad s = \alpha
    \qquad \frac{\partial q}{\partial x} = \tfrac1\alpha\,\mathbf 1[\,|y| \le \alpha\,]$$

    The value alpha q has the gradient 1 in the window, q to alpha, and the sum over all else but
    the channel to beta. More bits, Q_n = -2^(b-1) and Q_p = 2^(b-1) - 1:

    $$q(y) = \operatorname{clip}(\operatorname{round}(y / \alpha), Q_n, Q_p)
    \qquad \frac{\partial q}{\partial x} = \tfrac1\alpha\,\mathbf 1[\,Q_n \le y/\alpha \le Q_p\,]
    \qquad \frac{\partial (\alpha q)}{\partial \alpha} = q - \tfrac{y}{\alpha}\,\mathbf 1[\ldots]$$

    Args:
        features: number of channels; the parameter `beta` is (features,).
        channel_axis: -1 for (..., features), 1 for (B, features, H, W).
        bits: of a code, 1, 2, 4 or 8. Rounding is half to even.
        learn_shift: add `beta`, zeros at the start, before the rest.
        init: how alpha starts from the first batch, see `alpha_start`.
        grad_scale: multiply alpha's gradient by 1 / sqrt(numel * Q_p).
        edge: whether the gradient "passes" or "blocks" exactly where y / alpha is the smallest or largest
            code; the official code passes it.

    The paper subtracts one beta for the tensor, starts alpha at its optimum ("paper") and has no
    gradient scale; the official code adds one for each channel, as here, starts at twice the mean
    magnitude ("lsq") and scales. Its mark that alpha has started is a Python attribute that a saved
    model loses; after loading, only an alpha of exactly 1 starts again. Here the mark is a buffer.
    In both, alpha starts from the whole tensor, padding positions included, so the start depends on
    how the first batch is padded.

    >>> import torch
    >>> ElasticSigned()(torch.tensor([-1.0, 0.0, 2.0])).tolist()
    [-2.0, 2.0, 2.0]
    """

    signed = True

    def encode(self, x: Tensor) -> Code:
        y = self._moved(x)
        self._initialize_once(y)
        alpha = self._guarded_alpha(y)
        if self.bits > 1:
            return Code(self._rounded(y, alpha), alpha, x.new_zeros(()))
        fixed = alpha.detach()
        q = with_surrogate(y, sign(y), lambda y: clipped(y, self.edge, fixed).div_(fixed), inplace=True)
        return Code(q, alpha, x.new_zeros(()))

    def cut(self, x: Tensor) -> Cut | None:
        return Cut(self._moved(x), of=self._said) if self.bits == 1 else None


@register("elastic-unsigned")
class ElasticUnsigned(_Elastic):
    r"""BiT's activation that cannot be negative, after a ReLU or a softmax: {0, 1} times alpha.

    With y = x + beta and Q_p = 2^b - 1:

    $$q(y) = \operatorname{clip}(\operatorname{round}(y / \alpha), 0, Q_p), \quad s = \alpha
    \qquad \frac{\partial q}{\partial x} = \tfrac1\alpha\,\mathbf 1[\,0 \le y/\alpha \le Q_p\,]
    \qquad \frac{\partial (\alpha q)}{\partial \alpha} = q - \tfrac{y}{\alpha}\,\mathbf 1[\ldots]$$

    One bit switches above alpha / 2; exactly alpha / 2 is 0, because rounding is half to even.

    Args:
        features: number of channels; the parameter `beta` is (features,).
        channel_axis: -1 for (..., features), 1 for (B, features, H, W).
        bits: of a code, 1, 2, 4 or 8.
        learn_shift: add `beta`, zeros at the start, before the rest.
        init: how alpha starts from the first batch, see `alpha_start`.
        grad_scale: multiply alpha's gradient by 1 / sqrt(numel * Q_p).
        edge: whether the gradient "passes" or "blocks" exactly where y / alpha is 0 or Q_p; the official
            code passes it.
        subtract_min: more than one bit: quantize what exceeds the smallest entry of the batch, and
            add that back as a shift.

    The official code always subtracts the batch's minimum at more than one bit, so an example's
    result depends on its neighbours and cannot be packed; here that is an option, off. The remarks
    of `ElasticSigned` hold too.

    >>> import torch
    >>> ElasticUnsigned()(torch.tensor([0.0, 0.0, 0.25, 0.75])).tolist()
    [0.0, 0.0, 0.0, 1.0]
    """

    signed = False
    takes = ("nonneg_activation", "probs")

    def __init__(
        self,
        *,
        features: int = 1,
        channel_axis: int = -1,
        bits: Literal[1, 2, 4, 8] = 1,
        learn_shift: bool = False,
        init: Literal["lsq", "paper"] = "lsq",
        grad_scale: bool = True,
        edge: Edge = "passes",
        subtract_min: bool = False,
    ) -> None:
        super().__init__(
            features=features,
            channel_axis=channel_axis,
            bits=bits,
            learn_shift=learn_shift,
            init=init,
            grad_scale=grad_scale,
            edge=edge,
        )
        if subtract_min and bits == 1:
            raise UserError("subtract_min needs more than one bit")
        self.shifted = subtract_min

    def encode(self, x: Tensor) -> Code:
        y = self._moved(x)
        self._initialize_once(y)
        alpha = self._guarded_alpha(y)
        if self.bits == 1:
            # clip(round(y / alpha), 0, 1) = 1 where y > alpha / 2
            q = y.detach().clone().gt_(alpha.detach() / 2)
            return Code(_Step.apply(y, alpha, q, 0, 1, self.edge), alpha, x.new_zeros(()))
        low = y.detach().min() if self.shifted else x.new_zeros(())
        return Code(self._rounded(y - low if self.shifted else y, alpha), alpha, low)

    def cut(self, x: Tensor) -> Cut | None:
        return Cut(self._moved(x), float(self.alpha.detach()) / 2, self._said) if self.bits == 1 else None
