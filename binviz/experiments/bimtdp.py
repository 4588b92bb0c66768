"""Bi-MTDP, a reading of it at small scale: two dense tasks by one binary network (Zhang et al. 2024, 2405.14136).

    binviz reproduce bimtdp --out runs-out

A small U-Net with two heads learns classes and boundaries of CamVid's street scenes at once. Its students start from
the float net, have ReActNet's binarizers in the backbone, and learn within as many steps: from both tasks' labels
alone, with the variational bottleneck behind the backbone, with the float net's features, and with both, which is what
the paper does. The bottleneck is trained or not; what runs is the same network (`binviz.networks.two_heads`).

No code was published and neither binarizer, places, weights nor any number was found, so this is binviz's reading of
the abstract, and its verdicts are of that reading. What is expected was written down before any run, in `EXPECTED`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from binviz.evidence.claims import Claim, Verdict
from binviz.experiments.cells import Experiment
from binviz.experiments.matrix import Budget, Row, matrix
from binviz.losses import LossChoice

TASK = "camvid-boundaries"
BUDGET = Budget(1500, 8, 3e-3, float_steps=1600, float_lr=3e-3)
BETA = 1e-3
LABELS, BOTTLENECK = LossChoice("two-tasks"), LossChoice("two-tasks", {"kl": BETA})


def _row(name: str, loss: LossChoice, why: str) -> Row:
    return Row(name, "reactnet", loss=loss, why=why)


ROWS = (
    Row(
        "float", "float", teacher="", loss=LABELS, why="32 bits, from nothing: what every student starts from"
    ),
    _row(
        "bi-mtdp",
        LossChoice("bi-mtdp", {"kl": BETA}),
        "Bi-MTDP, our reading: bottleneck and the float net's features",
    ),
    _row("labels", LABELS, "ReActNet with the labels of both tasks alone"),
    _row(
        "features",
        LossChoice("bi-mtdp", {"kl": 0.0}),
        "ReActNet with the float net's features, no bottleneck",
    ),
    _row("bottleneck", BOTTLENECK, "ReActNet with the bottleneck, no teacher"),
    Row(
        "float.bottleneck",
        "float",
        teacher="",
        loss=BOTTLENECK,
        group=2,
        why="32 bits, from nothing, with the bottleneck",
    ),
)


def _claim(text: str, better: str, worse: str, source: str = "2405.14136, abstract", **options: Any) -> Claim:
    settings = {"metric": "both", "written": "2026-11-30"} | options
    return Claim(text, source, f"{TASK}.{better}", f"{TASK}.{worse}", **settings)


#: Claim -> the verdict that was expected before its runs.
EXPECTED: dict[Claim, Verdict] = {
    _claim("The binary net of two tasks beats the float one", "bi-mtdp", "float"): "fails",
    _claim("Bottleneck and features together help a binary net", "bi-mtdp", "labels"): "holds",
    _claim("The bottleneck helps beside features", "bi-mtdp", "features"): "fails",
    _claim("Features of the float net help beside the bottleneck", "bi-mtdp", "bottleneck"): "holds",
    _claim("The bottleneck helps alone", "bottleneck", "labels"): "fails",
    _claim("The bottleneck helps a float net as well", "float.bottleneck", "float", "asked here"): "fails",
}


def _cells() -> list[Any]:
    """Those of the matrix; its float nets learn both tasks, too."""
    by_row = {row.name: row.loss for row in ROWS}
    return [
        replace(cell, stage=replace(cell.stage, loss=by_row[cell.row]))
        for cell in matrix({TASK: BUDGET}, ROWS)
    ]


EXPERIMENT = Experiment(
    name="bimtdp",
    cells=tuple(_cells()),
    claims=tuple(EXPECTED),
    settings={},
    notes=(
        f"Every binary row takes {BUDGET.steps} steps of {BUDGET.batch_size} scenes, 33 epochs, and the float nets "
        f"{BUDGET.float_steps}. The reported model is the last step's; the 233 test scenes are looked at once. `both` "
        "is the mean of mean_iou and boundary_f1."
    ),
    gap=(
        "our reading: a U-Net of 170,000 weights, classes and boundaries of CamVid at 160x120, in place of larger "
        "networks with more tasks on NYUD-v2 and PASCAL-Context; binarizer, places and weights of the loss are guesses"
    ),
)
