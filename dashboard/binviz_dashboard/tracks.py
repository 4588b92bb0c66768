"""The matrix of `bibench` as the part Leaderboard shows it, and BiBench's tracks; no Streamlit here."""

from __future__ import annotations

import inspect
import json
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean, pstdev
from typing import NamedTuple

import numpy as np
import pandas as pd

from binviz import costs, plots
from binviz.bench import efficiency, tradeoffs
from binviz.evidence import leaderboard, names, overall, robustness
from binviz.evidence.leaderboard import FLOAT, Board, Column, Ranked
from binviz.evidence.robustness import Robustness
from binviz.evidence.runs import Run
from binviz.experiments import bibench
from binviz.experiments.bibench import Network
from binviz.experiments.cells import Records
from binviz.training.augment import HELD_OUT
from binviz.words import counted

#: Networks without convolutions and attention: the mixer, and PointNet.
MLPS = ("digits-mixer", "points")
#: Track -> its formula.
TRACKS: dict[str, Callable[..., float]] = {
    "learning task": overall.task,
    "architecture": overall.architecture,
    "corruption": overall.robust,
    "training": overall.training,
    "theory": overall.complexity,
    "inference": overall.inference,
}
#: What the table of tracks has -> its unit.
HEADS = {
    "learning task": "% of float",
    "architecture": "% of float",
    "corruption": "%",
    "training": "%",
    "theory": "times",
    "inference": "times",
    "with search": "minutes",
    "spread": "points",
}
#: Some of them -> what is behind the number.
ABOUT = {
    "learning task": "±: half the 95 % interval over examples and seeds.",
    "corruption": "A corruption that costs nothing cannot be divided by, and is left out.",
    "training": "Training: seconds of a step, and the spread over settings.",
    "with search": "Minutes are those of one core, for a seed on all these networks.",
    "spread": "Spread: over three rates, another optimizer and another schedule.",
}
#: Of rows whose spread is asked for.
SETTINGS = (*bibench.SEARCHED, *bibench.OTHERS)
#: The mark of an operator that gives one answer to everything.
SAME = "≡"
RULE = (
    "From the top down, operators share a rank with the first of them until its lead is settled: the paired test of "
    "Claims finds it at 5 %, and it keeps its sign in 95 % of the draws of examples and seeds."
)


class Measured(NamedTuple):
    """A number and half its 95 % interval over examples and seeds, NaN where that is not known."""

    value: float
    half: float = float("nan")

    def told(self, times: float) -> str:
        """For reading.

        >>> Measured(0.9, 0.012).told(100), Measured(42.04).told(1)
        ('90.0 ±1.2', '42.0')
        """
        return f"{times * self.value:.1f}" + (f" ±{times * self.half:.1f}" if np.isfinite(self.half) else "")


class Matrix(NamedTuple):
    """What is on record of `bibench`.

    records: its own. board: the leaderboard of them. corrupted: cell -> record under corruptions. costs: cell -> record
    of `binviz.bench.efficiency`.
    """

    records: Records
    board: Board
    corrupted: Mapping[str, Robustness]
    costs: Mapping[str, Run]


def read(own: Path | None = None) -> Matrix:
    """The matrix as it is on record, what is there for one seed alone for the first of them.

    own: folder with records of the user's; their operators are rows behind ours.
    """
    records = bibench.EXPERIMENT.records(own)
    rows = dict.fromkeys([*bibench.EXPERIMENT.compared, *(cell.split(".", 1)[1] for cell, _ in records)])
    board = leaderboard.board(records, (row for row in rows if "." not in row), map(column, bibench.NETWORKS))
    bundled = robustness.records()
    corrupted = {
        cell.name: bundled[cell.bundled] for cell in bibench.EXPERIMENT.cells if cell.bundled in bundled
    }
    for name, record in reversed(robustness.records("bibench").items()):
        corrupted[name.partition(".seed")[0]] = record
    return Matrix(records, board, corrupted, efficiency.records())


