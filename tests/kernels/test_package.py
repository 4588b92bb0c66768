import inspect
import os
import shutil
import subprocess
import sys
from pathlib import Path

import binviz_kernels
import pytest
from binviz_kernels import compiled, naive
from binviz_kernels.kernel import Kernel

PACKAGE = Path(binviz_kernels.__file__).parent
FUNCTIONS = sorted(
    name for name in binviz_kernels.__all__ if inspect.isfunction(getattr(binviz_kernels, name))
)
COMPUTING = [name for name in FUNCTIONS if "threads" not in name]


def test_the_public_names():
    assert FUNCTIONS == [
        "and_gemm", "conv2d", "fold_threshold", "get_threads", "hamming", "linear", "linear_bits",
        "linear_weight_only", "pack_filters", "pack_planes", "pack_rows", "pack_weights", "planes_gemm", "prepare",
        "set_threads", "unpack", "xnor_gemm",
    ]  # fmt: skip
    assert set(binviz_kernels.__all__) - set(FUNCTIONS) == {
        "PackedFilters", "PackedPlanes", "PackedRows", "PackedWeights", "Threshold",
    }  # fmt: skip


def test_every_function_has_a_naive_twin_with_the_same_arguments():
    for name in COMPUTING:
        fast, slow = (
            inspect.signature(getattr(module, name)).parameters for module in (binviz_kernels, naive)
        )
        assert list(fast) == list(slow), name
        assert [p.kind for p in fast.values()] == [p.kind for p in slow.values()]
        assert [p.default for p in fast.values()] == [p.default for p in slow.values()]


def test_every_function_says_what_it_raises_and_shows_an_example():
    for name in COMPUTING:
        text = getattr(binviz_kernels, name).__doc__
        for part in ("Args:", "Raises:", ">>> "):
            assert part in text, name


@pytest.mark.slow
def test_the_cache_notices_a_change_in_any_file(tmp_path):
    """Numba itself looks only at the file a kernel stands in."""
    copy = tmp_path / "binviz_kernels"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    program = """
import numpy as np
import pytest
from binviz_kernels import compiled, pack_rows, pack_weights, xnor_gemm
x = np.ones((1, 100))
print(xnor_gemm(pack_rows(x), pack_weights(x))[0, 0], sum(compiled.DOTS.serial.stats.cache_hits.values()))
"""

    def run():
        environment = os.environ | {
            "PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "cache"), "BINVIZ_KERNELS": "avx512"
        }  # fmt: skip
        out = subprocess.run(
            [sys.executable, "-c", program], env=environment, check=True, capture_output=True, text=True
        )
        product, hits = out.stdout.split()
        return product, hits == "1"

    assert run() == ("100", False)
    assert run() == ("100", True)
    file = copy / "tile.py"
    was = 'v.call(builder, f"llvm.fshl.v{lanes.count}i32", lanes, sum_, odd, one)'
    text = file.read_text()
    assert text.count(was) == 1
    file.write_text(text.replace(was, f"builder.add({was}, v.constant(lanes, 1))"))
    assert run() == ("101", False)
    assert run() == ("101", True)


def test_no_two_kernels_share_a_place_in_the_cache():
    """It knows a kernel by its name and line."""
    kernels = [value for value in vars(compiled).values() if isinstance(value, Kernel)]
    codes = [function.__code__ for kernel in kernels for function in kernel.functions]
    assert len(codes) == len(set(codes)) > 0


def test_transformers_does_not_take_our_folder_for_the_package_called_kernels():
    source_root = PACKAGE.parent
    assert source_root.name == "kernels"
    assert not (source_root / "__init__.py").exists()
    program = f"""
import importlib, sys
from transformers.utils.import_utils import is_kernels_available
without = is_kernels_available()
is_kernels_available.cache_clear()
sys.path.insert(0, {str(source_root.parent)!r})
importlib.invalidate_caches()
assert is_kernels_available() == without
"""
    # -P leaves the current folder off the path
    subprocess.run([sys.executable, "-P", "-c", program], check=True)
