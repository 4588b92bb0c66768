"""Tiles of a product as functions that a Numba kernel may call: the sums of `tiles`, finished and stored.

Each computes one tile: as many of the rows that are left as a tile may have (`tile_rows` says how many that is),
and the outputs n, n + 1, ... as far as a tile goes (`tile_columns`) and there are outputs. Which registers they
use follows from the type of the panels. Nothing here is checked: a wrong size reads and writes foreign memory.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from binviz_kernels import vectors as v
from binviz_kernels.tiles import PANEL, differing_bits, shape_of

Registers = list[list[v.Value]]


class Tile:
    """One tile being written: its place in the output, and how its sums are finished.

    Args:
        context, builder, signature, arguments: as an intrinsic gets them; the arguments begin with
            words uint64 [M, W], panels, out, m, left and n.
        element: the type of the output's elements.
        outputs: int64, N; by default the output's columns.
    """

    def __init__(self, context, builder, signature, arguments, element, outputs=None):
        words, panels, out, self.m, left, self.n = arguments[:6]
        self.builder, self.shape, self.left = builder, shape_of(signature.args[1]), left
        arrays = [
            context.make_array(type_)(context, builder, array)
            for type_, array in zip(signature.args[:3], (words, panels, out), strict=True)
        ]
        self.length, stored = (builder.extract_value(array.shape, 1) for array in (arrays[0], arrays[2]))
        self.length = builder.shl(self.length, v.INT64(1))  # words of 32 bits
        self.outputs = stored if outputs is None else outputs
        self.stride = builder.mul(stored, v.INT64(8)) if element == v.BYTE else stored
        pointers = [
            builder.bitcast(array.data, type_.as_pointer())
            for array, type_ in zip(arrays, (v.INT32, v.INT32, element), strict=True)
        ]
        self.words = builder.gep(pointers[0], [builder.mul(self.m, self.length)])
        # Panel n // 64 begins with the ones of its 64 weight rows.
        lines = builder.mul(builder.lshr(self.n, v.INT64(6)), builder.add(self.length, v.INT64(1)))
        first = builder.add(builder.mul(lines, v.INT64(PANEL)), builder.and_(self.n, v.INT64(PANEL - 1)))
        self.ones = builder.gep(pointers[1], [first])
        self.panel = builder.gep(self.ones, [v.INT64(PANEL)])
        self.out = pointers[2]

    def each_height(self, finish: Callable[[Registers], None]) -> None:
        """Emit the sums and `finish(sums)` for each height, and the choice between them."""

        def emit(heights):
            if len(heights) > 1:
                enough = self.builder.icmp_signed(">=", self.left, v.INT64(heights[0]))
                with self.builder.if_else(enough, likely=True) as (then, otherwise):
                    with then:
                        emit(heights[:1])
                    with otherwise:
                        emit(heights[1:])
            else:
                finish(
                    differing_bits(
                        self.builder, self.shape, heights[0], self.words, self.length, self.panel, self.length
                    )
                )

        emit(self.shape.rows)

    def dots(self, differing: Registers, K: v.Value, signed: v.Value) -> Registers:
        """The products: K − 2·differing of signed rows, ones − differing of others."""
        builder, lanes = self.builder, differing[0][0].type
        K = v.broadcast(builder, builder.trunc(K, v.INT32), lanes.count)
        shift = v.broadcast(builder, builder.zext(signed, v.INT32), lanes.count)
        dots: Registers = [[] for _ in differing]
        for j in range(self.shape.registers):
            ones = v.load(builder, self.ones, v.INT64(j * lanes.count), lanes)
            total = builder.select(signed, K, ones)
            for i, row in enumerate(differing):
                dots[i].append(builder.sub(total, builder.shl(row[j], shift)))
        return dots

    def column(self, j: int) -> v.Value:
        """The number of the first output in register j."""
        return self.builder.add(self.n, v.INT64(self.shape.lanes * j))

    def place(self, i: int, column: v.Value) -> v.Value:
        """How far from the output's first element that of row i and a column is."""
        row = self.builder.add(self.m, v.INT64(i))
        return self.builder.add(self.builder.mul(row, self.stride), column)

    def term(self, context, type_, array, start, given, number, neutral) -> v.Value:
        """Where a term of the tile's rows or columns begins; bit `number` of `given` says whether there is one."""
        builder = self.builder
        there = builder.gep(v.data(context, builder, type_, array, v.FLOAT), [start])
        if neutral is None:
            return there
        text = ir.Constant(ir.ArrayType(v.FLOAT, PANEL), [neutral] * PANEL)
        nothing = builder.bitcast(cgutils.global_constant(builder, f"nothing_{number}", text), there.type)
        bit = builder.and_(builder.lshr(given, v.INT64(number)), v.INT64(1))
        return builder.select(builder.trunc(bit, v.BIT), there, nothing)

    def whole_or_part(self, emit: Callable[[list[v.Value | None]], None]) -> None:
        """`emit(masks)` for a tile with all its outputs (masks of None), and for the last one with fewer."""
        builder = self.builder
        end = builder.add(self.n, v.INT64(self.shape.columns))
        with builder.if_else(builder.icmp_signed("<=", end, self.outputs), likely=True) as (whole, part):
            with whole:
                emit([None] * self.shape.registers)
            with part:
                emit([
                    v.masked(builder, self.shape.lanes, builder.sub(self.outputs, self.column(j)))
                    for j in range(self.shape.registers)
                ])  # fmt: skip

    def store(self, values: Registers, masks: list[v.Value | None]) -> None:
        """Write the outputs."""
        for i, row in enumerate(values):
            for j, (value, mask) in enumerate(zip(row, masks, strict=True)):
                at = self.place(i, self.column(j))
                if mask is None:
                    v.store(self.builder, value, self.out, at)
                else:
                    v.masked_store(self.builder, value, self.out, at, mask)


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
def store_products(typing, words, panels, out, m, left, n, K, signed):
    """Exact products: out[m + i, n + j] = dot."""

    def emit(context, builder, signature, arguments):
        tile = Tile(context, builder, signature, arguments, v.INT32)

        def finish(differing):
            dots = tile.dots(differing, *arguments[6:])
            tile.whole_or_part(lambda masks: tile.store(dots, masks))

        tile.each_height(finish)
        return context.get_dummy_value()

    return types.void(words, panels, out, *[types.int64] * 4, types.boolean), emit


