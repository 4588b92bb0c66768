r"""Elastic binarization with three levels: what is next to zero stays zero.

After Ding et al. 2026, "BWTA" (2604.03957), whose weights have two values and whose activations three; the learned step
is that of Esser et al. 2019, "Learned Step Size Quantization" (1902.08153).
"""

from __future__ import annotations

from typing import ClassVar

from binviz.binarizers.bnn import Edge
from binviz.binarizers.elastic import ElasticSigned
from binviz.binarizers.registry import register


@register("elastic-ternary")
class ElasticTernary(ElasticSigned):
    r"""An activation of either sign as alpha times -1, 0 or +1, with alpha and a shift learned.

    With y = x + beta:

    $$q(y) = \operatorname{clip}(\operatorname{round}(y / \alpha), -1, 1), \quad s = \alpha
    \qquad \frac{\partial q}{\partial x} = \tfrac1\alpha\,\mathbf 1[\,|y| \le \alpha\,]
    \qquad \frac{\partial (\alpha q)}{\partial \alpha} = q - \tfrac{y}{\alpha}\,\mathbf 1[\ldots]$$

    A sign makes the tiny numbers as large as all others; here those up to alpha / 2 are 0 (half to even). A code takes
    two bits.

    Args:
        features: number of channels; the parameter `beta` is (features,).
        channel_axis: -1 for (..., features), 1 for (B, features, H, W).
        learn_shift: add `beta`, zeros at the start, before the rest.
        grad_scale: multiply alpha's gradient by 1 / sqrt(numel).
        edge: whether the gradient "passes" or "blocks" exactly where y is alpha or -alpha.

    The paper's abstract says which values there are; that the scale is learned, by LSQ's rule and from twice the mean
    magnitude on, is `ElasticSigned`'s way, taken for theirs.

    >>> import torch
    >>> ElasticTernary()(torch.tensor([-3.0, 0.0, 0.5, 2.5])).tolist()
    [-3.0, 0.0, 0.0, 3.0]
    """

    options: ClassVar = {name: ElasticSigned.options[name] for name in ("learn_shift", "grad_scale", "edge")}

    def __init__(
        self,
        *,
        features: int = 1,
        channel_axis: int = -1,
        learn_shift: bool = False,
        grad_scale: bool = True,
        edge: Edge = "passes",
    ) -> None:
        super().__init__(
            features=features,
            channel_axis=channel_axis,
            bits=2,
            learn_shift=learn_shift,
            grad_scale=grad_scale,
            edge=edge,
        )
        self.levels = (-1, 0, 1)
