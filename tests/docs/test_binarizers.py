"""The page that draws every binarizer: it names all of them, and each has its picture."""

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from binviz import binarizers
from binviz.binarizers.curve import curve
from binviz.plots.thumbnail import corners

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def drawing():
    spec = spec_from_file_location("drawing_of_binarizers", DOCS / "binarizers.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_is_that_of_the_registered_binarizers(drawing):
    assert (DOCS / "binarizers.md").read_text("utf-8") == drawing.table(), "run: python docs/binarizers.py"


def test_each_has_its_picture():
    pictures = {path.stem: path for path in (DOCS / "binarizers").iterdir()}
    assert sorted(pictures) == binarizers.names(), "run: python docs/binarizers.py"
    for name, path in pictures.items():
        picture = ET.parse(path).getroot()
        assert picture.tag.endswith("svg") and picture[0].text == f"{name}: value and gradient"
        assert path.stat().st_size < 12_000


def test_a_curve_is_the_classes_own():
    x, value, gradient = curve("bnn")
    assert (value == np.where(x >= 0, 1, -1)).all() and (gradient == (abs(x) <= 1)).all()
    x, value, _ = curve("row-threshold")
    assert (value == (x >= 0.3)).all()


def test_a_picture_bends_where_its_curve_does():
    x = np.linspace(-1, 1, 201)
    kept = corners(x, abs(x))
    assert x[kept].round(9).tolist() == [-1, 0, 1]
    assert corners(x, 3 * x + 1).tolist() == [0, 200]


def test_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)", (DOCS / "binarizers.md").read_text("utf-8"))
    assert links and all((DOCS / link).exists() for link in links)
