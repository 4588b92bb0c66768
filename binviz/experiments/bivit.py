"""BiViT, reproduced at small scale: attention that follows softmax, layers one after the other, learned scales.

He et al. 2023, "BiViT: Extremely Compressed Binary Vision Transformers" (2211.07091). Every student is a ViT of 4
layers, 96 wide, behind two convolutions, trained on CIFAR-10 and then binarized.
"""

from __future__ import annotations

from binviz.experiments.cells import Experiment
from binviz.experiments.matrix import Budget, Row, matrix

BUDGET = Budget(1500, 64, 2e-3, float_steps=12_000, float_lr=2e-3, weight_decay=0.05)

ROWS = (Row("float", "float", teacher="", why="trained from scratch, 32 bits: every student's teacher"),)

EXPERIMENT = Experiment(
    name="bivit",
    cells=tuple(matrix({"cifar10": BUDGET}, ROWS, ["vit"])),
    claims=(),
    settings={},
)
