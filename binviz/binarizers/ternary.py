r"""Ternary weights: -1, 0 or +1 times a scale of the row.

Li et al. 2016, "Ternary Weight Networks" (1605.04711), section 2.
"""

from __future__ import annotations

from torch import Tensor

from binviz.binarizers.base import Binarizer, Code, mean_abs, with_surrogate
from binviz.binarizers.registry import register


@register("ternary-weight")
class TernaryWeight(Binarizer):
    r"""The sign of what is large in its row, else 0, times the mean magnitude of what is large.

    $$q(w) = s \cdot \begin{cases} +1 & w > \Delta \\ 0 & |w| \le \Delta \\ -1 & w < -\Delta \end{cases}, \quad
    \Delta = \tfrac{0.7}n \textstyle\sum |w|, \quad s = \operatorname{mean}_{|w| > \Delta} |w|
    \qquad \frac{\partial q}{\partial w} = 1$$

    As a sum of signs, which a weight is stored as, it is s/2 times the sign at $-\Delta$ and the one at $\Delta$. Scale
    and threshold are detached.

    Args:
        features: ignored.
        channel_axis: weights (out, in, ...) by default.

    The paper has one scale for a layer, this one for each row.

    >>> import torch
    >>> TernaryWeight()(torch.tensor([[-1.5, 0.25, 0.25, 2.0]])).tolist()
    [[-1.75, 0.0, 0.0, 1.75]]
    """

    takes = ("weight",)
    scale_kind = "per_row"
    basis_count = 2

    def __init__(self, *, features: int = 1, channel_axis: int = 0) -> None:
        super().__init__(features=features, channel_axis=channel_axis)

    def bases(self, w: Tensor) -> tuple[Code, ...]:
        axes, size = self._row_axes(w), w.detach().abs()
        threshold = 0.7 * mean_abs(w, axes)
        large = size > threshold
        # mean of |w| over |w| > threshold
        scale = (size * large).sum(axes, keepdim=True, dtype=threshold.dtype) / large.sum(
            axes, keepdim=True
        ).clamp(1)
        half = scale.clamp(min=1e-8) / 2

        def slope(w: Tensor) -> Tensor:
            # two codes times half of the scale: each passes half of the gradient
            return (1 / (2 * half)).to(w)

        signs = (2 * above.to(w.dtype) - 1 for above in (w.detach() >= -threshold, w.detach() > threshold))
        return tuple(Code(with_surrogate(w, q, slope), half, w.new_zeros(())) for q in signs)