def column(network: Network) -> Column:
    """A network as a column.

    >>> column(bibench.NETWORKS[0])
    Column(name='digits-cnn', task='digits', kind='CNN')
    """
    kind = "transformer" if network.attends else "MLP" if network.name in MLPS else "CNN"
    return Column(network.name, network.task, kind)


def title(of: Column) -> str:
    """A column for a person.

    >>> [title(column(network)) for network in bibench.NETWORKS[:2]]
    ['digits CNN', 'spoken digits']
    """
    architecture = of.name.removeprefix(of.task).removeprefix("-")
    return " ".join(filter(None, (names.TASKS.get(of.task, of.task), names.network_title(architecture))))


def with_runs(board: Board) -> list[Column]:
    """The columns in which an operator was run and there is a float network to compare with."""
    return [
        each
        for each, base in zip(board.columns, board.accuracy[0], strict=True)
        if np.isfinite(base) and any(board.runs[row, each.name] for row in board.rows[1:])
    ]


def summary(found: Sequence[Ranked], missing: Mapping[str, Mapping[str, str]]) -> str:
    """Who is ahead, in a sentence.

    >>> summary([Ranked("bnn", 0.9, 0.8, 0.95, 1, 1)], {})
    'plain signs is ahead of 0 others'
    >>> summary([Ranked("bnn", 0.9, 0.8, 0.95, 1, 2), Ranked("fda", 0.8, 0.7, 0.9, 1, 2)], {"xnor": {}})
    'plain signs leads by less than is settled: 2 of 2 operators share the first rank, 1 has no score'
    """
    if not found:
        return "No operator has a score yet"
    first, ties = names.method(found[0].row), found[0].last
    without = f", {len(missing)} {'has' if len(missing) == 1 else 'have'} no score" if missing else ""
    if ties == 1:
        return f"{first} is ahead of {counted(len(found) - 1, 'other')}{without}"
    of = counted(len(found), "operator")
    return f"{first} leads by less than is settled: {ties} of {of} share the first rank{without}"


def places(found: Sequence[Ranked]) -> list[plots.Place]:
    """What `plots.ranking` takes."""
    return [
        plots.Place(names.method(each.row), each.rank, 100 * each.score, 100 * each.low, 100 * each.high)
        for each in found
    ]


def order(board: Board, found: Sequence[Ranked]) -> list[str]:
    """The rows as a table shows them: float, those with a rank, the others."""
    ranked = [each.row for each in found]
    return [FLOAT, *ranked, *(row for row in board.rows[1:] if row not in ranked)]


def number(board: Board, row: str, of: Column, share: bool = False) -> str:
    """A cell for reading: accuracy in percent, or the share of float's, with half its 95 % interval; or why it is not.

    More seeds than one stand behind it in parentheses, and `SAME` where it says the same to everything.
    """
    i, j = board.rows.index(row), board.columns.index(of)
    if why := board.lacks(row, of):
        return why
    whole = board.accuracy[0, j] if share else 1.0
    if not np.isfinite(whole):
        return "no float network"
    value, half = (100 * each[i, j] / whole for each in (board.accuracy, board.half))
    seeds = len(board.runs[row, of.name])
    told = f"{value:.1f}" + (f" ±{half:.1f}" if np.isfinite(half) else "")
    told += f" ({seeds})" if seeds > 1 else ""
    return told + (f" {SAME}" if board.says_one(row, of) else "")


def table(board: Board, found: Sequence[Ranked], share: bool = False) -> pd.DataFrame:
    """Rank, score, and every cell, a row for each of `order`."""
    ranks = {each.row: each for each in found}
    return pd.DataFrame(
        [
            {
                "rank": ranks[row].rank if row in ranks else "",
                "operator": names.method(row),
                "score": f"{100 * ranks[row].score:.1f}" if row in ranks else "",
            }
            | {title(each): number(board, row, each, share) for each in board.columns}
            for row in order(board, found)
        ]
    )


