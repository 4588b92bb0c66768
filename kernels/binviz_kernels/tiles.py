r"""The innermost loop: a few rows of bits times 64 weight rows, all sums kept in registers.

Weights lie in *panels* of 64 outputs. Word k of all 64 follows one another, so 16 neighbouring outputs fill
one 512-bit register, and one word of an activation, repeated 16 times, meets them all:

    differing[i][j] += popcount(words[i, k] ^ panel[k, j])      i: rows, j: registers of neighbouring outputs

Every sum has a lane of its own, nothing is added across a register, and K may be any number: the bits after the
last entry are 0 on both sides and differ nowhere. The same sums serve all products (see `intrinsics`):

| rows are | dot = |
|---|---|
| ±1 | K − 2·differing |
| {0, 1} | ones of the weight row − differing |

The second because a & w counts (|a| + |w| − |a ^ w|) / 2, so 2·|a & w| − |a| = |w| − |a ^ w|.
"""

from typing import NamedTuple

from llvmlite import ir
from numba.core import types

from binviz_kernels.vectors import (
    BYTE,
    INT32,
    INT64,
    Value,
    broadcast,
    constant,
    load,
    loop,
    popcount,
    vector,
)

PANEL = 64  # outputs of a panel: as many as there are bits in a word


class Shape(NamedTuple):
    """How a processor's registers are used.

    Attributes:
        lanes: 32-bit lanes of a register.
        registers: registers side by side; a tile is lanes · registers outputs wide.
        rows: heights a tile may have, largest first; it holds rows · registers sums.
        counted: the integer whose ones the processor can count, 32 or 8 bits.
    """

    lanes: int
    registers: int
    rows: tuple[int, ...]
    counted: int

    @property
    def columns(self) -> int:
        """Outputs of a tile."""
        return self.lanes * self.registers


# 24 sums, 4 weights, 1 activation and 2 to work with fill the 32 registers of AVX-512.
WORDS = Shape(lanes=16, registers=4, rows=(6, 3, 2, 1), counted=32)
# AVX2 has 16 registers, half as wide, and counts the ones of bytes by table.
BYTES = Shape(lanes=8, registers=2, rows=(4, 2, 1), counted=8)
# A byte counts to 255; a word of 32 bits adds 8 at most, and words come in pairs.
LONGEST_BYTE_SUM = 30


def shape_of(panels: types.Array) -> Shape:
    """What the type of the panels says: words are counted if it is uint32, bytes if it is uint8."""
    return WORDS if panels.dtype == types.uint32 else BYTES


def differing_bits(
    builder: ir.IRBuilder, shape: Shape, rows: int, words: Value, stride: Value, panel: Value, length: Value
) -> list[list[Value]]:
    """Emit the loop over k.

    Args:
        builder: where the program stands.
        shape: how registers are used.
        rows: the height of this tile.
        words: int32*, the first row of activations.
        stride: int64, words from one row to the next.
        panel: int32*, the first word of the first output.
        length: int64, words of a row, an even number above 0.

    Returns:
        For each row a list of vectors: how many bits of the row and of each output differ.
    """
    lanes = vector(INT32, shape.lanes)
    row_of = [builder.gep(words, [builder.mul(stride, INT64(i))]) for i in range(rows)]
    tile = [(i, j) for i in range(rows) for j in range(shape.registers)]
    counted = lanes if shape.counted == 32 else vector(BYTE, 4 * shape.lanes)

    def two_words(k: Value, sums: list[Value]) -> list[Value]:
        for step in range(2):
            at = builder.add(k, INT64(step))
            line = builder.mul(at, INT64(PANEL))
            weights = [
                load(builder, panel, builder.add(line, INT64(shape.lanes * j)), lanes)
                for j in range(shape.registers)
            ]
            for i in range(rows):
                word = broadcast(builder, load(builder, row_of[i], at, INT32), shape.lanes)
                for j in range(shape.registers):
                    differ = builder.bitcast(builder.xor(word, weights[j]), counted)
                    n = i * shape.registers + j
                    sums[n] = builder.add(sums[n], popcount(builder, differ))
        return sums

    def some_words(k: Value, totals: list[Value]) -> list[Value]:
        """Count in bytes while they cannot overflow, then add the four bytes of each lane to its total."""
        end = builder.add(k, INT64(LONGEST_BYTE_SUM))
        end = builder.select(builder.icmp_signed("<", end, length), end, length)
        sums = loop(builder, k, end, 2, [constant(counted, 0)] * len(tile), two_words)
        return [
            builder.add(t, four_bytes(builder, builder.bitcast(s, lanes)))
            for t, s in zip(totals, sums, strict=True)
        ]

    step, body = (2, two_words) if shape.counted == 32 else (LONGEST_BYTE_SUM, some_words)
    sums = loop(builder, INT64(0), length, step, [constant(lanes, 0)] * len(tile), body)
    return [sums[i * shape.registers : (i + 1) * shape.registers] for i in range(rows)]


def four_bytes(builder: ir.IRBuilder, x: Value) -> Value:
    """The sum of the four bytes of each 32-bit lane."""
    pairs = constant(x.type, 0x00FF00FF)
    x = builder.add(builder.and_(x, pairs), builder.and_(builder.lshr(x, constant(x.type, 8)), pairs))
    return builder.add(builder.and_(x, constant(x.type, 0xFFFF)), builder.lshr(x, constant(x.type, 16)))
