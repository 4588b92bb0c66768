"""The matrix of `bibench` as the part Leaderboard shows it, and BiBench's tracks; no Streamlit here."""

from __future__ import annotations

import inspect
import json
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, pstdev
from typing import NamedTuple

import numpy as np
import pandas as pd

from binviz import costs, plots
from binviz.bench import tradeoffs
from binviz.evidence import leaderboard, names, overall, robustness
from binviz.evidence.leaderboard import FLOAT, Board, Column, Ranked
from binviz.evidence.robustness import Robustness
from binviz.evidence.runs import Run, runs
from binviz.experiments import bibench
from binviz.experiments.bibench import Network
from binviz.experiments.cells import Records
from binviz.training.augment import HELD_OUT
from binviz.words import counted

#: Kinds of networks, or tasks with a usual one, without convolutions and attention.
MLPS = {"mixer", "points"}
#: Track -> its formula.
TRACKS: dict[str, Callable[..., float]] = {
    "learning task": overall.task,
    "architecture": overall.architecture,
    "corruption": overall.robust,
    "training": overall.training,
    "theory": overall.complexity,
    "inference": overall.inference,
}
#: Of the table of tracks, with units.
HEADS = (
    "operator",
    "learning task (% of float)",
    "architecture (% of float)",
    "corruption (%)",
    "training (1 as float)",
    "training: minutes",
    "training: spread over settings (points)",
    "theory (times)",
    "inference (times)",
)
RULE = (
    "From the top down, operators share a rank with the first of them until its lead is settled: the paired test of "
    "Claims finds it at 5 %, and it keeps its sign in 95 % of the draws of examples and seeds."
)


class Matrix(NamedTuple):
    """What is on record of `bibench`: its records, the leaderboard of them, and cell -> what its network costs here.

    The last are records of `binviz.bench.efficiency`.
    """

    records: Records
    board: Board
    costs: Mapping[str, Run]


def read() -> Matrix:
    """The matrix as it is on record."""
    records = bibench.EXPERIMENT.records()
    return Matrix(
        records,
        leaderboard.board(records, bibench.EXPERIMENT.compared, map(column, bibench.NETWORKS)),
        {run.cell: run for run in runs(experiment="efficiency")},
    )


def corrupted() -> dict[str, Robustness]:
    """Model -> its record under corruptions: bundled ones, and the matrix's own."""
    return robustness.records() | robustness.records(bibench.EXPERIMENT.name)


def column(network: Network) -> Column:
    """A network as a column.

    >>> column(bibench.NETWORKS[0])
    Column(name='digits-cnn', task='digits', kind='CNN')
    """
    kind = "transformer" if network.attends else "MLP" if {network.task, network.kind} & MLPS else "CNN"
    return Column(network.name, network.task, kind)


def title(of: Column) -> str:
    """A column for a person.

    >>> [title(column(network)) for network in bibench.NETWORKS[:3]]
    ['digits CNN', 'spoken digits', 'generated solids']
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

    More seeds than one stand behind it in parentheses.
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
    return told + (f" ({seeds})" if seeds > 1 else "")


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
    known = bibench.EXPERIMENT.cell(cell)
    runs = [matrix.records.get((known.name_of(row), seed)) for row in known.search]
    found = {run.config["train"]["lr"]: run for run in runs if run}
    return {
        f"{rate:g}": "failed" if run.failed else f"{100 * run.metrics[HELD_OUT]:.1f} %"
        for rate, run in sorted(found.items())
    }


def theory(row: str, columns: Sequence[Column]) -> float | None:
    """BiBench's count of storage and operations over some networks; None where one cannot be counted."""
    counts = []
    for each in columns:
        cell = bibench.EXPERIMENT.cell(f"{each.name}.{row}")
        # As records have it, so that what the page Trade-offs has counted is not counted again
        recipe = json.dumps(cell.stage.identity()["recipe"], sort_keys=True)
        counts.append(tradeoffs.count(cell.task, cell.architecture, recipe))
    found = [each for each in counts if each]
    return costs.om_comp(found) if found and len(found) == len(counts) else None


def over(board: Board, row: str, columns: Sequence[Column], group: Sequence[str]) -> float:
    """`overall.task` of the accuracies in some columns, of which each belongs to a group."""
    i, js = board.rows.index(row), [board.columns.index(each) for each in columns]
    parts = [[j for j, each in zip(js, group, strict=True) if each == name] for name in dict.fromkeys(group)]
    return overall.task(
        [board.accuracy[i, part] for part in parts], [board.accuracy[0, part] for part in parts]
    )


def minutes(matrix: Matrix, row: str, columns: Sequence[Column]) -> float | None:
    """Of one core, for a seed with its search on all these networks; None where a record is missing."""
    total = 0.0
    for each in columns:
        cells = [f"{each.name}.{row}", *_search(each, row)]
        seeds = [_of_cell(matrix, cell) for cell in cells]
        if not all(seeds):
            return None
        total += sum(fmean(run.seconds * run.machine.get("threads", 1) for run in runs) for runs in seeds)
    return total / 60


