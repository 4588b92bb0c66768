r"""Which signs of a layer's weights would have given the outputs one wishes for? A quadratic binary program.

With a batch of inputs X (B, in) and of wishes Y (B, out), for each row of V (out, in) by itself,

$$V = \arg\min_{V \in \{\pm 1\}} \lVert \operatorname{sign}(X V^\top) - Y \rVert_F^2
    = \arg\max_{V \in \{\pm 1\}} \textstyle\sum_b \operatorname{sign}(X V^\top)_{bj}\, Y_{bj}$$

since a sign's square is 1: the size of a wish is the weight of its example (QP-SBGD, 2310.15128). Written as a program
it takes a bit for each weight, and products and slack bits for the thresholds, which a solver or an annealer is given.
Rows of up to 20 inputs are few enough to try them all; longer ones are annealed, one sign after the other.

Many V are optimal. Of these the one is taken that lies nearest to the wishes before the sign, by

$$\textstyle\sum_b (X V^\top)_{bj}\, Y_{bj}$$
"""

from __future__ import annotations

import logging
from functools import cache

import numpy as np
import torch
from torch import Tensor

from binviz.binarizers import sign
from binviz.errors import UserError

log = logging.getLogger(__name__)
#: Inputs of a row of which all signs are tried at most; rows tried at once.
LARGEST, BLOCK = 20, 2**15
#: What the sums before the sign count beside the signs: it decides among equals alone.
TIE = 1e-9
#: Temperatures of the first sweep and the last, in mean sizes of a wish.
HOT, COLD = 2.0, 0.3


def agreement(x: Tensor, y: Tensor, v: Tensor) -> Tensor:
    """What is maximised, of each row: (out,).

    Args:
        x: (B, in), the inputs, -1 and +1.
        y: (B, out), the wishes.
        v: (out, in), the signs.

    >>> x, y = torch.tensor([[1.0, -1.0], [1.0, 1.0]]), torch.tensor([[0.5], [-2.0]])
    >>> agreement(x, y, torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])).tolist()  # 0 counts as +1
    [-1.5, -1.5, 2.5]
    """
    return (sign(x @ v.T) * y).sum(0)


def exact(x: Tensor, y: Tensor) -> Tensor:
    """The best V (out, in), by trying all; arguments as `agreement`.

    Raises:
        UserError: too many inputs for that.

    >>> x = torch.tensor([[1.0, 1, -1], [1, -1, 1], [-1, 1, 1], [-1, -1, -1]])
    >>> y = torch.tensor([[0.3], [-0.2], [0.5], [-0.1]])
    >>> exact(x, y).tolist(), sign(y.T @ x).tolist()  # the gradient's signs are not the best
    ([[-1.0, 1.0, -1.0]], [[-1.0, 1.0, 1.0]])
    """
    inputs = x.shape[1]
    if inputs > LARGEST:
        raise UserError(
            f"{inputs} inputs have 2**{inputs} rows of signs, of which at most 2**{LARGEST} are tried; use anneal"
        )
    wide, wishes = x.double(), y.double()
    best = wishes.new_full((y.shape[1],), -torch.inf)
    found = wide.new_zeros(y.shape[1], inputs)
    for first in range(0, 2**inputs, BLOCK):
        numbers = torch.arange(first, min(first + BLOCK, 2**inputs), device=x.device)
        rows = 2.0 * (numbers[:, None] >> torch.arange(inputs, device=x.device) & 1) - 1
        sums = wide @ rows.to(wide).T
        value, at = ((sign(sums) + TIE * sums).T @ wishes).max(0)
        better = value > best
        best = torch.where(better, value, best)
        found[better] = rows.to(wide)[at[better]]
    return found.to(x)


def anneal(x: Tensor, y: Tensor, start: Tensor, sweeps: int = 30, seed: int = 0) -> Tensor:
    r"""A good V (out, in), never worse than the start, by simulated annealing.

    In every sweep each sign of a row is turned once, all rows at once, and stays so if that is better, or else with the
    chance $e^{\Delta / T}$; the temperature T falls from sweep to sweep.

    Args:
        x, y: see `agreement`.
        start: (out, in), signs to begin with.
        sweeps: how many; with none the start is what is found.
        seed: of the order and the chances.

    >>> x, y = torch.ones(1, 2), torch.tensor([[-1.0]])
    >>> anneal(x, y, torch.ones(1, 2)).tolist()
    [[-1.0, -1.0]]
    """
    rng = np.random.default_rng(seed)
    inputs, wishes = x.detach().double().cpu().numpy(), y.detach().double().cpu().numpy().T
    v = start.detach().double().cpu().numpy().copy()
    sums = v @ inputs.T
    unit = np.maximum(np.abs(wishes).mean(1), np.finfo(float).tiny)

    def worth(sums: np.ndarray) -> np.ndarray:
        return ((np.where(sums >= 0, 1.0, -1.0) + TIE * sums) * wishes).sum(1)

    value = worth(sums)
    best, found = value.copy(), v.copy()
    for heat in np.geomspace(HOT, COLD, sweeps):
        for i in rng.permutation(inputs.shape[1]):
            turned = sums - 2 * v[:, i, None] * inputs[:, i]
            new = worth(turned)
            kept = rng.random(len(v)) < np.exp(np.minimum(new - value, 0) / (heat * unit))
            v[kept, i] *= -1
            sums[kept], value[kept] = turned[kept], new[kept]
            better = value > best
            best[better], found[better] = value[better], v[better]
    return torch.from_numpy(found).to(x)


@cache
def say_large(inputs: int) -> None:
    """Say, once, that so many inputs are annealed."""
    log.info("%d inputs have 2**%d rows of signs, too many to try them all: annealing", inputs, inputs)


def solve(x: Tensor, y: Tensor, tried: int = LARGEST, sweeps: int = 30, seed: int = 0) -> Tensor:
    """V (out, in): the best, or where there are too many inputs to try all, which is said, a good one.

    That is annealed from the gradient's signs.

    Args:
        x, y: see `agreement`.
        tried: the most inputs of which all signs are tried, up to `LARGEST`; with 0 none are, as was asked for.
        sweeps, seed: see `anneal`.

    >>> x, y = sign(torch.randn(16, 30)), torch.randn(16, 4)
    >>> bool((agreement(x, y, solve(x, y)) >= agreement(x, y, sign(y.T @ x))).all())
    True
    """
    inputs = x.shape[1]
    if inputs <= min(tried, LARGEST):
        return exact(x, y)
    if tried:
        say_large(inputs)
    return anneal(x, y, sign(y.T @ x), sweeps, seed)
