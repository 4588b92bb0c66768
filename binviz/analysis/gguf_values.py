"""Numbers and scales of a tensor in GGUF: `read(path, record)`.

Types of several bits are read by the package `gguf`. Q1_0, one bit a weight in blocks of 128 (llama.cpp's
`block_q1_0`), is read here: a scale d in float16, then 16 bytes of bits b, the lowest first,

    w = d (2 b - 1)

>>> blocks = np.zeros((1, 18), np.uint8)
>>> blocks[0, :2], blocks[0, 2] = np.array([0.5], "<f2").view(np.uint8), 0b101
>>> q1_0(blocks)[0, :4].tolist()
[0.5, -0.5, 0.5, -0.5]
"""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from binviz.analysis.gguf_header import Record

_FLOATS = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}
INTEGERS = ("I8", "I16", "I32", "I64")
#: Byte of a block at which its scale begins, a float16; types whose scales are coded themselves have none here.
_SCALE_AT = {"Q1_0": 0, "TQ1_0": 52, "TQ2_0": 64, "Q4_0": 0, "Q4_1": 0, "Q5_0": 0, "Q5_1": 0, "Q8_0": 0}
_NUMBERS = 1 << 20  # that are worked on at once


class Values(NamedTuple):
    """Of a tensor: weight in float32, and the scale of each block where the type has one, float32 (blocks,)."""

    weight: Tensor
    scales: NDArray[np.float32] | None


def read(path: Path, record: Record) -> Values:
    """The numbers of a tensor.

    Args:
        path: of the file.
        record: the tensor, of a type that `is_read`.

    Raises:
        ValueError: the file ends before the tensor.
    """
    content = np.fromfile(path, np.uint8, record.bytes, offset=record.start)
    if content.size < record.bytes:
        raise ValueError(f"it ends before tensor {record.name!r}")
    out = np.empty(prod(record.shape), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):  # an infinity or NaN is reported as what it is
        if record.dtype in _FLOATS:
            out[:] = content.view(_FLOATS[record.dtype])
            return Values(torch.from_numpy(out).view(record.shape), None)
        block, width = _sizes(record.dtype)
        blocks = content.reshape(-1, width)
        step = max(_NUMBERS // block, 1)
        for first in range(0, len(blocks), step):
            part = dequantize(blocks[first : first + step], record.dtype)
            out[first * block : first * block + part.size] = part.reshape(-1)
        weight = torch.from_numpy(out).view(record.shape)
        return Values(weight, scales(blocks, record.dtype))


def is_read(dtype: str) -> bool:
    """Whether the numbers of a type can be had.

    >>> is_read("Q1_0"), is_read("Q8_K")
    (True, False)
    """
    if dtype in _FLOATS or dtype in INTEGERS:
        return True
    try:
        dequantize(np.zeros((1, _sizes(dtype)[1]), np.uint8), dtype)
    except NotImplementedError:
        return False
    return True


def dequantize(blocks: NDArray[np.uint8], dtype: str) -> NDArray[np.float32]:
    """Float32 (blocks, numbers of a block) from bytes (blocks, bytes of a block).

    Raises:
        NotImplementedError: neither binviz nor `gguf` knows how.
    """
    import gguf

    if dtype == "Q1_0":
        return q1_0(blocks)
    # As one row of many blocks: of rows gguf takes sixteen at a time
    row = gguf.dequantize(blocks.reshape(1, -1), gguf.GGMLQuantizationType[dtype])
    return row.reshape(len(blocks), -1)


def q1_0(blocks: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Float32 (blocks, 128) from blocks of Q1_0, bytes (blocks, 18)."""
    scale = _float16_at(blocks, 0)[:, None]
    bits = np.unpackbits(blocks[:, 2:], axis=1, bitorder="little")
    # w = d (2 b - 1)
    return np.where(bits, scale, -scale)


def scales(blocks: NDArray[np.uint8], dtype: str) -> NDArray[np.float32] | None:
    """The scale of each block, float32 (blocks,); None where the type has none of its own."""
    return _float16_at(blocks, _SCALE_AT[dtype]) if dtype in _SCALE_AT else None


def _float16_at(blocks: NDArray[np.uint8], at: int) -> NDArray[np.float32]:
    return np.ascontiguousarray(blocks[:, at : at + 2]).view("<f2")[:, 0].astype(np.float32)


def _sizes(dtype: str) -> tuple[int, int]:
    """Numbers and bytes of a block."""
    import gguf

    return gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[dtype]]
