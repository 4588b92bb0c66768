import numpy as np
import pytest
from binviz_kernels import forms, pack_rows, pack_weights, xnor_gemm
from binviz_kernels.panels import arrange


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ({"avx2", "avx512f", "avx512vpopcntdq"}, "avx512"),
        ({"avx2", "avx512f", "avx512bw"}, "avx512bw"),
        ({"avx2", "avx512f", "avx512bw", "avx512vbmi"}, "avx512bw"),
        ({"avx2", "avx512f"}, "avx2"),
        ({"avx2"}, "avx2"),
        ({"avx512f"}, "portable"),
        ({"neon"}, "neon"),
        (set(), "portable"),
    ],
    ids=[
        "avx512",
        "avx512 without popcount",
        "the same with vbmi",
        "avx512 without bytes",
        "avx2",
        "odd",
        "arm",
        "unknown",
    ],
)
def test_a_processor_gets_its_form(features, expected):
    assert forms.choose(features).name == expected


def test_a_form_that_can_run_may_be_asked_for_by_name():
    for name in ("avx512", "neon", "portable"):
        assert forms.choose(set(), name).name == name
    assert forms.choose({"avx2"}, "avx2").name == "avx2"
    with pytest.raises(ValueError, match=f"must be one of {', '.join(forms.FORMS)}, got 'sse'"):
        forms.choose(set(), "sse")
    with pytest.raises(ValueError, match="BINVIZ_KERNELS=avx2: this processor lacks avx2; unset it"):
        forms.choose({"avx512f"}, "avx2")


def test_codes_of_several_bits_have_the_form_that_looks_up(monkeypatch):
    monkeypatch.setattr(forms, "CHOSEN", forms.FORMS["avx512"])
    features = {"avx512f", "avx512vpopcntdq", "avx512bw", "avx512vbmi"}
    monkeypatch.setattr(forms, "processor_features", lambda: features)
    assert [forms.for_bits(bits).name for bits in (1, 2, 4)] == ["avx512", "avx512vbmi", "avx512vbmi"]
    features -= {"avx512vbmi"}
    assert [forms.for_bits(bits).name for bits in (1, 2, 3)] == ["avx512", "avx512", "avx512bw"]
    features -= {"avx512bw"}
    assert forms.for_bits(4).name == "avx512"
    monkeypatch.setattr(forms, "CHOSEN", forms.FORMS["portable"])
    assert forms.for_bits(4).name == "portable"


def test_numba_may_be_told_of_another_processor(monkeypatch):
    monkeypatch.setattr("numba.config.CPU_FEATURES", "+avx2,-avx512f,+popcnt")
    assert forms.processor_features() - {"neon"} == {"avx2", "popcnt"}


@pytest.mark.parametrize("system", ["aarch64-unknown-linux-gnu", "arm64-apple-darwin24.1.0"])
def test_an_arm_of_which_nothing_is_known_counts_bytes(system, monkeypatch):
    monkeypatch.setattr("numba.config.CPU_FEATURES", None)
    monkeypatch.setattr("binviz_kernels.forms.get_host_cpu_features", lambda: "")
    monkeypatch.setattr("llvmlite.binding.get_process_triple", lambda: system)
    assert forms.choose(forms.processor_features()).name == "neon"


@pytest.mark.parametrize("name", ["avx512", "neon"])
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


@pytest.mark.parametrize("name", [form.name for form in forms.available() if len(form.line) == 2])
@pytest.mark.parametrize("N", [1, 65, 130], ids=lambda N: f"N{N}")
def test_a_panel_of_fours_holds_the_same_bits(name, N, signs):
    words = pack_rows(signs(N, 100)).words
    panels = arrange(words, forms.FORMS[name])
    assert panels.shape == forms.FORMS[name].shape(N, 2) and panels.ctypes.data % 64 == 0
    lanes = {"avx2": 8, "avx512bw": 16}[name]
    rows = np.zeros((64 * len(panels), 16), np.uint8)
    rows[:N] = words.view(np.uint8)
    fours = np.stack([rows & 15, rows >> 4], -1).reshape(len(rows), 32)
    ones = np.bitwise_count(rows).sum(1)
    for p, panel in enumerate(panels.view(np.uint8)):
        here = slice(64 * p, 64 * p + 64)
        np.testing.assert_array_equal(panel[0].reshape(-1)[:256].view(np.int32), ones[here])
        # [four bits, register, lane, byte] -> [register, byte, lane, four bits]
        found = panel[1:].reshape(32, -1, lanes, 4).transpose(1, 3, 2, 0).reshape(64, 32)
        np.testing.assert_array_equal(found, fours[here])


@pytest.mark.skipif(forms.FORMS["avx512vbmi"] not in forms.available(), reason="a place needs AVX-512 VBMI")
@pytest.mark.parametrize("N", [1, 65, 130], ids=lambda N: f"N{N}")
def test_a_panel_of_places_holds_the_same_bits(N, signs):
    words = pack_rows(signs(N, 100)).words
    panels = arrange(words, forms.FORMS["avx512vbmi"])
    assert panels.shape == forms.FORMS["avx512vbmi"].shape(N, 2) and panels.ctypes.data % 64 == 0
    rows = np.zeros((64 * len(panels), 2), np.uint64)
    rows[:N] = words
    octets = panels.view(np.uint8)
    for n, row in enumerate(rows):
        p, i = divmod(n, 64)
        assert octets[p, 0].reshape(-1)[:256].view(np.int32)[i] == np.bitwise_count(row).sum()
        places = octets[p, 1:, :, 0, 4 * (i % 16) + i // 16]
        assert [[int(word) >> 6 * k & 63 for k in range(11)] for word in row] == places.tolist()


def test_the_portable_panels_are_the_transpose(signs):
    words = pack_rows(signs(5, 100)).words
    np.testing.assert_array_equal(arrange(words, forms.FORMS["portable"]), words.T)


@pytest.mark.slow
def test_weights_prepared_for_another_form_are_run_in_it(signs, monkeypatch):
    a, v = pack_rows(signs(7, 100)), signs(70, 100)
    results = []
    for form in forms.available():
        monkeypatch.setattr(forms, "CHOSEN", form)
        results.append((pack_weights(v), form))
    for w, form in results:
        assert w.panels.dtype == form.dtype
        np.testing.assert_array_equal(xnor_gemm(a, w), xnor_gemm(a, results[0][0]))
