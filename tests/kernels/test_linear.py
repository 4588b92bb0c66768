import itertools

import numpy as np
import pytest
from binviz_kernels import linear, naive, pack_rows, pack_weights

TERMS = [
    frozenset(terms) for n in range(4) for terms in itertools.combinations(["bias", "shift", "row_scale"], n)
]


def bits_of(y):
    """float32 as integers, so that −0.0 differs from 0.0 and NaN equals itself."""
    return y.view(np.int32)


def some_floats(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("kind", ["signed", "unsigned"])
def test_linear_is_the_numpy_expression_bit_for_bit(form, sizes, kind, signs, zeros_and_ones, poisoned):
    for M, N, K in sizes:
        x = signs(M, K) if kind == "signed" else zeros_and_ones(M, K)
        v = signs(N, K)
        scale, shift, bias, row_scale = some_floats(N), some_floats(N + 1)[1:], some_floats(N), some_floats(M)
        out = poisoned(M, N, np.float32)
        got = linear(x, pack_weights(v), scale, bias, shift=shift, row_scale=row_scale, out=out)
        assert got is out
        dot = (x.astype(int) @ v.astype(int).T).astype(np.float32)
        expected = (dot * scale + shift) * row_scale[:, None] + bias
        assert expected.dtype == np.float32
        np.testing.assert_array_equal(bits_of(out), bits_of(expected), f"{K=}")
        twin = naive.linear(x, pack_weights(v), scale, bias, shift=shift, row_scale=row_scale)
        np.testing.assert_array_equal(bits_of(out), bits_of(twin), f"{K=}")


def test_every_choice_of_terms(form, signs):
    x, w = signs(5, 65), pack_weights(signs(7, 65))
    every = {"bias": some_floats(7), "shift": some_floats(8)[1:], "row_scale": some_floats(5)}
    for terms in TERMS:
        given = {name: vector for name, vector in every.items() if name in terms}
        fast, slow = (module(x, w, some_floats(7), **given) for module in (linear, naive.linear))
        np.testing.assert_array_equal(bits_of(fast), bits_of(slow), str(terms))


def test_scalars_stand_for_constant_vectors(signs):
    x, w = signs(5, 65), pack_weights(signs(7, 65))
    full = linear(
        x, w, np.full(7, 0.3, np.float32), np.full(7, -1.5, np.float32),
        shift=np.full(7, 0.7, np.float32), row_scale=np.full(5, 0.1, np.float32),
    )  # fmt: skip
    for scalar in (float, np.float32, np.float64, np.array):
        short = linear(x, w, scalar(0.3), scalar(-1.5), shift=scalar(0.7), row_scale=scalar(0.1))
        np.testing.assert_array_equal(bits_of(short), bits_of(full))
    np.testing.assert_array_equal(linear(x, w, 2), linear(x, w, 2.0))


def test_a_product_is_rounded_before_the_sum(form, signs):
    """A fused multiply-add would leave the rounding error of the product instead of zero."""
    x, v = signs(17, 513), signs(33, 513)
    scale, row_scale = some_floats(33), some_floats(17)
    for m, (row, dot) in enumerate(zip(x, (x @ v.T).astype(np.float32), strict=True)):
        product = dot * scale
        assert not linear(row[None], pack_weights(v), scale, -product).any()
        assert not linear(row[None], pack_weights(v), scale, shift=-product).any()
        product = dot * scale * row_scale[m]
        one = row_scale[m : m + 1]
        assert not linear(row[None], pack_weights(v), scale, -product, row_scale=one).any()


def test_an_absent_term_is_not_a_zero(form):
    # dot = 0 and scale < 0 give −0.0; adding +0.0 would lose its sign.
    x, w = np.array([[1.0, -1.0]]), pack_weights(np.ones((1, 2)))
    assert np.signbit(linear(x, w, -1.0))[0, 0]
    assert not np.signbit(linear(x, w, -1.0, 0.0))[0, 0]


def test_infinities_and_nan_pass_through(form, signs):
    x, v = signs(3, 64), signs(3, 64)
    scale = np.array([np.inf, np.nan, 3e38], np.float32)
    got = linear(x, pack_weights(v), scale, bias=1.0)
    with np.errstate(over="ignore", invalid="ignore"):
        expected = (x @ v.T) * scale + np.float32(1)
    np.testing.assert_array_equal(got, expected)


def test_packed_rows_and_raw_arrays_give_the_same(signs, zeros_and_ones):
    w = pack_weights(signs(7, 65))
    for x in (signs(5, 65), zeros_and_ones(5, 65), zeros_and_ones(5, 65).astype(np.uint8)):
        np.testing.assert_array_equal(linear(x, w, 0.5), linear(pack_rows(x), w, 0.5))


def test_empty_layers(form):
    for M, N, K in ((0, 0, 0), (0, 5, 3), (4, 0, 3), (4, 5, 0)):
        bias = some_floats(N)
        y = linear(np.ones((M, K)), pack_weights(np.ones((N, K))), some_floats(N), bias)
        assert y.dtype == np.float32
        # Nothing is summed for K = 0: what remains is the bias.
        np.testing.assert_array_equal(y, np.broadcast_to(bias, (M, N)) if K == 0 else np.empty((M, N)))


def test_read_only_and_strided_vectors(signs):
    x, w, scale = signs(5, 65), pack_weights(signs(7, 65)), some_floats(14)
    expected = linear(x, w, scale[::2].copy())
    x.flags.writeable = scale.flags.writeable = False
    np.testing.assert_array_equal(linear(x, w, scale[::2]), expected)


@pytest.mark.parametrize("pack", [pack_rows, lambda x: x], ids=["packed rows", "floats"])
def test_large_outputs_begin_with_a_line_of_the_cache(pack, signs):
    x, w = signs(512, 64), pack_weights(signs(512, 64))
    y = linear(pack(x), w, 0.5)
    assert y.ctypes.data % 64 == 0 and y.flags.c_contiguous and y.flags.writeable
    np.testing.assert_array_equal(y, naive.linear(x, w, 0.5))


@pytest.mark.parametrize("K", [63, 65, 127], ids=lambda K: f"K{K}")
def test_packed_rows_of_another_length_are_refused_at_every_call(K, signs):
    w, x = pack_weights(signs(7, 64)), signs(5, 64)
    vector = np.ones(7, np.float32)
    linear(pack_rows(x), w, vector)  # from here on the kernel is compiled, and the short way to it is taken
    with pytest.raises(ValueError, match="K differs"):
        linear(pack_rows(signs(5, K)), w, vector)
    with pytest.raises(ValueError, match="needs 1 words per row"):
        linear(pack_rows(signs(5, 127))._replace(K=64), w, vector)
