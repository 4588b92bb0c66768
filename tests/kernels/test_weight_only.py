import numpy as np
import pytest
from binviz_kernels import linear_weight_only, naive, pack_rows, pack_weights, unpack


def some_floats(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def test_entries_are_added_in_order_bit_for_bit(form, sizes, signs, poisoned):
    for M, N, K in sizes:
        x, w, scale, bias = (
            some_floats(M, K),
            pack_weights(signs(N, K)),
            some_floats(N),
            some_floats(N + 1)[1:],
        )
        out = poisoned(M, N, np.float32)
        assert linear_weight_only(x, w, scale, bias, out=out) is out
        twin = naive.linear_weight_only(x, w, scale, bias, out=poisoned(M, N, np.float32))
        np.testing.assert_array_equal(out.view(np.int32), twin.view(np.int32), f"{K=}")


def test_groups_are_scaled_and_added_in_order(form, signs, poisoned):
    for M, N, K, G in ((1, 65, 192, 3), (4, 1, 65, 5), (17, 200, 513, 27), (7, 16, 64, 64), (2, 3, 0, 1)):
        x, w, scale = some_floats(M, K), pack_weights(signs(N, K)), some_floats(G, N)
        out = linear_weight_only(x, w, scale, 0.5, out=poisoned(M, N, np.float32))
        twin = naive.linear_weight_only(x, w, scale, 0.5)
        np.testing.assert_array_equal(out.view(np.int32), twin.view(np.int32), f"{K=} {G=}")
        parts = (x.astype(float) @ (unpack(w) * of).T for of in np.repeat(np.eye(G), K // G, axis=1))
        exact = sum(part * factors for part, factors in zip(parts, scale.astype(float), strict=True)) + 0.5
        np.testing.assert_allclose(out, exact, atol=1e-4)


def test_it_is_close_to_the_exact_sum(signs):
    x, v = some_floats(9, 300), signs(70, 300)
    exact = x.astype(float) @ v.astype(float).T
    np.testing.assert_allclose(linear_weight_only(x, pack_weights(v), 1.0), exact, atol=1e-4)


def test_other_floats_are_used_as_float32(signs):
    x, w = some_floats(5, 65), pack_weights(signs(7, 65))
    for given in (x.astype(np.float16), x.astype(np.float64), np.asfortranarray(x), x.astype(">f4")):
        expected = naive.linear_weight_only(given.astype(np.float32), w, 0.5)
        np.testing.assert_array_equal(linear_weight_only(given, w, 0.5), expected)


def test_nan_stays_in_its_row(signs):
    x = some_floats(3, 65)
    x[1, 7] = np.nan
    assert np.isnan(linear_weight_only(x, pack_weights(signs(7, 65)), 1.0)).all(axis=1).tolist() == [0, 1, 0]


def test_empty_layers(form):
    for M, N, K in ((0, 0, 0), (0, 5, 3), (4, 0, 3), (4, 5, 0)):
        y = linear_weight_only(np.ones((M, K)), pack_weights(np.ones((N, K))), 1.0, 0.5)
        np.testing.assert_array_equal(y, np.full((M, N), 0.5, np.float32) if K == 0 else np.empty((M, N)))


W = pack_weights(np.ones((3, 70)))


@pytest.mark.parametrize(
    ("x", "w", "error", "advice"),
    [
        pytest.param(np.ones((2, 70), bool), W, TypeError, "go to linear", id="bits"),
        pytest.param([[1.0]], W, TypeError, "NumPy array of floats", id="list"),
        pytest.param(np.ones(70), W, ValueError, "reshape", id="one axis"),
        pytest.param(np.ones((2, 69)), W, ValueError, "69 and 70", id="other K"),
        pytest.param(np.ones((2, 70)), pack_rows(np.ones((3, 70))), TypeError, "pack_weights", id="rows"),
    ],
)
def test_what_is_refused(x, w, error, advice):
    with pytest.raises(error, match=advice) as caught:
        linear_weight_only(x, w, 1.0)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("shape", "dtype"), [((3, 3), "f4"), ((2, 4), "f4"), ((0, 3), "f4"), ((2, 3), "f8")])
def test_scales_of_groups_that_do_not_fit(shape, dtype):
    with pytest.raises(ValueError, match=r"float32 array \[G, 3\] with a G that divides K=70"):
        linear_weight_only(np.ones((2, 70)), W, np.ones(shape, dtype))
