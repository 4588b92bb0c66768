"""Tiles of a product as functions that a Numba kernel may call.

Each computes one tile: as many of the rows that are left as a tile may have (`tile_rows` says how many that is),
and the outputs n, n + 1, ... as far as a tile goes (`tile_columns`) and there are outputs. Which registers they
use follows from the type of the panels. Nothing here is checked: a wrong size reads and writes foreign memory.
"""

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from binviz_kernels import vectors as v
from binviz_kernels.rows import Rows
from binviz_kernels.sums import shape_of
from binviz_kernels.tile import Beside, Tile

MASKED = 16  # neighbours that are compared at once
AHEAD = 1024  # floats, as many as a tile packs while one comes from memory


@intrinsic
def tile_rows(typing, panels, left):
    """How many of the rows that are left the next tile has."""

    def emit(context, builder, signature, arguments):
        rows = None
        for height in reversed(shape_of(panels).rows):
            enough = builder.icmp_signed(">=", arguments[1], v.INT64(height))
            rows = v.INT64(height) if rows is None else builder.select(enough, v.INT64(height), rows)
        return rows

    return types.int64(panels, types.int64), emit


@intrinsic
def tile_columns(typing, panels):
    """How many outputs a tile has."""
    return types.int64(panels), lambda context, builder, *_: v.INT64(shape_of(panels).columns)


@intrinsic
def fetch(typing, out, m, n):
    """Bring the line of memory that holds out[m, n] into the nearest cache, to be written soon."""

    def emit(context, builder, signature, arguments):
        out, m, n = arguments
        array = context.make_array(signature.args[0])(context, builder, out)
        place = builder.add(builder.mul(m, builder.extract_value(array.shape, 1)), n)
        v.prefetch(builder, builder.gep(array.data, [place]), write=True)
        return context.get_dummy_value()

    return types.void(out, types.int64, types.int64), emit


@intrinsic
def store_products(typing, words, panels, out, m, left, n, K, signed):
    """Exact products: out[m + i, n + j] = dot."""

    def emit(context, builder, signature, arguments):
        tile = Tile(context, builder, signature, arguments, v.INT32)
        K, signed = arguments[6:]

        def finish(dots):
            tile.whole_or_part(dots.height, lambda masks: tile.store(dots, masks))

        tile.each_product(K, signed, finish)
        return context.get_dummy_value()

    return types.void(words, panels, out, *[types.int64] * 4, types.boolean), emit


@intrinsic
def store_distances(typing, words, panels, out, m, left, n):
    """Hamming distances: out[m + i, n + j] = differing."""

    def emit(context, builder, signature, arguments):
        tile = Tile(context, builder, signature, arguments, v.INT32)

        zeros = [v.constant(v.vector(v.INT32, tile.shape.lanes), 0)] * tile.shape.registers

        def finish(sums):
            # A tile subtracts what differs, here from nothing
            counts = sums.each(builder.neg)
            tile.whole_or_part(counts.height, lambda masks: tile.store(counts, masks))

        tile.each_height(lambda height: tile.subtract_differing(height, zeros), finish)
        return context.get_dummy_value()

    return types.void(words, panels, out, *[types.int64] * 3), emit


@intrinsic
def store_weighted(typing, words, panels, out, m, left, n, planes, negative):
    """Exact products of codes: out[m + i, n + j] = Σ ±2^p · dot of plane p."""

    def emit(context, builder, signature, arguments):
        planes, negative = arguments[6:]
        tile = Tile(context, builder, signature, arguments, v.INT32, planes=planes)

        def finish(dots):
            tile.whole_or_part(dots.height, lambda masks: tile.store(dots, masks))

        tile.each_weighted_product(planes, negative, finish)
        return context.get_dummy_value()

    return types.void(words, panels, out, *[types.int64] * 4, types.boolean), emit


@intrinsic
def store_ternary(typing, words, panels, out, m, left, n, many):
    """Exact products of codes −1, 0 and 1 from tables, `many` int32 [M] of each row not 0: out[m + i, n + j] = dot."""

    def emit(context, builder, signature, arguments):
        tile = Tile(context, builder, signature, arguments, v.INT32)
        many = v.data(context, builder, signature.args[6], arguments[6], v.INT32)

        def finish(dots):
            tile.whole_or_part(dots.height, lambda masks: tile.store(dots, masks))

        tile.each_ternary_product(builder.gep(many, [tile.m]), finish)
        return context.get_dummy_value()

    return types.void(words, panels, out, *[types.int64] * 3, many), emit


