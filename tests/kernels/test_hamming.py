import numpy as np
from binviz_kernels import hamming, naive, pack_rows, pack_weights


def test_hamming_counts_the_differences(form, sizes, zeros_and_ones, poisoned):
    for M, N, K in sizes:
        x, y = zeros_and_ones(M, K), zeros_and_ones(N, K)
        a, b = pack_rows(x), pack_rows(y)
        out = poisoned(M, N)
        assert hamming(a, b, out) is out
        np.testing.assert_array_equal(out, (x[:, None] != y[None]).sum(axis=2), f"{K=}")
        np.testing.assert_array_equal(out, naive.hamming(a, b, poisoned(M, N)), f"{K=}")
        np.testing.assert_array_equal(hamming(a, pack_weights(y), poisoned(M, N)), out, f"{K=}")


def test_three_of_eight_differ():
    a = np.array([[1, -1, 1, 1, -1, -1, 1, -1]], np.float32)
    b = np.array([[1, 1, -1, 1, -1, 1, 1, -1]], np.float32)
    assert hamming(pack_rows(a), pack_weights(b)).tolist() == [[3]]


def test_empty_distances_are_empty_or_zero(form):
    for M, N, K in ((0, 0, 0), (0, 5, 3), (4, 0, 3), (4, 5, 0)):
        distances = hamming(pack_rows(np.ones((M, K))), pack_rows(np.zeros((N, K), bool)))
        np.testing.assert_array_equal(distances, np.zeros((M, N), np.int32) if K == 0 else np.empty((M, N)))


def test_zeros_are_compared_as_bits_whatever_they_stand_for(signs):
    x = signs(4, 65)
    np.testing.assert_array_equal(np.diag(hamming(pack_rows(x), pack_rows(x > 0))), np.zeros(4))