def tried(matrix: Matrix, cell: str, seed: int) -> dict[str, str]:
    """Learning rate -> accuracy on the held-out training batches, of the cell's search, in the order of the rates."""
    known = bibench.cell_of(*cell.split(".", 1))
    runs = [matrix.records.get((known.name_of(row), seed)) for row in known.search]
    found = {run.config["train"]["lr"]: run for run in runs if run}
    return {
        f"{rate:g}": "failed" if run.failed else f"{100 * run.metrics[HELD_OUT]:.1f} %"
        for rate, run in sorted(found.items())
    }


def theory(row: str, columns: Sequence[Column]) -> float | None:
    """BiBench's count of storage and operations over some networks; None where one cannot be counted.

    Nor is an operator of the user's, whose class is not at hand.
    """
    if row not in bibench.EXPERIMENT.compared:
        return None
    counts = []
    for each in columns:
        cell = bibench.cell_of(each.name, row)
        # As records have it, so that what the page Trade-offs has counted is not counted again
        recipe = json.dumps(cell.stage.identity()["recipe"], sort_keys=True)
        counts.append(tradeoffs.count(cell.task, cell.architecture, recipe))
    found = [each for each in counts if each]
    return costs.om_comp(found) if found and len(found) == len(counts) else None


def over(board: Board, row: str, columns: Sequence[Column], group: Sequence[str]) -> Measured | None:
    """`overall.task` of the accuracies in some columns, of which each belongs to a group; None where one is missing."""
    i, js = board.rows.index(row), [board.columns.index(each) for each in columns]
    if not np.isfinite(board.kept[i, js]).all():
        return None
    grouped = [each._replace(task=name) for each, name in zip(columns, group, strict=True)]
    value, drawn = (
        leaderboard.score(shares[..., i, js], grouped, [1.0] * len(js))
        for shares in (board.kept, board.drawn)
    )
    low, high = leaderboard.interval(drawn)
    return Measured(float(value), (high - low) / 2)


def minutes(matrix: Matrix, row: str, columns: Sequence[Column]) -> float | None:
    """Of one core, for a seed with its search on all these networks; None where a record is missing."""
    total = 0.0
    for each in columns:
        cell = bibench.cell_of(each.name, row)
        cells = [cell.name, *map(cell.name_of, cell.search)]
        seeds = [_of_cell(matrix, cell) for cell in cells]
        if not all(seeds):
            return None
        total += sum(fmean(run.seconds * run.machine.get("threads", 1) for run in runs) for runs in seeds)
    return total / 60


def spreads(matrix: Matrix, row: str, columns: Sequence[Column]) -> list[float]:
    """Standard deviation of the accuracy over the settings that were tried, of every network, the mean over seeds.

    Nothing where one failed or was not tried.
    """
    found = []
    for each in columns:
        tried = [_of_cell(matrix, f"{each.name}.{row}.{suffix}") for suffix in SETTINGS]
        seeds = set.intersection(*({run.seed for run in cell} for cell in tried))
        if not seeds or any(run.failed for cell in tried for run in cell):
            return []
        by_seed = [
            [run.metrics[HELD_OUT] for cell in tried for run in cell if run.seed == seed] for seed in seeds
        ]
        found.append(fmean(map(pstdev, by_seed)))
    return found


def spread(matrix: Matrix, row: str, columns: Sequence[Column]) -> float | None:
    """The mean of `spreads`; None where there are none."""
    found = spreads(matrix, row, columns)
    return fmean(found) if found else None


def training(matrix: Matrix, row: str, columns: Sequence[Column]) -> float | None:
    """`overall.training`: seconds of a step, and the spread over settings; None where either is missing, or is 0."""
    steps, steps_float = (_cost(matrix, row, columns, f"step_seconds{of}") for of in ("", "_float"))
    of_row, of_float = (spreads(matrix, name, columns) for name in (row, FLOAT))
    if not (steps and of_row and of_float and all(of_row)):
        return None
    return overall.training(steps, steps_float, of_row, of_float)


