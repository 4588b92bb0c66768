r"""The innermost loop: a few rows of bits times 64 weight rows, all sums kept in registers.

Weights lie in *panels* of 64 outputs. Word k of all 64 follows one another, so 16 neighbouring outputs fill
one 512-bit register, and one word of an activation, repeated 16 times, meets them all:

    sums[i][j] -= popcount(words[i, k] ^ panel[k, j])      i: rows, j: registers of neighbouring outputs

Every sum has a lane of its own, nothing is added across a register, and K may be any number: the bits after the
last entry are 0 on both sides and differ nowhere. Subtracting from the right start gives all products:

| rows are | start | product |
|---|---|---|
| ±1 | K // 2 | K − 2·differing = 2·sum + K % 2 |
| {0, 1} | ones of the weight row | ones − differing = sum |
| anything | 0 | Hamming distance = −sum |

The second because a & w has (|a| + |w| − |a ^ w|) / 2 ones, so 2·|a & w| − |a| = |w| − |a ^ w|.
"""

from collections.abc import Callable
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

Combine = Callable[[Value, Value], Value]

PANEL = 64  # outputs of a panel: as many as there are bits in a word


class Shape(NamedTuple):
    """How a processor's registers are used.

    Attributes:
        lanes: 32-bit lanes of a register.
        registers: registers side by side; a tile is lanes · registers outputs wide.
        rows: heights a tile may have, largest first; it holds rows · registers sums.
        counted: the integer whose ones the processor can count, 32 or 8 bits; 4 bits are looked up (`tables`), and so
            are 6 (`wide_tables`).
    """

    lanes: int
    registers: int
    rows: tuple[int, ...]
    counted: int

    @property
    def width(self) -> int:
        """Bytes of a register."""
        return 4 * self.lanes

    @property
    def floats(self) -> int:
        """Sums of floats that registers hold beside what is added: AVX2 has 16 of them, the others 32."""
        return 8 if self.width == 32 else 24

    @property
    def columns(self) -> int:
        """Outputs of a tile."""
        return self.lanes * self.registers


# 24 sums, 4 weights, 1 activation and 2 to work with fill the 32 registers of AVX-512.
WORDS = Shape(lanes=16, registers=4, rows=(6, 3, 2, 1), counted=32)
# 8 sums of bytes, 2 registers of weights and a table: the 16 of AVX2 hold no more rows of 64 outputs.
TABLES_32 = Shape(lanes=8, registers=8, rows=(4, 2, 1), counted=4)
# 8 sums of bytes and 16 of 16 bits leave room for weights and tables.
TABLES_64 = Shape(lanes=16, registers=4, rows=(8, 4, 2, 1), counted=4)
# A tile has sums to finish, no more: they are made beforehand, with tables in 22 of the 32 registers.
TABLES_512 = Shape(lanes=16, registers=4, rows=(4, 2, 1), counted=6)
# NEON has 32 registers of 128 bits, filled like those of AVX-512, and counts the ones of bytes (cnt).
NEON = Shape(lanes=4, registers=4, rows=(6, 3, 2, 1), counted=8)
# Words that may be counted in bytes: each adds 8 at most, and a byte goes to 255.
LONGEST_BYTE_SUM = 31


def shape_of(panels: types.Array) -> Shape:
    """What the type of the panels says, which is that of their form (`forms`)."""
    shapes = {
        types.uint32: WORDS, types.int16: TABLES_512, types.int8: TABLES_64, types.uint8: TABLES_32,
        types.uint16: NEON,
    }  # fmt: skip
    return shapes[panels.dtype]


def subtract_differing(
    builder: ir.IRBuilder, shape: Shape, rows: int, start: list[Value], words: Value, stride: Value, panel: Value,
    length: Value, beside: Callable[[Value], None] | None = None,
) -> list[Value]:  # fmt: skip
    """Emit the loop over k.

    Args:
        builder: where the program stands.
        shape: how registers are used.
        rows: the height of this tile.
        start: what the sums start with, row by row, a vector for each register of neighbouring outputs.
        words: int32*, the first row of activations.
        stride: int64, words from one row to the next.
        panel: int32*, the first word of the first output.
        length: int64, words of a weight row.
        beside: emits something else to be done at each k.

    Returns:
        The start less the bits that differ between each row and output.
    """
    lanes = vector(INT32, shape.lanes)
    row_of = [builder.gep(words, [builder.mul(stride, INT64(i))]) for i in range(rows)]

    def word(k: Value, sums: list[Value], counted: ir.VectorType, combine: Combine) -> list[Value]:
        if beside:
            beside(k)
        line = builder.gep(panel, [builder.mul(k, INT64(PANEL))])
        weights = [load(builder, line, INT64(shape.lanes * j), lanes) for j in range(shape.registers)]
        for i in range(rows):
            word = broadcast(builder, load(builder, row_of[i], k, INT32), shape.lanes)
            for j in range(shape.registers):
                differ = builder.bitcast(builder.xor(word, weights[j]), counted)
                n = i * shape.registers + j
                sums[n] = combine(sums[n], popcount(builder, differ))
        return sums

    def words_as_bytes(k: Value, totals: list[Value]) -> list[Value]:
        """Count bytes while they cannot overflow, then subtract the four bytes of each lane from its total."""
        counted = vector(BYTE, 4 * shape.lanes)
        end = builder.add(k, INT64(LONGEST_BYTE_SUM))
        end = builder.select(builder.icmp_signed("<", end, length), end, length)
        zeros = [constant(counted, 0)] * len(totals)
        sums = loop(builder, k, end, 1, zeros, lambda k, sums: word(k, sums, counted, builder.add))
        lanes_of = (four_bytes(builder, builder.bitcast(s, lanes)) for s in sums)
        return [builder.sub(total, counted) for total, counted in zip(totals, lanes_of, strict=True)]

    if shape.counted == 32:
        return loop(builder, INT64(0), length, 1, start, lambda k, sums: word(k, sums, lanes, builder.sub))
    return loop(builder, INT64(0), length, LONGEST_BYTE_SUM, start, words_as_bytes)


def four_bytes(builder: ir.IRBuilder, x: Value) -> Value:
    """The sum of the four bytes of each 32-bit lane."""
    pairs = constant(x.type, 0x00FF00FF)
    x = builder.add(builder.and_(x, pairs), builder.and_(builder.lshr(x, constant(x.type, 8)), pairs))
    return builder.add(builder.and_(x, constant(x.type, 0xFFFF)), builder.lshr(x, constant(x.type, 16)))
