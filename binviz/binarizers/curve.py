"""What a binarizer makes of one value of a row while the rest stays, and the gradient that comes back to it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import norm

from binviz.binarizers.registry import get

#: The rest of the row: as normal numbers lie, what a ReLU leaves of them, or probabilities.
NORMAL = norm.ppf((np.arange(63) + 0.5) / 63)
AFTER_RELU = {"elastic-unsigned": np.maximum(NORMAL, 0)}
PROBABILITIES = dict.fromkeys(("bivit-attention", "row-threshold"), 0.6 / 2.0 ** np.arange(7))
POINTS = 401


class Curve(NamedTuple):
    """x: values of one number. value: what becomes of it. gradient: that comes back. All float64 (POINTS,)."""

    x: NDArray[np.float64]
    value: NDArray[np.float64]
    gradient: NDArray[np.float64]


def curve(name: str) -> Curve:
    """The curve of a registered binarizer as it starts, in evaluation.

    >>> found = curve("bnn")
    >>> sorted(set(found.value.tolist())), bool((found.gradient == (abs(found.x) <= 1)).all())
    ([-1.0, 1.0], True)
    """
    rest = (AFTER_RELU | PROBABILITIES).get(name, NORMAL)
    x = torch.linspace(*((0, 1) if name in PROBABILITIES else (-2, 2)), POINTS, dtype=torch.float64)
    rows = torch.cat([x[:, None], torch.from_numpy(rest).expand(POINTS, -1)], dim=1).requires_grad_()
    binarizer = get(name, features=rows.shape[get(name).channel_axis]).eval()
    out = binarizer(rows)[:, 0]
    out.sum().backward()
    assert rows.grad is not None
    return Curve(x.numpy(), out.detach().numpy(), rows.grad[:, 0].numpy())
