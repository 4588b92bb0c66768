"""How many flips of a layer's 1-bit weights were found to change the answer, whatever stands behind the layer.

They go through the rest of the network, and nothing is proven: the weights are ranked by the score's surrogate
gradient, the first n are flipped, and the network is run. That n is enough, fewer may do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from binviz.analysis.attribution import log_odds
from binviz.analysis.capture import arguments
from binviz.analysis.shadow import shadow
from binviz.binarizers import Code
from binviz.errors import UserError
from binviz.layers.base import BinaryProduct

if TYPE_CHECKING:
    import pandas as pd


def turning_flips(
    model: nn.Module, inputs: Any, tell: Callable[[int, int, str], object] | None = None
) -> pd.DataFrame:
    """For each binary layer, how many flips of its weights were found to change the answer, the rest left as it is.

    Args:
        model: a classifier of one example; it is not touched.
        inputs: as in `capture`.
        tell: called before each layer with its number, how many there are, and its path; may raise.

    Returns:
        One row for each binary linear and convolution of one basis. Columns: layer, its path; weights, how many;
        enough, flips that change the answer, nan where following the gradient found none; fewer may do.

    Raises:
        UserError: no such layer.

    >>> from binviz import binarize_
    >>> _ = torch.manual_seed(0)
    >>> network = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> _ = binarize_(network, "xnor")
    >>> turning_flips(network, (torch.randn(1, 4),)).columns.tolist()
    ['layer', 'weights', 'enough']
    """
    import pandas as pd

    paths = [
        path
        for path, module in model.named_modules()
        if isinstance(module, BinaryProduct) and module.weight_binarizer.basis_count == 1
    ]
    if not paths:
        raise UserError("this model has no binary layer of one basis")
    rows = []
    for number, path in enumerate(paths):
        if tell is not None:
            tell(number, len(paths), path)
        enough, weights = _greedy(model, inputs, path)
        rows.append({"layer": path, "weights": weights, "enough": float("nan") if enough is None else enough})
    return pd.DataFrame(rows)


class _Codes(nn.Module):
    """In the place of a layer's weight binarizer: codes that are given."""

    basis_count = 1

    def __init__(self, code: Code, group: int | None) -> None:
        super().__init__()
        self.code, self.group = code, group

    def bases(self, w: Tensor) -> tuple[Code, ...]:
        return (self.code,)

    def forward(self, w: Tensor) -> Tensor:
        return self.code.decode()


def _greedy(model: nn.Module, inputs: Any, path: str) -> tuple[int | None, int]:
    """How many flips of one layer's weights, in the order of the gradient, change the answer; and its weights."""
    twin = shadow(model).eval()
    layer: Any = twin.get_submodule(path)
    with torch.no_grad():
        own, group = layer.weight_binarizer.bases(layer.weight)[0], layer.weight_binarizer.group
    args, kwargs = arguments(inputs, twin)

    def logits(q: Tensor) -> Tensor:
        layer.weight_binarizer = _Codes(Code(q, own.scale, own.shift), group)
        output = twin(*args, **kwargs)
        return getattr(output, "logits", output)[0]

    q = own.q.detach().clone().requires_grad_()
    before = logits(q)
    answer = int(before.argmax())
    (slope,) = torch.autograd.grad(log_odds(before, answer), q)
    falls = (q.detach() * slope).flatten()  # a flip lowers the score by twice this, to first order
    order = falls.argsort(descending=True, stable=True)
    most = int((falls > 0).sum())

    @torch.no_grad()
    def turns(n: int) -> bool:
        other = own.q.clone().flatten()
        other[order[:n]] *= -1
        return int(logits(other.view_as(own.q)).argmax()) != answer

    low, high = 0, 1
    while high < most and not turns(high):
        low, high = high, 2 * high
    high = min(high, most)
    if not most or not turns(high):
        return None, q.numel()
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if turns(middle) else (middle, high)
    return high, q.numel()
