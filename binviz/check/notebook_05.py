"""The exercises of notebook 05: distillation, two bits, paired comparisons."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.random import Generator

from binviz.check.exercise import Case, exercise


def _softmax(logits: np.ndarray, axis: int = -1) -> np.ndarray:
    return np.exp(logits) / np.exp(logits).sum(axis=axis, keepdims=True)


@exercise(
    idea="The teacher says how likely each class is; the student pays for each the logarithm of its own probability.",
    step="softmax(teacher) times log softmax(student), the mean over everything, and a minus sign.",
    mistakes={
        "Student and teacher are swapped: the teacher's probabilities weigh the student's logarithms.": (
            lambda student, teacher: -(_softmax(student) * np.log(_softmax(teacher))).mean()
        ),
        "BiT averages over examples *and* classes: this sums over the classes.": (
            lambda student, teacher: -(_softmax(teacher) * np.log(_softmax(student))).sum(axis=-1).mean()
        ),
        "A mean over examples and classes is wanted, not their sum.": (
            lambda student, teacher: -(_softmax(teacher) * np.log(_softmax(student))).sum()
        ),
        "A logarithm of a probability is negative: a loss has a minus sign in front.": (
            lambda student, teacher: (_softmax(teacher) * np.log(_softmax(student))).mean()
        ),
        "The student's logarithm is missing.": (
            lambda student, teacher: -(_softmax(teacher) * _softmax(student)).mean()
        ),
        "The student's logits are no log-probabilities yet: subtract the logarithm of their sum of exponentials.": (
            lambda student, teacher: -(_softmax(teacher) * student).mean()
        ),
        "This is the Kullback-Leibler distance: it also subtracts the teacher's entropy. BiT does not.": (
            lambda student, teacher: (
                _softmax(teacher) * (np.log(_softmax(teacher)) - np.log(_softmax(student)))
            ).mean()
        ),
        "A softmax runs over the classes, the last axis.": (
            lambda student, teacher: -(_softmax(teacher, 0) * np.log(_softmax(student, 0))).mean()
        ),
        "The teacher has logits, too: its softmax is missing.": (
            lambda student, teacher: -(teacher * np.log(_softmax(student))).mean()
        ),
    },
)
def ex_5_1(rng: Generator) -> Iterator[Case]:
    """BiT's loss on logits, (examples, classes)."""
    yield Case((np.zeros((1, 2)), np.zeros((1, 2))), np.log(2) / 2)
    student, teacher = rng.normal(size=(2, 2, 3)).round(1)
    wanted = 0.0
    for s, t in zip(student, teacher, strict=True):
        for j in range(3):
            p_student, p_teacher = np.exp(s[j]) / sum(np.exp(s)), np.exp(t[j]) / sum(np.exp(t))
            wanted -= p_teacher * np.log(p_student) / 6
    yield Case((student, teacher), wanted)
    yield Case((student[:, :1], teacher[:, :1]), 0.0)


@exercise(
    idea="Which codes are there, and what happens to values beyond the largest and below 0?",
    step="Round x / alpha, keep it between 0 and the largest code, multiply by alpha.",
    mistakes={
        "Large values have no code: the largest one is 2**bits - 1.": (
            lambda x, alpha, bits: alpha * np.maximum(np.round(x / alpha), 0)
        ),
        "Negative values have no code: the smallest one is 0.": (
            lambda x, alpha, bits: alpha * np.minimum(np.round(x / alpha), 2**bits - 1)
        ),
        "With 0 there are 2**bits codes, so the largest one is 2**bits - 1.": (
            lambda x, alpha, bits: alpha * np.clip(np.round(x / alpha), 0, 2**bits)
        ),
        "Rounding goes to the nearest code; this goes down.": (
            lambda x, alpha, bits: alpha * np.clip(np.floor(x / alpha), 0, 2**bits - 1)
        ),
        "These are the codes. The value is alpha times the code.": (
            lambda x, alpha, bits: np.clip(np.round(x / alpha), 0, 2**bits - 1)
        ),
        "So many bits have 2**bits codes, not as many codes as bits.": (
            lambda x, alpha, bits: alpha * np.clip(np.round(x / alpha), 0, bits)
        ),
        "Divide by alpha before the rounding: codes count multiples of alpha.": (
            lambda x, alpha, bits: alpha * np.clip(np.round(x), 0, 2**bits - 1)
        ),
    },
)
def ex_5_2(rng: Generator) -> Iterator[Case]:
    """Values quantized to 2^bits levels from zero on."""
    few = np.array([-0.7, 0.0, 0.2, 0.55, 0.9, 1.7, 9.0])
    # no number of two digits is in the middle of two levels, if these lie an odd number of hundredths apart
    alpha, bits = (2 * int(rng.integers(5, 60)) + 1) / 100, int(rng.integers(1, 5))
    some = rng.uniform(-1, 9, size=5).round(2), alpha, bits
    for x, alpha, bits in ((few, 1.0, 1), (few, 0.5, 2), (few, 0.125, 4), some):
        levels = alpha * np.arange(2**bits)
        yield Case((x, alpha, bits), levels[np.abs(x[:, None] - levels).argmin(axis=1)])


