import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import binviz_kernels
import numba
import numpy as np
import pytest
from binviz_kernels import naive, pack_weights, threads

SOURCE_ROOT = Path(binviz_kernels.__file__).parents[1]


def every_product(kernels, x, w):
    vectors = [np.linspace(-1, 1, n, dtype=np.float32) for n in (len(w.words), len(x))]
    a, bits = kernels.pack_rows(x), kernels.pack_rows(x >= 0)
    return (
        kernels.xnor_gemm(a, w),
        kernels.and_gemm(bits, w),
        kernels.hamming(a, w),
        kernels.linear(x, w, vectors[0], 0.3, row_scale=vectors[1]),
        kernels.linear(bits, w, 0.3, vectors[0], shift=vectors[0]),
    )


def test_rows_split_in_three_give_the_same(M, signs, monkeypatch):
    """However small the product, and however few cores there are."""
    monkeypatch.setattr(threads, "SMALLEST_WORK", 0)
    monkeypatch.setattr(threads, "thread_count", lambda: 3)
    x, w = signs(M, 513), pack_weights(signs(33, 513))
    for fast, slow in zip(every_product(binviz_kernels, x, w), every_product(naive, x, w), strict=True):
        np.testing.assert_array_equal(fast, slow)


def test_kernels_called_from_four_python_threads_at_once(signs, monkeypatch):
    """The unsafe kind of threads would abort the process here."""
    monkeypatch.setattr(threads, "SMALLEST_WORK", 0)
    x, w = signs(64, 200), pack_weights(signs(48, 200))
    expected = every_product(binviz_kernels, x, w)
    with ThreadPoolExecutor(4) as pool:
        for results in pool.map(lambda _: every_product(binviz_kernels, x, w), range(200)):
            for result, truth in zip(results, expected, strict=True):
                np.testing.assert_array_equal(result, truth)


@pytest.mark.parametrize(
    ("rows", "work", "available", "expected"),
    [
        (2, threads.SMALLEST_WORK, 4, (4,)),
        (1, 1 << 30, 4, (0, 1)),
        (9, 1, 4, (0, 9)),
        (9, 1 << 30, 1, (0, 9)),
    ],
    ids=["large", "one row", "small", "one thread"],
)
def test_only_large_products_are_split(rows, work, available, expected, monkeypatch):
    monkeypatch.setattr(threads, "thread_count", lambda: available)
    calls = []
    threads.run(lambda *args: calls.append(args), lambda *args: calls.append(args), rows, work, "x")
    assert calls == [("x", *expected)]


def test_one_thread_where_no_safe_kind_is_installed(monkeypatch):
    def refuse():
        raise ValueError("No threading layer could be loaded.")

    monkeypatch.setattr(numba, "get_num_threads", refuse)
    monkeypatch.setattr(threads, "threads_available", threads.threads_available.__wrapped__)
    assert threads.thread_count() == 1


def test_the_number_of_threads_is_the_users():
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        assert threads.thread_count() == 1
    finally:
        numba.set_num_threads(before)
    assert threads.thread_count() == before


def test_threads_are_safe_unless_the_user_chose(tmp_path):
    program = "import sys, numba, binviz_kernels; print(numba.config.THREADING_LAYER, 'torch' in sys.modules)"
    assert run_python(program, tmp_path).split() == ["threadsafe", "False"]
    assert run_python(program, tmp_path, NUMBA_THREADING_LAYER="omp").split() == ["omp", "False"]
    chosen = "import numba; numba.config.THREADING_LAYER = 'workqueue'; " + program
    assert run_python(chosen, tmp_path).split() == ["workqueue", "False"]


def test_the_number_of_threads_of_torch_is_left_alone(tmp_path):
    program = """
import torch
torch.set_num_threads(1)
assert torch.get_num_threads() == 1  # asking makes it take effect in OpenMP
from binviz_kernels.threads import thread_count
thread_count()
print(torch.get_num_threads())
"""
    assert run_python(program, tmp_path) == "1\n"


def test_a_function_is_compiled_where_nothing_can_be_remembered():
    namespace = {}
    exec("def double(x): return 2 * x", namespace)  # no file, so no place for its cache
    assert threads.compile_serial(namespace["double"])(21) == 42


def run_python(program, folder, **environment):
    """What a new Python prints, with the kernels on its path and no choice of threads but the given one."""
    inherited = {name: value for name, value in os.environ.items() if name != "NUMBA_THREADING_LAYER"}
    environment = inherited | {"PYTHONPATH": str(SOURCE_ROOT)} | environment
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
