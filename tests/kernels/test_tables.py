"""Products that are looked up: what a table holds, and sums at the end of what bytes and 16 bits hold."""

import numba
import numpy as np
import pytest
from binviz_kernels import forms, pack_planes, pack_weights, planes_gemm
from binviz_kernels.blocks import looked_up, new_tables
from binviz_kernels.panels import arrange

TABLES = [form.name for form in forms.available() if form.tables]


@numba.njit
def tables_of(words, panels, planes, signed):
    tables = new_tables(panels, words.shape[0], words.shape[1] // planes)
    return looked_up(words, panels, planes, signed, tables, 0, words.shape[0])


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize(
    ("bits", "signed"), [(1, False), (2, False), (2, True), (4, True), (5, False)], ids=str
)
def test_a_table_counts_the_places_in_which_four_weights_differ(name, bits, signed):
    least = -(2 ** (bits - 1)) if signed else 0
    dtype = np.int8 if signed else np.uint8
    codes = np.random.default_rng(bits).integers(least, least + 2**bits, (3, 128)).astype(dtype)
    words = pack_planes(codes, bits).words
    panels = arrange(np.zeros((64, 2), np.uint64), forms.FORMS[name])
    tables = tables_of(words.reshape(3, -1), panels, bits, signed)
    # The highest plane of signed codes, turned round, is that of the codes plus 2^(bits − 1)
    shifted = codes.astype(int) - least
    many = {"avx2": 2, "avx512bw": 4}[name]  # bytes of a row in a step
    for m, group in np.ndindex(3, 32):
        q = shifted[m, 4 * group : 4 * group + 4]
        weights = (np.arange(16)[:, None] >> np.arange(4)) & 1  # [place, four bits]
        # Bit p of q differs from the weight: q if the weight is 0, all ones less q if it is 1
        expected = np.where(weights == 1, 2**bits - 1 - q, q).sum(1)
        step, byte, half = group // 2 // many, group // 2 % many, group % 2
        place = (step * 2 + half) * many + byte
        np.testing.assert_array_equal(tables[m].reshape(-1, 16)[place], expected)


@pytest.mark.parametrize(
    ("bits", "K"), [(2, 25_000), (4, 5_003), (4, 9_001), (5, 2_500), (7, 4_500)], ids=str
)
@pytest.mark.parametrize("signed", [False, True], ids=["from 0", "of both signs"])
def test_extreme_codes_of_long_rows(form, bits, K, signed):
    least = -(2 ** (bits - 1)) if signed else 0
    dtype = np.int8 if signed else np.uint8
    codes = np.repeat(np.array([[least], [least + 2**bits - 1]], dtype), K, axis=1)
    v = np.repeat(np.array([[1.0], [-1.0]], np.float32), K, axis=1)
    v = np.concatenate([v, np.random.default_rng(K).choice(np.array([-1, 1], np.float32), (63, K))])
    product = planes_gemm(pack_planes(codes, bits), pack_weights(v))
    np.testing.assert_array_equal(product, codes.astype(int) @ v.astype(int).T)
