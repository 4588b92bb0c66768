"""RBONN, reproduced at small scale: weights that step back along the gradient before (Xu et al. 2022, 2209.01542).

    binviz reproduce rbonn --out runs-out

Small residual networks with a shortcut around every convolution, as ReActNet has them, on the digits and on CIFAR-10.
Each student starts from the float network and learns from its logits alone, as in the paper. RBONN's weights are taken
apart: its two gradients without the step back, the step in the channels with the lowest scales, and in those that the
official code takes for these; and they are put before plain signs. ReActNet and plain signs stand beside them.

What is expected was written down before any run, in `EXPECTED`. The paper trains for 256 epochs behind a stage whose
activations alone are binary, and has ResNet-34 as teacher. The step back is small: u is 0.2 and gradients are clipped,
so only weights next to zero see another sign.

Seconds a step on one core, by the records of "bibench": digits 0.03, CIFAR-10 0.3 to 0.6.
"""

from __future__ import annotations

from functools import partial

from binviz import recipes
from binviz.evidence.claims import Claim, Verdict
from binviz.experiments.bibench import CIFAR10, DIGITS
from binviz.experiments.cells import Experiment
from binviz.experiments.matrix import Budget, Row, matrix, on_columns
from binviz.losses import LossChoice
from binviz.recipes import Choice, Recipe

NETWORK = "birealnet"
#: Task -> what its rows are given, and their priority.
TASKS = {"digits": (DIGITS, 1), "cifar10": (CIFAR10, 2)}
LOGITS = LossChoice("deviation-aware", {"gamma": 0.0})


def _variant(which: str) -> Recipe:
    """RBONN with another choice of channels."""
    return recipes.get("rbonn").but(f"rbonn-{which}", weight=Choice("rbonn-weight", {"which": which}))


#: RBONN's weights where activations are plain signs.
SIGNS = recipes.get("bnn").but("rbonn-signs", weight=Choice("rbonn-weight"))
RECIPES: dict[str, tuple[str | Recipe, str]] = {
    "bnn": ("bnn", "signs, without a scale"),
    "reactnet": ("reactnet", "Bi-Real with learned thresholds"),
    "rbonn": ("rbonn", "two gradients, and a step back where scales are lowest"),
    "rbonn-official": (_variant("official"), "the step back in the official code's channels"),
    "rbonn-none": (_variant("none"), "the two gradients without the step back"),
    "rbonn-signs": (SIGNS, "RBONN's weights before plain signs"),
}


def rows(budget: Budget) -> list[Row]:
    """Float first; learned scales, and u with them, at a tenth of the rate.

    >>> [row.name for row in rows(DIGITS)]
    ['float', 'bnn', 'reactnet', 'rbonn', 'rbonn-official', 'rbonn-none', 'rbonn-signs']
    """
    students = [
        Row(name, recipe, loss=LOGITS, scale_lr=budget.lr / 10, why=why)
        for name, (recipe, why) in RECIPES.items()
    ]
    return [Row("float", "float", teacher="", why="32 bits: the teacher"), *students]


_claims = partial(on_columns, [f"{task}-{NETWORK}" for task in TASKS], written="2026-11-30")
#: Claim -> the verdict that was expected before its runs.
EXPECTED: dict[Claim, Verdict] = {
    **_claims(
        "RBONN is better than ReActNet",
        "2209.01542, abstract",
        "rbonn",
        "reactnet",
        ("fails", "fails"),
        theirs=0.008,
        where="ResNet-18, ImageNet",
    ),
    **_claims(
        "The step back makes the two gradients better",
        "2209.01542, recurrent optimization",
        "rbonn",
        "rbonn-none",
        ("weak", "weak"),
    ),
    **_claims(
        "The step back is better where scales are lowest than in the official code's channels",
        "asked here",
        "rbonn",
        "rbonn-official",
        ("weak", "weak"),
    ),
    **_claims("RBONN is better than plain signs", "asked here", "rbonn", "bnn", ("weak", "holds")),
    **_claims(
        "RBONN's weights are better than plain signs before plain signs, too",
        "asked here",
        "rbonn-signs",
        "bnn",
        ("weak", "weak"),
    ),
}

EXPERIMENT = Experiment(
    name="rbonn",
    cells=tuple(
        cell
        for task, (budget, group) in TASKS.items()
        for cell in matrix({task: budget}, rows(budget), [NETWORK], later=group - 1)
    ),
    claims=tuple(EXPECTED),
    settings={},
    notes=(
        "Every student takes as many steps: "
        + ", ".join(f"{task} {budget.steps}" for task, (budget, _) in TASKS.items())
        + ". The reported model is the last step's; the evaluation split is looked at once."
    ),
    gap=(
        "residual networks of 6 or 18 convolutions and 800 or 1,000 steps in place of ResNet-18 on ImageNet and 256 "
        "epochs; one stage from a float network, which is the teacher, in place of two and ResNet-34; no learned "
        "shifts behind a convolution"
    ),
)
