import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import binviz_kernels
import pytest
from binviz_kernels import compiled, naive
from numba.core.dispatcher import Dispatcher

PACKAGE = Path(binviz_kernels.__file__).parent
FUNCTIONS = sorted(
    name for name in binviz_kernels.__all__ if inspect.isfunction(getattr(binviz_kernels, name))
)
MODULES = [importlib.import_module(f"binviz_kernels.{m.name}") for m in pkgutil.iter_modules([str(PACKAGE)])]


def test_the_public_names():
    assert FUNCTIONS == [
        "and_gemm", "hamming", "linear", "pack_rows", "pack_weights", "prepare", "unpack", "xnor_gemm",
    ]  # fmt: skip
    assert set(binviz_kernels.__all__) - set(FUNCTIONS) == {"PackedRows", "PackedWeights"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_has_a_naive_twin_with_the_same_arguments(name):
    fast, slow = (inspect.signature(getattr(module, name)).parameters for module in (binviz_kernels, naive))
    assert list(fast) == list(slow)
    assert [p.kind for p in fast.values()] == [p.kind for p in slow.values()]
    assert [p.default for p in fast.values()] == [p.default for p in slow.values()]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_says_what_it_raises_and_shows_an_example(name):
    text = getattr(binviz_kernels, name).__doc__
    for part in ("Args:", "Raises:", ">>> "):
        assert part in text


def test_all_compiled_code_stands_in_one_file():
    """Numba's cache would not notice a change of a function that lives in another file than its caller."""
    found = {
        value.py_func.__module__
        for module in MODULES
        for value in vars(module).values()
        if isinstance(value, Dispatcher)
    }
    assert found == {compiled.__name__}


def test_no_two_kernels_share_a_place_in_the_cache():
    """It knows a kernel by its name and line, and takes a serial and a parallel form of it for the same."""
    kernels = [value for value in vars(compiled).values() if isinstance(value, Dispatcher)]
    assert len(kernels) == len({kernel.py_func.__code__ for kernel in kernels})


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
