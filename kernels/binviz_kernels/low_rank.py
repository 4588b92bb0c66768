r"""BiPFT's low-rank terms inside an encoder layer on bits: what float estimators add to scores and contexts.

    f    =  W h + b                            4r + 1 numbers of each position       (`product_of_row`)
    E    =  q_m k_pᵀ + q_p k_mᵀ + q_p k_pᵀ     one map for all heads
    e    =  exp(dot · step) · exp(E / √d)      the first from a table, the second once for all heads
    y    =  dot · scale + Σ_j code_j · v_j     a row of the context

The exponential of a sum is a product, so that a score costs one multiplication more and no exponential. Sums are added
in one order, as in `row_sums`.
"""

import numpy as np
from numba import njit
from numba.core import types
from numba.extending import intrinsic

from binviz_kernels import vectors as v
from binviz_kernels.portable import INNER
from binviz_kernels.row_sums import LANES, SHARES, chunks

inner = njit(**INNER)

ROUNDED = np.float32(1.5 * 2**23)  # a small float32 plus this holds the nearest whole number in its last bits
LOG2E, LN2_HIGH, LN2_LOW = np.float32(1.44269504), np.float32(0.693359375), np.float32(-2.12194440e-4)
SMALLEST = np.float32(-87)  # below, the exponential is no normal float32
ONE, MANTISSA = np.float32(1), np.int32(23)
#: Of (exp(r) − 1 − r) / r² for |r| ≤ ln(2) / 2, the highest power first (Cephes, expf).
C5, C4, C3, C2, C1, C0 = map(
    np.float32, (1.9875691e-4, 1.3981999e-3, 8.3334519e-3, 4.1665796e-2, 1.6666665e-1, 5.0000001e-1)
)


@intrinsic
def product_of_row(typing, x, m, weights):
    """The product of row m of x float32 [M, K] with weights float32 [K]; rounded after every operation."""

    def emit(context, builder, signature, arguments):
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        K = builder.extract_value(array.shape, 1)
        row = builder.gep(array.data, [builder.mul(arguments[1], K)])
        weights = v.data(context, builder, signature.args[2], arguments[2], v.FLOAT)
        lanes = v.vector(v.FLOAT, LANES)

        def add(k, mask, sums):
            if mask is None:
                pair = [v.load(builder, pointer, k, lanes) for pointer in (row, weights)]
            else:
                zeros = v.constant(lanes, 0)
                pair = [v.masked_load(builder, pointer, k, mask, zeros) for pointer in (row, weights)]
            return [builder.fadd(sums[0], builder.fmul(*pair))]

        return v.sum_of_lanes(builder, chunks(builder, K, [v.constant(lanes, 0)], add)[0])

    return types.float32(x, types.int64, weights), emit


@intrinsic
def weigh(typing, table, places, m, offset, factors, i):
    """Row m of places int32 [M, K] becomes the bits of entries of a table float32 [T], there plus offset, times row i
    of factors float32 [.., K]; returns their sum. K is a multiple of 16.
    """

    def emit(context, builder, signature, arguments):
        table = v.data(context, builder, signature.args[0], arguments[0], v.FLOAT)
        table = builder.gep(table, [arguments[3]])
        array = context.make_array(signature.args[1])(context, builder, arguments[1])
        K = builder.extract_value(array.shape, 1)
        row = builder.gep(array.data, [builder.mul(arguments[2], K)])
        factors = v.data(context, builder, signature.args[4], arguments[4], v.FLOAT)
        factors = builder.gep(factors, [builder.mul(arguments[5], K)])
        lanes = v.vector(v.FLOAT, SHARES)

        def add(k, sums):
            found = v.constant(lanes, 0)
            for lane in range(SHARES):
                place = v.load(builder, row, builder.add(k, v.INT64(lane)), v.INT32)
                entry = v.load(builder, table, builder.sext(place, v.INT64), v.FLOAT)
                found = builder.insert_element(found, entry, v.INT32(lane))
            product = builder.fmul(found, v.load(builder, factors, k, lanes))
            v.store(builder, product, row, k)
            return [builder.fadd(sums[0], product)]

        sums = v.loop(builder, v.INT64(0), K, SHARES, [v.constant(lanes, 0)], add)
        return v.sum_of_lanes(builder, sums[0])

    return types.float32(table, places, types.int64, types.int64, factors, types.int64), emit


