"""The exercises of notebook 08: operators by source, scales behind a norm, lost gradients, rankings, pairs."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.random import Generator
from scipy.stats import binomtest

from binviz.check.exercise import Case, exercise

Row = tuple[float, float, float, float]


def _row(operator: str, inputs: int, outputs: int, x: float) -> Row:
    window, triangle = float(abs(x) <= 1), max(2 - 2 * abs(x), 0)
    return {
        "xnor": (2, 2, window, 0),
        "xnorpp": (1, 1, window, outputs),
        "reactnet": (1, 2, triangle, inputs),
    }[operator]


def _but(operator: str, place: int, wrong: Callable[[int, int, float], float]) -> Callable[..., Row]:
    """The right rows, but for one entry of one operator, made from inputs, outputs and x."""

    def row(name: str, inputs: int, outputs: int, x: float) -> Row:
        found = list(_row(name, inputs, outputs, x))
        if name == operator:
            found[place] = wrong(inputs, outputs, x)
        a, b, c, d = found
        return a, b, c, d

    return row


@exercise(
    idea="Three files: xnor.py, reactnet.py and, for what XNOR-Net++ takes of its inputs and weights, bnn.py.",
    step="Is there a `mean_abs` in `encode`, and of what? What does `with_surrogate` get? Which is an `nn.Parameter`?",
    mistakes={
        "XNOR-Net scales its inputs as well, by the mean size of their row: it doubles with them.": (
            _but("xnor", 0, lambda inputs, outputs, x: 1)
        ),
        "XNOR-Net's scales are computed anew from what comes in; it learns none.": (
            _but("xnor", 3, lambda inputs, outputs, x: outputs)
        ),
        "XNOR-Net++ learns its factor: the factor does not follow the weights when they double.": (
            _but("xnorpp", 1, lambda inputs, outputs, x: 2)
        ),
        "XNOR-Net++ has a factor for each output of the layer, not for each input.": (
            _but("xnorpp", 3, lambda inputs, outputs, x: inputs)
        ),
        "ReActNet's weights are Bi-Real's, and these have a scale: the mean size of their row.": (
            _but("reactnet", 1, lambda inputs, outputs, x: 1)
        ),
        "ReActNet's threshold is added to the inputs: there is one for each of them.": (
            _but("reactnet", 3, lambda inputs, outputs, x: outputs)
        ),
        "ReActNet's surrogate is no window: the closer x is to 0, the larger is the slope.": (
            _but("reactnet", 2, lambda inputs, outputs, x: float(abs(x) <= 1))
        ),
        "The triangle has an area of 2, as the step of a sign has: it is twice as high.": (
            _but("reactnet", 2, lambda inputs, outputs, x: max(1 - abs(x), 0))
        ),
        "Beyond 1 the triangle is 0, and not negative.": (
            _but("reactnet", 2, lambda inputs, outputs, x: 2 - 2 * abs(x))
        ),
    },
)
def ex_8_1(rng: Generator) -> Iterator[Case]:
    """Three operators by four numbers: what doubles their outputs, the slope of their surrogate, what they learn."""
    for operator, rows in {
        "xnor": ((2, 2, 1, 0), (2, 2, 0, 0)),
        "xnorpp": ((1, 1, 1, 2), (1, 1, 0, 5)),
        "reactnet": ((1, 2, 0.5, 4), (1, 2, 0, 3)),
    }.items():
        for layer, want in zip(((4, 2, 0.75), (3, 5, -1.5)), rows, strict=True):
            yield Case((operator, *layer), want)
        # an odd number of hundredths: not at the edge of a window
        inputs, outputs = map(int, rng.integers(2, 100, size=2))
        x = (2 * int(rng.integers(-99, 99)) + 1) / 100
        yield Case((operator, inputs, outputs, x), _row(operator, inputs, outputs, x))


def _normed(z: np.ndarray, axis: int | None) -> np.ndarray:
    normed: np.ndarray = (z - z.mean(axis=axis, keepdims=True)) / z.std(axis=axis, keepdims=True)
    return normed


def _left(shortcut: np.ndarray, sums: np.ndarray, scales: np.ndarray, axis: int | None) -> float:
    apart = _normed(shortcut + scales * sums, axis) - _normed(shortcut + sums, axis)
    return float((apart**2).mean())


@exercise(
    idea="Two norms over the same axis, one of what has the scales and one of what has not. How far are they apart?",
    step="(z - mean) / std over the axis, keepdims=True, for z = shortcut + scales * sums and z = shortcut + sums.",
    mistakes={
        "The scales belong to the sums alone; the shortcut goes past them.": (
            lambda shortcut, sums, scales, axis: (
                (_normed((shortcut + sums) * scales, axis) - _normed(shortcut + sums, axis)) ** 2
            ).mean()
        ),
        "What the norm sees is the shortcut and the sums together, in both cases.": (
            lambda shortcut, sums, scales, axis: _left(0 * sums, sums, scales, axis)
        ),
        "This is before the norm. The question is what is left behind it.": (
            lambda shortcut, sums, scales, axis: ((scales * sums - sums) ** 2).mean()
        ),
        "A norm divides by the deviation as well; yours takes the mean away and no more.": (
            lambda shortcut, sums, scales, axis: (
                ((scales * sums - sums) - (scales * sums - sums).mean(axis=axis, keepdims=True)) ** 2
            ).mean()
        ),
        "Each channel or example has a norm of its own: mean and deviation are over the axis, not over all.": (
            lambda shortcut, sums, scales, axis: _left(shortcut, sums, scales, None)
        ),
        "This norm is over the other axis.": (
            lambda shortcut, sums, scales, axis: _left(shortcut, sums, scales, 1 - axis)
        ),
        "Squared distances are wanted, and their mean.": (
            lambda shortcut, sums, scales, axis: np.abs(
                _normed(shortcut + scales * sums, axis) - _normed(shortcut + sums, axis)
            ).mean()
        ),
        "The mean of the squares, not their sum: it does not depend on how many numbers there are.": (
            lambda shortcut, sums, scales, axis: _left(shortcut, sums, scales, axis) * sums.size
        ),
    },
)
def ex_8_2(rng: Generator) -> Iterator[Case]:
    """What is left of scales behind a norm, as a mean squared distance."""
    sums = np.array([[1.0, 3.0], [3.0, -1.0], [2.0, 1.0]])
    yield Case((0 * sums, sums, np.array([0.5, 0.1]), 0), 0.0)
    # [2, 2.5] becomes [-1, 1], and without scales [2, 1] becomes [1, -1]
    yield Case((np.array([[0.0, 3.0]]), np.array([[2.0, -2.0]]), np.array([1.0, 0.25]), 1), 4.0)
    shortcut, sums = rng.normal(size=(2, 3, 3)).round(1) + np.diag([0, 2, 4])  # no row or column is flat
    scales = np.array([0.5, 2.0, 1.0])
    for axis in (0, 1):
        with_scales, without = shortcut + scales * sums, shortcut + sums
        if axis == 0:
            with_scales, without = with_scales.T, without.T
        apart = [
            (x - np.mean(row)) / np.std(row) - (y - np.mean(other)) / np.std(other)
            for row, other in zip(with_scales, without, strict=True)
            for x, y in zip(row, other, strict=True)
        ]
        yield Case((shortcut, sums, scales, axis), sum(each**2 for each in apart) / 9)


def _connected(gradients: np.ndarray, changes: np.ndarray) -> np.ndarray:
    learns, matters = gradients > 0, changes > 0
    return np.select([learns & matters, matters, learns], [0, 1, 2], 3)


@exercise(
    idea="Two questions to each parameter: does it get a gradient, and does the output depend on it?",
    step="learns = gradients > 0, matters = changes > 0, and np.where or np.select for the four cases.",
    mistakes={
        "-1 says that backward gave nothing at all: that is no gradient either.": (
            lambda gradients, changes: _connected(np.abs(gradients), changes)
        ),
        "Deaf (1) is what matters and does not learn; a ghost (2) learns and does not matter. Yours are swapped.": (
            lambda gradients, changes: _connected(changes, np.maximum(gradients, 0))
        ),
        "A gradient alone does not make it connected: the output must depend on it, too.": (
            lambda gradients, changes: np.where(gradients > 0, 0, np.where(changes > 0, 1, 3))
        ),
        "What moves the output is not connected for that: it must get a gradient, too.": (
            lambda gradients, changes: np.where(changes > 0, 0, np.where(gradients > 0, 2, 3))
        ),
        "A gradient may be small. Only where there is none does nothing learn: compare with 0.": (
            lambda gradients, changes: _connected(np.where(gradients < 1e-3, 0, gradients), changes)
        ),
        "What has neither is idle (3), and not deaf.": (
            lambda gradients, changes: np.where(gradients > 0, np.where(changes > 0, 0, 2), 1)
        ),
    },
)
def ex_8_3(rng: Generator) -> Iterator[Case]:
    """Which parameters are connected (0), deaf (1), ghosts (2) or idle (3)."""
    yield Case((np.array([0.5, -1.0, 2.0]), np.array([1.0, 3.0, 0.0])), np.array([0, 1, 2]))
    gradients = np.array([0.0, -1.0, 0.0, 1e-6, 1e-6, 7.0])
    yield Case((gradients, np.array([0.25, 0.0, 0.0, 2.0, 0.0, 1e-6])), np.array([1, 3, 3, 0, 2, 0]))
    gradients, changes = rng.choice([-1.0, 0.0, 1e-6, 0.5, 3.0], size=(2, 5))
    wanted = [
        (0 if g > 0 else 1) if c > 0 else (2 if g > 0 else 3) for g, c in zip(gradients, changes, strict=True)
    ]
    yield Case((gradients, changes), np.array(wanted))


@exercise(
    idea="A mean with weights, of squares; and at its end the root. One number for each row of `kept`.",
    step="kept**2 @ weights has a sum for each operator. By what is it divided?",
    mistakes={
        "That is the plain mean with weights: square before you add, and take the root at the end.": (
            lambda kept, weights: kept @ weights / weights.sum()
        ),
        "The root is missing: with all shares alike, the score is that share.": (
            lambda kept, weights: kept**2 @ weights / weights.sum()
        ),
        "Divide by the sum of the weights: twice the weights change nothing.": (
            lambda kept, weights: np.sqrt(kept**2 @ weights / len(weights))
        ),
        "Nothing is divided: with all shares alike, the score is that share.": (
            lambda kept, weights: np.sqrt(kept**2 @ weights)
        ),
        "The weights weigh squares; they are not squared themselves.": (
            lambda kept, weights: np.sqrt(kept**2 @ weights**2 / (weights**2).sum())
        ),
        "The weights are not used.": lambda kept, weights: np.sqrt((kept**2).mean(axis=1)),
        "The root comes last, behind the sum and the division.": (
            lambda kept, weights: np.sqrt(kept**2 @ weights) / weights.sum()
        ),
    },
)
def ex_8_4(rng: Generator) -> Iterator[Case]:
    """An operator's score: the quadratic mean, with weights, of the shares that it keeps."""
    yield Case((np.array([[1.0, 0.5], [0.75, 0.75]]), np.array([1.0, 1.0])), np.array([0.625**0.5, 0.75]))
    kept = np.array([[1.0, 0.2, 0.4], [0.5, 0.5, 0.5]])
    yield Case((kept, np.array([2.0, 0.0, 3.0])), np.array([(2.48 / 5) ** 0.5, 0.5]))
    kept, weights = rng.uniform(size=(2, 3)).round(2), rng.integers(1, 5, size=3).astype(float)
    wanted = [sum(w * share**2 for w, share in zip(weights, row, strict=True)) / sum(weights) for row in kept]
    yield Case((kept, weights), np.sqrt(wanted))


