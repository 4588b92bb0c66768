"""BiBench's cells: what is equal between operators, what a search may look at; and an operator of one's own."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from binviz import cli, recipes
from binviz.binarizers import registry as known
from binviz.errors import UserError
from binviz.experiments import bibench, operators, registry
from binviz.experiments.cells import reproduce as reproduce_cells
from binviz.experiments.matrix import Budget

ROOT = Path(__file__).parents[2]
CELLS = {cell.name: cell for cell in bibench.EXPERIMENT.cells}


@pytest.mark.parametrize("network", bibench.NETWORKS, ids=lambda network: network.name)
def test_operators_differ_in_their_recipe_alone(network):
    identities = []
    for row in bibench.OPERATORS:
        cell = CELLS[f"{network.name}.{row}"]
        identity = cell.stage.identity() | cell.identity()
        assert identity.pop("recipe") == recipes.get(row).to_dict()
        identities.append(identity)
    assert all(identity == identities[0] for identity in identities)
    assert identities[0]["loss"]["name"] == "labels" and identities[0]["teacher"] == "float"


def test_a_search_costs_the_same_and_looks_at_training_batches_alone():
    for cell in CELLS.values():
        tried = [CELLS[cell.name_of(row)] for row in cell.search]
        assert bool(tried) == (cell.row in bibench.OPERATORS)
        for each in tried:
            assert (each.augment, cell.augment) == ("held-out", "")
            assert each.group == cell.group and each.stage.recipe == cell.stage.recipe
            train = replace(each.stage.train, lr=cell.stage.train.lr, steps=cell.stage.train.steps)
            assert train == cell.stage.train
        steps = sum(each.stage.train.steps for each in tried)
        assert steps == pytest.approx(0.6 * cell.stage.train.steps) or not tried
        assert len({each.stage.train.lr for each in tried}) == len(tried)


def test_claims_have_an_expected_verdict_and_no_search_among_their_sides():
    assert set(bibench.EXPERIMENT.claims) == set(bibench.EXPECTED)
    assert set(bibench.EXPECTED.values()) == {"holds", "weak", "fails"}
    sides = {name for claim in bibench.EXPECTED for name in (claim.better, claim.worse)}
    assert {CELLS[name].row for name in sides} <= set(bibench.EXPERIMENT.compared)


def test_a_network_is_a_line():
    line = bibench.Network("digits", "vit-16", Budget(10, 8, 1e-3), 2, attends=True)
    cells = bibench.cells_of([line], bibench.rows_of("bnn", "bnn", ""))
    assert [cell.name for cell in cells][::4] == ["digits-vit-16.float", "digits-vit-16.bnn"]
    claims = bibench.expected_of([*bibench.NETWORKS, line])
    more = {claim.inequality for claim in claims} - {claim.inequality for claim in bibench.EXPECTED}
    assert any("digits-cnn.reactnet" in each and "digits-vit-16.bnn" in each for each in more)
    assert len(claims) - len(bibench.EXPECTED) == len(more)


def test_second_seeds_train_no_bundled_float_model(tmp_path):
    assert list(reproduce_cells(bibench.EXPERIMENT, tmp_path, "digits-[cv]*.float", seed=1)) == []
    bundled = {cell.name for cell in CELLS.values() if cell.bundled}
    assert bundled == {name for name, _ in bibench.EXPERIMENT.bundled()}


# An operator of one's own.


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Writes a module of the test's own into an empty current folder with a space in its path."""
    folder = tmp_path / "my folder"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(known, "_REGISTRY", dict(known._REGISTRY))

    def write(name, text):
        (folder / f"{name}.py").write_text(text, "utf-8")
        return folder

    return write


