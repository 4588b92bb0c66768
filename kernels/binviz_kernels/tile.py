"""One tile of an output while it is written: where it stands, what its sums start with, and what becomes of them."""

from collections.abc import Callable

from llvmlite import ir
from numba.core import cgutils

from binviz_kernels import vectors as v
from binviz_kernels import wide_tables
from binviz_kernels.rows import Rows
from binviz_kernels.sums import PANEL, shape_of, subtract_differing
from binviz_kernels.tables import LINE, WORD_TABLES, subtract_looked_up

Beside = Callable[[v.Value], None]


class Tile:
    """One tile being written: its place in the output, and how its sums are finished.

    Args:
        context, builder, signature, arguments: as an intrinsic gets them; the arguments begin with
            words uint64 [M, W], panels, out, m, left and n. Where products are looked up, the place of words is taken
            by tables uint8 [M, 2W, 128], or by sums uint8 [M, panels, bytes] (`wide_tables`).
        element: the type of the output's elements.
        outputs: int64, N; by default the output's columns.
        planes: int64; the words of a row are those of this many planes, one after the other.
        K: int64; the rows are not words but this many floats.
    """

    def __init__(self, context, builder, signature, arguments, element, outputs=None, planes=None, K=None):
        words, panels, out, self.m, left, self.n = arguments[:6]
        self.builder, self.shape, self.left = builder, shape_of(signature.args[1]), left
        arrays = [
            context.make_array(type_)(context, builder, array)
            for type_, array in zip(signature.args[:3], (words, panels, out), strict=True)
        ]
        length, stored = (builder.extract_value(array.shape, 1) for array in (arrays[0], arrays[2]))
        if K is not None:
            length = builder.lshr(builder.add(K, v.INT64(63)), v.INT64(6))
        self.tables, self.wide = self.shape.counted < 8, self.shape.counted == 6
        if self.wide:  # the panels have a line for each word, and one for the ones
            length = builder.sub(builder.extract_value(arrays[1].shape, 1), v.INT64(1))
        # Words of 32 bits, of an activation row and of a weight row
        one_each = self.tables and not self.wide and K is None
        self.row_length = self.length = length if one_each else builder.shl(length, v.INT64(1))
        if planes is not None and not self.tables:
            self.length = builder.udiv(self.row_length, planes)
        self.outputs = stored if outputs is None else outputs
        self.stride = builder.mul(stored, v.INT64(8)) if element == v.BYTE else stored
        pointers = [
            builder.bitcast(array.data, type_.as_pointer())
            for array, type_ in zip(arrays, (v.INT32, v.INT32, element), strict=True)
        ]
        # Panel n // 64 begins with the ones of its 64 weight rows.
        number, lines, line = builder.lshr(self.n, v.INT64(6)), self.length, v.INT64(PANEL)
        if self.wide:
            lines, line = builder.lshr(lines, v.INT64(1)), v.INT64(wide_tables.LINE // 4)
        elif self.tables:
            line = v.INT64(LINE // 4)
        if self.wide and K is None:
            many, self.sums_size = (builder.extract_value(arrays[0].shape, axis) for axis in (1, 2))
            self.row_length = builder.mul(many, self.sums_size)
            sums = builder.add(builder.mul(self.m, many), number)
            self.words = builder.gep(arrays[0].data, [builder.mul(sums, self.sums_size)])
        else:
            row, m = self.row_length, self.m
            if self.tables:
                row = builder.mul(row, v.INT64(WORD_TABLES // 4))
                m = builder.lshr(m, v.INT64(1)) if planes is None else m
            self.words = builder.gep(pointers[0], [builder.mul(m, row)])
        first = builder.mul(builder.mul(number, builder.add(lines, v.INT64(1))), line)
        column = builder.and_(self.n, v.INT64(PANEL - 1))
        self.ones = builder.gep(pointers[1], [builder.add(first, column)])
        self.panel = builder.gep(pointers[1], [builder.add(first, line)])
        if self.tables:
            self.panel = builder.bitcast(self.panel, v.BYTE.as_pointer())
        self.panel = builder.gep(self.panel, [column])
        self.out = pointers[2]

    def each_height(
        self, sums: Callable[[int], Rows], finish: Callable[[Rows], None], tallest: bool = False
    ) -> None:
        """Emit `finish(sums(height))` for each height, and the choice between them; or for the tallest only."""

        def emit(heights):
            if len(heights) > 1:
                enough = self.builder.icmp_signed(">=", self.left, v.INT64(heights[0]))
                with self.builder.if_else(enough, likely=True) as (then, otherwise):
                    with then:
                        emit(heights[:1])
                    with otherwise:
                        emit(heights[1:])
            else:
                self.fetch(heights[0])
                finish(sums(heights[0]))

        emit(self.shape.rows[:1] if tallest else self.shape.rows)

    def subtract_differing(self, height: int, start: list[v.Value], beside: Beside | None = None) -> Rows:
        """A row's start less the differing bits, for each of the tile's rows."""
        if self.tables:
            return self.subtract_looked_up(height, start)
        return Rows.of(self.subtract_counted(height, start * height, self.words, beside), height)

    def subtract_counted(
        self, height: int, start: list[v.Value], words: v.Value, beside: Beside | None = None
    ) -> list[v.Value]:
        """The start, row by row, less the bits in which rows of these words differ."""
        return subtract_differing(
            self.builder, self.shape, height, start, words, self.row_length, self.panel, self.length, beside
        )

    def subtract_looked_up(
        self, height: int, start: list[v.Value], planes: v.Value | None = None, shift: v.Value | None = None
    ) -> Rows:
        """A row's start less the differing bits, those of plane p counted 2^p times, for each of the tile's rows.

        Without planes they are one, and two rows have tables together; it may count 2^shift times.
        """
        if self.wide:
            spans = self.builder.udiv(self.sums_size, v.INT64(wide_tables.PAIR))
            sums = wide_tables.subtract_sums(
                self.builder, self.shape, height, start * height, self.words, self.row_length, spans
            )
            return Rows.of(sums, height)
        tables = self.builder.bitcast(self.words, v.BYTE.as_pointer())
        return subtract_looked_up(
            self.builder, self.shape, height, start, tables, self.panel, self.length, planes, shift
        )

    def fetch(self, height: int) -> None:
        """Bring the place of a tile into the nearest cache while its sums are computed; bits need too little of it."""
        for i in range(0 if self.wide or self.out.type.pointee == v.BYTE else height):
            for j in range(0, self.shape.registers, max(1, 64 // self.shape.width)):  # line by line
                there = self.builder.gep(self.out, [self.place(i, self.column(j))])
                v.prefetch(self.builder, there, write=True)

    def ones_of_columns(self) -> list[v.Value]:
        """The number of ones of each weight row."""
        lanes = v.vector(v.INT32, self.shape.lanes)
        places = [v.INT64(j * lanes.count) for j in range(self.shape.registers)]
        return [v.load(self.builder, self.ones, place, lanes) for place in places]

    def bits_of_columns(self, k: v.Value) -> list[tuple[v.Value, v.Value]]:
        """For each register of outputs, int32s that hold bit k of a weight row, and how far it is from the top."""
        builder, lanes = self.builder, v.vector(v.INT32, self.shape.lanes)
        if self.wide:
            word, bit = builder.lshr(k, v.INT64(6)), builder.and_(k, v.INT64(63))
            line = builder.mul(word, v.INT64(wide_tables.LINE))
            line = builder.add(line, builder.mul(builder.udiv(bit, v.INT64(6)), v.INT64(PANEL)))
            bit = builder.urem(bit, v.INT64(6))
        elif self.tables:
            line, bit = builder.mul(builder.lshr(k, v.INT64(2)), v.INT64(PANEL)), builder.and_(k, v.INT64(3))
        else:
            line, bit = builder.mul(builder.lshr(k, v.INT64(5)), v.INT64(PANEL)), builder.and_(k, v.INT64(31))
        line = builder.gep(self.panel, [line])
        # Where products are looked up, a lane holds a byte of each of four registers' outputs
        many, step = (4, self.shape.width) if self.tables else (1, self.shape.lanes)
        left = [
            v.broadcast(builder, builder.trunc(builder.sub(v.INT64(31 - 8 * c), bit), v.INT32), lanes.count)
            for c in range(many)
        ]
        together = range(self.shape.registers // many)
        loaded = [v.load(builder, line, v.INT64(step * register), lanes) for register in together]
        return [(bits, far) for bits in loaded for far in left]

    def each_product(
        self, K: v.Value, signed: v.Value, finish: Callable[[Rows], None], beside: Beside | None = None
    ) -> None:
        """Emit `finish(products)` for each height, with K − 2·differing of signed rows, ones − differing of others.

        If something is to be done beside the sums, it is for the largest height only.
        """
        builder, lanes = self.builder, v.vector(v.INT32, self.shape.lanes)
        K = builder.trunc(K, v.INT32)
        one = v.broadcast(builder, builder.zext(signed, v.INT32), lanes.count)
        if self.tables and not self.wide:
            whole = v.broadcast(builder, K, lanes.count)
            start = [builder.select(signed, whole, ones) for ones in self.ones_of_columns()]
            self.each_height(lambda height: self.subtract_looked_up(height, start, shift=one), finish)
            return
        half = v.broadcast(builder, builder.lshr(K, v.INT32(1)), lanes.count)
        start = [builder.select(signed, half, ones) for ones in self.ones_of_columns()]
        # The odd bit of K in the top bit, from where the shift moves it into the product
        odd = v.broadcast(builder, builder.shl(K, v.INT32(31)), lanes.count)

        def product(sum_: v.Value) -> v.Value:
            # 2·sum + K % 2, or just the sum
            return v.call(builder, f"llvm.fshl.v{lanes.count}i32", lanes, sum_, odd, one)

        def products(sums: Rows) -> Rows:
            dots = sums.each(product)
            return dots if self.wide else dots.here()  # the registers hold all sums anyway

        self.each_height(
            lambda height: self.subtract_differing(height, start, beside),
            lambda sums: finish(products(sums)),
            tallest=beside is not None,
        )

    def each_weighted_product(
        self, planes: v.Value, negative: v.Value, finish: Callable[[Rows], None]
    ) -> None:
        """Products of codes: the planes weighted by powers of two, the highest negative if asked."""
        if self.tables:
            self.each_looked_up_product(planes, negative, finish)
            return
        builder, lanes = self.builder, v.vector(v.INT32, self.shape.lanes)
        one, zero = v.constant(lanes, 1), v.constant(lanes, 0)
        last = builder.sub(planes, v.INT64(1))

        def sums(height):
            ones = self.ones_of_columns() * height

            def plane(number, totals):
                # total ← 2·total + (ones − differing), from the highest plane down
                start = [
                    builder.add(builder.shl(total, one), o) for total, o in zip(totals, ones, strict=True)
                ]
                words = builder.gep(self.words, [builder.mul(builder.sub(last, number), self.length)])
                totals = self.subtract_counted(height, start, words)
                turned = builder.and_(negative, builder.icmp_signed("==", number, v.INT64(0)))
                return [builder.select(turned, builder.sub(zero, total), total) for total in totals]

            return Rows.of(v.loop(builder, v.INT64(0), planes, 1, [zero] * len(ones), plane), height)

        self.each_height(sums, finish)

    def each_looked_up_product(
        self, planes: v.Value, negative: v.Value, finish: Callable[[Rows], None]
    ) -> None:
        """The same from tables, whose planes are weighted already."""
        builder, lanes = self.builder, self.shape.lanes
        whole = builder.trunc(builder.shl(v.INT64(1), planes), v.INT32)
        # (2^planes − 1) · ones; or 2^(planes − 1) · padded K − ones
        factor = builder.select(negative, v.INT32(-1), builder.sub(whole, v.INT32(1)))
        padded = builder.mul(builder.trunc(self.length, v.INT32), builder.shl(whole, v.INT32(4)))
        padded = builder.select(negative, padded, v.INT32(0))
        factor, padded = (v.broadcast(builder, number, lanes) for number in (factor, padded))
        start = [builder.add(builder.mul(ones, factor), padded) for ones in self.ones_of_columns()]
        self.each_height(lambda height: self.subtract_looked_up(height, start, planes), finish)

    def each_ternary_product(self, many: v.Value, finish: Callable[[Rows], None]) -> None:
        """Products of codes −1, 0 and 1, of which a row has so many (int32*, the first row's) that are not 0."""
        builder, lanes = self.builder, v.vector(v.INT32, self.shape.lanes)
        start, one = [v.constant(lanes, 0)] * self.shape.registers, v.constant(lanes, 1)

        def sums(height: int) -> Rows:
            rows = self.subtract_looked_up(height, start, shift=one)

            def row(i: int) -> list[v.Value]:
                # many − 2·differing
                term = v.broadcast(builder, v.load(builder, many, v.INT64(i), v.INT32), lanes.count)
                return [builder.add(term, sum_) for sum_ in rows.row(i)]

            return Rows(height, row)

        self.each_height(sums, finish)

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

    def whole_or_part(self, height: int, emit: Callable[[list[v.Value | None]], None]) -> None:
        """`emit(masks)` for a tile with all its outputs (masks of None), and for the last one with fewer.

        Low tiles are rare, and always written with masks: less to compile.
        """
        builder = self.builder
        whole: list[v.Value | None] = [None] * self.shape.registers
        if height < self.shape.rows[0]:
            emit(self.part())
            return
        end = builder.add(self.n, v.INT64(self.shape.columns))
        with builder.if_else(builder.icmp_signed("<=", end, self.outputs), likely=True) as (then, otherwise):
            with then:
                emit(whole)
            with otherwise:
                emit(self.part())

    def part(self) -> list[v.Value | None]:
        """Masks of the outputs that there are."""
        left = [self.builder.sub(self.outputs, self.column(j)) for j in range(self.shape.registers)]
        return [v.masked(self.builder, self.shape.lanes, remaining) for remaining in left]

    def store(self, values: Rows, masks: list[v.Value | None]) -> None:
        """Write the outputs."""
        for i, row in enumerate(values):
            for j, (value, mask) in enumerate(zip(row, masks, strict=True)):
                at = self.place(i, self.column(j))
                if mask is None:
                    v.store(self.builder, value, self.out, at)
                else:
                    v.masked_store(self.builder, value, self.out, at, mask)