def _at_most(few: int, of: int) -> float:
    """The probability of at most so many heads."""
    return sum(math.comb(of, i) for i in range(few + 1)) / 2**of


def _counts(first: np.ndarray, second: np.ndarray) -> tuple[int, int]:
    return int((first & ~second).sum()), int((~first & second).sum())


def _two_sided(b: int, c: int) -> float:
    return min(1.0, 2 * _at_most(min(b, c), b + c))


def _with_p(b: int, c: int) -> tuple[int, int, float]:
    return b, c, _two_sided(b, c)


@exercise(
    idea="Examples on which both are right, or both wrong, say nothing. Count the two kinds that are left.",
    step="first & ~second, and the other way round. Then ask the coin: b of b + c, two-sided.",
    mistakes={
        "b and c are swapped: b counts where only the *first* is right.": (
            lambda first, second: _with_p(*_counts(second, first))
        ),
        "The test has two sides: a coin could favour either model.": (
            lambda first, second: (
                *_counts(first, second),
                _at_most(min(_counts(first, second)), sum(_counts(first, second))),
            )
        ),
        "These are all right answers of each model. Those that both have say nothing.": (
            lambda first, second: _with_p(int(first.sum()), int(second.sum()))
        ),
        "Agreements do not count: where both are right, or both wrong, nobody is better.": (
            lambda first, second: _with_p(int((first == second).sum()), int((first != second).sum()))
        ),
        "If no example distinguishes them, there is nothing to toss: p is 1.": (
            lambda first, second: (
                *_counts(first, second),
                _two_sided(*_counts(first, second)) if sum(_counts(first, second)) else 0.0,
            )
        ),
        "If no example distinguishes them, 0 / 0 is no number: p is 1.": (
            lambda first, second: (
                *_counts(first, second),
                _two_sided(*_counts(first, second)) if sum(_counts(first, second)) else math.nan,
            )
        ),
        "The coin is tossed b + c times, not once for every example.": (
            lambda first, second: (
                *_counts(first, second),
                min(1.0, 2 * _at_most(min(_counts(first, second)), len(first))),
            )
        ),
    },
)
def ex_5_3(rng: Generator) -> Iterator[Case]:
    """McNemar's exact test on whether each example is right."""
    first = np.array([True] * 6 + [False] * 2)
    second = np.array([True] + [False] * 5 + [True, False])
    # b = 5, c = 1: P(at most 1 of 6 heads), twice
    yield Case((first, second), (5, 1, 2 * (1 + 6) / 64))
    yield Case((second, first), (1, 5, 2 * (1 + 6) / 64))
    yield Case((first[4:7], first[4:7]), (0, 0, 1.0))
    first, second = rng.uniform(size=(2, 12)) < [[0.8], [0.3]]
    yield Case((first, second), _with_p(*_counts(first, second)))


@exercise(
    idea="First the direction, then the noise: what contradicts the claim fails, however sure the numbers are.",
    step="Three branches: b <= c; p below 0.05; and what is left.",
    mistakes={
        "p = 0.05 itself is weak: the text says 0.05 *or more*.": (
            lambda b, c, p: -1 if b <= c else 1 if p <= 0.05 else 0
        ),
        "Equal accuracies do not support *better*: that fails.": (
            lambda b, c, p: -1 if b < c else 1 if p < 0.05 else 0
        ),
        "A small p says that they differ, not that the first is better: look at b and c first.": (
            lambda b, c, p: 1 if p < 0.05 else 0
        ),
        "Weak and holds are swapped: a small p is what chance hardly does.": (
            lambda b, c, p: -1 if b <= c else 0 if p < 0.05 else 1
        ),
        "The direction is the wrong way round: b counts where only the first is right.": (
            lambda b, c, p: -1 if c <= b else 1 if p < 0.05 else 0
        ),
        "What goes the other way fails by this rule even within noise.": (
            lambda b, c, p: 0 if p >= 0.05 else -1 if b <= c else 1
        ),
        "A true or false does not say *fails*: that is -1.": lambda b, c, p: b > c and p < 0.05,
    },
)
def ex_5_4(rng: Generator) -> Iterator[Case]:
    """Holds (+1), weak (0) or fails (-1)."""
    x, y, z = int(rng.integers(1, 40)), int(rng.integers(1, 40)), (2 * int(rng.integers(1, 99)) + 1) / 2000
    for b, c, p, wanted in (
        (30, 9, 0.001, 1), (12, 9, 0.66, 0), (9, 30, 0.001, -1), (9, 12, 0.66, -1), (7, 7, 1.0, -1),
        (16, 6, 0.0525, 0), (20, 9, 0.05, 0),
        (x, y, z, -1 if x <= y else int(z < 0.05)),
    ):  # fmt: skip
        yield Case((b, c, p), wanted)