@intrinsic
def sum_of_reached(typing, x, m, least, values):
    """The sum of values float32 [K] where row m of x int32 [M, K] is at least `least`; K is a multiple of 16."""

    def emit(context, builder, signature, arguments):
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        K = builder.extract_value(array.shape, 1)
        row = builder.gep(array.data, [builder.mul(arguments[1], K)])
        least = v.broadcast(builder, arguments[2], SHARES)
        values = v.data(context, builder, signature.args[3], arguments[3], v.FLOAT)
        lanes, integers = v.vector(v.FLOAT, SHARES), v.vector(v.INT32, SHARES)

        def add(k, sums):
            reached = builder.icmp_signed(">=", v.load(builder, row, k, integers), least)
            chosen = builder.select(reached, v.load(builder, values, k, lanes), v.constant(lanes, 0))
            return [builder.fadd(sums[0], chosen)]

        sums = v.loop(builder, v.INT64(0), K, SHARES, [v.constant(lanes, 0)], add)
        return v.sum_of_lanes(builder, sums[0])

    return types.float32(x, types.int64, types.int32, values), emit


@inner
def exponentials_of(x, wholes):
    """Entries of x float32 [K], not above 0, become their exponentials; wholes float32 [K] is to work with."""
    bits, shifts = x.view(np.int32), wholes.view(np.int32)
    for j in range(x.shape[0]):
        # e^x = 2^k · e^r, |r| ≤ ln(2) / 2
        a = max(x[j], SMALLEST)
        wholes[j] = a * LOG2E + ROUNDED
        k = wholes[j] - ROUNDED
        r = (a - k * LN2_HIGH) - k * LN2_LOW
        y = ((((C5 * r + C4) * r + C3) * r + C2) * r + C1) * r + C0
        x[j] = (y * (r * r) + r) + ONE
    for j in range(x.shape[0]):
        bits[j] += shifts[j] << MANTISSA


@inner
def low_rank_factors(estimates, rows, allowed, scaling, alpha, factors, residuals):
    """Of a group of positions: exp((E − largest E of the row) · scaling), and the values' residuals times alpha.

    estimates float32 [M, 4r + 1], rows int32 [L], allowed uint8 [1 or L, keys] -> factors float32 [L, keys], 0 where a
    key is forbidden, and residuals float32 [keys].
    """
    r, keys, L = estimates.shape[1] // 4, factors.shape[1], rows.shape[0]
    columns, wholes = np.zeros((2 * r, keys), np.float32), np.empty(keys, np.float32)
    residuals[:] = 0
    for j in range(L):
        residuals[j] = alpha * estimates[rows[j], 4 * r]
        for t in range(2 * r):
            columns[t, j] = estimates[rows[j], 2 * r + t]
    for i in range(L):
        E, sees = factors[i], allowed[min(i, allowed.shape[0] - 1)]
        E[:] = 0
        for part in range(3):
            # q_m k_p, q_p k_m, q_p k_p
            left, right = (part + 1) // 2 * r, (part + 1) % 2 * r
            for t in range(r):
                q = estimates[rows[i], left + t]
                for j in range(keys):
                    E[j] += q * columns[right + t, j]
        best = np.float32(-np.inf)
        for j in range(L):
            if sees[j]:
                best = max(best, E[j])
        for j in range(keys):
            E[j] = (E[j] - best) * scaling if sees[j] else np.float32(0)
        exponentials_of(E, wholes)
        for j in range(keys):
            E[j] = E[j] if sees[j] else np.float32(0)
