r"""Ranges of integers: of every product of codes that there can be, those after which the next code is 1.

$$\mathrm{bit} = 1 \iff (\mathrm{dot} - \mathrm{start}) \bmod 2^{32} < \mathrm{width},$$

which may go round and so covers "at least", "at most", "between" and "not between".
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from binviz_kernels.encoder_layers import Doubts, Range
from torch import Tensor


class NotFoldable(Exception):
    """The model has to run layer by layer."""


def require(holds: bool, reason: str) -> None:
    """Raises NotFoldable if it does not hold."""
    if not holds:
        raise NotFoldable(reason)


def range_of(dots: Tensor, bits: Tensor) -> Range:
    """The range in which the bits are 1.

    Args:
        dots: int64 [T], ascending, all integers that can occur.
        bits: bool [T, N], one column per output.

    Raises:
        NotFoldable: a column's ones are no range.

    >>> range_of(torch.tensor([-2, 0, 2]), torch.tensor([[True, False], [False, True], [True, True]]))
    Range(start=array([2, 0], dtype=int32), width=array([4294967293,          3], dtype=uint32))
    """
    before, after = bits.roll(1, 0), bits.roll(-1, 0)
    firsts, lasts = bits & ~before, bits & ~after
    require(bool((firsts.sum(0) <= 1).all()), "the integers whose bit is 1 are no range")
    start, end = (dots[marks.int().argmax(0)] for marks in (firsts, lasts))
    width = (end - start + 1) % 2**32
    width = torch.where(bits.all(0), 2**32 - 1, torch.where(bits.any(0), width, 0))
    return Range(start.numpy().astype(np.int32), width.numpy().astype(np.uint32))


def range_and_doubts(dots: Tensor, bits: Tensor) -> tuple[Range, Doubts | None]:
    """The range in which the bits are 1 but for a few integers close to one end of it, and these.

    GELU of about −5.5 is such a place: there torch's rounding makes −0.0, whose sign is +1, of some numbers and not
    of others.

    Args:
        dots: int64 [T], ascending, every second integer that can occur.
        bits: bool [T, N], one column per output.

    Raises:
        NotFoldable: the integers from the first exception to the last are more than 64.

    >>> column = torch.tensor([True, True, False, True, False, False, False, True])
    >>> ones, doubts = range_and_doubts(torch.arange(-7, 8, 2), column[:, None])
    >>> ones
    Range(start=array([7], dtype=int32), width=array([4294967289], dtype=uint32))
    >>> doubts.start, doubts.width, doubts.codes
    (array([-3], dtype=int32), array([1], dtype=uint32), array([0], dtype=uint64))
    """
    filled, several = bits.clone(), (bits & ~bits.roll(1, 0)).sum(0) > 1
    start, width = np.zeros((2, bits.shape[1]), np.int64)
    codes = np.zeros(bits.shape[1], np.uint64)
    for n in several.nonzero()[:, 0].tolist():
        # Runs of zeros: before the first one, between two ones, behind the last one
        edges = np.concatenate([[-1], bits[:, n].nonzero()[:, 0].numpy(), [len(bits)]])
        zeros = np.diff(edges) - 1
        # The longest stays, where those at both ends are one that goes round
        longest = zeros[1:-1].argmax() + 1
        zeros[[0, -1] if zeros[0] + zeros[-1] >= zeros[longest] else longest] = 0
        places = zeros.nonzero()[0]
        first, last = edges[places[0]] + 1, edges[places[-1] + 1] - 1
        require(last - first < 64, "too many integers whose bit follows no range")
        filled[first : last + 1, n] = True
        start[n], width[n] = dots[first], dots[last] - dots[first] + 1
        codes[n] = sum(1 << i for i, bit in enumerate(bits[first : last + 1, n].tolist()) if bit)
    doubts = Doubts(start.astype(np.int32), width.astype(np.uint32), codes)
    return range_of(dots, filled), doubts if several.any() else None


def products(K: int, signed: bool = True) -> Tensor:
    """Every product of K codes with K weights of ±1, int64: of ±1 codes every second number, of {0, 1} codes all."""
    return torch.arange(-K, K + 1, 2 if signed else 1)


def fold(K: int, signed: bool, codes: Callable[[Tensor], Tensor]) -> Range:
    """The range of the outputs of which `codes`, from products float32 [T, 1], is 1 and not −1 or 0."""
    dots = products(K, signed)
    return range_of(dots, codes(dots.float()[:, None]) > 0)
