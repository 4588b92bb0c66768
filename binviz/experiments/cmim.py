"""CMIM, reproduced at small scale: binary features that pick out the float ones (Shang et al. 2022, 2207.02970).

    binviz reproduce cmim --out runs-out

Three binary networks, IR-Net as the paper has it, ReActNet and plain signs, learn from labels alone and with the
contrast between their last features and those of the float network that they start from; IR-Net also with projections
that stay as they were drawn, as the official code leaves them. All see the same batches.

An example is contrasted with what it was when it was last met, so a run has to meet each one several times: about 47
times on the digits; on CIFAR-10 the students see the first 78 batches, 4,992 pictures, some ten times, and the float
network has seen more.

What is expected was written down before any run, in `EXPECTED`. The paper trains ResNet-18 on CIFAR-100 for 400 epochs,
by gradient descent.

Seconds a step on one core, by the records of "bibench": digits 0.03, CIFAR-10 0.3 to 0.6, both without the contrast.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from binviz.evidence.claims import Claim, Verdict
from binviz.experiments.bibench import CIFAR10, DIGITS
from binviz.experiments.cells import Experiment
from binviz.experiments.matrix import Row, matrix, on_columns
from binviz.losses import LossChoice

NETWORK = "resnet"
#: Task -> what its rows are given, their priority, their batches, and how many examples these have.
TASKS: dict[str, tuple[Any, int, str, int]] = {
    "digits": (DIGITS, 1, "numbered", 1347),
    "cifar10": (CIFAR10, 2, "numbered-tenth", 4992),
}
BASES = {"ir-net": "IR-Net", "reactnet": "ReActNet", "bnn": "plain signs"}


def rows(batches: str, examples: int) -> list[Row]:
    """Float first; each base alone and with the contrast.

    >>> [row.name for row in rows("numbered", 1347)][:4]
    ['float', 'ir-net', 'ir-net.cmim', 'ir-net.cmim-frozen']
    """
    found = [Row("float", "float", teacher="", why="32 bits: the teacher")]

    def add(base: str, name: str, loss: LossChoice, why: str) -> None:
        found.append(Row(name, base, loss=loss, scale_lr=1e-3, augment=batches, why=f"{BASES[base]}, {why}"))

    for base in BASES:
        add(base, base, LossChoice("labels"), "from labels alone")
        add(base, f"{base}.cmim", LossChoice("cmim", {"examples": examples}), "and the contrast")
        if base == "ir-net":
            frozen = LossChoice("cmim", {"examples": examples, "trained": False})
            add(base, f"{base}.cmim-frozen", frozen, "and the contrast of projections that stay")
    return found


_claims = partial(on_columns, [f"{task}-{NETWORK}" for task in TASKS], written="2026-11-30")
#: Claim -> the verdict that was expected before its runs.
EXPECTED: dict[Claim, Verdict] = {
    **_claims(
        "The contrast makes IR-Net better",
        "2207.02970, readme",
        "ir-net.cmim",
        "ir-net",
        ("weak", "holds"),
        theirs=0.058,
        where="ResNet-18, CIFAR-100",
    ),
    **_claims(
        "The contrast makes ReActNet better",
        "2207.02970, abstract",
        "reactnet.cmim",
        "reactnet",
        ("weak", "holds"),
    ),
    **_claims(
        "The contrast makes plain signs better", "2207.02970, abstract", "bnn.cmim", "bnn", ("weak", "holds")
    ),
    **_claims(
        "Trained projections are better than those that stay as they were drawn",
        "asked here",
        "ir-net.cmim",
        "ir-net.cmim-frozen",
        ("weak", "weak"),
    ),
    **_claims("IR-Net is better than plain signs", "asked here", "ir-net", "bnn", ("weak", "weak")),
}

EXPERIMENT = Experiment(
    name="cmim",
    cells=tuple(
        cell
        for task, (budget, group, batches, examples) in TASKS.items()
        for cell in matrix({task: budget}, rows(batches, examples), [NETWORK], later=group - 1)
    ),
    claims=tuple(EXPECTED),
    settings={},
    notes=(
        "Every student takes as many steps: "
        + ", ".join(f"{task} {budget.steps}" for task, (budget, *_) in TASKS.items())
        + ". The reported model is the last step's; the evaluation split is looked at once."
    ),
    gap=(
        "residual networks of 6 or 18 convolutions and 800 or 1,000 steps from the float network that is the teacher, "
        "in place of ResNet-18 on CIFAR-100 and 400 epochs; a tenth of CIFAR-10; shortcuts without weights; others in "
        "proportion to the examples, 110 and 409 in place of 4,096; Adam in place of gradient descent"
    ),
)