def _pairs(right: np.ndarray, p: Callable[[int, int], float]) -> int:
    """Pairs of rows whose p, of how often only one of the two is right, is below 0.05."""
    rows = range(len(right))
    ahead = [[int((right[i] & ~right[j]).sum()) for j in rows] for i in rows]
    return sum(p(ahead[i][j], ahead[j][i]) < 0.05 for i in rows for j in range(i))


def _coin(b: int, c: int) -> float:
    return float(binomtest(b, b + c).pvalue) if b + c else 1.0


def _totals(right: np.ndarray) -> int:
    """Pairs of rows of which one has more right, as if the examples were others (Fisher's exact test)."""
    from scipy.stats import fisher_exact

    n, k = right.shape[1], right.sum(axis=1)
    tables = ([[k[i], n - k[i]], [k[j], n - k[j]]] for i in range(len(k)) for j in range(i))
    return sum(fisher_exact(table).pvalue < 0.05 for table in tables)


@exercise(
    idea="Of a pair only those examples count on which one of the two is right and the other wrong (notebook 05).",
    step="For every i and j < i: b and c as in exercise 5.3, and one more pair if the coin's p is below 0.05.",
    mistakes={
        "Each pair is counted twice: a with b is b with a.": (lambda right: 2 * _pairs(right, _coin)),
        "These are the pairs that are not decided.": (
            lambda right: len(right) * (len(right) - 1) // 2 - _pairs(right, _coin)
        ),
        "That is the number of all pairs.": lambda right: len(right) * (len(right) - 1) // 2,
        "One side was ahead, but by how much? Count pairs whose p is below 0.05.": (
            lambda right: _pairs(right, lambda b, c: 0.0 if b != c else 1.0)
        ),
        "They answer the same examples: compare one by one, not by how many each has right.": _totals,
        "Both sides count: whoever is ahead, the coin's p is two-sided.": (
            lambda right: _pairs(
                right, lambda b, c: float(binomtest(b, b + c, alternative="greater").pvalue) if b + c else 1.0
            )
        ),
        "Two that answer alike give no coin to toss, and are not decided: ask whether b + c is 0 first.": (
            lambda right: _pairs(right, lambda b, c: float(binomtest(b, b + c).pvalue))
        ),
        "All examples are tossed here; those on which both agree are no tosses.": (
            lambda right: _pairs(right, lambda b, c: float(binomtest(b, right.shape[1]).pvalue))
        ),
    },
)
def ex_8_5(rng: Generator) -> Iterator[Case]:
    """How many pairs of operators are decided, by their answers to the same examples."""
    yield Case((np.array([[True, False], [True, False], [True, True]]),), 0)
    yield Case((np.array([[True] * 8, [False] * 6 + [True] * 2]),), 1)
    # Of 32 the first has 20 right, the second these and 6 more, the third these and 5 more: 2 / 2^6 and 2 / 2^5
    yield Case((np.arange(32) < np.array([[20], [26], [25]]),), 1)
    right = rng.uniform(size=(3, 16)) < [[0.9], [0.5], [0.1]]
    yield Case((right,), _pairs(right, _coin))
