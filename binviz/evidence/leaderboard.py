r"""A leaderboard: what operators keep of the float network, how sure that is, and whose lead is settled.

A row is an operator, a column a network on a task, and r the share of the float network's accuracy that a row keeps
there. A score is a mean of these shares with weights w of the columns: the plain one, or BiBench's (`overall.task`)
over tasks t,

$$\sqrt{\frac{\sum_t w_t \mathbb{E}_t^2[r]}{\sum_t w_t}},$$

where $\mathbb{E}_t$ weighs the networks of a task, and a task counts as the heaviest of them does.

How sure it is, `DRAWS` draws say (the bootstrap, Efron 1979): each takes the examples of a column anew, the same ones
for all rows, and of every cell with several seeds the seeds anew. With one seed, what another one would change is not
seen. A lead is settled where it keeps its sign in 95 % of the draws and `exchanged` finds it at 5 %, which is the test
of `binviz.evidence.claims` for several columns: draws alone make too much of a few examples.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

import numpy as np

from binviz.errors import UserError
from binviz.evidence.claims import ACCURACY
from binviz.evidence.headline import headline
from binviz.evidence.noise import FLIPS, LEVEL, Floats, wilson
from binviz.evidence.runs import Run, each_example

FLOAT = "float"
DRAWS = 1000


class Column(NamedTuple):
    """A network on a task. name: of the cells, before the dot. kind: of network, such as "CNN"."""

    name: str
    task: str
    kind: str


@dataclass(frozen=True)
class Board:
    """What is on record of every row on every column.

    rows: float first. runs: (row, name of column) -> the runs of all seeds, failed ones too. accuracy: (rows, columns),
    mean over seeds, NaN where none was run or one failed. half: of its 95 % interval over examples and seeds. right:
    of each column (rows, examples), the mean over seeds. draws: (DRAWS, rows, columns) accuracies. These three are NaN
    also where a run has no bit for each of the column's examples.
    """

    columns: tuple[Column, ...]
    rows: tuple[str, ...]
    runs: Mapping[tuple[str, str], tuple[Run, ...]]
    accuracy: Floats
    half: Floats
    right: tuple[Floats, ...]
    draws: Floats

    @property
    def kept(self) -> Floats:
        """Share of the float network's accuracy, (rows, columns)."""
        return self.accuracy / self.accuracy[0]

    @property
    def drawn(self) -> Floats:
        """The same of every draw, (DRAWS, rows, columns)."""
        return self.draws / self.draws[:, :1]

    def lacks(self, row: str, column: Column) -> str:
        """Why a cell has no number: "failed" where a seed did, "not run"; "" where it has one."""
        there = self.runs[row, column.name]
        return "failed" if any(run.failed for run in there) else "" if there else "not run"

    def says_one(self, row: str, column: Column) -> bool:
        """Whether all runs of a cell give one answer to everything; only known of tasks with two classes."""
        lines = [headline(run) for run in self.runs[row, column.name]]
        return bool(lines) and all(line is not None and line.constant for line in lines)


@dataclass(frozen=True)
class Ranked:
    """A row's score, its 95 % interval, and the ranks that it shares: first is last where it is alone.

    >>> Ranked("bnn", 0.9, 0.8, 0.95, 2, 4).rank, Ranked("bnn", 0.9, 0.8, 0.95, 5, 5).rank
    ('2–4', '5')
    """

    row: str
    score: float
    low: float
    high: float
    first: int
    last: int

    @property
    def rank(self) -> str:
        return f"{self.first}–{self.last}" if self.first < self.last else f"{self.first}"


