"""What ships belongs to what is declared: records to cells, cells of a pair to each other."""

import json

import pytest

from binviz.experiments import edge, registry


@pytest.mark.parametrize("name", registry.NAMES)
def test_records_are_their_cells(name):
    """Settings, recipe where the cell has one of its own, and teacher; a change of any makes it another run."""
    experiment, strange = registry.get(name), []
    for (cell_name, seed), run in experiment.records().items():
        cell = experiment.cell(cell_name)
        if cell.bundled:
            continue  # trained before the experiment was declared, as its notes say
        batches = {"batches": cell.augment.__name__} if cell.augment else {}
        declared = experiment.settings | {"teacher": cell.teacher} | batches | cell.stage(seed).identity()
        if run.config["identity"] != json.loads(json.dumps(declared | {"data": run.data})):
            strange.append(f"{cell_name}.seed{seed}")
    assert not strange


def test_the_two_edges_of_a_pair_differ_in_nothing_else():
    cells = {cell.row: cell for cell in edge.EXPERIMENT.cells}
    for name in edge.RECIPES:
        passes, blocks = (cells[f"{name}-edge-{way}"].stage(3).identity() for way in ("passes", "blocks"))
        recipes = [json.dumps(identity.pop("recipe")) for identity in (passes, blocks)]
        assert passes == blocks and passes["train"]["steps"] == edge.STEPS
        assert recipes[0].replace("passes", "blocks") == recipes[1] != recipes[0]


def test_claims_are_about_cells():
    for name in registry.NAMES:
        experiment = registry.get(name)
        known = {cell.name for cell in experiment.cells}
        assert all({claim.better, claim.worse} <= known for claim in experiment.claims)