@intrinsic
def store_distances(typing, words, panels, out, m, left, n):
    """Hamming distances: out[m + i, n + j] = differing."""

    def emit(context, builder, signature, arguments):
        tile = Tile(context, builder, signature, arguments, v.INT32)

        def finish(differing):
            tile.whole_or_part(lambda masks: tile.store(differing, masks))

        tile.each_height(finish)
        return context.get_dummy_value()

    return types.void(words, panels, out, *[types.int64] * 3), emit


@intrinsic
def store_scaled(typing, words, panels, out, m, left, n, K, signed, scale, bias, shift, row_scale, given):
    """A linear layer: out[m + i, n + j] = (dot · scale + shift) · row_scale + bias, rounded at each step.

    Bits 0, 1 and 2 of `given` say whether there are bias, shift and row_scale; what is not there is not read.
    """

    def emit(context, builder, signature, arguments):
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

        def finish(differing):
            dots = tile.dots(differing, K, signed)

            def without(masks):
                # dot · scale + bias
                y = each(builder.sitofp, dots, lanes)
                y = by_column(builder.fmul, y, of_columns(scale, masks))
                tile.store(by_column(builder.fadd, y, of_columns(bias, masks)), masks)

            def complete(masks):
                # (dot · scale + shift) · row_scale + bias
                y = each(builder.sitofp, dots, lanes)
                y = by_column(builder.fmul, y, of_columns(scale, masks))
                y = by_column(builder.fadd, y, of_columns(shift, masks))
                for i, row in enumerate(y):
                    factor = v.broadcast(
                        builder, v.load(builder, row_scale, v.INT64(i), v.FLOAT), lanes.count
                    )
                    y[i] = [builder.fmul(value, factor) for value in row]
                tile.store(by_column(builder.fadd, y, of_columns(bias, masks)), masks)

            with builder.if_else(plain, likely=True) as (then, otherwise):
                with then:
                    tile.whole_or_part(without)
                with otherwise:
                    tile.whole_or_part(complete)

        tile.each_height(finish)
        return context.get_dummy_value()

    floats = [scale, bias, shift, row_scale]
    return types.void(words, panels, out, *[types.int64] * 4, types.boolean, *floats, types.int64), emit


