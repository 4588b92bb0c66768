"""What `import binviz` gives, and what it costs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import binviz

README = Path(__file__).parents[1] / "README.md"
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
    "scipy",
    "PIL",
)
LIGHT = (
    "binviz",
    "binviz.binarizers, binviz.recipes",
    "binviz.analysis, binviz.costs",
    "binviz.data.validate, binviz.data.digits, binviz.data.generated, binviz.data.photos, binviz.data.sentences",
)


def python(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()


def test_imports_are_light():
    """What these need is torch; each in turn, since torch itself takes longest."""
    looks = "".join(f"import {room}; print(*(heavy & set(sys.modules)))\n" for room in LIGHT)
    assert python(f"import sys; heavy = {set(HEAVY)!r}\n{looks}") == []


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


def test_the_version_is_said():
    from typer.testing import CliRunner

    from binviz import cli

    said = CliRunner().invoke(cli.app, ["--version"])
    assert (said.exit_code, said.stdout) == (0, f"binviz {binviz.__version__}\n")
    assert binviz.__version__[0].isdigit() or binviz.__version__ == "unknown"


def test_the_readme_names_every_command():
    from binviz import cli

    (row,) = (
        line for line in README.read_text("utf-8").splitlines() if line.startswith("| `binviz` (command)")
    )
    names = {each.name or each.callback.__name__ for each in cli.app.registered_commands}
    names |= {each.name for each in cli.app.registered_groups}
    assert {name.removeprefix("binviz ") for name in re.findall(r"`([a-z ]+)`", row)} - {"binviz"} == names


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (binviz.UserError("a\nb"), "a b"),
        (ValueError("BINVIZ_KERNELS must be one of x"), "BINVIZ_KERNELS must be one of x"),
        (ValueError("NUMBA_DISABLE_JIT is set; unset it"), "NUMBA_DISABLE_JIT is set; unset it"),
        (
            RuntimeError("operator torchvision::nms does not exist"),
            "torchvision does not fit the installed torch; ",
        ),
        (ValueError("a bug"), None),
        (KeyError("BINVIZ_KERNELS"), None),
    ],
)
def test_what_is_the_persons_to_mend_is_a_line(error, line):
    from binviz.cli import _line

    found = _line(error)
    assert found is None if line is None else found.startswith(line)
