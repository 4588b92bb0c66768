"""Sums along a row, in one order whatever the processor: neighbours go to different partial sums.

Entry k belongs to partial sum k % lanes; the partial sums, a power of two of them, are then added half to half.
Nothing here is checked.
"""

from numba.core import types
from numba.extending import intrinsic

from binviz_kernels import vectors as v

LANES = 64  # partial sums of a layer norm
SHARES = 16  # partial sums of looked-up entries


@intrinsic
def normalize_row(typing, x, m, gain, bias, epsilon, out, r):
    r"""Layer norm of row m of x float32 [M, D] -> row r of out, which may be the same row.

    y = (x − mean) · (1 / sqrt(mean of (x − mean)² + epsilon)) · gain + bias, rounded after every operation.
    """

    def emit(context, builder, signature, arguments):
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        D = builder.extract_value(array.shape, 1)
        row = builder.gep(array.data, [builder.mul(arguments[1], D)])
        gain, bias = (v.data(context, builder, signature.args[i], arguments[i], v.FLOAT) for i in (2, 3))
        into = v.data(context, builder, signature.args[5], arguments[5], v.FLOAT)
        into = builder.gep(into, [builder.mul(arguments[6], D)])
        lanes = v.vector(v.FLOAT, LANES)
        size, one = builder.sitofp(D, v.FLOAT), v.FLOAT(1)

        def mean(term):
            """The mean of `term` of every entry."""

            def add(entries, sums, mask):
                terms = term(entries)
                if mask is not None:
                    terms = builder.select(mask, terms, v.constant(lanes, 0))
                return [builder.fadd(sums[0], terms)]

            sums = chunks(
                builder, D, [v.constant(lanes, 0)], lambda k, mask, s: add(entries(k, mask), s, mask)
            )
            return builder.fdiv(v.sum_of_lanes(builder, sums[0]), size)

        def entries(k, mask, pointer=row):
            if mask is None:
                return v.load(builder, pointer, k, lanes)
            return v.masked_load(builder, pointer, k, mask, v.constant(lanes, 0))

        centre = v.broadcast(builder, mean(lambda x: x), LANES)

        def square(x):
            away = builder.fsub(x, centre)
            return builder.fmul(away, away)

        variance = builder.fadd(mean(square), arguments[4])
        factor = builder.fdiv(one, v.call(builder, "llvm.sqrt.f32", v.FLOAT, variance))
        factor = v.broadcast(builder, factor, LANES)

        def write(k, mask, state):
            y = builder.fmul(builder.fsub(entries(k, mask), centre), factor)
            y = builder.fadd(builder.fmul(y, entries(k, mask, gain)), entries(k, mask, bias))
            if mask is None:
                v.store(builder, y, into, k)
            else:
                v.masked_store(builder, y, into, k, mask)
            return state

        chunks(builder, D, [], write)
        return context.get_dummy_value()

    return types.void(x, types.int64, gain, bias, types.float32, out, types.int64), emit


def chunks(builder, D, state, body):
    """`state = body(k, mask, state)` for each 64 entries, mask None; then for those that are left."""
    whole = builder.and_(D, v.INT64(-LANES))
    state = v.loop(builder, v.INT64(0), whole, LANES, state, lambda k, s: body(k, None, s))
    return v.loop(
        builder, whole, D, LANES, state,
        lambda k, s: body(k, v.masked(builder, LANES, builder.sub(D, k)), s),
    )  # fmt: skip


@intrinsic
def sum_of_entries(typing, table, places, m, offset):
    """The sum of the entries of a table float32 [T] at places int32 [M, K], row m, plus offset; K a multiple of 16."""

    def emit(context, builder, signature, arguments):
        table = v.data(context, builder, signature.args[0], arguments[0], v.FLOAT)
        table = builder.gep(table, [arguments[3]])
        array = context.make_array(signature.args[1])(context, builder, arguments[1])
        K = builder.extract_value(array.shape, 1)
        row = builder.gep(array.data, [builder.mul(arguments[2], K)])

        def add(k, sums):
            places = [v.load(builder, row, builder.add(k, v.INT64(i)), v.INT32) for i in range(SHARES)]
            found = [v.load(builder, table, builder.sext(place, v.INT64), v.FLOAT) for place in places]
            return [builder.fadd(*pair) for pair in zip(sums, found, strict=True)]

        sums = v.loop(builder, v.INT64(0), K, SHARES, [v.FLOAT(0)] * SHARES, add)
        while len(sums) > 1:
            half = len(sums) // 2
            sums = [builder.fadd(*pair) for pair in zip(sums[:half], sums[half:], strict=True)]
        return sums[0]

    return types.float32(table, places, types.int64, types.int64), emit
