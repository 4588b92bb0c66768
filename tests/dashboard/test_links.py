"""The pages that documents lead to are as the links say, and complain of nothing."""

import re
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from binviz_dashboard.glossary import ENTRIES
from binviz_dashboard.pages import PAGES

DOCS = Path(__file__).parents[2] / "docs"
WRITTEN = re.findall(r"`([a-z]*\?[^`\s]+)`", (DOCS / "lecturer.md").read_text("utf-8"))
LINKS = sorted({*WRITTEN, *(entry.see for entry in ENTRIES if "?" in entry.see)})


@pytest.mark.slow
@pytest.mark.parametrize("link", LINKS)
def test_a_link_of_a_document_shows_what_it_says(visit, link):
    page, _, values = link.partition("?")
    asked = dict(parse_qsl(values))
    assert asked and (page or "answers") in PAGES
    app = visit(page or "answers", **asked)
    assert not app.exception and not app.error and not app.warning
    # a value that is a page's own first choice leaves the address
    shown = {key: "".join(app.query_params[key]) for key in asked if key in app.query_params}
    assert shown == {key: asked[key] for key in shown}
