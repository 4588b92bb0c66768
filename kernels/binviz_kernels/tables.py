r"""Products by looking them up: four activations are a table, four weights are a place in it.

Four bits of an activation row differ from the four bits of a weight row in 0 to 4 places, and there are only 16
weights to differ from. So these four bits become a table of 16 bytes, and an instruction that looks many bytes up in
such a table at once (a *byte shuffle*) counts for 16, 32 or 64 outputs what XOR and popcount would:

    sums[i][j] -= table[i, 4 bits][weights[4 bits, j]]      i: rows, j: registers of neighbouring outputs

The price does not depend on what the table holds. An activation of several bits is a sum of planes, q = Σ 2^p b_p,
and its table holds Σ 2^p · (places in which plane p differs): 2-bit activations cost what 1-bit ones cost. Of signed
codes (two's complement) the highest plane counts −2^p; its bits are turned round in the table, and then differ where
they were equal:

| rows are | start | product |
|---|---|---|
| codes from 0 | (2^planes − 1) · ones of the weight row | start − looked up |
| signed codes | 2^(planes − 1) · padded K − ones of the weight row | start − looked up |

Sums are kept in bytes while these cannot overflow, then in 16 bits, then in 32.

No table is repeated in a register: each 16 bytes look up in a table of their own, that of the next 8 weights. So a
register of 32 bytes has 2 sums for each of 16 outputs, which are added in the end. A *step* is one register: the first
bytes of 16 outputs, their second ones, as many as a register holds; then those of the next 16 outputs, up to 64.
"""

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from binviz_kernels import vectors as v
from binviz_kernels.sums import Shape, shape_of

TABLE = 16  # bytes of a table, and outputs whose weights follow one another
WORD_TABLES = 8 * TABLE  # bytes of tables for 32 bits of a row
NIBBLES = list(range(TABLE))
MOST_PLANES = 4  # of what is looked up at once: with more, two of `wide_tables` could overflow a byte


def look_up(builder: ir.IRBuilder, table: v.Value, places: v.Value) -> v.Value:
    """The entries of a table (repeated for each 16 bytes) at places from 0 to 15, byte by byte."""
    name = {16: "ssse3.pshuf.b.128", 32: "avx2.pshuf.b", 64: "avx512.pshuf.b.512"}[table.type.count]
    return v.call(builder, f"llvm.x86.{name}", table.type, table, places)


def shuffled(builder: ir.IRBuilder, x: v.Value, y: v.Value, lanes: list[int]) -> v.Value:
    """These lanes of x and, counted on, of y."""
    return builder.shuffle_vector(x, y, ir.Constant(v.vector(v.INT32, len(lanes)), lanes))


