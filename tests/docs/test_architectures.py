"""The table of architectures: each of its lines is what happens when that architecture is tried."""

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from binviz.packed.known import KNOWN, known_layer
from binviz.saving.build import FAMILIES

DOCS = Path(__file__).parents[2] / "docs"
spec = spec_from_file_location("table_of_architectures", DOCS / "architectures.py")
architectures = module_from_spec(spec)
spec.loader.exec_module(architectures)

PAGE = (DOCS / "architectures.md").read_text("utf-8")
#: One of each kind of input and of answer; the others are in the long set, and other tests try parts of them.
QUICK = {"BERT", "ViT", "OPT", "Chinese-CLIP", "a torch network"}


@pytest.mark.parametrize(
    "title",
    [
        title if title in QUICK else pytest.param(title, marks=pytest.mark.slow)
        for title in architectures.ARCHITECTURES
    ],
)
def test_a_line_is_what_happens(title):
    assert architectures.row(title) in PAGE, "run: python docs/architectures.py"


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow)
        if name == "VideoMAE"
        else name  # it is made in five seconds
        for name in architectures.REFUSED
    ],
)
def test_a_refusal_is_one_line(name):
    line = architectures.refusal(name)
    assert line in PAGE and line.count("\n") == 1, "run: python docs/architectures.py"


def test_the_page_has_every_architecture_once():
    titles = re.findall(r"^\| (.*?) \|", PAGE, flags=re.MULTILINE)
    assert titles == ["model", *architectures.ARCHITECTURES, "model", *architectures.REFUSED]
    assert PAGE.startswith(architectures.HEAD) and architectures.BETWEEN in PAGE


@pytest.mark.slow
def test_every_layer_that_the_kernels_know_is_in_a_line():
    found = []
    for title in architectures.ARCHITECTURES:
        model, _ = architectures.made(title)
        for block in architectures.layout_of(model).blocks:
            known, _ = known_layer(model.get_submodule(block.layer))
            found += [known.name] if known else []
    assert set(found) == {known.name for known in KNOWN}


def test_the_readme_lists_models_by_verb():
    """Those of the page that are fused, and the families that are saved."""
    readme = (DOCS.parent / "README.md").read_text("utf-8")
    rows = dict(
        re.findall(r"^\| (`.*?) \| (.*) \|$", readme.partition("## Which models")[2], flags=re.MULTILINE)
    )
    header, *table = re.findall(r"^\| (.*) \|$", PAGE.partition(architectures.BETWEEN)[0], flags=re.MULTILINE)
    at = header.split(" | ").index("one call of the kernels")
    fused = [cells[0] for line in table if (cells := line.split(" | "))[at] == "yes"]
    assert rows["`pack`, as one call"] == f"{', '.join(fused)}; others run layer by layer"
    assert f"the {len(architectures.ARCHITECTURES)} architectures" in rows["`binarize_`"]
    assert re.findall(r"`(\w+)`", rows["`save`, `save_packed`, `load`"]) == list(FAMILIES)
