r"""BiViT: softmax-aware attention and weights with a learned scale.

He et al. 2023, "BiViT: Extremely Compressed Binary Vision Transformers" (2211.07091), sections 3.2
(softmax-aware binarization) and 3.4 (parameterised weight scales). Its activations are "bnn".
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from binviz.binarizers.base import Binarizer, Code, Cut, sign, with_surrogate
from binviz.binarizers.bnn import Clipped, Edge
from binviz.binarizers.options import Option
from binviz.binarizers.registry import register
from binviz.binarizers.row_threshold import part_of_maximum, row_threshold
from binviz.errors import UserError


def row_scale(x: Tensor, q: Tensor) -> Tensor:
    r"""The v that brings v * q nearest to x in each row, (x . q) / (q . q), at least float32.

    >>> row_scale(torch.tensor([0.5, 0.25, 0.25]), torch.tensor([1.0, 1.0, 0.0])).tolist()
    [0.375]
    """
    dtype = torch.promote_types(x.dtype, torch.float32)
    ones = q.sum(-1, keepdim=True, dtype=dtype).clamp_(min=1)
    return (x * q).sum(-1, keepdim=True, dtype=dtype).div_(ones)


def descend(x: Tensor, steps: int = 5) -> Tensor:
    r"""Codes b in {0, 1} of rows a that make $\|a - v b\|$ small, by coordinate descent.

    Start: b = [a > 0]. Step: v = (a . b) / (b . b), then b = [a >= v / 2].

    >>> descend(torch.tensor([0.5, 0.2, 0.12, 0.1, 0.05, 0.03])).tolist()
    [1.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    """
    x = x.detach()
    q = x.clone().gt_(0)
    for _ in range(steps):
        q = x.clone().ge_(row_scale(x, q).div_(2))
    return q


@register("bivit-attention")
class BiViTAttention(Binarizer):
    r"""Softmax-aware binarization of attention probabilities.

    $$q(a) = \begin{cases} 1 & a \ge T \\ 0 & \text{else} \end{cases}
    \qquad \frac{\partial q}{\partial a} = \tfrac1v$$

    with T = beta * max of the row ("quarter"), or T = v/2 found by coordinate descent ("descent").
    v is 1, or with `scale` the row's best factor (a . q) / (q . q), detached. The value v q has
    gradient 1: straight through to the softmax's *output*, where BiBERT goes to the raw score.

    Args:
        features, channel_axis: ignored; x is (..., L), probabilities, and a row is the last axis.
        method: how the threshold is found, "quarter" or "descent".
        beta: the fraction of the row's maximum, for "quarter", 0.01 to 1.
        steps: number of descent steps, 1 to 1000.
        scale: keep the row's factor v, which the paper drops for speed.

    In the official code too the attention module gives the gradient of the softmax. Its function for the
    codes takes raw scores and has a backward that clips at scores of magnitude 1, but the module goes
    around that backward. It has its dropout on the scores, before the softmax; here, as in a float
    model, it is on the probabilities. Descent starts
    from sign(a), which is 0 at a masked entry: [a > 0], so padding never counts.

    Raises:
        UserError: unknown method, or a number out of these bounds.

    >>> import torch
    >>> BiViTAttention()(torch.tensor([[0.5, 0.2, 0.12, 0.1, 0.05, 0.03]])).tolist()
    [[1.0, 1.0, 0.0, 0.0, 0.0, 0.0]]
    """

    levels = (0, 1)
    takes = ("probs",)
    options: ClassVar = {
        "method": Option(
            "threshold", words={"quarter": "part of the maximum", "descent": "coordinate descent"}
        ),
        "beta": Option("part of the row's maximum", low=0.01, high=1.0, when=("method", ("quarter",))),
        "steps": Option("steps of descent", low=1, high=1000, when=("method", ("descent",))),
        "scale": Option("with the row's best factor"),
    }

    def __init__(
        self,
        *,
        features: int = 1,
        channel_axis: int = -1,
        method: Literal["quarter", "descent"] = "quarter",
        beta: float = 0.25,
        steps: int = 5,
        scale: bool = False,
    ) -> None:
        super().__init__(features=features, channel_axis=channel_axis)
        if method not in ("quarter", "descent"):
            raise UserError(f"method is 'quarter' or 'descent', not {method!r}")
        self._check(beta=beta, steps=steps)
        self.method = method
        self.beta = beta
        self.steps = steps
        self.scale_kind = "per_row" if scale else "none"

    def encode(self, x: Tensor) -> Code:
        q = row_threshold(x, self.beta) if self.method == "quarter" else descend(x, self.steps)
        if self.scale_kind == "none":
            return Code(with_surrogate(x, q, None), x.new_ones(()), x.new_zeros(()))
        scale = row_scale(x.detach(), q).clamp_(min=1e-8)
        return Code(with_surrogate(x, q, lambda a: 1 / scale), scale, x.new_zeros(()))

    def cut(self, x: Tensor) -> Cut | None:
        if self.method == "descent":  # each row has its own
            return None
        return Cut(part_of_maximum(x), self.beta, "part of its row's maximum")


@register("bivit-attention-scores")
class BiViTScoresAttention(Clipped):
    r"""The same codes as "bivit-attention" from raw scores, with the gradient straight through to these.

    $$q(s) = \begin{cases} 1 & s \ge \max_{\text{row}} s + \ln \beta \\ 0 & \text{else} \end{cases}
    \qquad \frac{\partial q}{\partial s} = \mathbf 1[\,|s| < 1\,]$$

    since softmax(s) >= beta * max softmax(s) says the same. This is the paper's ablation without the softmax's own
    gradient (its table 5), which it finds no better than BiBERT's map.

    Args:
        features, channel_axis: ignored; x is (..., L), scores, and a row is the last axis.
        beta: the fraction of the row's largest probability, 0.01 to 1.
        edge: whether the gradient "passes" or "blocks" at exactly |s| = 1.

    No official code.

    Raises:
        UserError: beta out of these bounds, or another edge.

    >>> import torch
    >>> BiViTScoresAttention()(torch.tensor([[2.0, 1.0, 0.5, -10000.0]])).tolist()
    [[1.0, 1.0, 0.0, 0.0]]
    """

    levels = (0, 1)
    takes = ("scores",)
    options: ClassVar = Clipped.options | {
        "beta": Option("part of the row's largest probability", low=0.01, high=1.0)
    }

    def __init__(
        self, *, features: int = 1, channel_axis: int = -1, beta: float = 0.25, edge: Edge = "blocks"
    ) -> None:
        super().__init__(features=features, channel_axis=channel_axis, edge=edge)
        self._check(beta=beta)
        self.beta = beta

    def encode(self, x: Tensor) -> Code:
        q = x.detach().clone()
        q = q.ge_(q.amax(-1, keepdim=True) + math.log(self.beta))
        return Code(with_surrogate(x, q, self._window), x.new_ones(()), x.new_zeros(()))

    def cut(self, x: Tensor) -> Cut | None:
        wide = x.detach().double()
        below = wide - wide.amax(-1, keepdim=True)
        return Cut(below, math.log(self.beta), "below its row's largest score")


@register("bivit-weight")
class BiViTWeight(Clipped):
    r"""Sign of the centred row times a learned scale of the output channel.

    $$q(w) = \operatorname{sign}(\hat w), \quad \hat w = w - \bar w
    \qquad \frac{\partial q}{\partial \hat w} = \mathbf 1[\,|\hat w| < 1\,]$$

    with the mean of the row; the gradient goes through the centring. The scale has its true gradient.

    Args:
        features: number of output channels; the parameter `scale` is (features,).
        channel_axis: weights (out, in, ...) by default.
        edge: whether the gradient "passes" or "blocks" at exactly 1; the official code blocks it.

    The scale starts as the mean magnitude of each row of the first weight it sees, so load weights
    before the first forward or call `initialize`. In the official code the mark that it has started
    is a Python attribute, and a model saved before its first forward has zero scales; here it is a
    buffer.

    >>> import torch
    >>> BiViTWeight(features=2)(torch.tensor([[0.5, 1.5], [-0.25, -0.75]])).tolist()
    [[-1.0, 1.0], [0.5, -0.5]]
    """

    takes = ("weight",)
    scale_kind = "per_row"
    scales = ("scale",)

    def __init__(self, *, features: int = 1, channel_axis: int = 0, edge: Edge = "blocks") -> None:
        super().__init__(features=features, channel_axis=channel_axis, edge=edge)
        self.scale = nn.Parameter(torch.ones(features))
        self.register_buffer("initialized", torch.tensor(False))

    @torch.no_grad()
    def initialize(self, x: Tensor) -> None:
        """Start the scale from the mean magnitude of each output channel of x."""
        self.scale.copy_(self._mean_abs_per_feature(x))
        self.initialized.fill_(True)

    def encode(self, x: Tensor) -> Code:
        self._initialize_once(x)
        centred = x - x.mean(self._row_axes(x), keepdim=True)
        q = with_surrogate(centred, sign(centred), self._window, inplace=True)
        return Code(q, self._per_channel(self.scale, x), x.new_zeros(()))

    def cut(self, x: Tensor) -> Cut | None:
        return self._above_row_mean(x)
