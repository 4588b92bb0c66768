r"""Products by looking them up in tables of 64 bytes: six activations are a table, six weights are a place in it.

What `tables` does with four bits, an instruction of AVX-512 VBMI that takes one of 64 bytes (vpermb) does with six,
for 64 outputs at once. A byte of a panel holds six weights, so a word of 64 takes 11 bytes, the last for four bits.

The tables of a row fill more of the cache than the row's weights do. So they are made for 8 rows and 4 words at a
time, meet these words of all panels, and make room for the next; what was looked up is kept in *sums*:

    sums[i, panel] += Σ table[i, 6 bits][weights[6 bits, panel]]

for each 64 outputs a register with the sums modulo 2^16 of lower + 256 · upper, of two neighbouring bytes, and one with
those of the upper bytes alone. They hold 64 words; longer rows have several such pairs. A tile only finishes them.

Output 16·c + d of a panel is byte 4·d + c of a register: so the four sums of a 32-bit lane belong to four registers of
neighbouring outputs.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from binviz_kernels import vectors as v
from binviz_kernels.sums import Shape

TABLE = 64  # bytes of a table, and outputs that are looked up at once
WORD_TABLES = 11  # for 64 bits of a row
LINE = WORD_TABLES * TABLE  # bytes of tables for a word, and of a panel for a word of its rows
ROWS, CHUNK = 8, 4  # rows and words whose tables stay in the nearest cache
SPAN = 64  # words that sums of 16 bits hold: 64 · 64 · (2^4 − 1) < 2^16
SELDOM = 11  # lookups whose sum a byte holds: 11 · 6 · (2^2 − 1) < 2^8; of more planes, 2 · 6 · (2^4 − 1)
PAIR = 2 * TABLE  # bytes of the sums of a span
BYTES, WORDS = v.vector(v.BYTE, TABLE), v.vector(v.INT16, TABLE // 2)


def look_up(builder: ir.IRBuilder, table: v.Value, places: v.Value) -> v.Value:
    """The entries of a table at places from 0 to 63, byte by byte."""
    return v.call(builder, "llvm.x86.avx512.permvar.qi.512", BYTES, table, places)


@intrinsic
def add_looked_up(typing, tables, panels, sums, many, panel, first, last, planes):
    """Words first..last of a panel looked up in tables uint8 [ROWS, CHUNK, LINE] of many rows.

    They are added to sums uint8 [rows, panels, PAIR · spans], or written if a span begins.
    """

    def emit(context, builder, signature, arguments):
        _, _, _, many, panel, first, last, planes = arguments
        v.align_stack(builder, TABLE)
        arrays = [
            context.make_array(type_)(context, builder, array)
            for type_, array in zip(signature.args[:3], arguments[:3], strict=True)
        ]
        lines, panels_of_row, size = (
            builder.extract_value(arrays[n].shape, axis) for n, axis in ((1, 1), (2, 1), (2, 2))
        )
        stride = builder.mul(panels_of_row, size)
        line = builder.add(builder.mul(panel, lines), builder.add(first, v.INT64(1)))
        weights = builder.bitcast(arrays[1].data, v.BYTE.as_pointer())
        weights = builder.gep(weights, [builder.mul(line, v.INT64(LINE))])
        span = builder.mul(builder.udiv(first, v.INT64(SPAN)), v.INT64(PAIR))
        sums = builder.gep(arrays[2].data, [builder.add(builder.mul(panel, size), span)])
        begins = builder.icmp_signed("==", builder.urem(first, v.INT64(SPAN)), v.INT64(0))
        steps = builder.mul(builder.sub(last, first), v.INT64(WORD_TABLES))

        def block(i, height):
            tables = builder.gep(arrays[0].data, [builder.mul(i, v.INT64(CHUNK * LINE))])
            rows = [builder.gep(tables, [v.INT64(CHUNK * LINE * n)]) for n in range(height)]
            places = [
                builder.gep(sums, [builder.mul(stride, builder.add(i, v.INT64(n)))]) for n in range(height)
            ]
            found = summed(builder, rows, weights, steps, planes)
            for n, place in enumerate(places):
                for half in range(2):
                    at = v.INT64(half * TABLE)
                    before = v.load(builder, place, at, WORDS)
                    before = builder.select(begins, v.constant(WORDS, 0), before)
                    v.store(builder, builder.add(before, found[height * half + n]), place, at)

        # By the binary digits of their number, from the highest down
        for height in (8, 4, 2, 1):
            with builder.if_then(builder.trunc(builder.udiv(many, v.INT64(height)), v.BIT)):
                block(builder.and_(many, v.INT64(16 - 2 * height)), height)
        return context.get_dummy_value()

    return types.void(tables, panels, sums, *[types.int64] * 5), emit


def summed(
    builder: ir.IRBuilder, rows: list[v.Value], weights: v.Value, steps: v.Value, planes: v.Value
) -> list[v.Value]:
    """Emit the loop over the tables of rows: for each row the sums of both bytes, and of the upper one."""
    nothing = [v.constant(WORDS, 0)] * (2 * len(rows))
    odd = ir.Constant(BYTES, [0, 1] * (TABLE // 2))

    def step(k: v.Value, sums: list[v.Value]) -> list[v.Value]:
        at = builder.mul(k, v.INT64(TABLE))
        places = v.load(builder, weights, at, BYTES)
        return [
            builder.add(s, look_up(builder, v.load(builder, row, at, BYTES), places))
            for s, row in zip(sums, rows, strict=True)
        ]

    def flush(totals: list[v.Value], sums: list[v.Value]) -> list[v.Value]:
        """The upper byte comes from a product with 0 and 1, for which other units than those of a shift are free."""
        both = [builder.bitcast(s, WORDS) for s in sums]
        upper = [v.call(builder, "llvm.x86.avx512.pmaddubs.w.512", WORDS, s, odd) for s in sums]
        return [builder.add(total, x) for total, x in zip(totals, both + upper, strict=True)]

    zeros = [v.constant(BYTES, 0)] * len(rows)

    def seldom(k: v.Value, totals: list[v.Value]) -> list[v.Value]:
        end = builder.add(k, v.INT64(SELDOM))
        end = builder.select(builder.icmp_signed("<", end, steps), end, steps)
        return flush(totals, v.loop(builder, k, end, 1, zeros, step))

    def often(k: v.Value, totals: list[v.Value]) -> list[v.Value]:
        return flush(totals, step(builder.add(k, v.INT64(1)), step(k, zeros)))

    with builder.if_else(builder.icmp_signed("<=", planes, v.INT64(2))) as (then, otherwise):
        with then:
            few = v.loop(builder, v.INT64(0), steps, SELDOM, nothing, seldom)
            after_few = builder.block
        with otherwise:
            even = builder.and_(steps, v.INT64(-2))
            many = v.loop(builder, v.INT64(0), even, 2, nothing, often)
            many = v.loop(builder, even, steps, 1, many, lambda k, totals: flush(totals, step(k, zeros)))
            after_many = builder.block
    totals = []
    for x, y in zip(few, many, strict=True):
        totals.append(builder.phi(WORDS))
        totals[-1].add_incoming(x, after_few)
        totals[-1].add_incoming(y, after_many)
    return totals


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
    lanes = v.vector(v.INT32, shape.lanes)
    half, sixteen = v.constant(lanes, 2**16 - 1), v.constant(lanes, 16)

    def subtract(span: Any, totals: list[v.Value]) -> list[v.Value]:
        left = []
        for i in range(rows):
            at = builder.add(builder.mul(stride, v.INT64(i)), builder.mul(span, v.INT64(PAIR)))
            both = v.load(builder, sums, at, WORDS)
            upper = v.load(builder, sums, builder.add(at, v.INT64(TABLE)), WORDS)
            lower = builder.sub(both, builder.shl(upper, v.constant(WORDS, 8)))
            pair = [builder.bitcast(x, lanes) for x in (lower, upper)]
            outputs = [builder.and_(x, half) for x in pair] + [builder.lshr(x, sixteen) for x in pair]
            left += [
                builder.sub(total, some)
                for total, some in zip(totals[i * shape.registers :], outputs, strict=False)
            ]
        return left

    # The first by itself: hardly a row has more
    return v.loop(builder, v.INT64(1), spans, 1, subtract(v.INT64(0), start), subtract)


def bits_of_columns(
    builder: ir.IRBuilder, shape: Shape, panel: v.Value, k: v.Value
) -> list[tuple[v.Value, v.Value]]:
    """What `Tile.bits_of_columns` says: lane d holds a byte of each register's output d."""
    word, bit = builder.lshr(k, v.INT64(6)), builder.and_(k, v.INT64(63))
    place, bit = builder.udiv(bit, v.INT64(6)), builder.urem(bit, v.INT64(6))
    at = builder.add(builder.mul(word, v.INT64(LINE)), builder.mul(place, v.INT64(TABLE)))
    bits = v.load(builder, panel, at, v.vector(v.INT32, shape.lanes))
    tops = [builder.sub(v.INT64(31 - 8 * c), bit) for c in range(shape.registers)]
    return [(bits, v.broadcast(builder, builder.trunc(top, v.INT32), shape.lanes)) for top in tops]