def board(records: Mapping[tuple[str, int], Run], rows: Iterable[str], columns: Iterable[Column]) -> Board:
    """The leaderboard of some records.

    Args:
        records: (cell, seed) -> run; a cell is called `<column>.<row>`.
        rows: the operators.
        columns: where they were to be run.

    >>> run = Run("e", "net.bnn", 0, {}, "", {}, {"accuracy": 0.5}, 1.0, "03", examples=4)
    >>> found = board({("net.bnn", 0): run}, ["bnn"], [Column("net", "task", "CNN")])
    >>> found.rows, found.accuracy.tolist(), found.lacks("float", found.columns[0])
    (('float', 'bnn'), [[nan], [0.5]], 'not run')
    """
    columns, rows = tuple(columns), tuple(dict.fromkeys([FLOAT, *rows]))
    found = {
        (row, column.name): tuple(
            run
            for (cell, _), run in sorted(records.items())
            if cell == f"{column.name}.{row}" and (run.failed or ACCURACY in run.metrics)
        )
        for row in rows
        for column in columns
    }
    accuracy, half = np.full((2, len(rows), len(columns)), np.nan)
    draws = np.full((DRAWS, len(rows), len(columns)), np.nan)
    right = []
    for j, column in enumerate(columns):
        cells = [found[row, column.name] for row in rows]
        cells = [() if any(run.failed for run in runs) else runs for runs in cells]
        bits = _bits(cells)
        right.append(np.array([seeds.mean(axis=0) for seeds in bits]))
        draws[..., j] = _draw(bits, np.random.default_rng(j))
        for i, runs in enumerate(cells):
            if runs:
                values = [run.metrics[ACCURACY] for run in runs]
                accuracy[i, j] = fmean(values)
                half[i, j] = _half(values, right[j][i])
    return Board(columns, rows, found, accuracy, half, tuple(right), draws)


def weights_at_first(board: Board) -> list[float]:
    """1 for each column in which as many rows were run as in any, 0 for others.

    It is also 0 where there is no float network; where half of the rows give one answer to everything: a column in
    which nothing was learned compares nobody; and where half of them pass the float network, which then had learned
    too little to be what they are measured by.
    """
    operators = board.rows[1:]
    there = [
        sum(bool(board.runs[row, column.name]) for row in operators) * bool(np.isfinite(base))
        for column, base in zip(board.columns, board.accuracy[0], strict=True)
    ]
    passed = (board.kept[1:] > 1).sum(axis=0)
    learned = [
        2 * max(above, sum(board.says_one(row, column) for row in operators)) < number
        for column, number, above in zip(board.columns, there, passed, strict=True)
    ]
    most = max((number for number, each in zip(there, learned, strict=True) if each), default=0)
    return [float(each and 0 < number == most) for number, each in zip(there, learned, strict=True)]


def score(kept: Floats, columns: Sequence[Column], weights: Sequence[float], plain: bool = False) -> Floats:
    """Scores (...,) of shares kept (..., columns); NaN where a column that counts has none.

    Args:
        kept: of float.
        columns: in the same order.
        weights: one for each, 0 where it does not count.
        plain: the plain mean in place of BiBench's.

    Raises:
        UserError: a weight is below 0, or none is above.

    >>> columns = [Column("a", "one", ""), Column("b", "one", ""), Column("c", "two", "")]
    >>> kept = np.array([0.9, 0.8, 0.5])
    >>> round(float(score(kept, columns, [1, 1, 1])), 4), round(float(score(kept, columns, [1, 1, 1], plain=True)), 4)
    (0.6973, 0.7333)
    """
    weight = np.asarray(weights, np.float64)
    if not (weight >= 0).all() or not (weight > 0).any():
        raise UserError("weights must be 0 or more, and one of them above 0; give a column some weight")
    if plain:
        return np.asarray(_mean(kept, weight))
    total, of_all = np.zeros(kept.shape[:-1]), 0.0
    for task in dict.fromkeys(column.task for column in columns):
        own = weight * [column.task == task for column in columns]
        if heaviest := own.max():
            total += heaviest * _mean(kept, own) ** 2
            of_all += heaviest
    return np.asarray(np.sqrt(total / of_all))


def ranking(board: Board, weights: Sequence[float], plain: bool = False) -> list[Ranked]:
    """The rows that have every column that counts, the best first; `incomplete` has the others.

    From the top down, rows share a rank with the first of them until its lead is settled. The tests are not corrected
    for their number.

    Args:
        board: of `board`.
        weights, plain: as `score` takes them.

    Raises:
        UserError: as `score`.
    """
    scores = score(board.kept, board.columns, weights, plain)
    drawn = score(board.drawn, board.columns, weights, plain)
    rest = sorted((i for i in range(1, len(board.rows)) if np.isfinite(scores[i])), key=lambda i: -scores[i])
    found: list[Ranked] = []
    while rest:
        ties = 1
        while ties < len(rest) and not (
            interval(drawn[:, rest[0]] - drawn[:, rest[ties]])[0] > 0
            and exchanged(board, rest[0], rest[ties], weights, plain) < LEVEL
        ):
            ties += 1
        first, last = len(found) + 1, len(found) + ties
        found += [
            Ranked(board.rows[i], float(scores[i]), *interval(drawn[:, i]), first, last) for i in rest[:ties]
        ]
        rest = rest[ties:]
    return found


