"""The declared science, pinned: how every cell is trained, and the verdict on every claim by the shipped records."""

import math
from dataclasses import asdict

from binviz.evidence.claims import judge
from binviz.experiments import registry
from binviz.recipes import Recipe

EXPERIMENTS = [registry.get(name) for name in registry.NAMES]


def declared(cell):
    """How a cell is trained, as plain data; what a float model has no use for is left out."""
    stage = cell.stage
    train = {key: value for key, value in asdict(stage.train).items() if key != "checkpoint_every"}
    facts = {"group": cell.group, "recipe": stage.name, "train": train}
    if not stage.is_float:
        loss = stage.loss.to_dict()
        facts |= {
            "teacher": cell.name_of(cell.teacher) if cell.teacher else cell.start,
            "loss": [loss.pop("name"), loss],
        }
        facts |= {"dropout": stage.dropout, "frozen": list(stage.frozen), "keep_alphas": stage.keep_alphas}
    other = {"taught by": cell.name_of(cell.taught_by)} if cell.taught_by else {}
    other |= {"search": list(cell.search)} if cell.search else {}
    return facts | other | {"batches": cell.augment, "bundled": cell.bundled}


def test_every_cells_budget(golden):
    found = {f"{e.name} settings": e.settings for e in EXPERIMENTS}
    found |= {f"{e.name} {cell.name}": declared(cell) for e in EXPERIMENTS for cell in e.cells}
    golden("budgets.json", found)


def test_every_recipe_of_an_experiments_own(golden):
    used = [cell.stage.recipe for e in EXPERIMENTS for cell in e.cells]
    golden("recipes.json", {recipe.name: recipe.to_dict() for recipe in used if isinstance(recipe, Recipe)})


def inequality(claim):
    margin = f" - {claim.margin}" if claim.margin else ""
    metric = claim.metric if not claim.lower else f"-{claim.metric}"
    return f"{metric}: {claim.better} {'>=' if claim.equal else '>'} {claim.worse}{margin}"


def test_every_verdict(golden):
    found = {}
    for experiment in EXPERIMENTS:
        records = experiment.records()
        for claim in experiment.claims:
            finding = judge(claim, records)
            difference = None if math.isnan(finding.difference) else round(finding.difference, 4)
            key = f"{experiment.name} {inequality(claim)}"
            assert key not in found
            found[key] = [finding.verdict, difference, finding.seeds, f"{claim.text} ({claim.source})"]
    golden("verdicts.json", found)
