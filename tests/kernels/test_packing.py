import numpy as np
import pytest
from binviz_kernels import PackedRows, PackedWeights, naive, pack_rows, pack_weights, prepare, unpack


def test_floats_pack_as_the_naive_twin(sizes):
    for M, _, K in sizes:
        x = np.random.default_rng(K).standard_normal((M, K)).astype(np.float32)
        packed, expected = pack_rows(x), naive.pack_rows(x)
        np.testing.assert_array_equal(packed.words, expected.words, f"{K=}")
        assert packed.words.dtype == np.uint64
        assert packed.words.shape == (M, -(-K // 64))
        assert (packed.K, packed.signed) == (K, True)


def test_zeros_and_ones_pack_as_the_naive_twin(sizes, zeros_and_ones):
    for M, _, K in sizes:
        x = zeros_and_ones(M, K)
        packed, expected = pack_rows(x), naive.pack_rows(x)
        np.testing.assert_array_equal(packed.words, expected.words, f"{K=}")
        assert (packed.K, packed.signed) == (K, False)


def test_unpack_as_the_naive_twin(sizes, signs):
    for M, _, K in sizes:
        packed = pack_rows(signs(M, K))
        for signed in (None, True, False):
            entries = unpack(packed, signed)
            np.testing.assert_array_equal(entries, naive.unpack(packed, signed))
            assert entries.dtype == np.int8
            assert entries.shape == (M, K)


def test_unpack_asks_the_rows_whether_they_are_signed(signs, zeros_and_ones):
    x, b = signs(3, 65), zeros_and_ones(3, 65)
    np.testing.assert_array_equal(unpack(pack_rows(x)), x)
    np.testing.assert_array_equal(unpack(pack_rows(b)), b)
    np.testing.assert_array_equal(unpack(pack_weights(b)), 2 * b.astype(int) - 1)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4"])
def test_the_sign_of_special_floats(dtype):
    tiny = np.finfo(dtype).smallest_subnormal
    x = np.array([[0.0, -0.0, np.nan, -np.nan, np.inf, -np.inf, tiny, -tiny]], dtype)
    assert unpack(pack_rows(x)).tolist() == [[1, 1, -1, -1, 1, -1, 1, -1]]


def test_any_nonzero_uint8_is_one():
    assert unpack(pack_rows(np.array([[0, 1, 2, 128, 255]], np.uint8))).tolist() == [[0, 1, 1, 1, 1]]


@pytest.mark.parametrize(
    "view",
    [
        pytest.param(lambda x: x.T, id="transposed"),
        pytest.param(lambda x: x[::2, 1::3], id="strided"),
        pytest.param(lambda x: x[::-1, ::-1], id="reversed"),
        pytest.param(np.asfortranarray, id="fortran"),
        pytest.param(lambda x: np.broadcast_to(x[0], (4, x.shape[1])), id="broadcast, read-only"),
    ],
)
def test_any_memory_order(view, signs):
    x = view(signs(70, 131))
    np.testing.assert_array_equal(pack_rows(x).words, pack_rows(x.copy()).words)


def test_words_are_little_endian_rows_padded_with_zeros():
    x = np.ones((2, 67), bool)
    assert pack_rows(x).words.tolist() == [[2**64 - 1, 0b111], [2**64 - 1, 0b111]]
    x[:, 0] = False
    assert pack_rows(x).words.tobytes()[:9] == b"\xfe" + b"\xff" * 7 + b"\x07"


def test_weights_pack_as_the_naive_twin(sizes, signs):
    for _, N, K in sizes:
        w = signs(N, K)
        packed, expected = pack_weights(w), naive.prepare(naive.pack_weights(w))
        np.testing.assert_array_equal(packed.words, expected.words, f"{K=}")
        assert packed.K == expected.K == K


def test_prepare_turns_the_stored_form_into_the_packed_one(form, signs):
    packed = pack_weights(signs(5, 70))
    again = prepare(PackedWeights(packed.words, packed.K))
    np.testing.assert_array_equal(again.panels, packed.panels)


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (3, 0)], ids=str)
def test_empty_matrices(shape):
    packed = pack_rows(np.empty(shape, np.float32))
    assert packed.words.shape == (shape[0], -(-shape[1] // 64))
    assert unpack(packed).shape == shape
    assert pack_weights(np.empty(shape)).words.shape == packed.words.shape


def test_rows_are_signed_unless_said_otherwise():
    assert PackedRows(np.zeros((1, 1), np.uint64), 3).signed
