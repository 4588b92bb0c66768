"""Write the table of the field, `binviz/evidence/field.toml`, with what became of the papers' claims.

    python docs/field.py

Writes docs/field.md, and the table of the README.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from binviz.evidence.field import COMMANDS, THEMES, System, systems
from binviz.experiments import ledger
from binviz.experiments.ledger import Entry
from binviz.experiments.questions import questions

ROOT = Path(__file__).parent.parent
PAGE, README = ROOT / "docs" / "field.md", ROOT / "README.md"
#: Around the table of the README.
BEGIN, END = "<!-- python docs/field.py writes this table -->\n", "<!-- end of the table -->\n"
HEAD = """\
# The field

Every system that is known here: its idea in a sentence of ours, where it lives, and what became of its claims. These
are counted in the records that come with binviz, once for each task on which a claim is asked. A picture shows what the
class itself makes of a number, and the gradient that comes back ([all of them](../docs/binarizers.md)). What is set in
`this type` behind "page" is a page of the dashboard, behind its address. The tables are written by
`python docs/field.py`, and the dashboard's page *The field* shows them.

"""


def named(system: System) -> str:
    """Its name, with its source behind it, and the year."""
    name = f"[{system.name}]({system.link})" if system.link else system.name
    return ", ".join(filter(None, (name, str(system.year or ""))))


def where(system: System, root: str) -> str:
    """Where it lives, or why it does not; `root` leads to the repository's folder."""
    if not system.here:
        return f"not here: {system.why}"
    told = [", ".join(f"`{name}`" for name in system.own_recipes)]
    told += [f"`binviz reproduce {system.experiment}`"] if system.experiment else []
    told += [f"`binviz {system.command}` {COMMANDS[system.command]}"] if system.command else []
    told += [f"page `{system.page}`"] if system.page else []
    for number in system.notebooks:
        (notebook,) = (ROOT / "notebooks").glob(f"{number}_*.ipynb")
        told.append(f"[notebook {number}]({root}notebooks/{notebook.name})")
    return "; ".join(filter(None, told))


def row(system: System, entries: Sequence[Entry], root: str, pictures: bool) -> str:
    """The line of a system."""
    cells = [named(system), system.idea, where(system, root), ledger.held(entries, system.name)]
    if pictures:
        name = system.binarizer
        cells.insert(2, f"![Curves of {name}](binarizers/{name}.svg)" if name else "")
    return f"| {' | '.join(cells)} |\n"


def page(entries: Sequence[Entry]) -> str:
    """The page: a table for each theme, with pictures."""
    parts = [HEAD]
    for theme in THEMES:
        parts.append(
            f"## {theme.capitalize()}\n\n| system | idea | picture | where | its claims |\n|---|---|---|---|---|\n"
        )
        parts += [row(system, entries, "../", True) for system in systems() if system.theme == theme]
        parts.append("\n")
    return "".join(parts).rstrip() + "\n"


def readme(text: str, entries: Sequence[Entry]) -> str:
    """The README with the table as it should be."""
    before, _, rest = text.partition(BEGIN)
    rows = "".join(row(system, entries, "", False) for system in systems())
    table = f"| system | idea | where | its claims |\n|---|---|---|---|\n{rows}"
    return f"{before}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    found = ledger.ledger(questions(None))
    PAGE.write_text(page(found), "utf-8")
    README.write_text(readme(README.read_text("utf-8"), found), "utf-8")
