"""DBNet, reproduced at small scale: a step that is soft and learned finds text (1911.08947; DBNet++, 2202.10304).

    binviz reproduce dbnet --out runs-out
    python -m binviz.experiments.text_photos runs-out/scene-text-*.seed0

A detector with a narrow backbone learns from generated scenes. Rows differ in the step of its loss: at a learned or a
fixed threshold, with slopes from 1 to 200, or none, where cross-entropy alone makes the map. Two have adaptive scale
fusion. In three the other meaning of binarization comes to the same detector: the backbone of the float model goes on
with weights and inputs of 1 bit, under the same loss, and once under cross-entropy alone.

What was expected, before the runs, is in `EXPECTED`: that the step is worth its place, that neither its slope nor where
its threshold comes from matters beyond noise at this size, and that a backbone of 1 bit loses more than ten points.
"""

from __future__ import annotations

from typing import Any

from binviz.evidence.claims import Claim, Verdict
from binviz.experiments.cells import Cell, Experiment
from binviz.losses import LossChoice
from binviz.training.settings import TrainConfig
from binviz.training.stages import Stage

TASK = "scene-text"
#: How a float model is trained, and a binary one that starts from it.
TRAIN, BINARY = (TrainConfig(steps, 3e-3, batch_size=8, checkpoint_every=250) for steps in (3000, 1800))
SLOPES = (1.0, 10.0, 200.0)
LEARNED, ALONE = LossChoice("dbnet"), LossChoice("dbnet", {"threshold": "fixed", "step_weight": 0.0})


def _cell(
    row: str, why: str, loss: LossChoice = LEARNED, architecture: str = "dbnet", group: int = 1
) -> Cell:
    return Cell(TASK, row, group, Stage("float", TRAIN, loss), architecture=architecture, why=why)


def _binary(row: str, recipe: str, why: str, loss: LossChoice = LEARNED) -> Cell:
    return Cell(TASK, row, 2, Stage(recipe, BINARY, loss), architecture="dbnet", teacher="learned", why=why)


CELLS = (
    _cell("learned", "a soft step of slope 50 at a learned threshold: DBNet"),
    _cell("alone", "no step: cross-entropy alone makes the map", ALONE),
    _cell("fixed", "the threshold is 0.3 everywhere", LossChoice("dbnet", {"threshold": "fixed"})),
    *(_cell(f"k-{k:g}", f"a slope of {k:g}", LossChoice("dbnet", {"k": k})) for k in SLOPES),
    _cell("learned", "spatial fusion of the levels: DBNet++", architecture="dbnet-spatial"),
    _cell("learned", "fusion by channels and by place: DBNet++", architecture="dbnet-channel-spatial"),
    _binary("bnn", "bnn", "the backbone in 1 bit, plain signs"),
    _binary("bireal", "bireal", "the backbone in 1 bit, Bi-Real's gradient"),
    _binary("reactnet", "reactnet", "the backbone in 1 bit, ReActNet's thresholds"),
    _binary("bireal.alone", "bireal", "Bi-Real's backbone under cross-entropy alone", ALONE),
)


def _claim(text: str, source: str, better: str, worse: str, **options: Any) -> Claim:
    source = source if source == "asked here" else f"2202.10304, {source}"
    settings: dict[str, Any] = {"metric": "f_of_a_picture", "written": "2026-11-30"} | options
    return Claim(text, source, f"{TASK}-{better}", f"{TASK}-{worse}", **settings)


BASE = "dbnet.learned"


def _slope(k: float) -> Claim:
    text = f"The slope hardly matters: {k:g} loses at most 3 points of F to 50"
    return _claim(text, "asked here", f"dbnet.k-{k:g}", BASE, margin=0.03)


#: Claim -> the verdict that was expected before its runs.
EXPECTED: dict[Claim, Verdict] = {
    _claim(
        "Through a soft step a detector learns better than by cross-entropy alone",
        "differentiable binarization",
        BASE,
        "dbnet.alone",
    ): "holds",
    _claim(
        "A learned threshold is better than a fixed one", "adaptive threshold", BASE, "dbnet.fixed"
    ): "weak",
    _claim("A slope of 50 is better than one of 1", "differentiable binarization", BASE, "dbnet.k-1"): "weak",
    _slope(10.0): "holds",
    _slope(200.0): "weak",
    _claim(
        "Levels that are weighed place by place are better than levels that are not",
        "adaptive scale fusion",
        "dbnet-spatial.learned",
        BASE,
    ): "weak",
    _claim(
        "Weighing channels first is better still",
        "adaptive scale fusion",
        "dbnet-channel-spatial.learned",
        "dbnet-spatial.learned",
    ): "fails",
    _claim(
        "A backbone of 1 bit learns better with Bi-Real's gradient than with plain signs",
        "asked here",
        "dbnet.bireal",
        "dbnet.bnn",
    ): "weak",
    _claim(
        "A backbone of 1 bit learns better with learned thresholds before its signs",
        "asked here",
        "dbnet.reactnet",
        "dbnet.bireal",
    ): "weak",
    _claim(
        "A backbone of 1 bit loses at most 10 points of F",
        "asked here",
        "dbnet.reactnet",
        BASE,
        margin=0.1,
    ): "fails",
    _claim(
        "A backbone of 1 bit profits from the soft step, too",
        "asked here",
        "dbnet.bireal",
        "dbnet.bireal.alone",
    ): "holds",
}

EXPERIMENT = Experiment(
    name="dbnet",
    cells=CELLS,
    claims=tuple(EXPECTED),
    settings={},
    notes=(
        f"Every float row sees {TRAIN.steps * TRAIN.batch_size:,} generated scenes of 128 pixels, a binary one, which "
        f"starts from the first row, {BINARY.steps * BINARY.batch_size:,} more. The reported model is the last "
        "step's; claims are of the mean F-measure of a picture. With `alone`, `k-1` and `k-200` the map stays the same "
        "everywhere, 1 in 4, where one pixel of text and its three hardest others pull alike: from nothing it takes a "
        "soft step of slope 10 or 50 to leave that. From trained weights none is needed (`bireal.alone`)."
    ),
    gap=(
        "135,000 weights in place of a ResNet with deformable convolutions; generated words on pictures of 128 pixels "
        "in place of photographs of 640; 3,000 steps from nothing; boxes, no curved text"
    ),
)
