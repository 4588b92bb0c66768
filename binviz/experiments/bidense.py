"""BiDense, reproduced at small scale: a class for every pixel by a binary network (Yin et al. 2024, 2411.10346).

    binviz reproduce bidense --out runs-out

A small U-Net learns the street scenes of CamVid at 160x120 from nothing, in two forms: "unet" has a shortcut around
those convolutions that keep shape; "bypassunet" has BiDense's way around every convolution. Each student starts from
the float net of its form and learns from labels alone, within as many steps. So BiDense without its bypass is a row of
the first form, and without its binarizer one of Bi-Real's on the second: the same weights behind the same triangle. The
scale of each channel of each picture stands inside the sum, where no product of bits is left; `bidense-bits` has the
adaptive threshold alone.

What is expected was written down before any run, in `EXPECTED`: every part helps, and float is not reached as closely
as in the paper, whose own float net from scratch is weak.
"""

from __future__ import annotations

from typing import Any

from binviz.evidence.claims import Claim, Verdict
from binviz.experiments.cells import Experiment
from binviz.experiments.matrix import Budget, Row, matrix
from binviz.losses import LossChoice

TASK = "camvid"
BUDGET = Budget(1500, 8, 3e-3, float_steps=1600, float_lr=3e-3)
FLOAT = Row("float", "float", teacher="", why="32 bits, from nothing: what every row starts from")


def _row(recipe: str, why: str, **options: Any) -> Row:
    return Row(recipe, recipe, loss=LossChoice("labels"), scale_lr=1e-3, why=why, **options)


#: Architecture -> its rows.
ROWS: dict[str, tuple[Row, ...]] = {
    "unet": (
        FLOAT,
        _row("bnn", "plain signs"),
        _row("bireal", "Bi-Real: a scale for each channel of the weights behind a soft surrogate"),
        _row("reactnet", "ReActNet: Bi-Real with learned thresholds"),
        _row("bidense", "BiDense without its bypass"),
    ),
    "bypassunet": (
        FLOAT,
        _row("bidense", "BiDense"),
        _row("bireal", "BiDense without its binarizer: Bi-Real's"),
        _row("bidense-bits", "BiDense without the scale of each channel: products of bits"),
        _row("reactnet", "ReActNet's learned thresholds in place of adaptive ones", group=2),
    ),
}

#: Mean IoU in percent on ADE20K, with a ConvNeXt and from scratch (table 1).
THEIRS = {"float": 20.39, "bnn": 8.68, "reactnet": 9.22, "bidense": 18.75}
_TABLE, _WHERE = "2411.10346, table 1", "ConvNeXt-T with UPerNet on ADE20K, mean IoU"
BEST = "bypassunet.bidense"


def _claim(text: str, better: str, worse: str, source: str = "asked here", **options: Any) -> Claim:
    named = f"{TASK}-{better}", f"{TASK}-{worse}"
    return Claim(text, source, *named, **{"metric": "mean_iou", "written": "2026-11-30"} | options)


def _printed(worse: str) -> dict[str, Any]:
    return {"theirs": round((THEIRS["bidense"] - THEIRS[worse]) / 100, 6), "where": _WHERE}


#: What the paper's own loses to its float net from scratch.
LOSS = round((THEIRS["float"] - THEIRS["bidense"]) / 100, 6)
#: Claim -> the verdict that was expected before its runs.
EXPECTED: dict[Claim, Verdict] = {
    _claim("BiDense is better than plain signs", BEST, "unet.bnn", _TABLE, **_printed("bnn")): "holds",
    _claim("BiDense is better than Bi-Real", BEST, "unet.bireal"): "holds",
    _claim("BiDense is better than ReActNet", BEST, "unet.reactnet", _TABLE, **_printed("reactnet")): "holds",
    _claim("Its binarizer helps", BEST, "bypassunet.bireal", "2411.10346, ablation"): "holds",
    _claim("Its way around every convolution helps", BEST, "unet.bidense", "2411.10346, ablation"): "holds",
    _claim("The way around helps other binarizers too", "bypassunet.bireal", "unet.bireal"): "holds",
    _claim(
        "The scale of each channel, which no product of bits has, helps", BEST, "bypassunet.bidense-bits"
    ): "holds",
    _claim(
        "Thresholds that follow the picture are better than learned ones", BEST, "bypassunet.reactnet"
    ): "holds",
    _claim(
        "Thresholds that follow the picture, without a scale, are better than none",
        "bypassunet.bidense-bits",
        "bypassunet.bireal",
    ): "weak",
    _claim(
        "At most 1.64 points are lost to float from scratch",
        BEST,
        "bypassunet.float",
        _TABLE,
        metric="scene_iou",
        margin=LOSS,
        **_printed("float"),
    ): "fails",
}

EXPERIMENT = Experiment(
    name="bidense",
    cells=tuple(cell for name, rows in ROWS.items() for cell in matrix({TASK: BUDGET}, rows, [name])),
    claims=tuple(EXPECTED),
    settings={},
    notes=(
        f"Every binary row takes {BUDGET.steps} steps of {BUDGET.batch_size} scenes, 33 epochs, and the float nets "
        f"{BUDGET.float_steps}. The reported model is the last step's; the 233 test scenes are looked at once, the 101 "
        "of validation never. mean_iou is of all pixels, scene_iou the mean over scenes."
    ),
    gap=(
        "a U-Net of 170,000 weights on CamVid at 160x120 in place of a ConvNeXt with UPerNet on ADE20K; students start "
        "from the float net"
    ),
)