@intrinsic
def store_bits(typing, words, panels, out, m, left, n, K, signed, threshold, flip):
    """A comparison: bit n + j of row m + i of `out` is (dot ≥ threshold[n + j]) ^ (bit n + j of `flip`)."""

    def emit(context, builder, signature, arguments):
        K, signed, threshold, flip = arguments[6:]
        limits = context.make_array(signature.args[8])(context, builder, threshold)
        outputs = builder.extract_value(limits.shape, 0)
        tile = Tile(context, builder, signature, arguments, v.BYTE, outputs)
        limits = builder.bitcast(limits.data, v.INT32.as_pointer())
        flips = v.data(context, builder, signature.args[9], flip, v.BYTE)
        lanes = v.vector(v.INT32, tile.shape.lanes)
        bits = ir.IntType(tile.shape.columns)

        def finish(differing):
            dots = tile.dots(differing, K, signed)
            first = builder.lshr(tile.n, v.INT64(3))

            def compare(masks):
                turned = v.load(builder, flips, first, bits)
                for i, row in enumerate(dots):
                    word = turned
                    for j, (dot, mask) in enumerate(zip(row, masks, strict=True)):
                        at = tile.column(j)
                        if mask is None:
                            reached = builder.icmp_signed(">=", dot, v.load(builder, limits, at, lanes))
                        else:
                            limit = v.masked_load(builder, limits, at, mask, v.constant(lanes, 0))
                            reached = builder.and_(builder.icmp_signed(">=", dot, limit), mask)
                        some = builder.zext(builder.bitcast(reached, ir.IntType(lanes.count)), bits)
                        word = builder.xor(word, builder.shl(some, bits(lanes.count * j)))
                    v.store(builder, word, tile.out, tile.place(i, first))

            tile.whole_or_part(compare)

        tile.each_height(finish)
        return context.get_dummy_value()

    return types.void(words, panels, out, *[types.int64] * 4, types.boolean, threshold, flip), emit


@intrinsic
def pack_word(typing, x, m, k):
    """Entries k to k + 63 of row m of x as bits, as many as there are: x ≥ 0 of floats, x ≠ 0 of integers."""

    def emit(context, builder, signature, arguments):
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        K = builder.extract_value(array.shape, 1)
        at = builder.add(builder.mul(arguments[1], K), arguments[2])
        lanes = v.vector(array.data.type.pointee, 64)
        zero = v.constant(lanes, 0)

        def nonnegative(values):
            if isinstance(lanes.element, ir.IntType):
                return builder.icmp_unsigned("!=", values, zero)
            return builder.fcmp_ordered(">=", values, zero)

        remaining = builder.sub(K, arguments[2])
        whole = builder.icmp_signed(">=", remaining, v.INT64(64))
        with builder.if_else(whole, likely=True) as (then, otherwise):
            with then:
                all_bits = builder.bitcast(nonnegative(v.load(builder, array.data, at, lanes)), v.INT64)
                after_all = builder.block
            with otherwise:
                mask = v.masked(builder, 64, remaining)
                values = v.masked_load(builder, array.data, at, mask, zero)
                some_bits = builder.bitcast(builder.and_(nonnegative(values), mask), v.INT64)
                after_some = builder.block
        word = builder.phi(v.INT64)
        word.add_incoming(all_bits, after_all)
        word.add_incoming(some_bits, after_some)
        return word

    return types.uint64(x, types.int64, types.int64), emit


def each(operation: Callable[..., v.Value], values: Registers, *more: Any) -> Registers:
    """Apply an operation to every register."""
    return [[operation(value, *more) for value in row] for row in values]


def by_column(operation: Callable[..., v.Value], values: Registers, terms: list[v.Value]) -> Registers:
    """Apply it to every register and its column's term."""
    return [[operation(value, term) for value, term in zip(row, terms, strict=True)] for row in values]
