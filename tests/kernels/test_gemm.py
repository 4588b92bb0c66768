import numpy as np
from binviz_kernels import PackedWeights, and_gemm, naive, pack_rows, pack_weights, xnor_gemm


def test_five_matches_of_eight_give_two():
    a = np.array([[1, -1, 1, 1, -1, -1, 1, -1]], np.float32)
    b = np.array([[1, 1, -1, 1, -1, 1, 1, -1]], np.float32)
    assert xnor_gemm(pack_rows(a), pack_weights(b)).tolist() == [[2]]


def test_xnor_gemm_is_the_integer_product(form, sizes, signs, poisoned):
    for M, N, K in sizes:
        x, v = signs(M, K), signs(N, K)
        a, w = pack_rows(x), pack_weights(v)
        out = poisoned(M, N)
        assert xnor_gemm(a, w, out) is out
        np.testing.assert_array_equal(out, x.astype(int) @ v.astype(int).T, f"{K=}")
        np.testing.assert_array_equal(out, naive.xnor_gemm(a, w, poisoned(M, N)), f"{K=}")


def test_and_gemm_is_the_integer_product(form, sizes, zeros_and_ones, signs, poisoned):
    for M, N, K in sizes:
        x, v = zeros_and_ones(M, K), signs(N, K)
        a, w = pack_rows(x), pack_weights(v)
        out = poisoned(M, N)
        assert and_gemm(a, w, out) is out
        np.testing.assert_array_equal(out, x.astype(int) @ v.astype(int).T, f"{K=}")
        np.testing.assert_array_equal(out, naive.and_gemm(a, w, poisoned(M, N)), f"{K=}")


def test_zeros_and_ones_by_signs_is_half_of_signs_by_signs(zeros_and_ones, signs):
    # a in {0, 1} is (s + 1) / 2 with s in {-1, +1}, so a·w = (s·w + 1·w) / 2
    bits, v = zeros_and_ones(5, 130), signs(7, 130)
    s = np.where(bits, 1.0, -1.0)
    w, one = pack_weights(v), pack_rows(np.ones((1, 130)))
    np.testing.assert_array_equal(
        2 * and_gemm(pack_rows(bits), w), xnor_gemm(pack_rows(s), w) + xnor_gemm(one, w)
    )


def test_empty_products_are_empty_or_zero(form):
    for M, N, K in ((0, 0, 0), (0, 5, 3), (4, 0, 3), (4, 5, 0)):
        w = pack_weights(np.ones((N, K)))
        for product in (
            xnor_gemm(pack_rows(np.ones((M, K))), w),
            and_gemm(pack_rows(np.ones((M, K), bool)), w),
        ):
            np.testing.assert_array_equal(product, np.zeros((M, N), np.int32))
            assert product.dtype == np.int32


def test_extreme_products_of_long_rows(form):
    K = 100_003
    ones, minus = np.ones((2, K), np.float32), -np.ones((2, K), np.float32)
    assert xnor_gemm(pack_rows(ones), pack_weights(minus)).tolist() == [[-K, -K]] * 2
    assert and_gemm(pack_rows(ones > 0), pack_weights(minus)).tolist() == [[-K, -K]] * 2
    assert and_gemm(pack_rows(ones > 0), pack_weights(ones)).tolist() == [[K, K]] * 2


def test_weights_without_panels_give_the_same(signs):
    a, w = pack_rows(signs(3, 70)), pack_weights(signs(9, 70))
    np.testing.assert_array_equal(xnor_gemm(a, PackedWeights(w.words, w.K)), xnor_gemm(a, w))


def test_read_only_and_strided_words(signs):
    a, w = pack_rows(signs(6, 70)), pack_weights(signs(8, 70))
    expected = xnor_gemm(a, w)
    a.words.flags.writeable = w.words.flags.writeable = w.panels.flags.writeable = False
    np.testing.assert_array_equal(xnor_gemm(a, w), expected)
    every_second = a._replace(words=a.words[::2])
    np.testing.assert_array_equal(xnor_gemm(every_second, w), expected[::2])


def test_operands_are_left_alone(signs):
    a, w = pack_rows(signs(6, 70)), pack_weights(signs(8, 70))
    before = a.words.copy(), w.words.copy(), w.panels.copy()
    xnor_gemm(a, w)
    for was, now in zip(before, (a.words, w.words, w.panels), strict=True):
        np.testing.assert_array_equal(was, now)
        assert now.flags.writeable
