import numpy as np
import pytest
from binviz_kernels import (
    PackedPlanes,
    PackedWeights,
    linear,
    naive,
    pack_planes,
    pack_rows,
    pack_weights,
    planes_gemm,
)

KINDS = {
    "0 to 3": (0, 3, 2, np.uint8), "-2 to 1": (-2, 1, 2, np.int8), "-1 to 1": (-1, 1, 2, np.int8),
    "0 to 15": (0, 15, 4, np.uint8), "-8 to 7": (-8, 7, 4, np.int8),
    "0 to 255": (0, 255, 8, np.uint8), "-128 to 127": (-128, 127, 8, np.int8),
}  # fmt: skip


@pytest.fixture(params=KINDS)
def codes(request):
    """Codes [M, K] of one kind, and how many bits they have."""
    least, most, bits, dtype = KINDS[request.param]
    random = np.random.default_rng(0)
    return lambda M, K: (random.integers(least, most, (M, K), endpoint=True, dtype=dtype), bits)


def test_planes_gemm_is_the_integer_product(form, codes, signs, poisoned):
    for M, N, K in ((0, 1, 1), (1, 16, 31), (4, 65, 64), (17, 65, 513), (7, 130, 65)):
        (q, bits), v = codes(M, K), signs(N, K)
        a, w = pack_planes(q, bits), pack_weights(v)
        out = poisoned(M, N)
        assert planes_gemm(a, w, out) is out
        np.testing.assert_array_equal(out, q.astype(int) @ v.astype(int).T)
        np.testing.assert_array_equal(out, naive.planes_gemm(naive.pack_planes(q, bits), w, poisoned(M, N)))


def test_planes_pack_as_the_naive_twin(codes):
    q, bits = codes(5, 70)
    packed, expected = pack_planes(q, bits), naive.pack_planes(q, bits)
    np.testing.assert_array_equal(packed.words, expected.words)
    assert (packed.K, packed.signed, packed.words.shape) == (70, q.dtype == np.int8, (5, bits, 2))


def test_a_layer_of_codes_is_the_numpy_expression_bit_for_bit(codes, signs, poisoned):
    (q, bits), v = codes(7, 130), signs(70, 130)
    random = np.random.default_rng(1)
    scale, bias, shift, rows = (random.standard_normal(n).astype(np.float32) for n in (70, 70, 70, 7))
    a, w, out = pack_planes(q, bits), pack_weights(v), poisoned(7, 70, np.float32)
    assert linear(a, w, scale, bias, shift=shift, row_scale=rows, out=out) is out
    dot = (q.astype(int) @ v.astype(int).T).astype(np.float32)
    expected = (dot * scale + shift) * rows[:, None] + bias
    np.testing.assert_array_equal(out.view(np.int32), expected.view(np.int32))
    twin = naive.linear(a, w, scale, bias, shift=shift, row_scale=rows)
    np.testing.assert_array_equal(out.view(np.int32), twin.view(np.int32))


def test_one_unsigned_plane_is_a_product_of_bits(zeros_and_ones, signs):
    x, w = zeros_and_ones(5, 70), pack_weights(signs(9, 70))
    planes = pack_planes(x.view(np.uint8), 1)
    np.testing.assert_array_equal(planes_gemm(planes, w), naive.and_gemm(pack_rows(x), w))


def test_empty_products_are_empty_or_zero(form):
    for M, N, K in ((0, 0, 0), (0, 5, 3), (4, 0, 3), (4, 5, 0)):
        product = planes_gemm(pack_planes(np.ones((M, K), np.int8), 2), pack_weights(np.ones((N, K))))
        np.testing.assert_array_equal(product, np.zeros((M, N), np.int32))


@pytest.mark.parametrize(
    ("codes", "bits", "error", "advice"),
    [
        pytest.param([[1]], 2, TypeError, "NumPy array", id="list"),
        pytest.param(np.ones((2, 2)), 2, TypeError, "uint8", id="floats"),
        pytest.param(np.ones(2, np.int8), 2, ValueError, "reshape", id="one axis"),
        pytest.param(np.ones((2, 2), np.int8), 9, ValueError, "from 1 to 8", id="nine bits"),
        pytest.param(np.ones((2, 2), np.int8), True, ValueError, "from 1 to 8", id="bits is a bool"),
        pytest.param(np.full((2, 2), 4, np.uint8), 2, ValueError, "from 0 to 3, got 4 to 4", id="too large"),
        pytest.param(
            np.full((2, 2), -3, np.int8), 2, ValueError, "from -2 to 1, got -3 to -3", id="too small"
        ),
    ],
)
def test_what_cannot_be_packed(codes, bits, error, advice):
    with pytest.raises(error, match=advice) as caught:
        pack_planes(codes, bits)
    assert "\n" not in str(caught.value)


def test_operands_that_do_not_fit():
    a, w = pack_planes(np.ones((2, 70), np.int8), 2), pack_weights(np.ones((3, 70)))
    with pytest.raises(TypeError, match="use pack_planes"):
        planes_gemm(pack_rows(np.ones((2, 70))), w)
    with pytest.raises(TypeError, match="pack_planes"):
        planes_gemm(a._replace(words=a.words[0]), w)
    with pytest.raises(ValueError, match="70 and 71"):
        planes_gemm(a, pack_weights(np.ones((3, 71))))
    K = 2**31 - 1
    longest = PackedPlanes(np.empty((0, 2, -(-K // 64)), np.uint64), K)
    with pytest.raises(ValueError, match="exceed an int32"):
        planes_gemm(longest, PackedWeights(longest.words[:, 0], K))
