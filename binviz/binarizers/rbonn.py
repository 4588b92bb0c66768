r"""RBONN: weights and scales as a pair of factors, and weights that step back along the gradient before.

Xu et al. 2022, "Recurrent Bilinear Optimization for Binary Neural Networks" (2209.01542).
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, get_args

import torch
from torch import Tensor, nn

from binviz.binarizers.base import Binarizer, Code, Cut, sign
from binviz.binarizers.options import Option
from binviz.binarizers.registry import register
from binviz.errors import UserError

Which = Literal["lowest", "official", "none"]
#: Of the codes, in units of the learned scale.
UNIT = 0.02
#: Weight of the distance between a weight and what becomes of it.
PULL = 1e-4
#: Of the channels, how many step back.
SHARE = 0.4
#: How far they do at the start, in units of the gradient.
STEP = 0.2


def stepping_back(scale: Tensor, which: Which) -> Tensor:
    """Which channels step back, (C,) booleans: int(0.4 C) of them.

    Args:
        scale: (C,).
        which: "lowest": those with the lowest scales. "official": what the official code takes for these; it compares
            not a channel's rank, but the number of the channel that has the rank.

    >>> scale = torch.tensor([0.5, 0.1, 0.4, 0.3, 0.2])
    >>> stepping_back(scale, "lowest").nonzero().flatten().tolist()
    [1, 4]
    >>> stepping_back(scale, "official").nonzero().flatten().tolist()
    [0, 4]
    """
    order = scale.argsort(stable=True)
    return (order if which == "official" else order.argsort()) < int(SHARE * len(scale))


class _Bilinear(torch.autograd.Function):
    """sign(w), whose product with `scale` = 0.02 s has the two gradients of `RBONNWeight`."""

    @staticmethod
    def forward(ctx: Any, w: Tensor, s: Tensor, scale: Tensor) -> Tensor:
        ctx.save_for_backward(w, s, scale)
        return sign(w)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        w, s, scale = ctx.saved_tensors
        g, signs = grads[0] / scale, sign(w)
        apart = PULL * (w - scale * signs)
        to_w = g * s + apart
        to_s = g * w - apart * UNIT * signs
        return to_w.to(w.dtype), to_s.sum_to_size(s.shape).to(s.dtype), None


@register("rbonn-weight")
class RBONNWeight(Binarizer):
    r"""Sign times a learned scale of each output channel; gradients as of the product of the weight and that scale.

    $$\hat w = 0.02 \operatorname{sign}(w)\, s, \quad s = |\alpha| \qquad
    \frac{\partial L}{\partial w} = g s + \lambda (w - \hat w), \quad
    \frac{\partial L}{\partial s} = \sum g w - \lambda \sum (w - \hat w)\, 0.02 \operatorname{sign}(w)$$

    with g the gradient of $\hat w$, sums over the channel's weights, and $\lambda = 10^{-4}$, of the squared distance
    $\tfrac\lambda2 \lVert w - \hat w \rVert^2$. In training the sign is taken of w', some of whose channels have
    stepped back along the gradient G of the step before,

    $$w' = w - u \odot D, \qquad D = \begin{cases} G & \text{in the channels with the lowest } s \\ 0 &
    \text{in the others} \end{cases}$$

    where u, one for each channel, learns through w', and the gradient of w is that of w'.

    Args:
        features: number of output channels; the parameters `alpha` and `u` are (features,).
        channel_axis: weights (out, in, ...) by default.
        which: channels that step back: those with the "lowest" scales, as the paper means; the "official" code's
            choice; or "none".

    Where no gradient is stored w' is w: in evaluation, in the first step, also the first one of a run that goes on from
    a checkpoint, and wherever gradients are zeroed before the forward pass. Training and use then give the same, else
    training sees some signs as they were, or would be, a step away. G is the gradient as the optimizer had it, clipped.

    The official code takes the wrong channels (`stepping_back`), 40 % of them; the paper's own share was not found, and
    here it is 40 % too, rounded down, which of one or two channels is none. It draws alpha from a normal distribution;
    here |alpha| starts as the mean magnitude of each row, so that conversion is deterministic and near the loaded
    weights. A scale is at least 1e-8, whatever alpha crosses. u has a tenth of the weights' rate in the paper, and the
    scales' rate here.

    Raises:
        UserError: other channels.

    >>> torch.allclose(RBONNWeight(features=2)(torch.tensor([[0.5, -1.5], [0.25, 0.75]])),
    ...                torch.tensor([[1.0, -1.0], [0.5, 0.5]]))
    True
    """

    takes = ("weight",)
    options: ClassVar = {
        "which": Option(
            "channels that step back",
            words={"lowest": "the lowest scales", "official": "as the official code", "none": "none"},
            in_training=True,
        )
    }
    scale_kind = "per_row"
    scales = ("alpha",)
    of_training = ("u",)

    def __init__(self, *, features: int = 1, channel_axis: int = 0, which: Which = "lowest") -> None:
        super().__init__(features=features, channel_axis=channel_axis)
        if which not in get_args(Which):
            raise UserError(f"which is 'lowest', 'official' or 'none', not {which!r}")
        self.which = which
        self.alpha = nn.Parameter(torch.ones(features))
        self.u = None if which == "none" else nn.Parameter(torch.full((features,), STEP))
        self.register_buffer("initialized", torch.tensor(False))

    @torch.no_grad()
    def initialize(self, x: Tensor) -> None:
        """Start alpha from the mean magnitude of each output channel of x."""
        self.alpha.copy_(self._mean_abs_per_feature(x) / UNIT)
        self.initialized.fill_(True)

    def encode(self, x: Tensor) -> Code:
        self._initialize_once(x)
        if self.training and torch.is_grad_enabled() and self.u is not None:
            x = self._stepped_back(x, self.u)
        s = self._per_channel(self.alpha.abs(), x)
        scale = (UNIT * s.detach()).clamp(min=1e-8)
        return Code(_Bilinear.apply(x, s, scale), scale, x.new_zeros(()))

    def _stepped_back(self, w: Tensor, u: Tensor) -> Tensor:
        """w', of which u is always a part, as DistributedDataParallel wants it."""
        stored = w.grad if w.is_leaf else None
        chosen = self._per_channel(stepping_back(self.alpha.detach().abs(), self.which), w)
        step = torch.zeros_like(w) if stored is None else stored * chosen
        # w' = w - u D
        return (w - self._per_channel(u, w) * step).to(w.dtype)

    def cut(self, x: Tensor) -> Cut | None:
        return Cut(x)
