import numpy as np
import pytest
from binviz_kernels import (
    Threshold,
    fold_threshold,
    linear,
    linear_bits,
    naive,
    pack_rows,
    pack_weights,
    unpack,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

finite = st.floats(allow_nan=False, allow_infinity=False, width=32)


def some_floats(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def poison(M, N):
    return np.full((M, -(-N // 64)), 0xDEADBEEFDEADBEEF, np.uint64)


@pytest.mark.parametrize("kind", ["signed", "unsigned"])
def test_bits_are_those_of_the_float_layer(form, sizes, kind, signs, zeros_and_ones):
    for M, N, K in sizes:
        x = signs(M, K) if kind == "signed" else zeros_and_ones(M, K)
        w, scale, bias = pack_weights(signs(N, K)), some_floats(N), some_floats(N + 1)[1:]
        threshold = fold_threshold(K, N, scale, bias)
        out = poison(M, N)
        bits = linear_bits(x, w, threshold, out=out)
        assert bits.words is out and (bits.K, bits.signed) == (N, True)
        np.testing.assert_array_equal(unpack(bits, signed=False), linear(x, w, scale, bias) >= 0, f"{K=}")
        twin = naive.linear_bits(x, w, threshold, out=poison(M, N))
        np.testing.assert_array_equal(bits.words, twin.words, f"{K=}")


def test_bits_feed_the_next_layer(form, signs):
    x, w1, w2 = signs(7, 100), pack_weights(signs(70, 100)), pack_weights(signs(9, 70))
    hidden = linear(x, w1, 0.5, bias=0.25)
    expected = linear(hidden, w2, 0.125)
    np.testing.assert_array_equal(
        linear(linear_bits(x, w1, fold_threshold(100, 70, 0.5, 0.25)), w2, 0.125), expected
    )
    zero_one = linear_bits(x, w1, fold_threshold(100, 70, 0.5, 0.25), signed=False)
    np.testing.assert_array_equal(linear(zero_one, w2, 0.125), linear(hidden >= 0, w2, 0.125))


@settings(max_examples=200)
@given(st.integers(0, 70), arrays.arrays(np.float32, (4, 3), elements=finite))
def test_the_folded_comparison_is_the_float_comparison(K, terms):
    """For every dot there can be, and any finite scale, shift, bias and limit."""
    scale, shift, bias, limit = terms
    least, flip = fold_threshold(K, 3, scale, bias, shift=shift, least=limit)
    dots = np.arange(-K, K + 1)[:, None]
    with np.errstate(over="ignore", invalid="ignore"):
        expected = dots.astype(np.float32) * scale + shift + bias >= limit
    np.testing.assert_array_equal((dots >= least) != flip, expected)
    with np.errstate(over="ignore", invalid="ignore"):
        twin = naive.fold_threshold(K, 3, scale, bias, shift=shift, least=limit)
    np.testing.assert_array_equal((dots >= twin.least) != twin.flip, expected)


def test_a_threshold_where_float32_rounds():
    """0.1 · dot − 0.3 in float32 is above 0 at dot = 3, where real numbers would say 0."""
    least, flip = fold_threshold(100, 1, 0.1, -0.3, least=np.nextafter(np.float32(0), np.float32(1)).item())
    expected = np.float32(3) * np.float32(0.1) + np.float32(-0.3) > 0
    assert (least[0] <= 3) == expected and not flip[0]


def test_limits_that_nothing_or_everything_reaches():
    for limit, reached in ((np.nan, False), (np.inf, False), (-np.inf, True)):
        for scale in (0.5, -0.5, 0.0):
            least, flip = fold_threshold(10, 1, scale, least=limit)
            for dot in range(-10, 11):
                assert ((dot >= least[0]) != flip[0]) == reached


def test_a_plain_array_flips_nothing(signs):
    x, w, least = signs(5, 65), pack_weights(signs(7, 65)), np.arange(-3, 4, dtype=np.int32)
    expected = naive.xnor_gemm(pack_rows(x), w) >= least
    for threshold in (least, Threshold(least), Threshold(least, np.zeros(7, bool)), np.repeat(least, 2)[::2]):
        np.testing.assert_array_equal(unpack(linear_bits(x, w, threshold), signed=False), expected)
    flipped = linear_bits(x, w, Threshold(least, np.ones(7, bool)))
    np.testing.assert_array_equal(unpack(flipped, signed=False), ~expected)


def test_empty_layers(form):
    for M, N, K in ((0, 0, 0), (0, 5, 3), (4, 0, 3), (4, 5, 0)):
        bits = linear_bits(np.ones((M, K)), pack_weights(np.ones((N, K))), np.zeros(N, np.int32))
        # No entries have the product 0, and 0 >= 0.
        np.testing.assert_array_equal(unpack(bits), np.ones((M, N)))


W, X = pack_weights(np.ones((3, 70))), np.ones((2, 70))
LEAST = np.zeros(3, np.int32)


@pytest.mark.parametrize(
    ("threshold", "advice"),
    [
        pytest.param(0, "fold_threshold", id="a number"),
        pytest.param(LEAST[:2], "fold_threshold", id="short"),
        pytest.param(LEAST.astype(float), "fold_threshold", id="floats"),
        pytest.param(LEAST.astype(np.int64), "fold_threshold", id="int64"),
        pytest.param(Threshold(LEAST, np.zeros(2, bool)), "flip must be", id="short flip"),
        pytest.param(Threshold(LEAST, LEAST), "flip must be", id="integers as flip"),
    ],
)
def test_thresholds_that_do_not_fit(threshold, advice):
    with pytest.raises(ValueError, match=advice) as caught:
        linear_bits(X, W, threshold)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        pytest.param({"K": -1}, "K must be a whole number", id="negative K"),
        pytest.param({"N": 2.5}, "N must be a whole number", id="fractional N"),
        pytest.param({"scale": np.inf}, "scale must be finite", id="infinite scale"),
        pytest.param({"bias": np.nan}, "bias must be finite", id="NaN as bias"),
        pytest.param({"shift": np.ones(2)}, "shift must be a scalar or", id="float64 shift"),
    ],
)
def test_what_cannot_be_folded(arguments, advice):
    with pytest.raises(ValueError, match=advice):
        fold_threshold(**{"K": 8, "N": 2, "scale": 1.0} | arguments)


def test_an_output_that_does_not_fit():
    with pytest.raises(ValueError, match=r"numpy.empty\(\(2, 1\), numpy.uint64\)"):
        linear_bits(X, W, LEAST, out=np.empty((2, 2), np.uint64))
