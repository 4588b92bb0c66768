"""The edge of a window: what the gradient of a sign does at exactly 1, on scikit-learn's digits.

The products of attention are integers: of what enters its output projection, many entries are exactly +1 or -1. The
papers do not say whether the gradient passes there, and codes differ (`binviz.binarizers.bnn.clipped`): BiViT's and
that of BiBench's DoReFa block it, BiT's passes it. Here each has both edges, the same one in every window, under one
loss, with as many steps. Every student starts from the bundled `digits-vit.float`, which is its teacher too.
"""

from __future__ import annotations

from typing import Any, get_args

from binviz import recipes
from binviz.binarizers.bnn import Edge
from binviz.evidence.claims import Claim
from binviz.experiments.cells import Experiment
from binviz.experiments.matrix import Budget, Row, matrix
from binviz.losses import LossChoice
from binviz.training.images import ImagesConfig

START = "digits-vit.float"
RECIPES = ("bivit-w1a1", "dorefa", "bit-w1a1")
STEPS = 1000
BUDGET = Budget(
    STEPS, ImagesConfig.batch_size, ImagesConfig.binary_lr, weight_decay=ImagesConfig.weight_decay
)


def _row(name: str, edge: Edge) -> Row:
    recipe, settings = recipes.get(name).with_edge(edge), ImagesConfig()
    weights = {"hidden_weight": settings.hidden_weight, "label_weight": settings.label_weight}
    why = f"at the edge of every window the gradient {edge}"
    return Row(
        recipe.name, recipe, teacher="", loss=LossChoice("bit", weights), scale_lr=1e-3, start=START, why=why
    )


def _claim(text: str, name: str, better: Edge, worse: Edge, **options: Any) -> Claim:
    cells = f"digits-vit.{name}-edge-{better}", f"digits-vit.{name}-edge-{worse}"
    return Claim(text, "asked here", *cells, written="2026-11-28", **options)


EXPERIMENT = Experiment(
    name="edge",
    cells=tuple(
        matrix({"digits": BUDGET}, [_row(name, edge) for name in RECIPES for edge in get_args(Edge)], ["vit"])
    ),
    claims=(
        _claim("BiViT learns better if its windows pass the gradient at 1", "bivit-w1a1", "passes", "blocks"),
        _claim("DoReFa learns better if its windows pass the gradient at 1", "dorefa", "passes", "blocks"),
        _claim(
            "BiT, whose windows end at a learned scale, loses at most 2 points if they block the gradient there",
            "bit-w1a1",
            "blocks",
            "passes",
            margin=0.02,
        ),
    ),
    settings={},
    notes=f"Every row takes {STEPS} steps. The reported model is the last step's; the held-out digits are seen once.",
)
