"""The exercises of notebook 05: distillation, two bits, paired comparisons."""

from collections.abc import Iterator

import numpy as np

from binviz.check.exercise import Case, exercise


@exercise(
    "Softmax of the teacher times log-softmax of the student, the mean over everything, and a minus sign."
)
def ex_5_1() -> Iterator[Case]:
    """BiT's loss on logits, (examples, classes)."""
    yield Case((np.zeros((1, 2)), np.zeros((1, 2))), np.log(2) / 2)
    rng = np.random.default_rng(0)
    student, teacher = rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
    wanted = 0.0
    for s, t in zip(student, teacher, strict=True):
        for j in range(4):
            p_student, p_teacher = np.exp(s[j]) / sum(np.exp(s)), np.exp(t[j]) / sum(np.exp(t))
            wanted -= p_teacher * np.log(p_student) / 12
    yield Case((student, teacher), wanted, hint="the mean is over examples and classes: divide by both")
    yield Case((student[:, :1], teacher[:, :1]), 0.0, hint="the softmax of a single logit is 1")


@exercise("alpha * clip(round(x / alpha), 0, 2**bits - 1).")
def ex_5_2() -> Iterator[Case]:
    """Values quantized to 2^bits levels from zero on."""
    x = np.array([-0.4, 0.0, 0.2, 0.55, 0.9, 1.7, 9.0])
    for alpha, bits in ((1.0, 1), (0.5, 2), (0.125, 4)):
        levels = alpha * np.arange(2**bits)
        yield Case((x, alpha, bits), levels[np.abs(x[:, None] - levels).argmin(axis=1)])


@exercise(
    "b counts where only the first is right, c where only the second is; p is binomtest(b, b + c).pvalue."
)
def ex_5_3() -> Iterator[Case]:
    """McNemar's exact test on whether each example is right."""
    first = np.array([True] * 8 + [False] * 4)
    second = np.array([True] * 3 + [False] * 5 + [True] + [False] * 3)
    # b = 5, c = 1: P(at most 1 of 6 heads), twice
    yield Case((first, second), (5, 1, 2 * (1 + 6) / 64))
    yield Case((second, first), (1, 5, 2 * (1 + 6) / 64))
    yield Case((first, first), (0, 0, 1.0), hint="no example distinguishes them: p is 1")


@exercise("-1 where b <= c; else +1 where p < 0.05; else 0.")
def ex_5_4() -> Iterator[Case]:
    """Holds (+1), weak (0) or fails (-1)."""
    for b, c, p, wanted in ((30, 9, 0.001, 1), (12, 9, 0.66, 0), (9, 30, 0.001, -1), (7, 7, 1.0, -1)):
        yield Case((b, c, p), wanted)
    yield Case((16, 6, 0.0525), 0, hint="0.05 or more is weak")