def spreads(matrix: Matrix, row: str, of: Column) -> list[float]:
    """Standard deviation of the held-out accuracy over the settings that a row was tried under, for each seed.

    A seed in which one of them failed or was not tried is left out.
    """
    found = []
    for seed in {seed for name, seed in matrix.records if name == f"{of.name}.{row}"}:
        cells = [f"{of.name}.{row}.{suffix}" for suffix in (*bibench.SEARCHED, *bibench.OTHERS)]
        runs = [matrix.records.get((cell, seed)) for cell in cells]
        values = [run.metrics[HELD_OUT] for run in runs if run and not run.failed]
        if len(values) == len(cells):
            found.append(pstdev(values))
    return found


def spread(matrix: Matrix, row: str, columns: Sequence[Column]) -> float | None:
    """Points: the mean of `spreads` over networks and seeds; None where a network has none."""
    found = [spreads(matrix, row, each) for each in columns]
    return 100 * fmean(fmean(each) for each in found) if all(found) else None


def training(matrix: Matrix, row: str, columns: Sequence[Column]) -> float | None:
    """`overall.training` over the networks of which both parts are known, of float too; None without any.

    Its seconds are those of a step. Where no setting changed anything, its spread cannot be divided by.
    """
    values = []
    for each in columns:
        run, ours, floats = (
            matrix.costs.get(f"{each.name}.{row}"),
            *(spreads(matrix, name, each) for name in (row, FLOAT)),
        )
        if run and ours and floats and fmean(ours) > 0:
            step = run.metrics["step_seconds"], run.metrics["step_seconds_float"]
            values.append((*step, fmean(ours), fmean(floats)))
    return overall.training(*zip(*values, strict=True)) if values else None


def inference(matrix: Matrix, row: str, columns: Sequence[Column]) -> float | None:
    """`overall.inference` over the networks that were measured; None without any. One machine, several networks."""
    parts = ("answer_seconds", "answer_seconds_float", "bytes", "bytes_float")
    known = [run for each in columns if (run := matrix.costs.get(f"{each.name}.{row}"))]
    return overall.inference(*([run.metrics[name] for run in known] for name in parts)) if known else None


def corruption(
    board: Board, known: Mapping[str, Robustness], row: str, columns: Sequence[Column]
) -> tuple[float, int] | None:
    """`overall.robust` over the networks of which float and the row have a record, and how many gaps are left out.

    A gap that is not above 0 cannot be divided by.
    """
    gaps: dict[str, list[tuple[float, float]]] = defaultdict(list)
    left = 0
    for each in columns:
        floats, bits = (_corrupted(known, f"{each.name}.{name}") for name in (FLOAT, row))
        if floats is None or bits is None:
            continue
        for name in floats.right.keys() & bits.right.keys():
            gap_float, gap = ((one.clean - fmean(one.right[name])) / one.examples for one in (floats, bits))
            if min(gap_float, gap) > 0:
                gaps[name].append((gap_float, gap))
            else:
                left += 1
    if not gaps:
        return None
    above, below = ([[pair[side] for pair in pairs] for pairs in gaps.values()] for side in (0, 1))
    return overall.task(above, below), left


def overview(
    matrix: Matrix,
    rows: Sequence[str],
    columns: Sequence[Column],
    known: Mapping[str, Robustness],
    theory: Callable[[str], float | None],
) -> tuple[pd.DataFrame, list[str]]:
    """The tracks of which something is known, a row an operator, and the names of those that were not measured here.

    Args:
        rows: operators, the float network not among them.
        columns: those that count.
        known: model -> its record under corruptions.
        theory: of a row, see the function of that name.
    """
    board = matrix.board
    lines = []
    for row in rows:
        complete = not any(board.lacks(row, each) for each in columns)
        by_task, by_kind = ([getattr(each, part) for each in columns] for part in ("task", "kind"))
        robust = corruption(board, known, row, columns)
        values = (
            names.method(row),
            f"{100 * over(board, row, columns, by_task):.1f}" if complete else None,
            f"{100 * over(board, row, columns, by_kind):.1f}" if complete else None,
            robust and f"{100 * robust[0]:.1f}" + (f" without {robust[1]}" if robust[1] else ""),
            _written(training(matrix, row, columns), 2),
            _written(minutes(matrix, row, columns)),
            _written(spread(matrix, row, columns)),
            _written(theory(row)),
            _written(inference(matrix, row, columns)),
        )
        line = {head: value for head, value in zip(HEADS, values, strict=True) if value is not None}
        lines.append(line)
    heads = [head for head in HEADS if any(head in line for line in lines)]
    found = pd.DataFrame(lines, columns=heads).fillna("")
    return found, [track for track in TRACKS if not any(head.startswith(track) for head in heads)]


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


def _written(value: float | None, digits: int = 1) -> str | None:
    return None if value is None else f"{value:.{digits}f}"


def _search(of: Column, row: str) -> list[str]:
    cell = bibench.EXPERIMENT.cell(f"{of.name}.{row}")
    return [cell.name_of(each) for each in cell.search]


def _of_cell(matrix: Matrix, cell: str) -> list[Run]:
    return [run for (name, _), run in matrix.records.items() if name == cell]


def _corrupted(known: Mapping[str, Robustness], name: str) -> Robustness | None:
    """The record of a cell's first model, or of the bundled one that is the cell's."""
    if record := known.get(f"{name}.seed0"):
        return record
    return known.get(name) if bibench.EXPERIMENT.cell(name).bundled == name else None
