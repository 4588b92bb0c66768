"""The glossary: one source for the page and the dashboard, every word once, and each is shown somewhere."""

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from binviz_dashboard.glossary import ENTRIES
from binviz_dashboard.pages import PAGES

DOCS = Path(__file__).parents[2] / "docs"
spec = spec_from_file_location("writer_of_the_glossary", DOCS / "glossary.py")
writer = module_from_spec(spec)
spec.loader.exec_module(writer)


def test_the_page_is_what_the_dashboard_explains():
    written = (DOCS / "glossary.md").read_text("utf-8")
    assert written == writer.glossary().rstrip() + "\n", "run: python docs/glossary.py"
    links = re.findall(r"\]\(([^)]+)\)", written)
    assert links and all((DOCS / link).exists() for link in links)


def test_every_word_stands_once_in_order_and_leads_somewhere():
    words = [entry.word for entry in ENTRIES]
    assert words == sorted(set(words), key=str.lower) and len(words) >= 40
    assert [e.see for e in ENTRIES if not e.see.isdigit() and e.see.partition("?")[0] not in PAGES] == []


def test_a_meaning_is_short_and_its_formula_survives_markdown():
    """A backslash before a sign is eaten by some renderers of Markdown."""
    for entry in ENTRIES:
        assert len(entry.means) < 220 and not re.search(r"\\[^A-Za-z]", entry.formula), entry.word
