"""BinaryDM, reproduced at small scale: a diffusion U-Net with weights of signs (Zheng et al. 2024, 2404.05662).

    binviz reproduce binarydm --out runs-out

A U-Net of 0.4 million parameters learns which noise is in an 8x8 digit. Each student starts from it, has 1-bit weights
and activations of 8 bits: signs times the mean magnitude (plain), signs with learned scales, two sets of signs in the
outer levels, and features mimicked in a low-rank view (LRM), levels becoming binary from the middle outwards as well;
that is BinaryDM, with 8 and with 4 bits. Later the same on CIFAR-10 at 16 pixels. They are judged by the squared error
of the noise on held-out pictures.

What is expected was written down before any run, in `EXPECTED`.
"""

from __future__ import annotations

from typing import Any

from binviz import recipes
from binviz.evidence.claims import Claim, Verdict
from binviz.experiments.cells import Experiment
from binviz.experiments.matrix import Budget, Row, matrix
from binviz.losses import LossChoice
from binviz.recipes import Recipe

DIGITS, CIFAR = "digits-diffusion", "cifar10-diffusion"
BUDGETS = {
    DIGITS: Budget(800, 64, 1e-3, float_steps=2000, float_lr=2e-3),
    CIFAR: Budget(700, 64, 1e-3, float_steps=1500, float_lr=2e-3),
}
NOISE = LossChoice("labels")
ONE_BASIS = recipes.get("binarydm-w1a8").but("binarydm-one-basis", overrides=())


def _mimicking(**options: Any) -> LossChoice:
    return LossChoice("low-rank-mimicking", options)


def _row(name: str, recipe: str | Recipe, why: str, loss: LossChoice = NOISE, **options: Any) -> Row:
    return Row(name, recipe, loss=loss, scale_lr=2e-4, why=why, **options)


FLOAT = Row("float", "float", teacher="", why="32 bits: the teacher")
PLAIN = _row("plain", "binarydm-plain", "signs times a row's mean magnitude, inputs of 8 bits")
ONE = _row("one-basis", ONE_BASIS, "signs with learned scales")
TWO = _row("two-bases", "binarydm-w1a8", "two sets of signs in the outer levels")
LRM = _row("lrm", "binarydm-w1a8", "features mimicked too, as much as in the paper's code", _mimicking())
STRONG = _row("lrm-100", "binarydm-w1a8", "features mimicked 100 times as much", _mimicking(weight=0.01))
FULL = _row("binarydm", "binarydm-w1a8", "and one level more binary at each step", _mimicking(every=1))
SLOW = _row("slow", "binarydm-w1a8", "and one level more binary every 100 steps", _mimicking(every=100))
FOUR = _row("binarydm-w1a4", "binarydm-w1a4", "BinaryDM with inputs of 4 bits", _mimicking(every=1))
WIDTH = _row(
    "lrm-width", "binarydm-w1a8", "features mimicked along the width", _mimicking(axis="width"), group=2
)


def _claim(text: str, source: str, better: str, worse: str, task: str = DIGITS, **options: Any) -> Claim:
    settings: dict[str, Any] = {"metric": "loss", "lower": True, "written": "2026-11-30"} | options
    return Claim(text, source, f"{task}.{better}", f"{task}.{worse}", **settings)


#: Claim -> the verdict that was expected before its runs.
EXPECTED: dict[Claim, Verdict] = {
    _claim(
        "Signs with learned scales are better than signs times the mean magnitude",
        "2404.05662, learnable multi-basis binarizer",
        "one-basis",
        "plain",
    ): "holds",
    _claim(
        "Two sets of signs in the outer levels are better than one",
        "2404.05662, learnable multi-basis binarizer",
        "two-bases",
        "one-basis",
    ): "holds",
    _claim(
        "Mimicking features in a low-rank view makes it better still",
        "2404.05662, low-rank representation mimicking",
        "lrm",
        "two-bases",
    ): "fails",
    _claim(
        "Mimicking them 100 times as much as the paper's code does makes it better",
        "asked here",
        "lrm-100",
        "two-bases",
    ): "holds",
    _claim(
        "Levels that become binary one after the other make it better",
        "2404.05662, progressive binarization",
        "binarydm",
        "lrm",
    ): "fails",
    _claim(
        "Levels that become binary one after the other make it better, with 100 steps for each",
        "asked here",
        "slow",
        "lrm",
    ): "fails",
    _claim(
        "BinaryDM with 8 bits is better than the plain baseline",
        "2404.05662, abstract",
        "binarydm",
        "plain",
    ): "holds",
    _claim(
        "BinaryDM with 4 bits is better than the plain baseline with 8",
        "2404.05662, FID on LSUN-Bedrooms",
        "binarydm-w1a4",
        "plain",
    ): "holds",
    _claim(
        "Features are better mimicked along channels than along the width",
        "asked here",
        "lrm",
        "lrm-width",
    ): "fails",
    _claim(
        "Two sets of signs in the outer levels are better than one, on photographs",
        "2404.05662, learnable multi-basis binarizer",
        "two-bases",
        "one-basis",
        CIFAR,
    ): "holds",
    _claim(
        "BinaryDM with 8 bits is better than the plain baseline, on photographs",
        "2404.05662, abstract",
        "binarydm",
        "plain",
        CIFAR,
    ): "holds",
    _claim(
        "BinaryDM with 4 bits is better than the plain baseline with 8, on photographs",
        "2404.05662, FID on LSUN-Bedrooms",
        "binarydm-w1a4",
        "plain",
        CIFAR,
    ): "holds",
}

EXPERIMENT = Experiment(
    name="binarydm",
    cells=(
        *matrix({DIGITS: BUDGETS[DIGITS]}, (FLOAT, PLAIN, ONE, TWO, LRM, STRONG, FULL, SLOW, FOUR, WIDTH)),
        *matrix({CIFAR: BUDGETS[CIFAR]}, (FLOAT, PLAIN, ONE, TWO, FULL, FOUR), later=2),
    ),
    claims=tuple(EXPECTED),
    settings={},
    notes=(
        "Every student sees 51,200 noisy digits or 44,800 photographs. The reported model is the last step's; the "
        "held-out pictures are looked at once, each at 8 steps of the noise with noise of its own."
    ),
    gap=(
        "networks of 0.4 and 0.7 million parameters in place of LDM-4's 274 million, pictures of 8 and 16 pixels in "
        "place of latents of 256-pixel bedrooms; a squared error in place of FID; products of attention stay float; "
        "principal directions of channels, where the code has those of the width"
    ),
)
