"""Bit planes in the first layer, at small scale: what a network loses that never multiplies floats before its head.

    binviz reproduce planes --out runs-out

A CNN and a ViT on scikit-learn's digits, whose 17 greys five bit planes hold exactly (Vorabbi et al. 2023, 2305.02885).
All else is BiT's bit-w1a1; it stands beside them with its first layer in floats, and one with the paper's eight planes
of bytes. Every student starts from the bundled float network, which is its teacher too. What is expected was written
down before any run, in `EXPECTED`.
"""

from __future__ import annotations

from functools import partial

from binviz.evidence.claims import Claim, Verdict
from binviz.experiments.cells import Cell, Experiment
from binviz.experiments.matrix import Budget, Row, matrix, on_columns
from binviz.losses import LossChoice
from binviz.training.images import ImagesConfig

NETWORKS = ("cnn", "vit")
STEPS = 1000
BUDGET = Budget(
    STEPS, ImagesConfig.batch_size, ImagesConfig.binary_lr, weight_decay=ImagesConfig.weight_decay
)
ROWS = {
    "bit-w1a1": "BiT with its first layer in floats",
    "planes-w1a1-17": "five planes for 17 greys before BiT",
    "planes-w1a1": "eight planes for 256 greys before BiT",
}


def _cells(network: str) -> list[Cell]:
    settings = ImagesConfig()
    weights = {"hidden_weight": settings.hidden_weight, "label_weight": settings.label_weight}
    rows = [
        Row(
            recipe,
            recipe,
            teacher="",
            loss=LossChoice("bit", weights),
            scale_lr=1e-3,
            start=f"digits-{network}.float",
            why=why,
        )
        for recipe, why in ROWS.items()
    ]
    return matrix({"digits": BUDGET}, rows, [network])


_claims = partial(on_columns, [f"digits-{network}" for network in NETWORKS], written="2026-11-30")
#: Claim -> the verdict that was expected before its runs.
EXPECTED: dict[Claim, Verdict] = {
    **_claims(
        "Bit planes in the first layer lose at most 1 point to a first layer in floats",
        "asked here",
        "planes-w1a1-17",
        "bit-w1a1",
        ("holds", "weak"),
        margin=0.01,
    ),
    **_claims(
        "Eight planes lose at most 1 point to as many as the greys need",
        "asked here",
        "planes-w1a1",
        "planes-w1a1-17",
        ("holds", "weak"),
        margin=0.01,
    ),
}

EXPERIMENT = Experiment(
    name="planes",
    cells=tuple(cell for network in NETWORKS for cell in _cells(network)),
    claims=tuple(EXPECTED),
    settings={},
    notes=f"Every row takes {STEPS} steps. The reported model is the last step's; the held-out digits are seen once.",
    gap="pictures of 8x8 with 17 greys and networks that BiT makes binary, in place of CIFAR-10 and of bytes",
)
