import numpy as np
import pytest
from binviz_kernels import forms, pack_rows, pack_weights, xnor_gemm
from binviz_kernels.panels import arrange


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ({"avx2", "avx512f", "avx512vpopcntdq"}, "avx512"),
        ({"avx2", "avx512f"}, "avx2"),
        ({"avx2"}, "avx2"),
        ({"avx512f"}, "portable"),
        ({"neon"}, "neon"),
        (set(), "portable"),
    ],
    ids=["avx512", "avx512 without popcount", "avx2", "odd", "arm", "unknown"],
)
def test_a_processor_gets_its_form(features, expected):
    assert forms.choose(features).name == expected


def test_any_form_may_be_asked_for_by_name():
    for name in forms.FORMS:
        assert forms.choose(set(), name).name == name
    with pytest.raises(
        ValueError, match="BINVIZ_KERNELS must be one of avx512, avx2, neon, portable, got 'sse'"
    ):
        forms.choose(set(), "sse")


def test_numba_may_be_told_of_another_processor(monkeypatch):
    monkeypatch.setattr("numba.config.CPU_FEATURES", "+avx2,-avx512f,+popcnt")
    assert forms.processor_features() - {"neon"} == {"avx2", "popcnt"}


@pytest.mark.parametrize("system", ["aarch64-unknown-linux-gnu", "arm64-apple-darwin24.1.0"])
def test_an_arm_of_which_nothing_is_known_counts_bytes(system, monkeypatch):
    monkeypatch.setattr("binviz_kernels.forms.get_host_cpu_features", lambda: "")
    monkeypatch.setattr("llvmlite.binding.get_process_triple", lambda: system)
    assert forms.choose(forms.processor_features()).name == "neon"


@pytest.mark.parametrize("name", ["avx512", "avx2", "neon"])
@pytest.mark.parametrize("N", [0, 1, 63, 64, 65, 130], ids=lambda N: f"N{N}")
def test_a_panel_holds_the_ones_and_the_words_of_64_rows(name, N, signs):
    words = pack_rows(signs(N, 100)).words
    panels = arrange(words, forms.FORMS[name])
    assert panels.shape == forms.FORMS[name].shape(N, 2)
    assert N == 0 or panels.ctypes.data % 64 == 0
    lines = panels.view(np.uint32)
    for n in range(64 * len(panels)):
        ones, *halves = lines[n // 64, :, n % 64]
        row = words[n] if n < N else np.zeros(2, np.uint64)
        assert int(ones) == sum(int(word).bit_count() for word in row)
        assert halves == [
            half for word in row for half in (word & np.uint64(2**32 - 1), word >> np.uint64(32))
        ]


def test_the_portable_panels_are_the_transpose(signs):
    words = pack_rows(signs(5, 100)).words
    np.testing.assert_array_equal(arrange(words, forms.FORMS["portable"]), words.T)


def test_weights_prepared_for_another_form_are_run_in_it(signs, monkeypatch):
    a, v = pack_rows(signs(7, 100)), signs(70, 100)
    results = []
    for form in forms.FORMS.values():
        monkeypatch.setattr(forms, "CHOSEN", form)
        results.append((pack_weights(v), form))
    for w, form in results:
        assert w.panels.dtype == form.dtype
        np.testing.assert_array_equal(xnor_gemm(a, w), xnor_gemm(a, results[0][0]))
