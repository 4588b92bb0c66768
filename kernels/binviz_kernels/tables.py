r"""Products by looking them up: four activations are a table, four weights are a place in it.

Four bits of an activation row differ from the four bits of a weight row in 0 to 4 places, and there are only 16
weights to differ from. So these four bits become a table of 16 bytes, and an instruction that looks many bytes up in
such a table at once (a *byte shuffle*) counts for 32 or 64 outputs what XOR and popcount would:

    sums[i][j] += table[i, 4 bits][weights[4 bits, j]]      i: rows, j: registers of outputs

A table of one bit counts to 4, so a byte has room for two rows: a *pair* has a table of lower + 16 · upper. Three
lookups are added before half a byte could overflow; then this sum is added to one register, and once more, moved by
half a byte, to another one. From these two `separate` tells the rows. These are 8 operations for what takes 12 with two
tables, and half as many tables to make and to read.

With a table of its own the price of a row does not depend on what the table holds. An activation of several bits is a
sum of planes, q = Σ 2^p b_p, and its table holds Σ 2^p · (places in which plane p differs): four bits cost what two
cost. Of signed codes (two's complement) the highest plane counts −2^p; its bits are turned round in the table, and then
differ where they were equal:

| rows are | start | product |
|---|---|---|
| codes from 0 | (2^planes − 1) · ones of the weight row | start − looked up |
| signed codes | 2^(planes − 1) · padded K − ones of the weight row | start − looked up |
| −1, 0 and 1 | the row's codes that are not 0 | start − 2 · looked up |

The last are what two signed bits often are. A 0 differs from no weight, so their tables count no further than those of
one bit, and two rows have one together, too.

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
    hold. sum: from a step on to another one, and on to a place that is less than a step away -> int16 sums, for each
    row those of the lower of two neighbouring bytes, one of each register of outputs; then those of the upper bytes.
    both: whether to the former 256 times the latter are added, modulo 2^16.
    """

    step: int
    in_bytes: v.Value
    in_words: v.Value
    sum: Callable[[v.Value, v.Value, v.Value], list[v.Value]]
    both: bool


def look_up(builder: ir.IRBuilder, table: v.Value, places: v.Value) -> v.Value:
    """The entries of a table (repeated for each 16 bytes) at places from 0 to 15, byte by byte."""
    name = {16: "ssse3.pshuf.b.128", 32: "avx2.pshuf.b", 64: "avx512.pshuf.b.512"}[table.type.count]
    return v.call(builder, f"llvm.x86.{name}", table.type, table, places)


def shuffled(builder: ir.IRBuilder, x: v.Value, y: v.Value, lanes: list[int]) -> v.Value:
    """These lanes of x and, counted on, of y."""
    return builder.shuffle_vector(x, y, ir.Constant(v.vector(v.INT32, len(lanes)), lanes))