def halves(builder: ir.IRBuilder, x: v.Value) -> tuple[v.Value, v.Value]:
    """The lower and the upper four bits of each byte."""
    fifteen = v.constant(x.type, 15)
    # Shifted as 32-bit lanes, for which there is an instruction, and the neighbour's bits cut off
    words = v.vector(v.INT32, x.type.count // 4)
    upper = builder.lshr(builder.bitcast(x, words), v.constant(words, 4))
    return builder.and_(x, fifteen), builder.and_(builder.bitcast(upper, x.type), fifteen)


def subtract_looked_up(
    builder: ir.IRBuilder, shape: Shape, rows: int, start: list[v.Value], tables: v.Value, panel: v.Value,
    length: v.Value, planes: v.Value,
) -> list[v.Value]:  # fmt: skip
    """Emit the loop over the steps of a row.

    Args:
        builder: where the program stands.
        shape: how registers are used.
        rows: the height of this tile.
        start: what the sums start with, row by row, a vector of int32 for each register of neighbouring outputs.
        tables: int8*, those of the first row.
        panel: int8*, the first byte of the first output.
        length: int64, 32-bit words of a weight row.
        planes: int64, bits of an activation, MOST_PLANES at most.

    Returns:
        The start less what was looked up for each row and output.
    """
    v.align_stack(builder, shape.width)
    bytes_, words = v.vector(v.BYTE, shape.width), v.vector(v.INT16, shape.width // 2)
    groups = shape.columns // TABLE
    parts = TABLE * 4 // shape.width  # steps of a word
    steps = builder.mul(length, v.INT64(parts))
    row_of = [builder.gep(tables, [builder.mul(length, v.INT64(WORD_TABLES * i))]) for i in range(rows)]
    # The largest entry of a table is 4 · (2^planes − 1). A step adds two to a byte, a word eight to an output
    largest = builder.sub(builder.shl(v.INT64(1), planes), v.INT64(1))
    in_bytes = builder.udiv(v.INT64((2**8 - 1) // 8), largest)
    in_words = builder.udiv(v.INT64((2**16 - 1) * parts // 32), largest)

    def end_of(first: v.Value, many: v.Value, last: v.Value) -> v.Value:
        end = builder.add(first, many)
        return builder.select(builder.icmp_signed("<", end, last), end, last)

    def step(k: v.Value, sums: list[v.Value]) -> list[v.Value]:
        """Two lookups for each row and output."""
        line, place = (builder.mul(k, v.INT64(size)) for size in (4 * shape.width, 2 * shape.width))
        weights = [
            halves(builder, v.load(builder, panel, builder.add(line, v.INT64(shape.width * group)), bytes_))
            for group in range(groups)
        ]
        for half in range(2):
            for i in range(rows):
                at = builder.add(place, v.INT64(shape.width * half))
                table = v.load(builder, row_of[i], at, bytes_)
                for group in range(groups):
                    n = i * groups + group
                    sums[n] = builder.add(sums[n], look_up(builder, table, weights[group][half]))
        return sums

    def flush(last: v.Value, k: v.Value, totals: list[v.Value]) -> list[v.Value]:
        """Sum bytes while they cannot overflow, then add them to 16-bit totals.

        Of two neighbouring bytes the upper one is added by itself, and both together as they are.
        """
        zeros = [v.constant(bytes_, 0)] * (rows * groups)
        sums = v.loop(builder, k, end_of(k, in_bytes, last), 1, zeros, step)
        both = [builder.bitcast(s, words) for s in sums]
        upper = [builder.lshr(s, v.constant(words, 8)) for s in both]
        return [builder.add(total, s) for total, s in zip(totals, both + upper, strict=True)]

    def subtract(k: v.Value, totals: list[v.Value]) -> list[v.Value]:
        """Sum 16-bit numbers while they cannot overflow, then subtract them from the 32-bit totals."""
        end = end_of(k, in_words, steps)
        zeros = [v.constant(words, 0)] * (2 * rows * groups)
        sums = v.loop(builder, k, end, in_bytes, zeros, lambda k, sums: flush(end, k, sums))
        outputs = []
        for both, upper in zip(sums[: rows * groups], sums[rows * groups :], strict=True):
            outputs += outputs_of(builder, shape, both, upper)
        return [builder.sub(total, some) for total, some in zip(totals, outputs, strict=True)]

    return v.loop(builder, v.INT64(0), steps, in_words, start, subtract)


def outputs_of(builder: ir.IRBuilder, shape: Shape, both: v.Value, upper: v.Value) -> list[v.Value]:
    """Vectors of int32 [lanes] for 16 outputs, from the 16-bit sums of a register of bytes.

    Args:
        both: of each two neighbouring bytes, the sum of lower + 256 · upper.
        upper: the sum of the upper byte.
    """
    half = TABLE // 2
    while both.type.count > half:  # add the sums of the same outputs, half to half
        count = both.type.count // 2
        both, upper = (
            builder.add(*(shuffled(builder, x, x, list(range(i, i + count))) for i in (0, count)))
            for x in (both, upper)
        )
    lower = builder.sub(both, builder.shl(upper, v.constant(upper.type, 8)))
    order = [n // 2 + n % 2 * half for n in range(TABLE)]
    return [
        builder.zext(
            shuffled(builder, lower, upper, order[first : first + shape.lanes]),
            v.vector(v.INT32, shape.lanes),
        )
        for first in range(0, TABLE, shape.lanes)
    ]


@intrinsic
def bytes_of_step(typing, panels):
    """How many bytes of a row a step reads."""
    return types.int64(panels), lambda context, builder, *_: v.INT64(shape_of(panels).width // TABLE)


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
                lower_and_upper = halves(builder, eight)
                made = []
                for first in range(0, 8, parts):
                    # In each 16 lanes one of the eight bytes
                    lanes = [lane // TABLE * (TABLE + 1) + first for lane in range(shape.width)]
                    for half in lower_and_upper:
                        nibble = shuffled(builder, half, half, lanes)
                        made.append(look_up(builder, ones, builder.xor(nibble, every)))
                return [
                    builder.add(builder.add(total, total), some)
                    for total, some in zip(totals, made, strict=True)
                ]

            zeros = [v.constant(bytes_, 0)] * (16 // parts)
            totals = v.loop(builder, v.INT64(0), planes, 1, zeros, plane)
            at = builder.mul(w, v.INT64(2 * WORD_TABLES))
            for n, total in enumerate(totals):
                v.store(builder, total, out, builder.add(at, v.INT64(shape.width * n)))
            return state

        v.loop(builder, v.INT64(0), W, 1, [], word)
        return context.get_dummy_value()

    integers = types.int64, types.int64, types.boolean
    return types.void(words, panels, *integers, tables, types.int64), emit