def inference(matrix: Matrix, row: str, columns: Sequence[Column]) -> float | None:
    """`overall.inference`: seconds of an answer, and bytes; None where they were not measured."""
    found = [
        _cost(matrix, row, columns, f"{what}{of}")
        for what in ("answer_seconds", "bytes")
        for of in ("", "_float")
    ]
    return overall.inference(*found) if all(found) else None


def corruption(matrix: Matrix, row: str, columns: Sequence[Column]) -> float | None:
    """`overall.robust` for networks whose inputs are corrupted in different ways; None where a record is missing.

    A gap that is not above 0 cannot be divided by: that corruption of that network is left out.
    """
    gaps: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for each in columns:
        floats, bits = (matrix.corrupted.get(f"{each.name}.{name}") for name in (FLOAT, row))
        if floats is None or bits is None:
            return None
        for name in floats.right.keys() & bits.right.keys():
            gap_float, gap = ((one.clean - fmean(one.right[name])) / one.examples for one in (floats, bits))
            if min(gap_float, gap) > 0:
                gaps[name].append((gap_float, gap))
    above, below = ([[pair[side] for pair in pairs] for pairs in gaps.values()] for side in (0, 1))
    return overall.task(above, below) if gaps else None


def overview(
    matrix: Matrix,
    rows: Sequence[str],
    columns: Sequence[Column],
    theory: Callable[[str, Sequence[Column]], float | None] = theory,
) -> tuple[pd.DataFrame, dict[str, list[Column]]]:
    """The tracks of which something is known, a row an operator, and over which networks each is: those of which
    any operator has it. Another operator, which lacks it on one of them, has none.

    Args:
        matrix: of `read`.
        rows: operators, the float network not among them.
        columns: those that count.
        theory: the function of that name, or one that remembers.
    """
    known: list[Callable[[str, Sequence[Column]], Measured | float | None]] = [
        lambda row, on: over(matrix.board, row, on, [each.task for each in on]),
        lambda row, on: over(matrix.board, row, on, [each.kind for each in on]),
        partial(corruption, matrix),
        partial(training, matrix),
        theory,
        partial(inference, matrix),
        partial(minutes, matrix),
        partial(spread, matrix),
    ]
    found, where = {"operator": [names.method(row) for row in rows]}, {}
    for (head, unit), track in zip(HEADS.items(), known, strict=True):
        on = [each for each in columns if any(track(row, [each]) is not None for row in rows)]
        values = [track(row, on) if on else None for row in rows]
        if any(value is not None for value in values):
            where[head] = on
            times = 1 if unit in ("times", "minutes") else 100
            found[f"{head} ({unit})"] = [
                ""
                if value is None
                else (value if isinstance(value, Measured) else Measured(value)).told(times)
                for value in values
            ]
    return pd.DataFrame(found), where


def formula(track: str) -> str:
    r"""The formula of a track and what it hides, in Markdown.

    >>> print(formula("training"))
    $\sqrt{\frac12 (\mathbb{E}^2[T^{fp}/T^{bi}] + \mathbb{E}^2[\sigma(A^{fp})/\sigma(A^{bi})])}$.
    <BLANKLINE>
    **It hides** which settings were tried: the spread is over them, and who tries tame ones has little.
    """
    said = (inspect.getdoc(TRACKS[track]) or "").partition("\n\nArgs:")[0]
    blocks = re.sub(
        r"\$\$(.*?)\$\$", r"$$\n\1\n$$", said, flags=re.DOTALL
    )  # Streamlit wants them on lines of their own
    return blocks.replace("It hides", "**It hides**")


def _of_cell(matrix: Matrix, cell: str) -> list[Run]:
    return [run for (name, _), run in matrix.records.items() if name == cell]


def _cost(matrix: Matrix, row: str, columns: Sequence[Column], metric: str) -> list[float]:
    """Of every network, nothing where one was not measured."""
    found = [matrix.costs.get(f"{each.name}.{row}") for each in columns]
    return [run.metrics[metric] for run in found if run] if all(found) else []