def half_a_byte(builder: ir.IRBuilder, shift: Callable[..., v.Value], x: v.Value) -> v.Value:
    """Bytes shifted by four bits, with bits of a neighbour: as lanes of 16, for which there is an instruction."""
    words = v.vector(v.INT16, x.type.count // 2)
    return builder.bitcast(shift(builder.bitcast(x, words), v.constant(words, 4)), x.type)


def nibbles(builder: ir.IRBuilder, x: v.Value) -> v.Value:
    """Four bits a byte: in each 16 bytes the lower and the upper four bits of the first eight."""
    upper = half_a_byte(builder, builder.lshr, x)
    order = [n // TABLE * TABLE + n % TABLE // 2 + n % 2 * x.type.count for n in range(x.type.count)]
    return builder.and_(shuffled(builder, x, upper, order), v.constant(x.type, 15))


def subtract_looked_up(
    builder: ir.IRBuilder, shape: Shape, rows: int, start: list[v.Value], tables: v.Value, panel: v.Value,
    length: v.Value, planes: v.Value | None = None, shift: v.Value | None = None,
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
        shift: int32 in every lane; what was looked up counts 2^shift times.

    Returns:
        The start less what was looked up for each row and output.
    """
    words = v.vector(v.INT16, shape.width // 2)
    groups = PANEL // shape.width
    places = builder.mul(length, v.INT64(WORD_TABLES // TABLE))
    if planes is None and rows > 1:
        step, in_bytes, in_words, sum_bytes, both = _shared(
            builder, shape, rows, tables, panel, length, places
        )
    else:
        step, in_bytes, in_words, sum_bytes, both = _own(
            builder, shape, rows, tables, panel, length, places, v.INT64(1) if planes is None else planes
        )
    steps = builder.udiv(places, v.INT64(step))

    def end_of(first: v.Value, many: v.Value, last: v.Value) -> v.Value:
        end = builder.add(first, many)
        return builder.select(builder.icmp_signed("<", end, last), end, last)

    def flush(last: v.Value, k: v.Value, totals: list[v.Value]) -> list[v.Value]:
        """Sum bytes while they cannot overflow, then add them to 16-bit totals."""
        end = end_of(k, in_bytes, last)
        # The last steps take with them what is left
        stop = builder.select(builder.icmp_signed("==", end, steps), places, builder.mul(end, v.INT64(step)))
        return list(map(builder.add, totals, sum_bytes(k, end, stop)))

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
            lower, upper = sums[n], sums[rows * groups + n]
            outputs += outputs_of(builder, lower_of(builder, lower, upper) if both else lower, upper)
        return [
            builder.sub(
                builder.load(builder.gep(first, [v.INT64(j)])),
                some if shift is None else builder.shl(some, shift),
            )
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
    words = v.vector(v.INT16, shape.width // 2)
    of_row = [builder.gep(tables, [builder.mul(length, v.INT64(WORD_TABLES * i))]) for i in range(rows)]
    zeros = [v.constant(v.vector(v.BYTE, shape.width), 0)] * (rows * PANEL // shape.width)
    # The largest entry of a table is 4 · (2^planes − 1). A step adds twice that
    largest = builder.mul(builder.sub(builder.shl(v.INT64(1), planes), v.INT64(1)), v.INT64(8))

    def sum_bytes(k: v.Value, end: v.Value, stop: v.Value) -> list[v.Value]:
        def step(k: v.Value, sums: list[v.Value]) -> list[v.Value]:
            found = _looked_up(builder, shape, of_row, panel, builder.shl(k, v.INT64(1)), 2)
            return list(map(builder.add, sums, found))

        both = [builder.bitcast(s, words) for s in v.loop(builder, k, end, 1, zeros, step)]
        return both + [builder.lshr(s, v.constant(words, 8)) for s in both]

    in_bytes, in_words = (builder.udiv(v.INT64(2**bits - 1), largest) for bits in (8, 16))
    return Bytes(2, in_bytes, in_words, sum_bytes, both=True)


def _shared(
    builder: ir.IRBuilder, shape: Shape, rows: int, tables: v.Value, panel: v.Value, length: v.Value, places: v.Value
) -> Bytes:  # fmt: skip
    """Sums from tables that two rows share: three places a step.

    An entry is lower + 16 · upper, of 4 at most each, so three of them can be added.
    """
    bytes_, words = v.vector(v.BYTE, shape.width), v.vector(v.INT16, shape.width // 2)
    groups = PANEL // shape.width
    of_pair = [builder.gep(tables, [builder.mul(length, v.INT64(WORD_TABLES * i))]) for i in range(rows // 2)]
    zeros = [v.constant(bytes_, 0)] * (rows * groups)

    def with_lookups(sums: list[v.Value], first: v.Value, many: int) -> list[v.Value]:
        found = _looked_up(builder, shape, of_pair, panel, first, many)
        return list(map(builder.add, sums, found + [half_a_byte(builder, builder.lshr, s) for s in found]))

    def sum_bytes(k: v.Value, end: v.Value, stop: v.Value) -> list[v.Value]:
        sums = v.loop(
            builder, k, end, 1, zeros, lambda k, sums: with_lookups(sums, builder.mul(k, v.INT64(3)), 3)
        )
        rest = builder.mul(end, v.INT64(3))
        sums = v.loop(builder, rest, stop, 1, sums, lambda place, sums: with_lookups(sums, place, 1))
        both, moved = sums[: len(sums) // 2], sums[len(sums) // 2 :]
        told: list[list[v.Value]] = [[], []]
        for first in range(0, len(both), groups):
            pair = [
                separate(builder, *(builder.bitcast(sum_, words) for sum_ in each))
                for each in zip(both[first : first + groups], moved[first : first + groups], strict=True)
            ]
            for row in range(2):
                for neighbour in range(2):
                    told[neighbour] += [each[row][neighbour] for each in pair]
        return told[0] + told[1]

    # A step adds 12, and the last one 8 more for two places that are left
    return Bytes(3, v.INT64((2**8 - 9) // 12), v.INT64((2**16 - 9) // 12), sum_bytes, both=False)


def separate(builder: ir.IRBuilder, both: v.Value, moved: v.Value) -> tuple[tuple[v.Value, v.Value], ...]:
    r"""The sums of two rows, each less than 2^8, from what has them together.

    Of two neighbouring bytes, l and l' being the lower row's sums and u and u' the upper row's,

        both   =  (l + 16·u) mod 2^8     +  2^8 · ((l' + 16·u') mod 2^8)
        moved  =  (u + 16·l') mod 2^8    +  2^8 · u'

    since what is shifted by half a byte takes the lower half of the next one with it.

    Returns:
        (l, l'), (u, u'), of 16 bits each.
    """
    half, byte = v.constant(both.type, 4), v.constant(both.type, 8)
    low = v.constant(both.type, 2**8 - 1)
    u_next = builder.lshr(moved, byte)
    l_next = builder.lshr(builder.sub(both, builder.shl(u_next, v.constant(both.type, 12))), byte)
    u = builder.and_(builder.sub(moved, builder.shl(l_next, half)), low)
    l = builder.and_(builder.sub(both, builder.shl(u, half)), low)
    return (l, l_next), (u, u_next)


def lower_of(builder: ir.IRBuilder, both: v.Value, upper: v.Value) -> v.Value:
    """The 16-bit sum of lower bytes, from that of lower + 256 · upper, modulo 2^16, and that of the upper bytes."""
    return builder.sub(both, builder.shl(upper, v.constant(upper.type, 8)))


def outputs_of(builder: ir.IRBuilder, lower: v.Value, upper: v.Value) -> list[v.Value]:
    """Four registers of neighbouring outputs as int32, from the 16-bit sums of a register's lower and upper bytes."""
    lanes = v.vector(v.INT32, lower.type.count // 2)
    two = [builder.bitcast(x, lanes) for x in (lower, upper)]
    half, sixteen = v.constant(lanes, 2**16 - 1), v.constant(lanes, 16)
    return [builder.and_(x, half) for x in two] + [builder.lshr(x, sixteen) for x in two]


@intrinsic
def lanes_of(typing, panels):
    """How many 32-bit lanes a register has."""
    return types.int64(panels), lambda context, builder, *_: v.INT64(shape_of(panels).lanes)


def repeated(builder: ir.IRBuilder, shape: Shape, word: v.Value) -> list[v.Value]:
    """Each four bits of a word (int64) in 16 bytes."""
    everywhere = v.vector(v.BYTE, shape.width)
    eight = builder.bitcast(v.broadcast(builder, word, shape.width // 8), everywhere)
    sixteen = nibbles(builder, eight)
    # In each 16 lanes one of the sixteen
    orders = (
        [lane // TABLE * (TABLE + 1) + first for lane in range(shape.width)]
        for first in range(0, 16, shape.width // TABLE)
    )
    return [shuffled(builder, sixteen, sixteen, lanes) for lanes in orders]


def differing(builder: ir.IRBuilder, shape: Shape, word: v.Value) -> list[v.Value]:
    """For each four bits of a word (int64) 16 bytes: where they differ from the numbers 0 to 15."""
    every = ir.Constant(v.vector(v.BYTE, shape.width), NIBBLES * (shape.width // TABLE))
    return [builder.xor(four, every) for four in repeated(builder, shape, word)]


def ones_of_nibbles(shape: Shape, factor: int) -> v.Value:
    """A table of the ones of 0 to 15, times a factor."""
    parts = shape.width // TABLE
    return ir.Constant(
        v.vector(v.BYTE, shape.width), [factor * number.bit_count() for number in NIBBLES] * parts
    )


@intrinsic
def make_tables(typing, words, panels, m, planes, signed, tables, i):
    """Tables of row m of words uint64 [M, planes · W] -> row i of tables uint8 [rows, 2W, 128], for these panels."""

    def emit(context, builder, signature, arguments):
        shape = shape_of(signature.args[1])
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        row_length = builder.extract_value(array.shape, 1)
        row = builder.gep(array.data, [builder.mul(arguments[2], row_length)])
        planes, signed = arguments[3:5]
        W = builder.udiv(row_length, planes)
        out = v.data(context, builder, signature.args[5], arguments[5], v.BYTE)
        out = builder.gep(out, [builder.mul(builder.mul(arguments[6], W), v.INT64(2 * WORD_TABLES))])
        ones, last = ones_of_nibbles(shape, 1), builder.sub(planes, v.INT64(1))

        def word(w: v.Value, state: list[Any]) -> list[Any]:
            def plane(number: v.Value, totals: list[v.Value]) -> list[v.Value]:
                # total ← 2·total + differing, from the highest plane down
                p = builder.sub(last, number)
                bits = v.load(builder, row, builder.add(builder.mul(p, W), w), v.INT64)
                turned = builder.and_(signed, builder.icmp_signed("==", number, v.INT64(0)))
                bits = builder.select(turned, builder.not_(bits), bits)
                return [
                    builder.add(builder.add(total, total), look_up(builder, ones, places))
                    for total, places in zip(totals, differing(builder, shape, bits), strict=True)
                ]

            zeros = [v.constant(ones.type, 0)] * (2 * WORD_TABLES // shape.width)
            totals = v.loop(builder, v.INT64(0), planes, 1, zeros, plane)
            at = builder.mul(w, v.INT64(2 * WORD_TABLES))
            for n, total in enumerate(totals):
                v.store(builder, total, out, builder.add(at, v.INT64(shape.width * n)))
            return state

        v.loop(builder, v.INT64(0), W, 1, [], word)
        return context.get_dummy_value()

    return types.void(words, panels, types.int64, types.int64, types.boolean, tables, types.int64), emit


@intrinsic
def make_shared_tables(typing, words, panels, m, both, tables, i):
    """The same of rows m and, if both are there, m + 1 of words uint64 [M, W], which share their tables."""
    signature = types.void(words, panels, types.int64, types.boolean, tables, types.int64)
    return signature, shared_tables(1, differing)


@intrinsic
def make_ternary_tables(typing, words, panels, m, both, tables, i):
    """The same of codes −1, 0 and 1, whose planes are words uint64 [M, 2W]: what is not 0, then what is negative.

    A 0 differs from no weight, so an entry counts to 4, as that of one bit does.
    """

    def places(builder: ir.IRBuilder, shape: Shape, counts: v.Value, negative: v.Value) -> list[v.Value]:
        differ = differing(builder, shape, builder.not_(negative))
        return list(map(builder.and_, differ, repeated(builder, shape, counts)))

    signature = types.void(words, panels, types.int64, types.boolean, tables, types.int64)
    return signature, shared_tables(2, places)


def shared_tables(planes: int, places: Callable[..., list[v.Value]]) -> Callable[..., v.Value]:
    """What emits the tables of two rows; `places` says of a word's planes, for each four bits, where they differ."""

    def emit(context, builder, signature, arguments):
        shape = shape_of(signature.args[1])
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        length = builder.extract_value(array.shape, 1)
        W = builder.udiv(length, v.INT64(planes))
        lower = builder.gep(array.data, [builder.mul(arguments[2], length)])
        upper = builder.select(arguments[3], builder.gep(lower, [length]), lower)
        out = v.data(context, builder, signature.args[4], arguments[4], v.BYTE)
        out = builder.gep(out, [builder.mul(builder.mul(arguments[5], W), v.INT64(2 * WORD_TABLES))])
        ones, sixteens = ones_of_nibbles(shape, 1), ones_of_nibbles(shape, 16)
        sixteens = builder.select(arguments[3], sixteens, v.constant(ones.type, 0))

        def word(w: v.Value, state: list[Any]) -> list[Any]:
            at = builder.mul(w, v.INT64(2 * WORD_TABLES))
            of_planes = [builder.add(w, builder.mul(W, v.INT64(plane))) for plane in range(planes)]
            rows = [
                places(builder, shape, *(v.load(builder, row, place, v.INT64) for place in of_planes))
                for row in (lower, upper)
            ]
            for n, (l, u) in enumerate(zip(*rows, strict=True)):
                entries = builder.add(look_up(builder, ones, l), look_up(builder, sixteens, u))
                v.store(builder, entries, out, builder.add(at, v.INT64(shape.width * n)))
            return state

        v.loop(builder, v.INT64(0), W, 1, [], word)
        return context.get_dummy_value()

    return emit