def exchanged(board: Board, i: int, j: int, weights: Sequence[float], plain: bool = False) -> float:
    """Two-sided p of the difference of two rows' scores, NaN where the examples do not allow a test.

    If the rows were alike, the answers of both to any example could be exchanged: how often does a random exchange give
    scores as far apart? On one column that is McNemar's test; with several seeds an example's answer is their mean.

    Args:
        board: of `board`.
        i, j: numbers of the rows.
        weights, plain: as `score` takes them.
    """
    random, counting = np.random.default_rng(0), np.asarray(weights) > 0
    apart = np.zeros((1 + FLIPS, len(board.columns)))
    for k in np.flatnonzero(counting):
        ahead = board.right[k][i] - board.right[k][j]
        if not np.isfinite(ahead).all():
            return float("nan")
        sizes, numbers = np.unique(np.abs(ahead[ahead != 0]).round(9), return_counts=True)
        signs = 2 * random.binomial(numbers, 0.5, size=(FLIPS, len(numbers))) - numbers
        apart[0, k], apart[1:, k] = ahead.mean(), signs @ sizes / len(ahead)
    middle = (board.accuracy[i] + board.accuracy[j]) / 2
    above, below = (
        score((middle + side * apart / 2) / board.accuracy[0], board.columns, weights, plain)
        for side in (1, -1)
    )
    leads = np.abs(above - below)
    return float((leads >= leads[0] * (1 - 1e-9)).mean())


def incomplete(board: Board, weights: Sequence[float]) -> dict[str, dict[str, str]]:
    """Row -> name of a column that counts -> why the row has no number there; of the rows that have no score."""
    counting = [column for column, weight in zip(board.columns, weights, strict=True) if weight]
    lacking = {
        row: {each.name: why for each in counting if (why := board.lacks(row, each))}
        for row in board.rows[1:]
    }
    return {row: why for row, why in lacking.items() if why}


def _bits(cells: Sequence[Sequence[Run]]) -> list[Floats]:
    """Of each cell (seeds, examples), 1 where right; NaN where a run has no bit for each example of the column."""
    found = [[each_example(run) for run in runs] for runs in cells]
    examples = next((len(each) for seeds in found for each in seeds if each is not None), 1)
    return [
        np.array(seeds, float)
        if seeds and all(each is not None and each.dtype == bool and len(each) == examples for each in seeds)
        else np.full((1, examples), np.nan)
        for seeds in found
    ]


def _draw(bits: Sequence[Floats], random: np.random.Generator) -> Floats:
    """Accuracies (DRAWS, cells) of one column, examples and seeds drawn anew."""
    every = np.concatenate(bits).T
    examples = len(every)
    means = np.array(
        [
            np.bincount(random.integers(examples, size=examples), minlength=examples) @ every / examples
            for _ in range(DRAWS)
        ]
    )
    found, end = np.empty((DRAWS, len(bits))), 0
    for i, seeds in enumerate(map(len, bits)):
        start, end = end, end + seeds
        times = random.multinomial(seeds, [1 / seeds] * seeds, size=DRAWS)
        found[:, i] = (means[:, start:end] * times).sum(axis=1) / seeds
    return found


def _half(values: Sequence[float], right: Floats) -> float:
    """Half of the 95 % interval of a mean over seeds: Wilson's over examples, and what seeds differ by."""
    if not np.isfinite(right).all():
        return float("nan")
    low, high = wilson(fmean(values), len(right))
    of_seeds = 1.96 * np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
    return float(np.hypot((high - low) / 2, of_seeds))


def _mean(kept: Floats, weight: Floats) -> Floats:
    """Over the columns that have a weight."""
    counts = weight > 0
    return np.asarray(kept[..., counts] @ weight[counts] / weight.sum())


def interval(drawn: Floats) -> tuple[float, float]:
    """Between which numbers 95 % of some draws lie.

    >>> interval(np.arange(201.0))
    (5.0, 195.0)
    """
    low, high = np.quantile(drawn, (LEVEL / 2, 1 - LEVEL / 2))
    return float(low), float(high)