def bell():
    """The binarizer of CONTRIBUTING.md, without what it prints."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    code = next(each for each in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "class Bell" in each)
    return code.partition("\n\nprint(")[0] + "\n"


def reproduce(*words):
    return CliRunner().invoke(cli.app, ["reproduce", "bibench", "--out", "out", *words])


@pytest.mark.slow
def test_a_row_of_ones_own(own, monkeypatch):
    """As in CONTRIBUTING, with a tiny budget: its search, its row beside ours, and nothing but it is run."""
    own("bell_binviz_test", bell())
    tiny = replace(bibench.NETWORKS[0], budget=Budget(5, 64, 5e-3))
    monkeypatch.setattr(bibench, "NETWORKS", (tiny,))
    said = reproduce("--operator", "bell_binviz_test:Bell")
    assert said.exit_code == 0, said.output
    records = sorted(path.name for path in Path("out/runs/bibench").iterdir())
    assert records == [f"digits-cnn.Bell{end}seed0.json" for end in (".lr-0.3.", ".lr-1.", ".lr-3.", ".")]
    assert re.search(r"^float +\d+\.\d +1\.000 +1\.000$", said.output, re.MULTILINE)
    assert re.search(r"^Bell +\d+\.\d +0\.\d+ +0\.\d+$", said.output, re.MULTILINE)
    assert re.search(r"^reactnet +\S", said.output, re.MULTILINE)
    assert "Bell is better than bnn (asked here)" in said.output

    again = reproduce("--operator", "bell_binviz_test.py:Bell")
    assert again.exit_code == 0 and "Bell seed 0" not in again.output
    list_of_all = reproduce("--list", "--cell", "digits-cnn.*")
    assert "Bell" not in list_of_all.output


def test_another_version_of_the_class_is_another_run(own):
    folder = own("one_binviz_test", bell())
    first = operators.recipe_of(operators.load("one_binviz_test:Bell"))
    own("two_binviz_test", bell() + "# changed\n")
    known._REGISTRY.pop("bell")
    second = operators.recipe_of(operators.load(f"{folder / 'two_binviz_test.py'}:Bell"))
    assert first.name != second.name and first.weight == second.weight
    assert first.but("a") == second.but("a")


@pytest.mark.parametrize(
    ("operator", "says"),
    [
        ("Bell", "names no class; say my.py:MyBinarizer"),
        ("nowhere_binviz_test:Bell", "cannot import nowhere_binviz_test: No module named"),
        ("nowhere.py:Bell", "there is no file nowhere.py"),
        ("bad_binviz_test:Bel", "bad_binviz_test has no Bel; did you mean 'Bell'?"),
        ("bad_binviz_test:math", "math of bad_binviz_test is no binarizer; derive it"),
        ("bad_binviz_test:Zero", "Zero cannot binarize weights: levels: encode(x).q holds"),
        ("bad_binviz_test:Broken", "Broken cannot binarize weights: KeyError, 'scale'"),
        ("bad_binviz_test:fda", "bibench has a row fda already"),
        ("broken_binviz_test:Bell", "cannot import broken_binviz_test: "),
        ("broken_binviz_test.py:Bell", "cannot import broken_binviz_test.py: "),
    ],
)
def test_bad_operators_are_one_line_and_nothing_is_run(own, operator, says):
    more = """
class Zero(Bell):
    def encode(self, x):
        q = binarizers.with_surrogate(x, torch.sign(x), torch.ones_like)
        return binarizers.Code(q, x.new_ones(()), x.new_zeros(()))

class Broken(Bell):
    def encode(self, x):
        return {}["scale"]

class fda(Bell):
    pass
"""
    own("bad_binviz_test", bell() + more)
    own("broken_binviz_test", "class Bell(:\n")
    said = reproduce("--operator", operator)
    assert isinstance(said.exception, UserError) and said.output == ""
    assert says in str(said.exception)
    assert not Path("out").exists()


def test_only_bibench_takes_one():
    with pytest.raises(UserError, match="only bibench has a row for a binarizer of yours"):
        operators.with_row("edge", "binviz.binarizers.bnn:BNN")
    assert "bibench" in registry.NAMES
