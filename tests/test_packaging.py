"""What an installed wheel must hold."""

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
PACKAGES = {
    "binviz": ROOT / "binviz",
    "binviz_kernels": ROOT / "kernels/binviz_kernels",
    "binviz_dashboard": ROOT / "dashboard/binviz_dashboard",
}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_wheel_holds_every_file(package):
    """Python files through their package's __init__.py, all others (and Streamlit's pages) as package data."""
    folder = PACKAGES[package]
    patterns = SETTINGS["package-data"].get(package, [])
    held = {path for pattern in patterns for path in folder.glob(pattern)}
    held |= {path for path in folder.rglob("*.py") if (path.parent / "__init__.py").exists()}
    files = [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert [str(path.relative_to(folder)) for path in files if path not in held] == []


def test_source_roots_are_no_packages():
    assert not (ROOT / "kernels/__init__.py").exists()
    assert not (ROOT / "dashboard/__init__.py").exists()
