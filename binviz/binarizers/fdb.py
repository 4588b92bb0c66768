r"""DB-LLM: a weight of 2 bits as two sets of {0, 1}, each with a scale that is learned.

Chen et al. 2024, "DB-LLM: Accurate Dual-Binarization for Efficient LLMs" (2402.11960), flexible dual binarization
(FDB). There is no official code. The codes and where the scales start are those on which the paper and the code of a
third party (TokuyuSou/ULB-SAPR) agree; what else is here is said to be ours.
"""

from __future__ import annotations

from typing import ClassVar, Literal, get_args

import torch
from torch import Tensor, nn

from binviz.binarizers.base import Binarizer, Code, with_surrogate
from binviz.binarizers.options import Option
from binviz.binarizers.registry import register
from binviz.errors import UserError

Gradient = Literal["window", "identity"]


@register("fdb-weight")
class FDBWeight(Binarizer):
    r"""Two sets of {0, 1} times a learned scale each, four levels in all.

    $$\hat w = \alpha_1 b_1 + \alpha_2 b_2, \qquad b_1 = \mathbf 1[\,w \ge \tfrac{\alpha_1 + \alpha_2}2\,], \quad
    b_2 = \mathbf 1[\,w - \alpha_1 b_1 \le \tfrac{\alpha_2}2\,]$$
    $$\frac{\partial \hat w}{\partial w} = \mathbf 1[\,|w| \le \max(|\alpha_1|, |\alpha_2|)\,], \quad
    \frac{\partial \hat w}{\partial \alpha_p} = b_p \qquad\text{(window)}$$
    $$\frac{\partial \hat w}{\partial w} = \alpha_1 - \alpha_2 + \alpha_1 \alpha_2 \qquad\text{(identity)}$$

    With a step s the scales start at $\alpha_1 = 2s$ and $\alpha_2 = -s$, which gives the levels -s, 0, s and 2s of
    rounding to 2 bits; s is half of a row's largest magnitude. As a sum of signs, which a weight is stored as:

    $$\hat w = \tfrac{\alpha_1}2 (2 b_1 - 1) - \tfrac{\alpha_2}2 (1 - 2 b_2) + \tfrac{\alpha_1 + \alpha_2}2$$

    Args:
        features: number of output channels, each with scales of its own; 1 shares them.
        channel_axis: weights (out, in, ...) by default.
        gradient: of the two steps: 1 / s inside a "window", which is ours, or the "identity" of the third party.

    The paper has scales for groups of 64 weights of a row, as `binviz.binarizers.InGroups` gives them; alone, the group
    is the row. The third party's steps have the
    gradient 1 whatever the weights' size, so that at $\alpha_2 = -1$ none reaches $\alpha_1$. In our window each set
    passes half of the gradient on, divided by its scale, and thresholds do not move with the scales: a weight at a
    threshold is as near to one level as to the other.

    Raises:
        UserError: another gradient.

    >>> w = torch.tensor([[-1.6, -1.0, -0.6, -0.4, 0.2, 0.4, 0.6, 1.4]])
    >>> [round(x, 1) for x in FDBWeight()(w)[0].tolist()]
    [-0.8, -0.8, -0.8, -0.8, 0.0, 0.8, 0.8, 1.6]
    """

    takes = ("weight",)
    options: ClassVar = {
        "gradient": Option(
            "gradient of the steps",
            words={"window": "a window", "identity": "1 everywhere"},
            in_training=True,
        )
    }
    scale_kind = "per_row"
    basis_count = 3
    offset = True
    scales = ("alpha_1", "alpha_2")

    def __init__(self, *, features: int = 1, channel_axis: int = 0, gradient: Gradient = "window") -> None:
        super().__init__(features=features, channel_axis=channel_axis)
        if gradient not in get_args(Gradient):
            raise UserError(f"gradient is 'window' or 'identity', not {gradient!r}")
        self.gradient = gradient
        self.alpha_1 = nn.Parameter(torch.full((features,), 2.0))
        self.alpha_2 = nn.Parameter(torch.full((features,), -1.0))
        self.register_buffer("initialized", torch.tensor(False))

    @torch.no_grad()
    def initialize(self, x: Tensor) -> None:
        most = x.detach().abs().amax(self._row_axes(x)).clamp(min=1e-8)
        step = (most if self.features > 1 else most.amax(0, keepdim=True)) / 2
        self.alpha_1.copy_(2 * step)
        self.alpha_2.copy_(-step)
        self.initialized.fill_(True)

    def bases(self, w: Tensor) -> tuple[Code, ...]:
        self._initialize_once(w)
        a, b = (self._per_channel(alpha, w) for alpha in (self.alpha_1, self.alpha_2))
        zero = w.new_zeros(())
        upper, lower = self._in_window(w, a, b) if self.gradient == "window" else self._identity(w, a, b)
        return (
            Code(lower, -b / 2, zero),
            Code(upper, a / 2, zero),
            Code(torch.ones_like(w), (a + b) / 2, zero),
        )

    def _in_window(self, w: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """2 b1 - 1 and 1 - 2 b2, whose products with a / 2 and -b / 2 have the gradient 1/2 each."""
        a, b = a.detach(), b.detach()
        upper, lower = dual_signs(w.detach(), a, b)
        most = torch.maximum(a.abs(), b.abs())

        def slope(w: Tensor, scale: Tensor) -> Tensor:
            return ((w.abs() <= most) / scale.where(scale != 0, 1e-8)).to(w)

        return (
            with_surrogate(w, upper, lambda w: slope(w, a), inplace=True),
            with_surrogate(w, lower, lambda w: slope(w, -b), inplace=True),
        )

    def _identity(self, w: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """The same, with the gradient 1 of either step to what it compares, thresholds included."""
        upper, lower = dual_signs(w.detach(), a.detach(), b.detach())
        upper = with_surrogate(w - (a + b) / 2, upper, lambda x: 2 * torch.ones_like(x))
        rest = w - a * (upper + 1) / 2
        return upper, with_surrogate(rest - b / 2, lower, lambda x: 2 * torch.ones_like(x))


def dual_signs(w: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """2 b1 - 1 and 1 - 2 b2 of a weight, in its type.

    Args:
        w: any shape, without gradient.
        a, b: the two scales, broadcastable to w.

    >>> upper, lower = dual_signs(torch.tensor([-2.0, -0.5, 0.5, 1.5, 2.0]), torch.tensor(2.0), torch.tensor(-1.0))
    >>> upper.tolist(), lower.tolist()
    ([-1.0, -1.0, 1.0, 1.0, 1.0], [-1.0, -1.0, -1.0, -1.0, 1.0])
    """
    # b1 = [w >= (a + b) / 2]
    first = w >= (a + b) / 2
    # 1 - b2 = [w - a b1 > b / 2]
    second = w - a * first > b / 2
    return 2 * first.to(w.dtype) - 1, 2 * second.to(w.dtype) - 1
