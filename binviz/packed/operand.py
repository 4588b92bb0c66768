"""An activation's codes in the form that the kernels take, with as few passes over memory as the binarizer allows.

A binarizer's `encode` gives codes as floats, which is four or five passes. The kernels take a sign themselves
while they pack, so for a plain sign nothing at all is done here, and for a sign after a shift one addition.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from binviz.binarizers import Binarizer, Code, sign
from binviz.binarizers.base import mean_abs
from binviz.binarizers.bireal import BiRealActivation
from binviz.binarizers.bnn import BNN
from binviz.binarizers.elastic import ElasticSigned, ElasticUnsigned
from binviz.binarizers.fda import FDAActivation
from binviz.binarizers.reactnet import ReActNetActivation
from binviz.binarizers.recu import ReCUActivation
from binviz.binarizers.xnor import XNORActivation

#: Binarizers whose code is the sign of what they are given.
PLAIN_SIGN = (BNN, BiRealActivation, FDAActivation, ReCUActivation, XNORActivation)


class Operand(NamedTuple):
    """Codes of an activation x, all of x's shape.

    kind: "signs", floats whose code is +1 where they are >= 0 and else -1; "bits", bool; "levels", int8 or uint8;
        "floats", codes of several bits as floats, because a nan is among them, which is no integer.
    values: the tensor. scale: what the codes are multiplied by. planes: bits of one code. shift: that is added, None
    for none.
    """

    kind: Literal["signs", "bits", "levels", "floats"]
    values: Tensor
    scale: Tensor
    planes: int = 1
    shift: Tensor | None = None

    def code(self) -> Code:
        """The same as `Binarizer.encode` gives it."""
        q = sign(self.values) if self.kind == "signs" else self.values.float()
        return Code(q, self.scale, q.new_zeros(()) if self.shift is None else self.shift)


def operand_of(binarizer: Binarizer, x: Tensor) -> Operand:
    """The codes and scale that `binarizer.encode(x)` gives.

    Args:
        binarizer: without a shift of its values that depends on them.
        x: floats of any shape that the binarizer takes.

    >>> from binviz import binarizers
    >>> operand_of(binarizers.get("bnn"), torch.tensor([0.5, -2.0])).values.tolist()
    [0.5, -2.0]
    >>> operand_of(binarizers.get("row-threshold"), torch.tensor([0.25, 0.75])).values.tolist()
    [False, True]
    """
    kind, started = type(binarizer), binarizer.has_started
    if kind in PLAIN_SIGN:
        per_row = binarizer.scale_kind == "per_row"
        return Operand("signs", x, mean_abs(x, binarizer._row_axes(x)) if per_row else x.new_ones(()))
    if isinstance(binarizer, ReActNetActivation) and kind is ReActNetActivation:
        # sign(x + t)
        return Operand(
            "signs", x + binarizer._per_channel(binarizer.threshold, x).to(x.dtype), x.new_ones(())
        )
    if isinstance(binarizer, ElasticSigned) and kind is ElasticSigned and binarizer.bits == 1 and started:
        # sign(x + beta)
        moved = binarizer._moved(x)
        return Operand("signs", moved, binarizer._guarded_alpha(moved))
    if isinstance(binarizer, ElasticUnsigned) and kind is ElasticUnsigned and binarizer.bits == 1 and started:
        # x + beta > alpha / 2
        moved = binarizer._moved(x)
        alpha = binarizer._guarded_alpha(moved)
        return Operand("bits", moved > alpha / 2, alpha)
    code = binarizer.encode(x)
    shift = code.shift if binarizer.shifted else None
    if binarizer.levels == (-1, 1):
        return Operand("signs", code.q, code.scale, shift=shift)
    if binarizer.levels == (0, 1):
        return Operand("bits", code.q != 0, code.scale, shift=shift)
    if code.q.isnan().any():
        return Operand("floats", code.q, code.scale, shift=shift)
    integers = code.q.to(torch.int8 if binarizer.levels[0] < 0 else torch.uint8)
    return Operand("levels", integers, code.scale, planes_of(binarizer.levels), shift)


def planes_of(levels: tuple[int, ...]) -> int:
    """Bits of the two's complement, or of the plain binary numbers, that hold these codes.

    >>> planes_of((0, 1, 2, 3)), planes_of((-2, -1, 0, 1)), planes_of((-3, -1, 1, 3))
    (2, 2, 3)
    """
    if levels[0] >= 0:
        return levels[-1].bit_length()
    return max(levels[-1].bit_length(), (-levels[0] - 1).bit_length()) + 1