@intrinsic
def store_signed_sums(typing, x, panels, out, m, left, n, K, scale):
    """Sums of floats with signs: out[m + i, n + j] = Σ_g (Σ_k ±x[m + i, k]) · scale[g, n + j], k of the group g.

    Of scale float32 [G, N] each row is that of one of G groups of equally many k. All is added in order.
    """

    def emit(context, builder, signature, arguments):
        K = arguments[6]
        tile = Tile(context, builder, signature, arguments, v.FLOAT, K=K)
        scales = context.make_array(signature.args[7])(context, builder, arguments[7])
        groups = builder.extract_value(scales.shape, 0)
        size = builder.udiv(K, groups)
        masks = tile.part()
        x = v.data(context, builder, signature.args[0], arguments[0], v.FLOAT)
        x = builder.gep(x, [builder.mul(tile.m, K)])
        integers, floats = v.vector(v.INT32, tile.shape.lanes), v.vector(v.FLOAT, tile.shape.lanes)
        top, one = v.constant(integers, -(2**31)), v.constant(integers, 0x3F800000)  # the sign; 1.0

        def sums_of(height, columns):
            """The sums of these registers of outputs, row by row."""
            rows = [builder.gep(x, [builder.mul(K, v.INT64(i))]) for i in range(height)]

            def entry(k, totals):
                signs = []
                for bits, left in tile.bits_of_columns(k)[columns]:
                    # Brought to the place of the sign, a 1 is a minus
                    minus = builder.and_(builder.not_(builder.shl(bits, left)), top)
                    signs.append(builder.bitcast(builder.or_(minus, one), floats))
                entries = [
                    v.broadcast(builder, v.load(builder, row, k, v.FLOAT), integers.count) for row in rows
                ]
                factors = [(value, sign) for value in entries for sign in signs]
                # ±x is exact, so one rounding of x · ±1 + total is that of an addition
                fma = f"llvm.fma.v{integers.count}f32"
                return [
                    v.call(builder, fma, floats, *pair, total)
                    for pair, total in zip(factors, totals, strict=True)
                ]

            zeros = [v.constant(floats, 0)] * (height * len(masks[columns]))

            def group(g, totals):
                first = builder.mul(g, size)
                parts = v.loop(builder, first, builder.add(first, size), 1, zeros, entry)
                row = builder.gep(scales.data, [builder.mul(g, tile.outputs)])
                factors = [
                    v.masked_load(builder, row, tile.column(j), mask, zeros[0])
                    for j, mask in list(enumerate(masks))[columns]
                ] * height
                return [
                    builder.fadd(total, builder.fmul(part, factor))
                    for total, part, factor in zip(totals, parts, factors, strict=True)
                ]

            return Rows.of(v.loop(builder, v.INT64(0), groups, 1, zeros, group), height)

        def sums(height):
            # As many at once as registers hold
            many = max(1, tile.shape.floats // height)
            firsts = range(0, tile.shape.registers, many)
            parts = [sums_of(height, slice(first, first + many)) for first in firsts]
            return Rows(height, lambda i: [value for part in parts for value in part.row(i)])

        tile.each_height(sums, lambda y: tile.whole_or_part(y.height, lambda masks: tile.store(y, masks)))
        return context.get_dummy_value()

    return types.void(x, panels, out, *[types.int64] * 4, scale), emit


@intrinsic
def store_scaled(typing, words, panels, out, m, left, n, K, signed, scale, bias, shift, row_scale, given):
    """A linear layer: out[m + i, n + j] = (dot · scale + shift) · row_scale + bias, rounded at each step.

    Bits 0, 1 and 2 of `given` say whether there are bias, shift and row_scale; what is not there is not read.
    """
    floats = [scale, bias, shift, row_scale]
    signature = types.void(words, panels, out, *[types.int64] * 4, types.boolean, *floats, types.int64)
    return signature, lambda *program: scaled_tile(*program)


@intrinsic
def store_scaled_and_pack(
    typing, words, panels, out, m, left, n, K, signed, scale, bias, shift, row_scale, given, x, row
):
    """The same for a tile with all its rows and columns, while a row of x float32 [M, K] is packed into words.

    Waiting for x to come from memory costs nothing beside the sums. K must be a multiple of 64.
    """
    floats = [scale, bias, shift, row_scale]
    integers = [types.int64] * 4
    signature = types.void(words, panels, out, *integers, types.boolean, *floats, types.int64, x, types.int64)

    def emit(context, builder, signature, arguments):
        *arguments, x, row = arguments
        x = v.data(context, builder, signature.args[13], x, v.FLOAT)
        K = arguments[6]
        x = builder.gep(x, [builder.mul(row, K)])
        into = v.data(context, builder, signature.args[0], arguments[0], v.INT32)
        into = builder.gep(into, [builder.lshr(builder.mul(row, K), v.INT64(5))])

        def pack(k):
            at = builder.shl(k, v.INT64(5))
            for line in (at, builder.add(at, v.INT64(16))):
                v.prefetch(builder, builder.gep(x, [builder.add(line, v.INT64(AHEAD))]))
            floats = v.load(builder, x, at, v.vector(v.FLOAT, 32))
            bits = builder.fcmp_ordered(">=", floats, v.constant(floats.type, 0))
            v.store(builder, builder.bitcast(bits, v.INT32), into, k)

        return scaled_tile(context, builder, signature, arguments, pack)

    return signature, emit


def scaled_tile(context, builder, signature, arguments, beside: Beside | None = None):
    """Emit a tile of a linear layer."""
    tile = Tile(context, builder, signature, arguments, v.FLOAT)
    K, signed, *vectors, given = arguments[6:]
    lanes = v.vector(v.FLOAT, tile.shape.lanes)
    # Adding -0.0 or multiplying by 1.0 changes nothing, not even the sign of a zero.
    places = [(tile.n, None), (tile.n, -0.0), (tile.n, -0.0), (tile.m, 1.0)]
    scale, bias, shift, row_scale = (
        tile.term(context, type_, array, start, given, number, neutral)
        for number, (type_, array, (start, neutral)) in enumerate(
            zip(signature.args[8:12], vectors, places, strict=True), -1
        )
    )
    # No shift and no row_scale, as in most layers
    plain = builder.icmp_signed("<=", given, v.INT64(1))

    def of_columns(pointer, masks):
        """The terms of the tile's outputs, a register each."""
        at = [v.INT64(lanes.count * j) for j in range(tile.shape.registers)]
        return [
            v.load(builder, pointer, place, lanes)
            if mask is None
            else v.masked_load(builder, pointer, place, mask, v.constant(lanes, 0))
            for place, mask in zip(at, masks, strict=True)
        ]

    def to_float(dot):
        return builder.sitofp(dot, lanes)

    def scaled_rows(y):
        def row(i):
            factor = v.broadcast(builder, v.load(builder, row_scale, v.INT64(i), v.FLOAT), lanes.count)
            return [builder.fmul(value, factor) for value in y.row(i)]

        return Rows(y.height, row)

    def finish(dots):
        def without(masks):
            # dot · scale + bias
            y = dots.each(to_float).each(builder.fmul, of_columns(scale, masks))
            tile.store(y.each(builder.fadd, of_columns(bias, masks)), masks)

        def complete(masks):
            # (dot · scale + shift) · row_scale + bias
            y = dots.each(to_float).each(builder.fmul, of_columns(scale, masks))
            y = y.each(builder.fadd, of_columns(shift, masks))
            tile.store(scaled_rows(y).each(builder.fadd, of_columns(bias, masks)), masks)

        # Only the last tiles have fewer rows: what they would save is not worth a second copy of the program
        if dots.height < tile.shape.rows[0]:
            tile.whole_or_part(dots.height, complete)
            return
        with builder.if_else(plain, likely=True) as (then, otherwise):
            for branch, terms in ((then, without), (otherwise, complete)):
                with branch:
                    if beside:
                        terms([None] * tile.shape.registers)
                    else:
                        tile.whole_or_part(dots.height, terms)

    tile.each_product(K, signed, finish, beside)
    return context.get_dummy_value()


@intrinsic
def store_bits(typing, words, panels, out, m, left, n, K, signed, start, width):
    """Comparisons: bit n + j of row m + i of `out` is whether dot lies in the range of the output.

    That are the `width` uint32 [N] numbers from `start` int32 [N] on, counted modulo 2^32: so it may go round.
    """

    def emit(context, builder, signature, arguments):
        K, signed, start, width = arguments[6:]
        starts = context.make_array(signature.args[8])(context, builder, start)
        outputs = builder.extract_value(starts.shape, 0)
        tile = Tile(context, builder, signature, arguments, v.BYTE, outputs)
        starts = builder.bitcast(starts.data, v.INT32.as_pointer())
        widths = v.data(context, builder, signature.args[9], width, v.INT32)
        lanes = v.vector(v.INT32, tile.shape.lanes)
        bits = ir.IntType(tile.shape.columns)

        def finish(dots):
            first = builder.lshr(tile.n, v.INT64(3))

            def compare(masks):
                # The lanes that are not there have ranges of width 0
                nothing = v.constant(lanes, 0)
                low, many = (
                    [
                        v.load(builder, terms, tile.column(j), lanes)
                        if mask is None
                        else v.masked_load(builder, terms, tile.column(j), mask, nothing)
                        for j, mask in enumerate(masks)
                    ]
                    for terms in (starts, widths)
                )
                # dot − start < width without signs: one comparison decides both ends
                inside = dots.each(builder.sub, low).each(lambda x, y: builder.icmp_unsigned("<", x, y), many)
                for i, row in enumerate(inside):
                    word = bits(0)
                    for j, some in enumerate(row):
                        some = builder.zext(builder.bitcast(some, ir.IntType(lanes.count)), bits)
                        word = builder.or_(word, builder.shl(some, bits(lanes.count * j)))
                    v.store(builder, word, tile.out, tile.place(i, first))

            tile.whole_or_part(dots.height, compare)

        tile.each_product(K, signed, finish)
        return context.get_dummy_value()

    return types.void(words, panels, out, *[types.int64] * 4, types.boolean, start, width), emit


@intrinsic
def pack_word(typing, x, m, k):
    """Entries k to k + 63 of row m of x as bits, as many as there are: x ≥ 0 of floats, x ≠ 0 of integers."""

    def emit(context, builder, signature, arguments):
        def nonnegative(values, _):
            zero = v.constant(values.type, 0)
            if isinstance(values.type.element, ir.IntType):
                return builder.icmp_unsigned("!=", values, zero)
            return builder.fcmp_ordered(">=", values, zero)

        x, m, k = arguments
        return word_of(context, builder, signature.args[0], x, m, k, nonnegative)

    return types.uint64(x, types.int64, types.int64), emit


@intrinsic
def compare_word(typing, x, m, k, least):
    """Whether entries k to k + 63 of row m of x reach a limit, x[m, k] ≥ least[k]; or ≥ least, if that is a number."""

    def emit(context, builder, signature, arguments):
        x, m, k, least = arguments

        def reached(values, load):
            if isinstance(signature.args[3], types.Array):
                array = context.make_array(signature.args[3])(context, builder, least)
                limits = load(array.data, k)
            else:
                limits = v.broadcast(builder, least, MASKED)
            if isinstance(values.type.element, ir.IntType):
                return builder.icmp_signed(">=", values, limits)
            return builder.fcmp_ordered(">=", values, limits)

        return word_of(context, builder, signature.args[0], x, m, k, reached)

    return types.uint64(x, types.int64, types.int64, least), emit


def word_of(context, builder, type_, x, m, k, compare):
    """Emit `compare(values, load)` of entries k to k + 63 of row m of x, and make a word of the bits.

    `load(pointer, k)` loads as many neighbours as there are entries. A few at a time: a processor makes a mask of
    one register's comparisons in one instruction, but not of several registers'.
    """
    array = context.make_array(type_)(context, builder, x)
    K = builder.extract_value(array.shape, 1)
    at = builder.add(builder.mul(m, K), k)
    lanes = v.vector(array.data.type.pointee, MASKED)
    remaining = builder.sub(K, k)

    def word(load_at):
        """The bits of all parts, each with its loads."""
        word = v.INT64(0)
        for first in range(0, 64, MASKED):
            mask, load = load_at(first)
            bits = compare(load(array.data, at), load)
            bits = bits if mask is None else builder.and_(bits, mask)
            some = builder.zext(builder.bitcast(bits, ir.IntType(MASKED)), v.INT64)
            word = builder.or_(word, builder.shl(some, v.INT64(first)))
        return word

    def whole(first):
        return None, lambda pointer, at: v.load(builder, pointer, builder.add(at, v.INT64(first)), lanes)

    def part(first):
        mask = v.masked(builder, MASKED, builder.sub(remaining, v.INT64(first)))
        zeros = v.constant(lanes, 0)
        return mask, lambda pointer, at: v.masked_load(
            builder, pointer, builder.add(at, v.INT64(first)), mask, zeros
        )

    enough = builder.icmp_signed(">=", remaining, v.INT64(64))
    with builder.if_else(enough, likely=True) as (then, otherwise):
        with then:
            all_bits, after_all = word(whole), builder.block
        with otherwise:
            some_bits, after_some = word(part), builder.block
    result = builder.phi(v.INT64)
    result.add_incoming(all_bits, after_all)
    result.add_incoming(some_bits, after_some)
    return result
