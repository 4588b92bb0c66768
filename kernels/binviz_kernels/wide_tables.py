r"""Products by looking them up in tables of 64 bytes: six activations are a table, six weights are a place in it.

What `tables` does with four bits, an instruction of AVX-512 VBMI that takes one of 64 bytes (vpermb) does with six,
for 64 outputs at once. A byte of a panel holds six weights, so a word of 64 takes 11 bytes, the last for four bits.

The tables of a word of two rows fill 22 of the 32 registers. They are never written to memory: they are made of
constants, meet this word of many panels, and make room for those of the next. What was looked up is kept in *sums*:

    table[i, six bits] = Σ 2^p differing[six bits of plane p of row i]      differing[s][t]: ones of s ^ t
    sums[i, panel]    += Σ table[i, six bits][weights[six bits, panel]]

for each 64 outputs a register with the sums modulo 2^16 of lower + 256 · upper, of two neighbouring bytes, and one with
those of the upper bytes alone. They hold 64 words; longer rows have several such pairs. A tile only finishes them.

Against XOR and popcount of one bit, what two bits must cost on registers (Zen 4, three operations per 512 bits there):
a lookup and an addition per 6 · 64 bits, 1.09 measured; with 66 bits for 64, and 24 operations for 22 because bytes
are widened, 1.23. Making tables and writing outputs, which counting hides among its operations, make it 1.4 to 1.5.
Counting two planes would be 2.0.

Output 16·c + d of a panel is byte 4·d + c of a register: so the four sums of a 32-bit lane belong to four registers of
neighbouring outputs.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from binviz_kernels import vectors as v
from binviz_kernels.sums import Shape
from binviz_kernels.tables import lower_of, outputs_of

TABLE = 64  # bytes of a table, and outputs that are looked up at once
WORD_TABLES = 11  # for 64 bits of a row
LINE = WORD_TABLES * TABLE  # bytes of a panel for a word of its rows
TOGETHER = 2  # rows whose tables are in registers
ROWS, PANELS = 8, 24  # whose sums and weights of a word stay in the nearest caches
SPAN = 64  # words that sums of 16 bits hold: 64 · 64 · (2^4 − 1) < 2^16
SELDOM = 11  # lookups whose sum a byte holds: 11 · 6 · (2^2 − 1) < 2^8
OFTEN = 2  # the same of more planes: 2 · 6 · (2^4 − 1) < 2^8
PAIR = 2 * TABLE  # bytes of the sums of a span
BYTES, WORDS = v.vector(v.BYTE, TABLE), v.vector(v.INT16, TABLE // 2)


def look_up(builder: ir.IRBuilder, table: v.Value, places: v.Value) -> v.Value:
    """The entries of a table at places from 0 to 63, byte by byte."""
    return v.call(builder, "llvm.x86.avx512.permvar.qi.512", BYTES, table, places)


@intrinsic
def look_up_word(typing, words, panels, planes, signed, sums, m, i, many, word, first, last):
    """Look up a word of rows m and m + 1 for panels first..last; of row m only if not many are left.

    words uint64 [M, planes · W] -> rows i and i + 1 of sums uint8 [rows, panels, PAIR · spans], added, or written if a
    span begins.
    """

    def emit(context, builder, signature, arguments):
        _, _, planes, signed, _, m, i, many, word, first, last = arguments
        rows, panels, sums = (
            context.make_array(signature.args[n])(context, builder, arguments[n]) for n in (0, 1, 4)
        )
        row_length, lines = builder.extract_value(rows.shape, 1), builder.extract_value(panels.shape, 1)
        row = builder.gep(rows.data, [builder.add(builder.mul(m, row_length), word)])
        W = builder.udiv(row_length, planes)
        panel_size, line = builder.mul(lines, v.INT64(LINE)), builder.add(word, v.INT64(1))
        weights = builder.bitcast(panels.data, v.BYTE.as_pointer())
        weights = builder.gep(weights, [builder.mul(line, v.INT64(LINE))])
        panel_sums = builder.extract_value(sums.shape, 2)
        row_sums = builder.mul(builder.extract_value(sums.shape, 1), panel_sums)
        span = builder.mul(builder.udiv(word, v.INT64(SPAN)), v.INT64(PAIR))
        places = [
            builder.gep(sums.data, [builder.add(builder.mul(row_sums, builder.add(i, v.INT64(n))), span)])
            for n in range(TOGETHER)
        ]
        begins = builder.icmp_signed("==", builder.urem(word, v.INT64(SPAN)), v.INT64(0))
        nothing = constant_bytes(builder, "no_sums", bytes(PAIR))

        def each_panel(tables: list[list[v.Value]], lookups: int) -> None:
            def panel(p: v.Value, state: list[Any]) -> list[Any]:
                found = summed(builder, tables, builder.gep(weights, [builder.mul(p, panel_size)]), lookups)
                for place, pair in zip(places, found, strict=False):
                    to = builder.gep(place, [builder.mul(p, panel_sums)])
                    from_ = builder.select(begins, nothing, to)
                    for half, s in enumerate(pair):
                        at = v.INT64(half * TABLE)
                        v.store(builder, builder.add(v.load(builder, from_, at, WORDS), s), to, at)
                return state

            v.loop(builder, first, last, 1, [], panel)

        def block(height: int) -> None:
            heads = [builder.gep(row, [builder.mul(row_length, v.INT64(n))]) for n in range(height)]
            tables = tables_of(builder, heads, W, planes, signed)
            with builder.if_else(builder.icmp_signed("<=", planes, v.INT64(2))) as (few, more):
                with few:
                    each_panel(tables, SELDOM)
                with more:
                    each_panel(tables, OFTEN)

        enough = builder.icmp_signed(">=", many, v.INT64(TOGETHER))
        with builder.if_else(enough, likely=True) as (all_, one):
            with all_:
                block(TOGETHER)
            with one:
                block(1)
        return context.get_dummy_value()

    integers = [types.int64] * 6
    return types.void(words, panels, types.int64, types.boolean, sums, *integers), emit


def tables_of(
    builder: ir.IRBuilder, rows: list[v.Value], W: v.Value, planes: v.Value, signed: v.Value
) -> list[list[v.Value]]:
    """The tables of a word of each row, of which `rows` points to the lowest plane; W words on is the next plane."""
    numbers = range(TABLE)
    differing = constant_bytes(
        builder, "differing", bytes((s ^ place).bit_count() for s in numbers for place in numbers)
    )
    highest = builder.sub(planes, v.INT64(1))

    def of_plane(p: v.Value, turned: v.Value) -> list[v.Value]:
        found = []
        for row in rows:
            bits = builder.xor(v.load(builder, row, builder.mul(p, W), v.INT64), turned)
            for n in range(WORD_TABLES):
                # TABLE · six bits
                six = builder.lshr(bits, v.INT64(6 * n - 6)) if n else builder.shl(bits, v.INT64(6))
                at = builder.and_(six, v.INT64(TABLE * (TABLE - 1)))
                found.append(v.load(builder, differing, at, BYTES))
        return found

    def plane(number: v.Value, totals: list[v.Value]) -> list[v.Value]:
        # total ← 2·total + differing, from the highest plane down
        some = of_plane(builder.sub(highest, number), v.INT64(0))
        return [builder.add(builder.add(t, t), s) for t, s in zip(totals, some, strict=True)]

    begin = of_plane(highest, builder.sext(signed, v.INT64))
    tables = v.loop(builder, v.INT64(1), planes, 1, begin, plane)
    return [tables[first : first + WORD_TABLES] for first in range(0, len(tables), WORD_TABLES)]


def summed(
    builder: ir.IRBuilder, tables: list[list[v.Value]], weights: v.Value, lookups: int
) -> list[tuple[v.Value, v.Value]]:
    """For each row the sums of both bytes, and of the upper one, if so many lookups are summed in bytes."""
    totals = [(v.constant(WORDS, 0), v.constant(WORDS, 0))] * len(tables)
    for first in range(0, WORD_TABLES, lookups):
        sums = [v.constant(BYTES, 0)] * len(tables)
        for k in range(first, min(first + lookups, WORD_TABLES)):
            places = v.load(builder, weights, v.INT64(k * TABLE), BYTES)
            sums = [
                builder.add(s, look_up(builder, row[k], places)) for s, row in zip(sums, tables, strict=True)
            ]
        for n, s in enumerate(sums):
            s, (both, uppers) = builder.bitcast(s, WORDS), totals[n]
            totals[n] = builder.add(both, s), builder.add(uppers, builder.lshr(s, v.constant(WORDS, 8)))
    return totals


def constant_bytes(builder: ir.IRBuilder, name: str, text: bytes) -> v.Value:
    """Where, aligned to a register, these bytes are in the program."""
    there = cgutils.global_constant(
        builder, name, ir.Constant(ir.ArrayType(v.BYTE, len(text)), bytearray(text))
    )
    there.align = TABLE
    return builder.bitcast(there, v.BYTE.as_pointer())


def subtract_sums(
    builder: ir.IRBuilder, shape: Shape, rows: int, start: list[v.Value], sums: v.Value, stride: v.Value, spans: v.Value
) -> list[v.Value]:  # fmt: skip
    """The start less the sums of each row and output.

    Args:
        builder: where the program stands.
        shape: how registers are used.
        rows: the height of this tile.
        start: what the sums start with, row by row, a vector of int32 for each register of neighbouring outputs.
        sums: int8*, those of the first row.
        stride: int64, bytes from one row to the next.
        spans: int64, pairs of sums.
    """

    def subtract(span: Any, totals: list[v.Value]) -> list[v.Value]:
        left = []
        for i in range(rows):
            at = builder.add(builder.mul(stride, v.INT64(i)), builder.mul(span, v.INT64(PAIR)))
            both = v.load(builder, sums, at, WORDS)
            upper = v.load(builder, sums, builder.add(at, v.INT64(TABLE)), WORDS)
            left += [
                builder.sub(total, some)
                for total, some in zip(
                    totals[i * shape.registers :],
                    outputs_of(builder, lower_of(builder, both, upper), upper),
                    strict=False,
                )
            ]
        return left

    # The first by itself: hardly a row has more
    return v.loop(builder, v.INT64(1), spans, 1, subtract(v.INT64(0), start), subtract)
