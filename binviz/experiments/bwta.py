"""BWTA, as far as its abstract says, at small scale: activations of three values (Ding et al. 2026, 2604.03957).

    binviz reproduce bwta --out runs-out

Transformers for scikit-learn's digits that differ in how many values an activation of either sign has: two (BiT), three
and four. Three are reached at once, and as in the paper step by step, from 16 by 4. What cannot be negative has
{0, 1} in all three. Every student starts from the bundled `digits-vit.float`; a chain shares the steps.

The paper's stages are smooth and have a factor that aligns magnitudes, whose formulas we have not seen: here a
stage's scales start anew from the mean magnitude of what they scale, or are kept. What is expected was written down
before any run, in `EXPECTED`.
"""

from __future__ import annotations

from typing import Any

from binviz import recipes
from binviz.evidence.claims import Claim, Verdict
from binviz.experiments.cells import Experiment
from binviz.experiments.matrix import Budget, Row, matrix
from binviz.losses import LossChoice
from binviz.recipes import Choice, Recipe
from binviz.training.images import ImagesConfig

START = "digits-vit.float"
STEPS = 1200
BUDGET = Budget(
    STEPS, ImagesConfig.batch_size, ImagesConfig.binary_lr, weight_decay=ImagesConfig.weight_decay
)
_FOUR = Choice("elastic-signed", {"bits": 2})
#: BiT with four values where an activation can have both signs, and two where it cannot.
FOUR = recipes.get("bit-w1a1").but(
    "bit-w1a1-four",
    activation=Choice("elastic-signed", {"bits": 2, "learn_shift": True}),
    query=_FOUR,
    key=_FOUR,
    value=_FOUR,
)


def _row(name: str, recipe: str | Recipe, why: str, teacher: str = "", **options: Any) -> Row:
    settings = ImagesConfig()
    weights = {"hidden_weight": settings.hidden_weight, "label_weight": settings.label_weight}
    start = "" if teacher else START
    loss = LossChoice("bit", weights)
    return Row(name, recipe, teacher=teacher, start=start, loss=loss, scale_lr=1e-3, why=why, **options)


ROWS = (
    _row("bit-w1a1", "bit-w1a1", "two values of either sign"),
    _row("bwta", "bwta", "three values of either sign, at once"),
    _row("bit-w1a1-four", FOUR, "four values of either sign"),
    _row("bit-w1a4.third", "bit-w1a4", "16 values: a third of the steps", share=1 / 3),
    _row("bit-w1a2.third", "bit-w1a2", "from these to 4: another third", "bit-w1a4.third", share=1 / 3),
    _row("bwta.stages", "bwta", "from these to 3: the last third", "bit-w1a2.third", share=1 / 3),
    _row(
        "bwta.stages-kept",
        "bwta",
        "likewise, with the scales that the stage before had",
        "bit-w1a2.third",
        share=1 / 3,
        stage={"keep_alphas": True},
    ),
)


def _claim(text: str, better: str, worse: str, source: str = "asked here", **options: Any) -> Claim:
    cells = f"digits-vit.{better}", f"digits-vit.{worse}"
    return Claim(text, source, *cells, written="2026-11-30", **options)


#: Claim -> the verdict that was expected before its runs.
EXPECTED: dict[Claim, Verdict] = {
    _claim(
        "Activations of three values are better than those of two", "bwta", "bit-w1a1", "2604.03957, abstract"
    ): "weak",
    _claim("Activations of four values are better than those of two", "bit-w1a1-four", "bit-w1a1"): "holds",
    _claim(
        "Activations of three values lose at most 1 point to those of four",
        "bwta",
        "bit-w1a1-four",
        margin=0.01,
    ): "weak",
    _claim(
        "Values taken away in stages are better than at once, with as many optimisation steps",
        "bwta.stages",
        "bwta",
        "2604.03957, abstract",
    ): "fails",
    _claim(
        "In stages, scales set anew by magnitude are better than scales kept",
        "bwta.stages",
        "bwta.stages-kept",
    ): "weak",
}

EXPERIMENT = Experiment(
    name="bwta",
    cells=tuple(matrix({"digits": BUDGET}, ROWS, ["vit"])),
    claims=tuple(EXPECTED),
    settings={},
    notes=f"Every row takes {STEPS} steps, a chain of three {STEPS // 3} each. The reported model is the last step's; "
    "the held-out digits are seen once.",
    gap=(
        "a ViT of 4 layers for 8x8 digits in place of BERT-base and GLUE; a reading of the abstract, whose stages are "
        "smooth and whose factor of magnitudes was not to be had"
    ),
)
