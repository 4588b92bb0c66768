r"""The scales with which a binarizer is nearest to a tensor, as if training had sought nothing else.

    E(s) = sum (x - s q)^2          least at  s* = (x . q) / (q . q)     for codes q that stay

Where codes depend on the scale too (a range that is rounded into, a threshold at half of it), the two are found in
turns, as Lloyd does, from the best of many starts. A learned shift stays: moving a threshold away from the middle
between two levels gives some value the farther one, so the least error has none.
"""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor

from binviz.binarizers.base import Binarizer, Code, Cut

#: Starts of a scale, in units of where it stands, and again in units of the best of them.
STARTS = torch.logspace(-4, 4, 65, base=2.0).tolist()
NEAR = torch.logspace(-1 / 8, 1 / 8, 33, base=2.0).tolist()
MOST_TURNS = 100


class Scaled(Binarizer):
    """A binarizer, and one factor behind it, as a learned factor of the output or a norm would be.

    Args:
        inner: any binarizer.
        factor: of its scale.

    >>> from binviz import binarizers
    >>> Scaled(binarizers.get("bnn"), 0.5)(torch.tensor([-3.0, 1.0])).tolist()
    [-0.5, 0.5]
    """

    def __init__(self, inner: Binarizer, factor: float) -> None:
        super().__init__(features=inner.features, channel_axis=inner.channel_axis)
        self.inner, self.factor = inner, factor
        self.levels, self.shifted = inner.levels, inner.shifted
        self.basis_count, self.offset = inner.basis_count, inner.offset
        self.scale_kind = "static" if inner.scale_kind == "none" else inner.scale_kind

    @property
    def learned_shift(self) -> torch.nn.Parameter | None:
        return self.inner.learned_shift

    def bases(self, w: Tensor) -> tuple[Code, ...]:
        return tuple(code._replace(scale=self.factor * code.scale) for code in self.inner.bases(w))

    def encode(self, x: Tensor) -> Code:
        (code,) = self.bases(x)
        return code

    def cut(self, x: Tensor) -> Cut | None:
        return self.inner.cut(x)


def least_error(binarizer: Binarizer, x: Tensor) -> Binarizer:
    """A copy with the scales that make sum (x - y)^2 least, y what it makes of x.

    What it learns it learns as it would, one scale for each row or one for all; of a weight of several bases each scale
    is multiplied by one factor. One without any scale gets one factor
    behind it; one that computes its scale from x stays as it is.

    Args:
        binarizer: any; what starts from data and has not starts from x.
        x: floats that it takes.

    >>> from binviz import binarizers
    >>> x = torch.tensor([-1.0, 1.0, 3.0])
    >>> least_error(binarizers.get("bnn"), x)(x).tolist()
    [-1.6666666269302368, 1.6666666269302368, 1.6666666269302368]
    >>> elastic = binarizers.get("elastic-unsigned")
    >>> elastic(x).tolist(), least_error(elastic, x)(x).tolist()
    ([0.0, 0.0, 0.0], [0.0, 0.0, 3.0])
    """
    learnt = deepcopy(binarizer)
    with torch.no_grad():
        learnt(x)  # starts what starts from data
        fit = _fit if binarizer.basis_count == 1 else _search
        for name in binarizer.scales:
            fit(learnt, learnt.get_parameter(name), x)
        if binarizer.scale_kind != "none":
            return learnt
        y = learnt(x).double()
        return Scaled(learnt, float((x * y).sum() / (y * y).sum().clamp(min=1e-30)))


def _fit(binarizer: Binarizer, scale: Tensor, x: Tensor) -> None:
    """Set a learned scale, in place."""

    def error_of(value: Tensor) -> float:
        scale.copy_(value)
        return float((x - binarizer(x)).double().square().sum())

    def codes_of(value: Tensor) -> Tensor:
        scale.copy_(value)
        return binarizer.encode(x).q

    start = scale.clone()
    codes = codes_of(start)
    if all(torch.equal(codes_of(factor * start), codes) for factor in STARTS[::16]):
        # What a parameter of 1 stands for: RBONN's is 50 times the scale
        scale.fill_(1.0)
        unit = binarizer.encode(x).scale.view(scale.shape)
        scale.copy_(_nearest(binarizer, x, scale) / unit)
        return
    best = start
    for factors in (STARTS, NEAR):
        least, factor = min((error_of(factor * best), factor) for factor in factors)
        best = factor * best
    for _ in range(MOST_TURNS):
        scale.copy_(best)
        error = error_of(nearer := _nearest(binarizer, x, scale))
        if error >= least:
            break
        least, best = error, nearer
    scale.copy_(best)


def _search(binarizer: Binarizer, scale: Tensor, x: Tensor) -> None:
    """Multiply a learned scale by the best of many factors, in place."""
    start = scale.clone()

    def error_of(factor: float) -> float:
        scale.copy_(factor * start)
        return float((x - binarizer(x)).double().square().sum())

    best = min(STARTS, key=error_of)
    scale.copy_(min((best * near for near in NEAR), key=error_of) * start)


def _nearest(binarizer: Binarizer, x: Tensor, scale: Tensor) -> Tensor:
    """(x . q) / (q . q), over each row or over all, of the codes as they are."""
    code = binarizer.encode(x)
    q, rest = code.q.double(), (x - code.shift).double()
    if scale.numel() == 1:
        return ((rest * q).sum() / (q * q).sum().clamp(min=1)).to(scale.dtype).view(scale.shape)
    axes = [axis for axis in range(x.ndim) if axis != binarizer.channel_axis % x.ndim]
    return ((rest * q).sum(axes) / (q * q).sum(axes).clamp(min=1)).to(scale.dtype)
