"""The part Leaderboard: BiBench's operators ranked by weights of the visitor's, one cell's run, and the tracks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from binviz import plots
from binviz.evidence import leaderboard, names
from binviz.evidence.leaderboard import Board, Ranked
from binviz.experiments import bibench
from binviz.words import counted
from binviz_dashboard import cache, charts, recorded, runs_tab, state, tracks

QUADRATIC, PLAIN = "BiBench's", "plain mean"
ACCURACY, SHARE = "accuracy", "share of float"
NETWORKS, TRACKS = "networks", "tracks"
#: Score -> its formula.
FORMULAS = {
    QUADRATIC: r"\sqrt{\textstyle\sum_t w_t\, \mathbb{E}_t^2[r] \,/ \sum_t w_t}",
    PLAIN: r"\textstyle\sum_c w_c\, r_c \,/ \sum_c w_c",
}
MOST = 3.0
COMMAND = "binviz reproduce bibench"


def show(controls: DeltaGenerator) -> None:
    """The whole part."""
    board = cache.matrix().board
    if not tracks.with_runs(board):
        nothing(board)
        formulas()
        return
    with controls:
        score = state.choose("Score", [QUADRATIC, PLAIN], "score", few=True)
        columns = state.choose("Columns", [NETWORKS, TRACKS], "columns", few=True)
        shown = ACCURACY
        if columns == NETWORKS:
            shown = state.choose("Numbers", [ACCURACY, SHARE], "numbers", few=True)
    head = st.container()
    drawn, asked = st.columns([2, 1], gap="large")
    with asked:
        weights = ask_weights(board)
    found = leaderboard.ranking(board, weights, score == PLAIN) if any(weights) else []
    said = state.sentence(tracks.summary(found, leaderboard.incomplete(board, weights)))
    head.markdown(f"#### {state.plain(said)}")
    with drawn:
        ranks(board, found, score, weights)
    if columns == NETWORKS:
        cells(board, found, shown == SHARE)
    else:
        overview(board, found, weights)
    formulas()


def nothing(board: Board) -> None:
    """How to begin, where no operator was run."""
    st.markdown("#### Nothing was run yet")
    st.info(
        f"The leaderboard is of {counted(len(board.rows) - 1, 'operator')} on "
        f"{counted(len(board.columns), 'network')} ({', '.join(map(tracks.title, board.columns))}). "
        "It shows the records in `binviz/evidence/runs`; this makes them, all or some:",
        icon=":material/leaderboard:",
    )
    st.code(f"{COMMAND}\n{COMMAND} --cell 'digits-cnn.*'", language=None, wrap_lines=True)


def ask_weights(board: Board) -> list[float]:
    """One for each column, 0 where nothing was run; nothing is asked where one alone was."""
    weights, open_ = leaderboard.weights_at_first(board), tracks.with_runs(board)
    if len(open_) == 1:
        return weights
    st.markdown("**How much does each network count?**")
    with st.container(horizontal=True, gap="medium", key="weights-of-columns"):
        for j, column in enumerate(board.columns):
            if column in open_:
                with st.container(width=150):
                    key = f"weight-{column.name}"
                    weights[j] = state.slide(tracks.title(column), 0.0, MOST, weights[j], key, step=0.5)
    return weights


def ranks(board: Board, found: Sequence[Ranked], score: str, weights: Sequence[float]) -> None:
    """Who is ahead, drawn with its ties."""
    if not any(weights):
        st.info("Give a network some weight.", icon=":material/balance:")
        return
    if found:
        charts.show(plots.ranking(tracks.places(found), "score", "% of float's"), "ranking")
    titles = {column.name: tracks.title(column) for column in board.columns}
    used = [f"{title} {weight:g}" for title, weight in zip(titles.values(), weights, strict=True) if weight]
    heaviest = "; a task counts as its heaviest network does" if score == QUADRATIC else ""
    st.caption(
        f"{tracks.RULE} A band is a tie. Score: ${FORMULAS[score]}$, where r is the share of the float network's "
        f"accuracy, with weights w of {', '.join(used)}{heaviest}."
    )
    without = [
        f"{names.method(row)} ({', '.join(f'{reason} on {titles[name]}' for name, reason in why.items())})"
        for row, why in leaderboard.incomplete(board, weights).items()
    ]
    if without:
        st.caption(f"Without a score: {'; '.join(without)}.")


def cells(board: Board, found: Sequence[Ranked], share: bool) -> None:
    """The matrix, and the run of one cell."""
    rows = tracks.order(board, found)
    titles = {tracks.title(column): column.name for column in board.columns}
    table = tracks.table(board, found, share)
    st.markdown("#### Every operator on every network")
    st.dataframe(
        table,
        hide_index=True,
        key="leaderboard",
        height="content",
        on_select=partial(pick, rows, titles),
        selection_mode="single-cell",
        column_config={
            "rank": st.column_config.TextColumn(pinned=True, width=60),
            "operator": st.column_config.TextColumn(pinned=True, width=100),
        }
        | {"score": st.column_config.TextColumn(alignment="right", width=60)}
        | {
            name: st.column_config.TextColumn(alignment="right", width=max(98, 6 * len(name) + 8))
            for name in titles
        },
        alt="Operators in the order of their ranks, with score and accuracy on every network.",
    )
    what = "Share of the float network's accuracy" if share else "Accuracy"
    st.caption(
        f"{what} in %, ± half of its 95 % interval over the examples, and over the seeds where there are several: then "
        "their number stands in parentheses. With one seed, what another one would change is not seen. "
        f"{tracks.SAME}: one answer to everything. A network where half give one counts for nothing at first, and so "
        "does one where half pass float, which then was not done learning: binary networks go on from it. An "
        f"operator of yours is run by `{COMMAND} --operator my.py:MyBinarizer`, and is a row here in "
        "`binviz app --runs runs-out`. Click a number for its run, or choose it:"
    )
    words = {
        f"{column.name}.{row}": f"{names.method(row)} on {tracks.title(column)}"
        + "".join(f" ({why})" for why in [board.lacks(row, column)] if why)
        for row in rows
        for column in board.columns
    }
    known = [cell for cell in words if not words[cell].endswith("not run)") and not cell.endswith(".float")]
    one(state.choose("Cell", state.first(known[0], list(words)), "cell", words=words), words)


def pick(rows: Sequence[str], titles: dict[str, str]) -> None:
    """From a click on the matrix: that cell."""
    for row, title in st.session_state["leaderboard"]["selection"]["cells"]:
        if title in titles:
            state.put("cell", f"{titles[title]}.{rows[row]}")


def one(cell: str, words: dict[str, str]) -> None:
    """A cell: what was chosen, its run, and how to run it again."""
    matrix = cache.matrix()
    runs = {str(run.seed): run for (name, _), run in matrix.records.items() if name == cell}
    if not runs:
        st.info(f"Nothing was run yet for {words[cell].partition(' (')[0]}:")
        st.code(f"{COMMAND} --cell {cell}", language=None)
        return
    seed = next(iter(runs))
    if len(runs) > 1:
        seed = state.choose("Seed", list(runs), "cell-seed", few=True)
    run, rates = runs[seed], tracks.tried(matrix, cell, int(seed))
    told = [f"- **Seeds:** {', '.join(runs)}"]
    if rate := run.config.get("train", {}).get("lr"):
        best = f", of {', '.join(f'{each} ({found})' for each, found in rates.items())}" if rates else ""
        told.append(f"- **Learning rate:** {rate:g}{best}" + " on held-out training batches" * bool(best))
    link = state.address("evidence", part="Runs", run=recorded.key(run))
    told.append(f"- [Among all runs]({link}), with one beside it")
    left, right = st.columns(2, gap="large")
    left.markdown("\n".join(told))
    right.caption("Its command skips what is on record; with the next seed it is run again:")
    row = cell.split(".", 1)[1]
    of = "" if row in bibench.EXPERIMENT.compared else f" --operator my.py:{row}"
    command, following = f"{COMMAND}{of} --cell {cell}", 1 + max(map(int, runs))
    right.code(f"{command}\n{command} --seed {following}", language=None, wrap_lines=True)
    runs_tab.course({words[cell]: run})


def overview(board: Board, found: Sequence[Ranked], weights: Sequence[float]) -> None:
    """The tracks of those networks that count."""
    used = tuple(column for column, weight in zip(board.columns, weights, strict=True) if weight)
    if not used:
        return
    rows = tracks.order(board, found)[1:]
    table, where = tracks.overview(cache.matrix(), rows, used, lambda row, on: cache.theory(row, tuple(on)))
    st.markdown("#### BiBench's tracks")
    st.dataframe(
        table,
        hide_index=True,
        height="content",
        column_config={"operator": st.column_config.TextColumn(pinned=True, width=100)}
        | {name: st.column_config.TextColumn(alignment="right") for name in table.columns[1:]},
        alt="Operators with BiBench's overall metrics.",
    )
    said = [f"Over {', '.join(map(tracks.title, used))}, each counted once."]
    for track, on in where.items():
        if len(on) < len(used):
            said.append(f"{track.capitalize()}: only over {', '.join(map(tracks.title, on))}.")
    said += [text for track, text in tracks.ABOUT.items() if track in where]
    left = [track for track in tracks.TRACKS if track not in where]
    st.caption(" ".join(said) + f" Not measured here: {', '.join(left)}." * bool(left))


def formulas() -> None:
    """Every track's formula, and what it hides."""
    with st.expander("The tracks' formulas, from memory, and what each hides"):
        st.markdown("**From memory**, not looked up: the paper's code has none of them.")
        for track in tracks.TRACKS:
            st.markdown(f"**{track.capitalize()}**")
            st.markdown(tracks.formula(track))
