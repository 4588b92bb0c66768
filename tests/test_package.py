"""What `import binviz` gives, and what it costs."""

import subprocess
import sys

import pytest

import binviz

NAMES = [
    "UserError",
    "binarize_",
    "capture",
    "check_binarizer",
    "load",
    "load_packed",
    "load_tokenizer",
    "pack",
    "save",
    "save_packed",
]
HEAVY = (
    "transformers",
    "datasets",
    "streamlit",
    "plotly",
    "sklearn",
    "pandas",
    "accelerate",
    "numba",
    "captum",
)


def python(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()


def test_import_is_light():
    assert python(f"import sys, binviz; print(*({set(HEAVY)!r} & set(sys.modules)))") == []


def test_binarizers_need_torch_only():
    code = f"import sys, binviz.binarizers, binviz.recipes; print(*({set(HEAVY)!r} & set(sys.modules)))"
    assert python(code) == []


def test_public_names():
    assert sorted(binviz.__all__) == sorted(NAMES)
    for name in NAMES:
        assert getattr(binviz, name).__module__.startswith("binviz.")
        assert getattr(binviz, name).__doc__
    assert set(NAMES) <= set(dir(binviz))


@pytest.mark.parametrize("name", ["analysis", "binarizers", "data", "evidence", "plots", "recipes", "zoo"])
def test_modules_are_there_without_being_imported(name):
    assert getattr(binviz, name).__name__ == f"binviz.{name}"


def test_no_other_name():
    with pytest.raises(AttributeError, match="no attribute 'binarise_'"):
        binviz.binarise_  # noqa: B018
