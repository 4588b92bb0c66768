import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import binviz_kernels
import numba
import numpy as np
import pytest
from binviz_kernels import get_threads, kernel, layer, naive, pack_weights, set_threads, threads

SOURCE_ROOT = Path(binviz_kernels.__file__).parents[1]


def every_product(kernels, x, w):
    vectors = [np.linspace(-1, 1, n, dtype=np.float32) for n in (len(w.words), len(x))]
    a, bits = kernels.pack_rows(x), kernels.pack_rows(x >= 0)
    return (
        kernels.xnor_gemm(a, w),
        kernels.and_gemm(bits, w),
        kernels.hamming(a, w),
        kernels.hamming(a, kernels.pack_rows(x[:5])),
        kernels.linear(x, w, vectors[0], 0.3, row_scale=vectors[1]),
        kernels.linear(bits, w, 0.3, vectors[0], shift=vectors[0]),
        kernels.linear_weight_only(x * vectors[1][:, None], w, vectors[0], 0.3),
        kernels.planes_gemm(kernels.pack_planes((2 * x).astype(np.int8), 3), w),
        kernels.linear_bits(x, w, np.zeros(len(w.words), np.int32)).words,
    )


@pytest.fixture
def split_everything(monkeypatch):
    """However small the product, and however few cores there are."""

    def into(count):
        monkeypatch.setattr(kernel, "SMALLEST_WORK", 0)
        monkeypatch.setattr(layer, "SMALLEST_WORK", 0)
        monkeypatch.setattr(kernel, "get_threads", lambda: count)

    return into


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3], ids=["two threads", "three"])
def test_the_number_of_threads_changes_nothing(count, signs, split_everything):
    for rows in (0, 1, 5, 24, 40, 77):
        split_everything(count)
        x, w = signs(rows, 192), pack_weights(signs(133, 192))
        for fast, slow in zip(every_product(binviz_kernels, x, w), every_product(naive, x, w), strict=True):
            np.testing.assert_array_equal(fast, slow)


@pytest.mark.slow
def test_every_form_can_be_split(form, signs, split_everything):
    split_everything(2)
    x, w = signs(24, 200), pack_weights(signs(133, 200))
    np.testing.assert_array_equal(
        binviz_kernels.xnor_gemm(binviz_kernels.pack_rows(x), w), naive.xnor_gemm(naive.pack_rows(x), w)
    )


@pytest.mark.slow
def test_kernels_called_from_four_python_threads_at_once(signs, split_everything):
    """The unsafe kind of threads would abort the process here."""
    split_everything(2)
    x, w = signs(64, 200), pack_weights(signs(48, 200))
    expected = every_product(naive, x, w)
    with ThreadPoolExecutor(4) as pool:
        for results in pool.map(lambda _: every_product(binviz_kernels, x, w), range(200)):
            for result, truth in zip(results, expected, strict=True):
                np.testing.assert_array_equal(result, truth)


@pytest.mark.parametrize(
    ("work", "available", "expected"),
    [(kernel.SMALLEST_WORK, 4, "threaded"), (kernel.SMALLEST_WORK - 1, 4, "serial"), (1 << 40, 1, "serial")],
    ids=["large", "small", "one thread"],
)
def test_only_large_products_are_split(work, available, expected, monkeypatch):
    product = kernel.Kernel(lambda x: True, lambda x, threads: True, kernel.COUNT)
    monkeypatch.setattr(kernel, "get_threads", lambda: available)
    monkeypatch.setattr(product, "_compile", lambda parallel, form: lambda *arguments: (parallel, *arguments))
    assert product(work, 7) == ((True, 7, available) if expected == "threaded" else (False, 7))


def test_one_thread_where_no_safe_kind_is_installed(monkeypatch):
    def refuse():
        raise ValueError("No threading layer could be loaded.")

    monkeypatch.setattr(numba, "get_num_threads", refuse)
    monkeypatch.setattr(threads, "threads_available", threads.threads_available.__wrapped__)
    assert get_threads() == 1


def test_the_number_of_threads_is_numbas_unless_set():
    set_threads(None)
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        assert get_threads() == 1
    finally:
        numba.set_num_threads(before)
    assert get_threads() == before
    set_threads(1)
    try:
        assert get_threads() == 1
        assert numba.get_num_threads() == before
    finally:
        set_threads(None)
    assert get_threads() == before


@pytest.mark.parametrize("count", [0, -1, 1.0, True, "2", 10**6], ids=str)
def test_numbers_of_threads_that_are_refused(count):
    with pytest.raises(ValueError, match="threads must be None or a whole number from 1 to") as caught:
        set_threads(count)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_process_goes_on_with_one_thread(tmp_path):
    """OpenMP would abort the child if it asked for the threads of its parent."""
    program = """
import os, warnings
import numpy as np
from binviz_kernels import get_threads, pack_rows, pack_weights, xnor_gemm
x = np.random.default_rng(0).standard_normal((512, 512))
a, w = pack_rows(x), pack_weights(x)
before, threads = xnor_gemm(a, w), get_threads()
warnings.simplefilter("ignore")  # that forking with threads is dangerous is what this is about
child = os.fork()
if child == 0:
    os._exit(0 if (xnor_gemm(a, w) == before).all() and get_threads() == 1 else 1)
print(os.waitpid(child, 0)[1], get_threads() == threads, (xnor_gemm(a, w) == before).all())
"""
    assert run_python(program, tmp_path).split() == ["0", "True", "True"]


@pytest.mark.slow
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
from binviz_kernels import get_threads
get_threads()
print(torch.get_num_threads())
"""
    assert run_python(program, tmp_path) == "1\n"


def test_a_kernel_is_compiled_where_nothing_can_be_remembered():
    namespace = {}
    exec("def double(x): return 2 * x", namespace)  # no file, so no place for its cache
    assert kernel.jit(namespace["double"], parallel=False)(21) == 42


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
