"""What a user may set around the kernels, or change between two runs: results stay right, refusals are one line."""

import os
import pickle
import subprocess
import sys
from collections import Counter
from pathlib import Path

import binviz_kernels
import numba
import numpy as np
import pytest
from binviz_kernels import forms, kernel, pack_planes, pack_rows, pack_weights, planes_gemm, xnor_gemm

SETTINGS = ("BINVIZ_KERNELS", "NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "NUMBA_NUM_THREADS", "NUMBA_CACHE_DIR")
FORM = "import binviz_kernels.forms as f; print(f.CHOSEN.name)"
SIGNS = """
import numpy as np
from binviz_kernels import compiled, naive, pack_rows
x = np.random.default_rng(0).standard_normal((7, 100), np.float32)
right = (pack_rows(x).words == naive.pack_rows(x).words).all()
print(right, "found" if compiled.SIGNS.serial.stats.cache_hits else "compiled")
"""


def run(program, **settings):
    """A new Python with these settings and none of the others."""
    environment = {name: value for name, value in os.environ.items() if name not in SETTINGS} | settings
    environment["PYTHONPATH"] = str(Path(binviz_kernels.__file__).parents[1])
    command = [sys.executable, "-c", program]
    return subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8")


def test_a_form_that_the_processor_lacks_says_so_in_one_line():
    done = run(FORM, BINVIZ_KERNELS="avx512", NUMBA_CPU_NAME="generic")
    assert done.stdout == "avx512\n"
    assert done.stderr.splitlines() == [
        "BINVIZ_KERNELS=avx512: results are right but slow, as this processor lacks avx512f and avx512vpopcntdq; "
        "unset it to have the fastest form"
    ]


@pytest.mark.parametrize("form", ["", forms.choose(forms.processor_features()).name, "portable"])
def test_what_fits_the_processor_says_nothing(form):
    done = run(FORM, BINVIZ_KERNELS=form)
    assert (done.stderr, done.returncode) == ("", 0)


def test_an_unknown_form_is_refused():
    done = run(FORM, BINVIZ_KERNELS="AVX2")
    names = ", ".join(forms.FORMS)
    assert done.stderr.splitlines()[-1] == f"ValueError: BINVIZ_KERNELS must be one of {names}, got 'AVX2'"


@pytest.mark.slow
def test_the_cache_notices_another_processor(tmp_path):
    """Code for a processor with more instructions would end the process on one with fewer."""
    here = {"NUMBA_CACHE_DIR": str(tmp_path), "BINVIZ_KERNELS": "portable"}
    fewer = here | {"NUMBA_CPU_NAME": "generic"}
    for settings, expected in ((here, "compiled"), (fewer, "compiled"), (here, "found"), (fewer, "found")):
        assert run(SIGNS, **settings).stdout.split() == ["True", expected]


DAMAGES = {
    "nothing": lambda file: None,
    "empty": lambda file: file.write_bytes(b""),
    "garbage": lambda file: file.write_bytes(b"garbage" * 20),
    "truncated": lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    "another object": lambda file: file.write_bytes(pickle.dumps(numba.__version__) + pickle.dumps([1])),
    "not there": lambda file: file.unlink(),
}


@pytest.fixture
def compile_triple(tmp_path, monkeypatch, caplog):
    """A kernel compiled or found in a cache of its own; returns how often it was found, and what was said."""

    def triple(x, words):
        words[:] = 3
        return True

    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    signature = kernel.FLOAT_MATRIX, kernel.WORDS_OUT

    def compiled():
        kernel._say_damaged.cache_clear()
        caplog.clear()
        function = kernel.compile_for(triple, False, signature)
        words = np.zeros((2, 2), np.uint64)
        assert function(np.zeros((2, 2), np.float32), words) and (words == 3).all()
        return function.stats.cache_hits, [record.getMessage() for record in caplog.records]

    return compiled


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_cache_is_written_anew(suffix, damage, tmp_path, compile_triple):
    """What a full disk or a killed process leaves is no trace at every run, and is mended by the next one."""
    assert compile_triple() == (Counter(), [])
    for file in tmp_path.rglob(f"*.{suffix}"):
        DAMAGES[damage](file)
    found, said = compile_triple()
    whole = damage == "nothing"
    assert bool(found) == whole
    assert len(said) == (0 if whole or damage == "not there" else 1)
    assert all("cannot be read; they are compiled anew" in line and "\n" not in line for line in said)
    found, said = compile_triple()
    assert found and not said


@pytest.mark.slow
def test_machine_code_with_a_turned_bit_is_not_run(tmp_path, compile_triple):
    """It would end the process, or give other numbers."""
    compile_triple()
    (file,) = tmp_path.rglob("*.nbc")
    content = file.read_bytes()
    for at in np.linspace(0, len(content) - 1, 12).astype(int):
        turned = bytearray(content)
        turned[at] ^= 1
        file.write_bytes(turned)
        found, said = compile_triple()
        assert not found and len(said) == 1, at


def test_an_error_in_a_kernel_is_not_hidden(tmp_path, monkeypatch):
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    with pytest.raises(numba.TypingError):
        kernel.compile_for(lambda x: x.nothing, False, (kernel.FLOAT_MATRIX,))


def test_kernels_that_must_not_be_compiled_are_refused():
    done = run(FORM, NUMBA_DISABLE_JIT="1")
    assert done.stderr.splitlines()[-1].startswith("ValueError: NUMBA_DISABLE_JIT is set")


@pytest.mark.slow
def test_three_threads_on_any_number_of_cores():
    program = """
import numpy as np
from binviz_kernels import get_threads, naive, pack_rows, pack_weights, set_threads, xnor_gemm
x = np.random.default_rng(0).standard_normal((320, 257))
a, w = pack_rows(x), pack_weights(x)
set_threads(3)
print(get_threads() in (1, 3), (xnor_gemm(a, w) == naive.xnor_gemm(a, w)).all())
try:
    set_threads(4)
except ValueError as error:
    print(error)
"""
    lines = run(program, NUMBA_NUM_THREADS="3").stdout.splitlines()
    assert lines == [
        "True True",
        "threads must be None or a whole number from 1 to 3, got 4; "
        "for more, set NUMBA_NUM_THREADS before Python starts",
    ]


@pytest.mark.parametrize("K", [*range(1, 10), 63, 66, 67, 127], ids=lambda K: f"K{K}")
def test_products_are_right_for_rows_of_any_length(form, K, signs):
    v = signs(5, K)
    np.testing.assert_array_equal(xnor_gemm(pack_rows(v), pack_weights(v)), v.astype(int) @ v.astype(int).T)
    codes = np.random.default_rng(K).integers(0, 3, (3, K), endpoint=True, dtype=np.uint8)
    planes = pack_planes(codes, 2)
    np.testing.assert_array_equal(planes_gemm(planes, pack_weights(v)), codes.astype(int) @ v.astype(int).T)


@pytest.mark.parametrize(
    ("codes", "dtype", "line"),
    [
        ([0, 4], np.uint8, "codes of 2 bits go from 0 to 3, got 0 to 4"),
        ([-3, 1], np.int8, "codes of 2 bits go from -2 to 1, got -3 to 1"),
        ([0, 2], np.int8, "codes of 2 bits go from -2 to 1, got 0 to 2"),
        ([0, 1], np.int64, "codes must be a NumPy array of uint8 (from 0) or int8 (of both signs)"),
    ],
    ids=["beyond 3", "below -2", "a sign too many", "int64"],
)
def test_codes_of_two_bits_that_are_none(codes, dtype, line):
    with pytest.raises((TypeError, ValueError)) as caught:
        pack_planes(np.array([codes], dtype), 2)
    assert str(caught.value) == line
