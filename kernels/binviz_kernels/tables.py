r"""Products by looking them up: four activations are a table, four weights are a place in it.

Four bits of an activation row differ from the four bits of a weight row in 0 to 4 places, and there are only 16
weights to differ from. So these four bits become a table of 16 bytes, and an instruction that looks many bytes up in
such a table at once (a *byte shuffle*) counts for 32 or 64 outputs what XOR and popcount would:

    sums[i][j] += table[i, 4 bits][weights[4 bits, j]]      i: rows, j: registers of outputs

A table of one bit counts to 4, so a byte has room for two rows: a *pair* has a table of lower + 16 · upper. Three
lookups are added before half a byte could overflow; then what is the upper row's is added to its own sums. These are 9
operations for what takes 12 with two tables, and half as many tables to make and to read.

With a table of its own the price of a row does not depend on what the table holds. An activation of several bits is a
sum of planes, q = Σ 2^p b_p, and its table holds Σ 2^p · (places in which plane p differs): four bits cost what two
cost. Of signed codes (two's complement) the highest plane counts −2^p; its bits are turned round in the table, and then
differ where they were equal:

| rows are | start | product |
|---|---|---|
| codes from 0 | (2^planes − 1) · ones of the weight row | start − looked up |
| signed codes | 2^(planes − 1) · padded K − ones of the weight row | start − looked up |

Sums are kept in bytes while these cannot overflow, then in 16 bits, then in 32.

A byte of a panel holds four weights: two times four would be half the memory, but take three operations to separate.
Of the outputs of a register, number lanes·c + d is byte 4·d + c: so the four sums of a 32-bit lane belong to four
registers of neighbouring outputs.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from binviz_kernels import vectors as v
from binviz_kernels.rows import Rows
from binviz_kernels.sums import PANEL, Shape, shape_of

TABLE = 16  # bytes of a table
WORD_TABLES = 8 * TABLE  # bytes of tables for 32 bits of a row
LINE = PANEL * 8  # bytes of a panel for 32 bits of its rows
NIBBLES = list(range(TABLE))
MOST_PLANES = 4  # of what is looked up at once: with more, two of `wide_tables` could overflow a byte


class Bytes(NamedTuple):
    """How sums of bytes are made.

    step: places of a row, four bits each, in a step. in_bytes, in_words: int64, steps whose sums bytes and 16 bits
    hold. sum: from a step on to another one, and on to a place that is less than a step away -> int8 sums, for each
    row one of each register of outputs.
    """

    step: int
    in_bytes: v.Value
    in_words: v.Value
    sum: Callable[[v.Value, v.Value, v.Value], list[v.Value]]


def look_up(builder: ir.IRBuilder, table: v.Value, places: v.Value) -> v.Value:
    """The entries of a table (repeated for each 16 bytes) at places from 0 to 15, byte by byte."""
    name = {16: "ssse3.pshuf.b.128", 32: "avx2.pshuf.b", 64: "avx512.pshuf.b.512"}[table.type.count]
    return v.call(builder, f"llvm.x86.{name}", table.type, table, places)


def shuffled(builder: ir.IRBuilder, x: v.Value, y: v.Value, lanes: list[int]) -> v.Value:
    """These lanes of x and, counted on, of y."""
    return builder.shuffle_vector(x, y, ir.Constant(v.vector(v.INT32, len(lanes)), lanes))


def upper_half(builder: ir.IRBuilder, x: v.Value) -> v.Value:
    """The upper four bits of each byte."""
    return builder.and_(_shifted(x, builder.lshr, builder.bitcast), v.constant(x.type, 15))


def to_upper_half(builder: ir.IRBuilder, x: v.Value) -> v.Value:
    """16 times each byte, modulo 2^8."""
    return builder.and_(_shifted(x, builder.shl, builder.bitcast), v.constant(x.type, 240))


def _shifted(x: v.Value, shift: Callable[..., v.Value], bitcast: Callable[..., v.Value]) -> v.Value:
    # By four bits, as lanes of 16, for which there is an instruction: with bits of a neighbour
    words = v.vector(v.INT16, x.type.count // 2)
    return bitcast(shift(bitcast(x, words), v.constant(words, 4)), x.type)


def nibbles(builder: ir.IRBuilder, x: v.Value) -> v.Value:
    """Four bits a byte: in each 16 bytes the lower and the upper four bits of the first eight."""
    upper = _shifted(x, builder.lshr, builder.bitcast)
    order = [n // TABLE * TABLE + n % TABLE // 2 + n % 2 * x.type.count for n in range(x.type.count)]
    return builder.and_(shuffled(builder, x, upper, order), v.constant(x.type, 15))


def subtract_looked_up(
    builder: ir.IRBuilder, shape: Shape, rows: int, start: list[v.Value], tables: v.Value, panel: v.Value,
    length: v.Value, planes: v.Value | None,
) -> Rows:  # fmt: skip
    """Emit the loop over four bits of a row after four.

    Args:
        builder: where the program stands.
        shape: how registers are used.
        rows: the height of this tile.
        start: what the sums of each row start with, a vector of int32 for each register of neighbouring outputs.
        tables: int8*, those of the first row.
        panel: int8*, the first byte of the first output.
        length: int64, 32-bit words of a weight row.
        planes: int64, bits of an activation, MOST_PLANES at most; None if it is one and two rows have a table together.

    Returns:
        The start less what was looked up for each row and output.
    """
    words = v.vector(v.INT16, shape.width // 2)
    groups = PANEL // shape.width
    places = builder.mul(length, v.INT64(WORD_TABLES // TABLE))
    if planes is None and rows > 1:
        step, in_bytes, in_words, sum_bytes = _shared(builder, shape, rows, tables, panel, length, places)
    else:
        step, in_bytes, in_words, sum_bytes = _own(
            builder, shape, rows, tables, panel, length, places, v.INT64(1) if planes is None else planes
        )
    steps = builder.udiv(places, v.INT64(step))

    def end_of(first: v.Value, many: v.Value, last: v.Value) -> v.Value:
        end = builder.add(first, many)
        return builder.select(builder.icmp_signed("<", end, last), end, last)

    def flush(last: v.Value, k: v.Value, totals: list[v.Value]) -> list[v.Value]:
        """Sum bytes while they cannot overflow, then add them to 16-bit totals.

        Of two neighbouring bytes the upper one is added by itself, and both together as they are.
        """
        end = end_of(k, in_bytes, last)
        # The last steps take with them what is left
        stop = builder.select(builder.icmp_signed("==", end, steps), places, builder.mul(end, v.INT64(step)))
        both = [builder.bitcast(s, words) for s in sum_bytes(k, end, stop)]
        upper = [builder.lshr(s, v.constant(words, 8)) for s in both]
        return [builder.add(total, s) for total, s in zip(totals, both + upper, strict=True)]

    # Rows that are too long for 16 bits have totals in memory; the others all start from the same place
    started, totals = (
        cgutils.alloca_once(builder, start[0].type, size=many) for many in (len(start), rows * len(start))
    )
    for pointer in (started, totals):
        # What does not fit the registers is then written to the stack at such places, too. A register that lies across
        # two lines of the cache is written and read at half the speed.
        pointer.align = shape.width
    for j, some in enumerate(start):
        builder.store(some, builder.gep(started, [v.INT64(j)]))

    def row_after(i: int, later: v.Value, sums: list[v.Value]) -> list[v.Value]:
        """Row i less these 16-bit sums, if they are the first or later ones."""
        first = builder.select(later, totals, started)
        first = builder.gep(first, [builder.select(later, v.INT64(i * len(start)), v.INT64(0))])
        outputs = []
        for n in range(i * groups, (i + 1) * groups):
            outputs += outputs_of(builder, sums[n], sums[rows * groups + n])
        return [
            builder.sub(builder.load(builder.gep(first, [v.INT64(j)])), some)
            for j, some in enumerate(outputs)
        ]

    def span(k: v.Value, _: list[v.Value]) -> list[v.Value]:
        """Sum 16-bit numbers while they cannot overflow."""
        end = end_of(k, in_words, steps)
        zeros = [v.constant(words, 0)] * (2 * rows * groups)
        sums = v.loop(builder, k, end, in_bytes, zeros, lambda k, sums: flush(end, k, sums))
        with builder.if_then(builder.icmp_signed("<", end, steps), likely=False):
            for i in range(rows):
                for j, total in enumerate(row_after(i, builder.icmp_signed(">", k, v.INT64(0)), sums)):
                    builder.store(total, builder.gep(totals, [v.INT64(i * len(start) + j)]))
        return sums

    nothing = [v.constant(words, 0)] * (2 * rows * groups)
    sums = v.loop(builder, v.INT64(0), steps, in_words, nothing, span)
    long = builder.icmp_signed(">", steps, in_words)
    return Rows(rows, lambda i: row_after(i, long, sums))


def _looked_up(
    builder: ir.IRBuilder, shape: Shape, tables: list[v.Value], panel: v.Value, first: v.Value, many: int
) -> list[v.Value]:
    """For each table's row and register of outputs the sum of so many lookups from place `first` on."""
    bytes_, groups = v.vector(v.BYTE, shape.width), PANEL // shape.width
    everywhere = list(range(TABLE)) * (shape.width // TABLE)
    sums: list[v.Value] = [None] * (len(tables) * groups)
    for number in range(many):
        place = builder.add(first, v.INT64(number))
        line, at = (builder.mul(place, v.INT64(size)) for size in (PANEL, TABLE))
        weights = [
            v.load(builder, panel, builder.add(line, v.INT64(shape.width * group)), bytes_)
            for group in range(groups)
        ]
        for i, row in enumerate(tables):
            table = v.load(builder, row, at, v.vector(v.BYTE, TABLE))
            table = shuffled(builder, table, table, everywhere)
            for group in range(groups):
                n = i * groups + group
                found = look_up(builder, table, weights[group])
                sums[n] = found if sums[n] is None else builder.add(sums[n], found)
    return sums


def _own(
    builder: ir.IRBuilder, shape: Shape, rows: int, tables: v.Value, panel: v.Value, length: v.Value, places: v.Value,
    planes: v.Value,
) -> Bytes:  # fmt: skip
    """Sums from a table for each row: two places a step."""
    of_row = [builder.gep(tables, [builder.mul(length, v.INT64(WORD_TABLES * i))]) for i in range(rows)]
    zeros = [v.constant(v.vector(v.BYTE, shape.width), 0)] * (rows * PANEL // shape.width)
    # The largest entry of a table is 4 · (2^planes − 1). A step adds twice that
    largest = builder.mul(builder.sub(builder.shl(v.INT64(1), planes), v.INT64(1)), v.INT64(8))

    def sum_bytes(k: v.Value, end: v.Value, stop: v.Value) -> list[v.Value]:
        def step(k: v.Value, sums: list[v.Value]) -> list[v.Value]:
            found = _looked_up(builder, shape, of_row, panel, builder.shl(k, v.INT64(1)), 2)
            return list(map(builder.add, sums, found))

        return v.loop(builder, k, end, 1, zeros, step)

    in_bytes, in_words = (builder.udiv(v.INT64(2**bits - 1), largest) for bits in (8, 16))
    return Bytes(2, in_bytes, in_words, sum_bytes)


def _shared(
    builder: ir.IRBuilder, shape: Shape, rows: int, tables: v.Value, panel: v.Value, length: v.Value, places: v.Value
) -> Bytes:  # fmt: skip
    """Sums from tables that two rows share: three places a step.

    An entry is lower + 16 · upper, of 4 at most each, so three of them can be added. What is summed over all steps is
    these sums modulo 2^8, and what their upper halves say; the rest is the lower row's.
    """
    bytes_, groups = v.vector(v.BYTE, shape.width), PANEL // shape.width
    of_pair = [builder.gep(tables, [builder.mul(length, v.INT64(WORD_TABLES * i))]) for i in range(rows // 2)]
    zeros = [v.constant(bytes_, 0)] * (rows * groups)

    def with_lookups(sums: list[v.Value], first: v.Value, many: int) -> list[v.Value]:
        found = _looked_up(builder, shape, of_pair, panel, first, many)
        return list(map(builder.add, sums, found + [upper_half(builder, s) for s in found]))

    def sum_bytes(k: v.Value, end: v.Value, stop: v.Value) -> list[v.Value]:
        sums = v.loop(
            builder, k, end, 1, zeros, lambda k, sums: with_lookups(sums, builder.mul(k, v.INT64(3)), 3)
        )
        rest = builder.mul(end, v.INT64(3))
        sums = v.loop(builder, rest, stop, 1, sums, lambda place, sums: with_lookups(sums, place, 1))
        both, upper = sums[: len(sums) // 2], sums[len(sums) // 2 :]
        lower = [builder.sub(b, to_upper_half(builder, u)) for b, u in zip(both, upper, strict=True)]
        return [
            s
            for first in range(0, len(lower), groups)
            for s in (*lower[first : first + groups], *upper[first : first + groups])
        ]

    # A step adds 12, and the last one 8 more for two places that are left
    return Bytes(3, v.INT64((2**8 - 9) // 12), v.INT64((2**16 - 9) // 12), sum_bytes)


def outputs_of(builder: ir.IRBuilder, both: v.Value, upper: v.Value) -> list[v.Value]:
    """Four registers of neighbouring outputs as int32, from the 16-bit sums of a register of bytes.

    Args:
        both: of each two neighbouring bytes, the sum of lower + 256 · upper, modulo 2^16.
        upper: the sum of the upper byte.
    """
    lanes = v.vector(v.INT32, both.type.count // 2)
    lower = builder.sub(both, builder.shl(upper, v.constant(upper.type, 8)))
    two = [builder.bitcast(x, lanes) for x in (lower, upper)]
    half, sixteen = v.constant(lanes, 2**16 - 1), v.constant(lanes, 16)
    return [builder.and_(x, half) for x in two] + [builder.lshr(x, sixteen) for x in two]


@intrinsic
def lanes_of(typing, panels):
    """How many 32-bit lanes a register has."""
    return types.int64(panels), lambda context, builder, *_: v.INT64(shape_of(panels).lanes)


@intrinsic
def make_tables(typing, words, panels, m, planes, signed, tables, i, upper):
    """Tables of row m of words uint64 [M, planes · W] -> row i of tables uint8 [rows, 2W, 128], for these panels.

    If it is the upper of two rows that share them, what is there is the lower one's, and 16 times its own is added.
    """

    def emit(context, builder, signature, arguments):
        shape = shape_of(signature.args[1])
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        row_length = builder.extract_value(array.shape, 1)
        row = builder.gep(array.data, [builder.mul(arguments[2], row_length)])
        planes, signed = arguments[3:5]
        W = builder.udiv(row_length, planes)
        out = v.data(context, builder, signature.args[5], arguments[5], v.BYTE)
        out = builder.gep(out, [builder.mul(builder.mul(arguments[6], W), v.INT64(2 * WORD_TABLES))])
        bytes_, parts = v.vector(v.BYTE, shape.width), shape.width // TABLE
        ones = ir.Constant(bytes_, [i.bit_count() for i in NIBBLES] * parts)
        every = ir.Constant(bytes_, NIBBLES * parts)
        last = builder.sub(planes, v.INT64(1))

        def word(w: v.Value, state: list[Any]) -> list[Any]:
            def plane(number: v.Value, totals: list[v.Value]) -> list[v.Value]:
                # total ← 2·total + differing, from the highest plane down
                p = builder.sub(last, number)
                bits = v.load(builder, row, builder.add(builder.mul(p, W), w), v.INT64)
                turned = builder.and_(signed, builder.icmp_signed("==", number, v.INT64(0)))
                bits = builder.select(turned, builder.not_(bits), bits)
                eight = builder.bitcast(v.broadcast(builder, bits, shape.width // 8), bytes_)
                sixteen = nibbles(builder, eight)
                made = []
                for first in range(0, 16, parts):
                    # In each 16 lanes one of the sixteen
                    lanes = [lane // TABLE * (TABLE + 1) + first for lane in range(shape.width)]
                    nibble = shuffled(builder, sixteen, sixteen, lanes)
                    made.append(look_up(builder, ones, builder.xor(nibble, every)))
                return [
                    builder.add(builder.add(total, total), some)
                    for total, some in zip(totals, made, strict=True)
                ]

            zeros = [v.constant(bytes_, 0)] * (16 // parts)
            totals = v.loop(builder, v.INT64(0), planes, 1, zeros, plane)
            at = builder.mul(w, v.INT64(2 * WORD_TABLES))
            for n, total in enumerate(totals):
                place = builder.add(at, v.INT64(shape.width * n))
                other = builder.add(v.load(builder, out, place, bytes_), to_upper_half(builder, total))
                v.store(builder, builder.select(arguments[7], other, total), out, place)
            return state

        v.loop(builder, v.INT64(0), W, 1, [], word)
        return context.get_dummy_value()

    integers = types.int64, types.int64, types.boolean
    return types.void(words, panels, *integers, tables, types.int64, types.boolean), emit
