"""Weights of a packed file of binviz: which bits and scales are one weight, and the numbers that they stand for.

    w = sum over bases of s (2 b - 1), and where the weight has an offset, + s

with the bits b and scales s as `binviz.saving.packed` says that they lie in the file.

>>> words = torch.tensor([[0b01], [0b10]], dtype=torch.uint64)
>>> read("w", words, torch.tensor([0.5, 2.0]), (2, 2)).weight.tolist()
[[0.5, -0.5], [-2.0, 2.0]]
"""

from __future__ import annotations

from math import prod
from pathlib import Path

import torch
from binviz_kernels import PackedWeights, unpack
from binviz_kernels.checks import padding_is_zero
from torch import Tensor

from binviz.analysis.gguf_values import Values
from binviz.errors import UserError
from binviz.reading import fits
from binviz.saving.packed import read_metadata


def shapes_of(path: Path) -> dict[str, tuple[int, ...]]:
    """Layer -> the shape of its packed weight, as the file says.

    Raises:
        UserError: damaged, of another version, or a shape that no weight has.
    """
    shapes = read_metadata(path)["shapes"]
    for layer, shape in shapes.items():
        if not fits(shape, list[int]) or len(shape) < 2 or min(shape) < 1:
            raise UserError(f"{path} is damaged: it says that the weight of {layer} has the shape {shape}")
    return {layer: tuple(shape) for layer, shape in shapes.items()}


def parts_of(shape: tuple[int, ...], bits: tuple[int, ...], scale: tuple[int, ...]) -> int | None:
    """How many scaled parts a weight is the sum of: its bases, and an offset; None where the three do not fit.

    Args:
        shape: of the weight; K is the product of all but the first number.
        bits, scale: shapes of both tensors.

    >>> parts_of((3, 65), (6, 2), (9,)), parts_of((3, 65), (6, 2), (6, 5)), parts_of((3, 65), (6, 1), ())
    (3, 2, None)
    """
    rows, K = shape[0], prod(shape[1:])
    bases = bits[0] // rows if bits else 0
    count, groups = (*scale, 1, 1)[:2]
    if not bases or bits != (bases * rows, -(-K // 64)) or len(scale) > 2 or not groups or K % groups:
        return None
    for parts in (bases, bases + 1):
        if count == parts * rows or (count == parts and len(scale) < 2):
            return parts
    return None


def read(name: str, words: Tensor, scale: Tensor, shape: tuple[int, ...]) -> Values:
    """The numbers of a weight, and all its scales.

    Args:
        name: of the weight, for an error.
        words: uint64 (bases * rows, ceil(K/64)).
        scale: float32, of a shape that fits (`parts_of`).
        shape: of the weight.

    Raises:
        ValueError: bits after the last of a row.
    """
    rows, K = shape[0], prod(shape[1:])
    parts = parts_of(shape, tuple(words.shape), tuple(scale.shape))
    assert parts is not None
    padding_is_zero(name, words.numpy(), K)
    table = scale.reshape(len(scale) if scale.ndim else 1, -1)
    table = table.repeat_interleave(parts * rows // len(table), 0).view(parts, rows, -1, 1)
    weight = torch.zeros(rows, table.shape[2], K // table.shape[2])
    bases = words.view(-1, rows, words.shape[1])
    for basis, s in zip(bases, table, strict=False):
        # w = sum of s (2 b - 1)
        weight += torch.from_numpy(unpack(PackedWeights(basis.numpy(), K))).view(weight.shape) * s
    if parts > len(bases):
        weight += table[-1]
    return Values(weight.view(shape), scale.reshape(-1).numpy())
