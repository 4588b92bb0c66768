r"""BinaryDM: a weight as one set of signs with a learned scale, or as two, the second of what the first leaves over.

Zheng et al. 2024, "BinaryDM: Towards Accurate Binarization of Diffusion Model" (2404.05662, versions 1 to 4), learnable
multi-basis binarizer.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from binviz.binarizers.base import Binarizer, Code, Cut, sign, with_surrogate
from binviz.binarizers.bnn import clipped
from binviz.binarizers.options import Option
from binviz.binarizers.registry import register
from binviz.errors import UserError


@register("multi-basis-weight")
class MultiBasisWeight(Binarizer):
    r"""Signs, and signs of the residual, each with a learned scale for each output channel.

    $$\hat w = \sigma_1 s_1 + \sigma_2 s_2, \qquad s_1 = \operatorname{sign}(w), \quad s_2 = \operatorname{sign}(r),
    \quad r = w - \sigma_1 s_1$$
    $$\frac{\partial s_1}{\partial w} = \mathbf 1[\,|w| \le 1\,], \qquad
    \frac{\partial s_2}{\partial r} = \mathbf 1[\,|r| \le 1\,]$$

    and the residual is differentiated through w and through $\sigma_1$. With one basis the second term is not there.
    The scales start as the mean magnitudes of w and of r.

    Args:
        features: number of output channels, each with scales of its own; 1 shares them.
        channel_axis: weights (out, in, ...) by default.
        bases: how many sets of signs, 1 or 2.

    In the official code a residual of exactly 0 has the code 0, here +1 as everywhere; that its scales have started is
    a Python attribute there, which a saved model loses, and a buffer here. There the sign's backward edits the incoming
    gradient in place.

    Raises:
        UserError: another number of bases.

    >>> w = torch.tensor([[0.75, -0.5, 0.25, -0.5]])
    >>> MultiBasisWeight()(w).tolist(), MultiBasisWeight(bases=1)(w).tolist()
    ([[0.625, -0.375, 0.375, -0.375]], [[0.5, -0.5, 0.5, -0.5]])
    """

    takes = ("weight",)
    options: ClassVar = {"bases": Option("sets of signs", words={1: "one", 2: "two"})}
    scale_kind = "per_row"

    def __init__(self, *, features: int = 1, channel_axis: int = 0, bases: Literal[1, 2] = 2) -> None:
        super().__init__(features=features, channel_axis=channel_axis)
        if bases not in (1, 2):
            raise UserError(f"bases is 1 or 2, not {bases!r}")
        self.basis_count = bases
        self.scales = ("sigma_1", "sigma_2")[:bases]
        for name in self.scales:
            self.register_parameter(name, nn.Parameter(torch.ones(features)))
        self.register_buffer("initialized", torch.tensor(False))

    @torch.no_grad()
    def initialize(self, x: Tensor) -> None:
        for name in self.scales:
            scale = getattr(self, name)
            scale.copy_(self._mean_abs_per_feature(x))
            x = x - self._per_channel(scale, x) * sign(x)
        self.initialized.fill_(True)

    def bases(self, w: Tensor) -> tuple[Code, ...]:
        self._initialize_once(w)
        codes, rest = [], w
        for name in self.scales:
            q = with_surrogate(rest, sign(rest), clipped, inplace=True)
            codes.append(Code(q, self._per_channel(getattr(self, name), w), w.new_zeros(())))
            rest = (rest - codes[-1].scale * q).to(w.dtype)
        return tuple(codes)

    def cut(self, x: Tensor) -> Cut | None:
        return Cut(x) if self.basis_count == 1 else None
