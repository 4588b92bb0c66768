"""The table of the field: every system once, what it says of this repository is true, and pages are written from it."""

import re
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from binviz_dashboard.pages import PAGES

from binviz import binarizers, cli, recipes
from binviz.evidence import names
from binviz.evidence.field import COMMANDS, THEMES, systems
from binviz.experiments import ledger
from binviz.experiments.questions import questions

DOCS = Path(__file__).parents[2] / "docs"
spec = spec_from_file_location("writer_of_the_field", DOCS / "field.py")
writer = module_from_spec(spec)
spec.loader.exec_module(writer)


@pytest.fixture(scope="module")
def entries():
    return ledger.ledger(questions(None))


def test_both_pages_are_written_from_the_table_and_the_records(entries):
    assert writer.PAGE.read_text("utf-8") == writer.page(entries), "run: python docs/field.py"
    text = writer.README.read_text("utf-8")
    assert text == writer.readme(text, entries), "run: python docs/field.py"


def test_every_recipe_and_every_paper_with_claims_is_of_one_system(entries):
    of = [recipe for system in systems() for recipe in system.own_recipes]
    assert sorted(of) == recipes.names()
    named = {system.name: system.source for system in systems()}
    assert len(named) == len(systems())
    assert {number: name for name, number in named.items()}.items() >= names.PAPERS.items()
    assert {entry.paper for entry in entries} <= {*named, "asked here"}


def test_what_a_system_says_of_this_repository_is_there():
    assert [system.theme for system in systems()] == sorted((s.theme for s in systems()), key=THEMES.index)
    commands = {command.name or command.callback.__name__ for command in cli.app.registered_commands}
    for system in systems():
        lives = [system.recipes, system.experiment, system.page, system.command]
        assert any(lives) == system.here, system.name
        assert system.idea.endswith(".") and not system.why.endswith("."), system.name
        assert not system.binarizer or system.binarizer in binarizers.names()
        assert all(recipes.names(pattern) for pattern in system.recipes), system.name
        assert not system.page or system.page.partition("?")[0] in PAGES
        if system.experiment:
            assert import_module(f"binviz.experiments.{system.experiment}")
    assert commands >= COMMANDS.keys() >= {system.command for system in systems()} - {""}


def test_a_papers_claims_are_counted_as_they_stand(entries):
    """Against the table of all claims, which prints a verdict at the beginning of each claim's first line."""
    told = re.findall(
        r"^(holds|weak|fails|not run)\b.*\n    .*\((BiViT|BiPFT)\b", ledger.table(entries), re.MULTILINE
    )
    for paper in ("BiViT", "BiPFT"):
        found = [verdict for verdict, of in told if of == paper]
        run = [verdict for verdict in found if verdict != "not run"]
        said = ledger.held(entries, paper)
        assert said.startswith(f"{run.count('holds')} of {len(run)} claims hold here")
        assert said.endswith(", 39 not run") == (len(found) - len(run) == 39)
