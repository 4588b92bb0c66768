"""Write the glossary from the dashboard's own, `binviz_dashboard/glossary.toml`.

    python docs/glossary.py

Writes docs/glossary.md.
"""

from __future__ import annotations

from pathlib import Path

from binviz_dashboard.glossary import ENTRIES, Entry

HERE = Path(__file__).parent
HEAD = """\
# Glossary

The words of this field as the notebooks and the dashboard use them, each with the place that shows it. What is set
in `this type` is a page of the dashboard, behind the address at which `make app` serves it. The page is written by
`python docs/glossary.py`, from the words that the dashboard's pages explain.

"""


def shown(see: str) -> str:
    """Where a word is shown: a link to a notebook, or a page of the dashboard.

    >>> shown("bits?codes=0+and+1+(AND)")
    '`bits?codes=0+and+1+(AND)`'
    """
    if not see.isdigit():
        return f"`{see}`"
    (notebook,) = (HERE.parent / "notebooks").glob(f"{see}_*.ipynb")
    return f"[notebook {see}](../notebooks/{notebook.name})"


def line(entry: Entry) -> str:
    """A word as a paragraph."""
    formula = f" ${entry.formula}$" if entry.formula else ""
    return f"**{entry.word}**: {entry.means.removesuffix('.')}.{formula} → {shown(entry.see)}\n\n"


def glossary() -> str:
    """The page: every word, in the order of the alphabet."""
    lines = [line(entry) for entry in sorted(ENTRIES, key=lambda entry: entry.word.lower())]
    return (HEAD + "".join(lines)).rstrip() + "\n"


if __name__ == "__main__":
    (HERE / "glossary.md").write_text(glossary(), "utf-8")
