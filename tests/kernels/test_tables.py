"""Products that are looked up: what a table holds, and sums at the end of what bytes and 16 bits hold."""

import numba
import numpy as np
import pytest
from binviz_kernels import forms, pack_planes, pack_rows, pack_weights, planes_gemm, xnor_gemm
from binviz_kernels.blocks import looked_up, new_tables
from binviz_kernels.panels import arrange
from binviz_kernels.wide_tables import PAIR, look_up_word

TABLES = [form.name for form in forms.available() if len(form.line) == 2]
WIDE = forms.FORMS["avx512vbmi"] in forms.available()
KINDS = pytest.mark.parametrize(
    ("bits", "signed"),
    [(1, False), (1, True), (2, False), (2, True), (3, True), (4, False), (4, True)],
    ids=str,
)


@numba.njit
def tables_of(words, panels, planes, signed, together):
    M = words.shape[0]
    memory = new_tables(panels, M, words.shape[1] // planes, together)
    out = np.empty((M, 64 * panels.shape[0]), np.int32)
    return looked_up(words, panels, planes, signed, together, memory, 0, M, 0, out.shape[1], out)


@numba.njit
def word_looked_up(words, panels, planes, signed, sums, word):
    M = words.shape[0]
    for m in range(0, M, 2):
        look_up_word(words, panels, planes, signed, sums, m, m, M - m, word, 0, panels.shape[0])


def codes_of(bits, signed, rows, K):
    least = -(2 ** (bits - 1)) if signed else 0
    dtype = np.int8 if signed else np.uint8
    return np.random.default_rng(bits).integers(least, least + 2**bits, (rows, K)).astype(dtype), least


@pytest.mark.parametrize("name", TABLES)
@KINDS
def test_a_table_counts_the_places_in_which_four_weights_differ(name, bits, signed):
    codes, least = codes_of(bits, signed, 3, 128)
    words = pack_planes(codes, bits).words
    panels = arrange(np.zeros((64, 2), np.uint64), forms.FORMS[name])
    tables = tables_of(words.reshape(3, -1), panels, bits, signed, 1)
    # The highest plane of signed codes, turned round, is that of the codes plus 2^(bits − 1)
    shifted = codes.astype(int) - least
    for m, group in np.ndindex(3, 32):
        q = shifted[m, 4 * group : 4 * group + 4]
        weights = (np.arange(16)[:, None] >> np.arange(4)) & 1  # [place, four bits]
        # Bit p of q differs from the weight: q if the weight is 0, all ones less q if it is 1
        expected = np.where(weights == 1, 2**bits - 1 - q, q).sum(1)
        np.testing.assert_array_equal(tables[m].reshape(-1, 16)[group], expected)


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("rows", [1, 4, 5])
def test_a_table_of_a_pair_counts_for_both(name, rows, signs):
    words = pack_rows(signs(rows, 128)).words
    panels = arrange(np.zeros((64, 2), np.uint64), forms.FORMS[name])
    own, shared = (tables_of(words, panels, 1, False, together).astype(int) for together in (1, 2))
    upper = np.zeros_like(shared)
    upper[: rows // 2] = own[1::2]
    np.testing.assert_array_equal(shared, own[::2] + 16 * upper)


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("rows", [1, 4, 5])
def test_a_table_of_ternary_codes_counts_no_zeros(name, rows):
    codes = np.random.default_rng(rows).integers(-1, 2, (rows, 128)).astype(np.int8)
    words = pack_planes(codes, 2).words.reshape(rows, -1)
    panels = arrange(np.zeros((64, 2), np.uint64), forms.FORMS[name])
    tables = tables_of(words, panels, 2, True, 2).reshape(-1, 32, 16)
    weights = 2 * ((np.arange(16)[:, None] >> np.arange(4)) & 1) - 1  # [place, four signs]
    own = (codes.reshape(rows, 32, 1, 4) * weights == -1).sum(3)
    upper = np.zeros_like(tables, int)
    upper[: rows // 2] = own[1::2]
    np.testing.assert_array_equal(tables, own[::2] + 16 * upper)


@pytest.mark.parametrize("K", [64, 192, 3_904, 70_000])
@pytest.mark.parametrize("other", [0, -2])
def test_ternary_codes_fill_every_sum_and_one_other_code_takes_the_other_way(form, K, other):
    rows = np.array([1, -1, 0, -1, 1, 1, -1], np.int8)
    codes = np.repeat(rows[:, None], K, axis=1)
    codes[:, 5], codes[4, K - 1] = 0, other
    v = np.repeat(np.random.default_rng(K).choice(np.array([-1, 1], np.float32), 70)[:, None], K, axis=1)
    product = planes_gemm(pack_planes(codes, 2), pack_weights(v))
    np.testing.assert_array_equal(product, codes.astype(int) @ v.astype(int).T)


@pytest.mark.parametrize("K", [64, 128, 192, 3_840, 3_904, 70_000, 140_000])
def test_rows_that_differ_everywhere_fill_every_sum(form, K):
    # Of words: a third of them and what is left; bytes and 16 bits at their fullest, and beyond.
    # Beside full sums empty ones: of the other row of a pair, and of the next byte's output
    rows, outputs = np.ones(7, int), np.random.default_rng(K).choice([-1, 1], 70)
    rows[2::3] = -1
    a, w = (np.repeat(each.astype(np.float32)[:, None], K, axis=1) for each in (rows, outputs))
    np.testing.assert_array_equal(xnor_gemm(pack_rows(a), pack_weights(w)), K * np.outer(rows, outputs))


@pytest.mark.skipif(not WIDE, reason="tables of 64 bytes need AVX-512 VBMI")
@KINDS
def test_sums_count_the_places_in_which_a_word_differs_from_each_weight_row(bits, signed, signs):
    codes, least = codes_of(bits, signed, 3, 192)
    words, v = pack_planes(codes, bits).words.reshape(3, -1), signs(128, 192)
    panels = arrange(pack_rows(v).words, forms.FORMS["avx512vbmi"])
    sums = np.full((3, 2, PAIR), 255, np.uint8)
    expected = np.zeros((3, 128), int)
    for word in range(2):  # the first begins, the second adds
        word_looked_up(words, panels, bits, signed, sums, word)
        q, weights = codes[:, 64 * word :][:, :64].astype(int) - least, v[:, 64 * word :][:, :64] > 0
        # Bit p of q differs from the weight: q if the weight is 0, all ones less q if it is 1
        expected += np.where(weights, 2**bits - 1 - q[:, None], q[:, None]).sum(2)
    pairs = sums.view(np.uint16).reshape(3, 2, 2, 32).astype(int)
    both, upper = pairs[:, :, 0], pairs[:, :, 1]
    counted = np.stack([both - 256 * upper, upper], -1) % 2**16  # [row, panel, lane, byte]
    # Byte 4d + c is output 16c + d
    outputs = counted.reshape(3, 2, 16, 4).swapaxes(2, 3).reshape(3, 128)
    np.testing.assert_array_equal(outputs, expected)


@pytest.mark.parametrize("planes", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("signed", [False, True], ids=["from 0", "of both signs"])
def test_planes_of_awkward_sizes(form, planes, signed, signs, poisoned):
    for M, N, K in ((1, 1, 7), (9, 63, 64), (8, 65, 257), (13, 129, 321)):
        codes, _ = codes_of(planes, signed, M, K)
        v, out = signs(N, K), poisoned(M, N)
        product = planes_gemm(pack_planes(codes, planes), pack_weights(v), out)
        assert product is out
        np.testing.assert_array_equal(product, codes.astype(int) @ v.astype(int).T, f"{K=}")


@pytest.mark.parametrize("signed", [False, True], ids=["from 0", "of both signs"])
def test_extreme_codes_of_long_rows(form, signed):
    for bits, K in ((2, 25_000), (4, 5_003), (4, 9_001), (5, 2_500), (7, 4_500)):
        least = -(2 ** (bits - 1)) if signed else 0
        dtype = np.int8 if signed else np.uint8
        codes = np.repeat(np.array([[least], [least + 2**bits - 1]], dtype), K, axis=1)
        v = np.repeat(np.array([[1.0], [-1.0]], np.float32), K, axis=1)
        v = np.concatenate([v, np.random.default_rng(K).choice(np.array([-1, 1], np.float32), (63, K))])
        product = planes_gemm(pack_planes(codes, bits), pack_weights(v))
        np.testing.assert_array_equal(product, codes.astype(int) @ v.astype(int).T, f"{bits=}, {K=}")
