"""What ships belongs to what is declared: records to cells, cells of a pair to each other."""

import json

from binviz.experiments import edge, registry


def test_the_two_edges_of_a_pair_differ_in_nothing_else():
    cells = {cell.row: cell for cell in edge.EXPERIMENT.cells}
    for name in edge.RECIPES:
        passes, blocks = (cells[f"{name}-edge-{way}"].stage.identity() for way in ("passes", "blocks"))
        recipes = [json.dumps(identity.pop("recipe")) for identity in (passes, blocks)]
        assert passes == blocks and passes["train"]["steps"] == edge.STEPS
        assert recipes[0].replace("passes", "blocks") == recipes[1] != recipes[0]


def test_claims_are_about_cells():
    for name in registry.NAMES:
        experiment = registry.get(name)
        known = {cell.name for cell in experiment.cells}
        assert all({claim.better, claim.worse} <= known for claim in experiment.claims)