@intrinsic
def make_wide_tables(typing, words, m, many, planes, signed, tables, first, last):
    """Tables of words first..last of many rows from m on, uint64 [M, planes · W] -> uint8 [ROWS, CHUNK, LINE]."""

    def emit(context, builder, signature, arguments):
        _, m, many, planes, signed, _, first, last = arguments
        array, out = (context.make_array(signature.args[n])(context, builder, arguments[n]) for n in (0, 5))
        row_length, into = builder.extract_value(array.shape, 1), out.data
        rows = builder.gep(array.data, [builder.mul(m, row_length)])
        W = builder.udiv(row_length, planes)
        length = builder.sub(last, first)
        highest = builder.sub(planes, v.INT64(1))
        beside = cgutils.alloca_once(builder, v.vector(v.BYTE, TABLE), ROWS * CHUNK * 3)
        beside.align = TABLE
        beside = builder.bitcast(beside, v.BYTE.as_pointer())
        eights = ir.Constant(BYTES, [lane % 8 for lane in range(TABLE)])
        turned = builder.select(signed, v.constant(BYTES, 255), v.constant(BYTES, 0))
        turned = builder.xor(eights, turned)

        def each_word(emit: Callable[[v.Value, v.Value, v.Value], None]) -> None:
            """`emit(row, word, which of the words that there is room for)`."""

            def of_row(i: v.Value, state: list[Any]) -> list[Any]:
                def one(w: v.Value, state: list[Any]) -> list[Any]:
                    emit(i, w, builder.add(builder.mul(i, v.INT64(CHUNK)), w))
                    return state

                return v.loop(builder, v.INT64(0), length, 1, state, one)

            v.loop(builder, v.INT64(0), many, 1, [], of_row)

        def differ(i: v.Value, w: v.Value, t: v.Value) -> None:
            row = builder.gep(rows, [builder.add(builder.mul(i, row_length), builder.add(first, w))])

            def differing(p: v.Value, from_: v.Value) -> list[v.Value]:
                bits = v.load(builder, row, builder.mul(p, W), v.INT64)
                return differing_threes(builder, bits, from_)

            def plane(number: v.Value, totals: list[v.Value]) -> list[v.Value]:
                # total ← 2·total + differing, from the highest plane down
                some = differing(builder.sub(highest, number), eights)
                return [builder.add(builder.add(t, t), s) for t, s in zip(totals, some, strict=True)]

            threes = v.loop(builder, v.INT64(1), planes, 1, differing(highest, turned), plane)
            at = builder.mul(t, v.INT64(3 * TABLE))
            for n, register in enumerate(threes):
                v.store(builder, register, beside, builder.add(at, v.INT64(n * TABLE)))

        def join(i: v.Value, w: v.Value, t: v.Value) -> None:
            """Six bits are three and three: table[place] = lower[place % 8] + upper[place // 8]."""
            from_, to = (builder.mul(t, v.INT64(size)) for size in (3 * TABLE, LINE))
            for n in range(WORD_TABLES):
                lower = v.load(builder, beside, builder.add(from_, v.INT64(16 * n)), v.INT64)
                lower = builder.bitcast(v.broadcast(builder, lower, TABLE // 8), BYTES)
                register, eight = divmod(2 * n + 1, 8)
                upper = v.load(builder, beside, builder.add(from_, v.INT64(register * TABLE)), BYTES)
                places = ir.Constant(BYTES, [8 * eight + place // 8 for place in range(TABLE)])
                table = builder.add(lower, look_up(builder, upper, places))
                v.store(builder, table, into, builder.add(to, v.INT64(n * TABLE)))

        each_word(differ)
        each_word(join)
        return context.get_dummy_value()

    integers = types.int64, types.int64
    return types.void(words, *integers, types.int64, types.boolean, tables, *integers), emit


def differing_threes(builder: ir.IRBuilder, bits: v.Value, from_: v.Value) -> list[v.Value]:
    """In how many places each three bits of a word differ from 0, 1, ... 7: 22 times 8 bytes, in three registers."""
    word = builder.bitcast(v.broadcast(builder, bits, TABLE // 8), BYTES)
    made = []
    for first in range(0, 24, 8):
        threes = [first + lane // 8 for lane in range(TABLE)]
        shifted = v.call(
            builder, "llvm.x86.avx512.pmultishift.qb.512", BYTES,
            ir.Constant(BYTES, [3 * three % 64 for three in threes]), word,
        )  # fmt: skip
        differ = builder.xor(shifted, from_)
        # Where the word ends there is nothing to differ
        there = ir.Constant(BYTES, [2 ** min(3, max(0, 64 - 3 * three)) - 1 for three in threes])
        made.append(v.popcount(builder, builder.and_(differ, there)))
    return made
