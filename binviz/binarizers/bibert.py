r"""BiBERT: centred weight rows and an attention map cut at zero.

Qin et al. 2022, "BiBERT: Accurate Fully Binarized BERT" (2203.06390), section 3 (Bi-Attention).
Its activations are plain signs: "bnn".
"""

from __future__ import annotations

from torch import Tensor

from binviz.binarizers.base import Code, Cut, mean_abs, sign, with_surrogate
from binviz.binarizers.bnn import Clipped, Edge
from binviz.binarizers.registry import register


def heaviside(x: Tensor) -> Tensor:
    """1 where x >= 0, else 0, in x's dtype: zeros of either sign give 1, nan gives 0.

    >>> import torch
    >>> heaviside(torch.tensor([-2.0, -0.0, 3.0])).tolist()
    [0.0, 1.0, 1.0]
    """
    return x.detach().clone().ge_(0)


@register("bibert-weight")
class BiBERTWeight(Clipped):
    r"""Sign of the centred row times the row's mean magnitude.

    $$q(w) = \operatorname{sign}(\hat w), \quad \hat w = w - \bar w, \quad s = \tfrac1n \textstyle\sum |w|
    \qquad \frac{\partial q}{\partial \hat w} = \tfrac1s\,\mathbf 1[\,|\hat w| \le 1\,]$$

    with the mean of the row. The scale is that of the row before centring, detached, and the gradient
    of the scaled value skips it; the gradient goes through the centring.

    Args:
        features, channel_axis: weights (out, in, ...) by default, also an embedding table; no parameter.
        edge: whether the gradient "passes" or "blocks" at exactly 1; the official code passes it.

    >>> import torch
    >>> BiBERTWeight()(torch.tensor([[0.5, 1.5], [-0.25, -0.75]])).tolist()
    [[-1.0, 1.0], [0.5, -0.5]]
    """

    takes = ("weight",)
    scale_kind = "per_row"

    def __init__(self, *, features: int = 1, channel_axis: int = 0, edge: Edge = "passes") -> None:
        super().__init__(features=features, channel_axis=channel_axis, edge=edge)

    def encode(self, x: Tensor) -> Code:
        axes = self._row_axes(x)
        scale = mean_abs(x, axes)
        centred = x - x.mean(axes, keepdim=True)
        q = with_surrogate(centred, sign(centred), lambda w: self._window(w).div(scale), inplace=True)
        return Code(q, scale, x.new_zeros(()))

    def cut(self, x: Tensor) -> Cut | None:
        return self._above_row_mean(x)


@register("bibert-attention")
class BiBERTAttention(Clipped):
    r"""Bi-Attention: raw scores to {0, 1} at zero, no softmax.

    $$q(x) = \begin{cases} 1 & x \ge 0 \\ 0 & x < 0 \end{cases}
    \qquad \frac{\partial q}{\partial x} = \mathbf 1[\,|x| < 1\,]$$

    A masked score is a large negative number and becomes 0, so a row whose scores are all negative
    is empty.

    Args:
        features, channel_axis: ignored; x is any tensor of scores, (B, heads, L, L) as a rule.
        edge: whether the gradient "passes" or "blocks" at exactly |x| = 1; the official code blocks it.

    A score of exactly 0 is common, because a product of signs is an integer: about one in ten at 64
    dimensions a head. The official code makes it 0; here it is 1, as sign(0) is +1 everywhere in
    binviz. In the code of BiBench the backward returns nothing, so queries and keys never learn;
    here they do.

    >>> import torch
    >>> BiBERTAttention()(torch.tensor([-10000.0, -0.5, 0.0, 2.0])).tolist()
    [0.0, 0.0, 1.0, 1.0]
    """

    levels = (0, 1)
    takes = ("scores",)

    def __init__(self, *, features: int = 1, channel_axis: int = -1, edge: Edge = "blocks") -> None:
        super().__init__(features=features, channel_axis=channel_axis, edge=edge)

    def encode(self, x: Tensor) -> Code:
        q = with_surrogate(x, heaviside(x), self._window, inplace=True)
        return Code(q, x.new_ones(()), x.new_zeros(()))
