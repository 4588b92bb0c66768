import re
import subprocess
import sys
from pathlib import Path

import pytest

from binviz import binarizers, recipes

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """The folder with its pages."""
    folder = tmp_path_factory.mktemp("book")
    program = [sys.executable, ROOT / "docs" / "book.py", folder]
    made = subprocess.run(program, capture_output=True, text=True, cwd=folder)
    assert made.returncode == 0, made.stderr
    return folder


@pytest.mark.slow
def test_the_book_has_every_page_and_needs_no_server(book):
    pages = {path.relative_to(book).as_posix(): path.read_text("utf-8") for path in book.rglob("*.html")}
    for notebook in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"):
        assert "_images/" in pages[f"course/{notebook.stem}.html"]
    for name in binarizers.names():
        page = pages[f"binarizers/{name}.html"]
        assert page.count("<tr") == 1 + 9 and f"/{name}.svg" in page
    assert [name for name in recipes.names() if name not in pages["recipes.html"]] == []
    assert {path.stem for path in (ROOT / "docs").glob("*.md")} - {name[:-5] for name in pages} == {
        "binarizers"
    }
    assert "would be seen" in pages["claims.html"]
    assert "binarize_" in pages["api/binviz.html"] and "xnor_gemm" in pages["api/binviz_kernels.html"]
    for name, page in pages.items():
        assert not re.search(r"<(script|link|img)[^>]+(src|href)=.https?:", page), name
        assert "\\operatorname" not in re.sub(r"<annotation.*?</annotation>", "", page) or "api/" in name, (
            name
        )
        for link in re.findall(r'href="([^":#]+\.html)', page):
            assert (book / name).parent.joinpath(link).resolve().is_file(), (name, link)
