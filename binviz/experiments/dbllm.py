"""DB-LLM, reproduced at small scale: a decoder's weights in 2 bits (Chen et al. 2024, 2402.11960).

    binviz reproduce dbllm --out runs-out
    python -m binviz.experiments.decoding runs-out/novels.*.seed0

A LLaMA of 4 layers, 256 wide, learns to write novels from nothing. Each student starts from it, has its weights in few
bits and everything else float, and learns from the float model's next words: rounded to 2 bits with scales that stay,
with the two sets of {0, 1} whose scales are learned (FDB), with more weight on ambiguous tokens as well (DAD), with
1 bit, and ternary; then on text of its own, and with the paper's scales, for each 64 weights of a row.

What is expected was written down before any run, in `EXPECTED`. The paper starts from LLaMA's weights, which have seen
a million times as many words. Its distillation's formula is not known; ours is said to be ours
(`binviz.losses.deviation`).
"""

from __future__ import annotations

from math import log
from typing import Any

from binviz import recipes
from binviz.evidence.claims import Claim, Verdict
from binviz.experiments.cells import Experiment
from binviz.experiments.matrix import Budget, Row, matrix
from binviz.losses import LossChoice
from binviz.recipes import Choice, Recipe

TASK = "novels"
BUDGET = Budget(280, 16, 5e-4, float_steps=1600, float_lr=1.5e-3, precision="bf16")
PLAIN, AWARE = (LossChoice("deviation-aware", {"gamma": gamma}) for gamma in (0.0, 1.0))
ONE_BIT = Recipe("sign-weights", Choice("xnor-weight"))
SCALES = ("alpha_1", "alpha_2")


def _row(name: str, recipe: str | Recipe, why: str, loss: LossChoice = PLAIN, **options: Any) -> Row:
    return Row(name, recipe, loss=loss, scale_lr=5e-4, why=why, **options)


ROWS = (
    Row("float", "float", teacher="", why="32 bits: the teacher"),
    _row("fdb", "db-llm", "FDB: two sets of {0, 1}, scales learned"),
    _row("rounded", "db-llm", "rounded to 2 bits: FDB whose scales stay", stage={"frozen": SCALES}),
    _row("db-llm", "db-llm", "FDB, and ambiguous tokens weigh more (our DAD)", AWARE),
    _row("one-bit", ONE_BIT, "signs times a row's mean magnitude"),
    _row("ternary", recipes.get("ternary"), "-1, 0 and 1 times a scale of the row"),
    _row(
        "db-llm.own-text",
        "db-llm",
        "FDB and our DAD on text that the float model writes: no data",
        AWARE,
        augment="own-text",
        group=2,
    ),
    _row(
        "db-llm.groups", "db-llm-g64", "FDB and our DAD, scales for each 64 weights of a row", AWARE, group=2
    ),
)


def _claim(text: str, source: str, better: str, worse: str, **options: Any) -> Claim:
    named = f"{TASK}.{better}", f"{TASK}.{worse}"
    settings: dict[str, Any] = {"metric": "perplexity", "lower": True, "written": "2026-11-30"} | options
    return Claim(text, source, *named, **settings)


#: What perplexity 5.47 becomes in 2 bits, in nats a token.
THEIR_LOSS = log(7.23 / 5.47)
#: Claim -> the verdict that was expected before its runs.
EXPECTED: dict[Claim, Verdict] = {
    _claim(
        "Two sets of {0, 1} with learned scales are better than rounding to the 2 bits that they start from",
        "2402.11960, flexible dual binarization",
        "fdb",
        "rounded",
    ): "holds",
    _claim(
        "More weight on ambiguous tokens makes it better still",
        "2402.11960, deviation-aware distillation",
        "db-llm",
        "fdb",
    ): "fails",
    _claim("Two sets of {0, 1} are better than ternary weights", "asked here", "fdb", "ternary"): "holds",
    _claim("Ternary weights are better than 1-bit ones", "asked here", "ternary", "one-bit"): "holds",
    _claim(
        "In 2 bits it loses at most 0.28 nats a token, as LLaMA-2 does",
        "2402.11960, abstract",
        "db-llm",
        "float",
        metric="loss",
        margin=round(THEIR_LOSS, 3),
        theirs=-round(THEIR_LOSS, 3),
        where="LLaMA-2-7B, perplexity on wikitext-2",
    ): "holds",
    _claim(
        "Text that the model writes itself serves as well as its data",
        "2402.11960, data-free calibration",
        "db-llm.own-text",
        "db-llm",
        equal=True,
    ): "fails",
    _claim(
        "A scale for each 64 weights is better than one for a row",
        "2402.11960, groups of 64",
        "db-llm.groups",
        "db-llm",
    ): "holds",
}

EXPERIMENT = Experiment(
    name="dbllm",
    cells=tuple(matrix({TASK: BUDGET}, ROWS)),
    claims=tuple(EXPECTED),
    settings={},
    notes=(
        f"Every student sees {BUDGET.steps * BUDGET.batch_size:,} sequences of 128 tokens. The reported model is the "
        "last step's; the held-out novels are looked at once."
    ),
    gap=(
        "a LLaMA of 5 million parameters that has read 3.3 million tokens in place of 7 to 70 billion; latent weights "
        "are trained; scales of rows in place of groups of 64, but for one row; our reading of the distillation"
    ),
)
