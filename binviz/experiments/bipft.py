"""BiPFT, reproduced at small scale: binary before the task, or because of it (Xing et al. 2023, 2312.08937).

    binviz pretrain --config bipft-minilm --stages float,bipft-a --out runs-out
    binviz pretrain --config bipft-minilm --stages float,bipft-b --out runs-out
    binviz reproduce bipft --out runs-out

The float self is all-MiniLM-L6-v2 (6 layers, 384 wide, 11,000 word pieces) that has learned to fill gaps in
wikitext-2. `late` rows start from it and become binary at the beginning of their fine-tuning; `early` ones start from
its binary students, which were pre-trained on 5.1 million tokens. Then all learn from the task's labels alone, with
as many examples and the same head, drawn anew.

What is expected was written down before any run, in `EXPECTED`. The paper's students see 33,000 million tokens, 6,400
times as many.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from binviz.evidence.claims import ACCURACY, Claim, Verdict
from binviz.experiments.cells import Cell, Experiment
from binviz.experiments.matrix import Budget, Row, matrix
from binviz.losses import LossChoice
from binviz.training.configs import read_pretrain
from binviz.training.pretrain import PretrainConfig

PRETRAINING = PretrainConfig(**read_pretrain("bipft-minilm"))
#: Folders that `binviz pretrain` leaves.
FLOAT, A, B = "mlm.float.seed0", "mlm.float+bipft-a.seed0", "mlm.float+bipft-b.seed0"
#: The same A, packed: its word pieces cut, and in place of latent weights signs and scales.
PACKED_A = "words-minilm.bipft-a"
#: 2e-4 is BiT's rate for SST-2, ten times BiPFT's own: with as few steps, the latter leaves a late student where it is.
BUDGETS = {
    "sst2": Budget(800, 16, 2e-4, float_steps=1600, precision="bf16"),
    "mrpc": Budget(450, 16, 2e-4, float_steps=690, precision="bf16"),
    "cola": Budget(800, 16, 2e-4, float_steps=1070, precision="bf16"),
    "stsb": Budget(450, 16, 2e-4, float_steps=1080, precision="bf16"),
    "rte": Budget(450, 16, 2e-4, float_steps=470, precision="bf16"),
}
#: In order of priority; robustness is measured on the first ones.
FIRST, LATER = ("sst2", "mrpc"), ("cola", "stsb", "rte")
METRICS = {"cola": "matthews", "stsb": "spearman"}
LABELS = LossChoice("labels")


def _row(name: str, recipe: str, start: str, group: int, why: str, **options: Any) -> Row:
    return Row(name, recipe, teacher="", loss=LABELS, start=start, group=group, why=why, **options)


MAIN = (
    _row("late", "bipft-a", FLOAT, 1, "float pre-trained, binary from the first step of fine-tuning"),
    _row("early-a", "bipft-a", A, 1, "pre-trained in binary form"),
    _row("early-b", "bipft-b", B, 1, "pre-trained in binary form, with estimators of the residuals"),
    _row("float", "float", FLOAT, 2, "32 bits: the teacher of the distilled row"),
    Row("late.distilled", "bipft-a", group=2, why="BiT's distillation, from the fine-tuned float model"),
    _row("late.b", "bipft-b", FLOAT, 3, "estimators without binary pre-training"),
    Row(
        "early-a.distilled",
        "bipft-a",
        teacher="",
        start=A,
        taught_by="float",
        group=3,
        why="pre-trained in binary form, then BiT's distillation from the fine-tuned float model",
    ),
    _row("early-a.quarter", "bipft-a", A, 3, "a quarter of the steps", share=0.25),
    _row("early-a.unpacked", "bipft-a", PACKED_A, 3, "from the signs and scales of the bundled packed file"),
)
#: The curve of gain against tokens.
CURVE = tuple(
    _row(
        f"early-a.at-{steps}",
        "bipft-a",
        A.replace(".seed", f".at-{steps}.seed"),
        3,
        f"pre-trained for {steps * PRETRAINING.batch_size * PRETRAINING.length:,} tokens",
    )
    for steps in PRETRAINING.ends_of_parts[:-1]
)
RATES, BATCHES = (2.0, 4.0), (8, 32)


def _robustness() -> list[Cell]:
    """Both rows with one setting changed: the rate, or the batch at the same number of examples."""
    rows = [
        replace(row, name=f"{row.name}.lr-{rate:g}", lr=rate, group=4, why=f"{row.why}; rate x{rate:g}")
        for row in MAIN[:2]
        for rate in RATES
    ]
    tasks = {task: BUDGETS[task] for task in FIRST}
    cells = matrix(tasks, rows)
    for batch in BATCHES:
        other = {
            task: replace(each, batch_size=batch, steps=each.steps * each.batch_size // batch)
            for task, each in tasks.items()
        }
        cells += matrix(
            other,
            [
                replace(row, name=f"{row.name}.batch-{batch}", group=4, why=f"{row.why}; batches of {batch}")
                for row in MAIN[:2]
            ],
        )
    return cells


def _claims(task: str) -> dict[Claim, Verdict]:
    """Each claim on a task, and the verdict that is expected of it."""
    metric, gains = METRICS.get(task, ACCURACY), "2312.08937, abstract and results on GLUE"

    def claim(text: str, source: str, better: str, worse: str, **options: Any) -> Claim:
        written = {"written": "2026-11-29"} | options
        return Claim(text, source, f"{task}.{better}", f"{task}.{worse}", metric=metric, **written)

    average, early = (
        "BERT-base, average over GLUE",
        "Binary pre-training is better than binarizing for the task",
    )
    estimators = "Estimators of the residuals add to it"

    claims: dict[Claim, Verdict] = {
        claim(early, gains, "early-a", "late", theirs=0.139, where=average): "holds",
        claim(estimators, gains, "early-b", "early-a", needs=(early,), theirs=0.015, where=average): "weak",
        claim(
            "A model that was pre-trained in binary form needs no teacher: it is as good without one as the other "
            "with one",
            "2312.08937, section 1",
            "early-a",
            "late.distilled",
            equal=True,
        ): "fails",
        claim(
            "A model that was pre-trained in binary form learns as much from labels alone as from a teacher",
            "2312.08937, section 1",
            "early-a",
            "early-a.distilled",
            equal=True,
        ): "fails",
        claim(
            "After a quarter of the steps it is as good as the other after all",
            "2312.08937, figure 1",
            "early-a.quarter",
            "late",
            equal=True,
            needs=(early,),
        ): "holds",
        claim(
            "What it learned in half of its tokens is not all: twice as many are better",
            "asked here",
            "early-a",
            f"early-a.at-{PRETRAINING.ends_of_parts[-2]}",
            needs=(early,),
        ): "weak",
        claim("Without binary pre-training estimators help, too", "asked here", "late.b", "late"): "weak",
    }
    if metric == ACCURACY:
        claims |= {
            claim(
                "It gains 13.9 points, the paper's average over GLUE",
                gains,
                "early-a",
                "late",
                margin=-0.139,
                theirs=0.139,
                where=average,
            ): "fails",
            claim(
                "With estimators it gains 15.4 points, the paper's average over GLUE",
                gains,
                "early-b",
                "late",
                margin=-0.154,
                needs=(estimators,),
                theirs=0.154,
                where=average,
            ): "fails",
        }
    return claims


def _robust(task: str) -> dict[Claim, Verdict]:
    """At most two points are lost under another setting, by either row."""
    changes = {f"lr-{rate:g}": f"a rate of {rate:g} times" for rate in RATES}
    changes |= {f"batch-{batch}": f"batches of {batch}" for batch in BATCHES}
    found: dict[Claim, Verdict] = {}
    for row, who, verdict in (
        ("early-a", "Pre-trained in binary form", "holds"),
        ("late", "Binarized for the task", "weak"),
    ):
        for change, words in changes.items():
            text = f"{who}, it loses at most 2 points with {words}"
            source = "2312.08937, figure 1"
            named = f"{task}.{row}.{change}", f"{task}.{row}"
            claim = Claim(text, source, *named, margin=0.02, written="2026-11-29")
            found[claim] = verdict  # type: ignore[assignment]
    return found


#: Claim -> the verdict that was expected before its runs.
EXPECTED: dict[Claim, Verdict] = {
    claim: verdict
    for task in BUDGETS
    for claim, verdict in (_claims(task) | (_robust(task) if task in FIRST else {})).items()
}

EXPERIMENT = Experiment(
    name="bipft",
    cells=(
        *matrix({task: BUDGETS[task] for task in FIRST}, (*MAIN, *CURVE)),
        *_robustness(),
        *matrix({task: BUDGETS[task] for task in LATER}, (*MAIN, *CURVE), later=4),
    ),
    claims=tuple(EXPECTED),
    settings={"pretraining": vars(replace(PRETRAINING, stages=(), checkpoint_every=1))},
    notes=(
        "Every binary row of a task sees as many examples, but the quarter's. The reported model is the last step's; "
        "the validation split is looked at once. One pre-training of each kind, seed 0, serves all seeds. "
        "Start with: binviz pretrain --config bipft-minilm --stages float,bipft-a (and float,bipft-b), same --out."
    ),
    gap=(
        "MiniLM of 6 layers, 384 wide, in place of BERT-base; pre-trained on 5.1 million tokens in place of 33,000 "
        "million; 450 or 800 steps on the task"
    ),
)
