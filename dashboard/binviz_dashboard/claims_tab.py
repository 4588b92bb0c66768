"""The part Claims: every claim with its verdict, and one of them with everything that is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from binviz import tasks
from binviz.data import glue
from binviz.evidence import names
from binviz.evidence.runs import Run
from binviz.experiments import ledger, questions
from binviz.experiments.ledger import Entry
from binviz.experiments.report import would_be_seen
from binviz.words import counted
from binviz_dashboard import cache, charts, recorded, state

ALL = "all"
#: A verdict is told by a shape and a word.
MARKS = {"holds": "✓", "weak": "≈", "fails": "✗", "not run": "–"}
#: Of the text of a claim whose premise fails, on a light and on a dark page.
GREYS = {"light": "#6f6f6f", "dark": "#9a9a9a"}
#: So many examples are listed at most, and on which one side is farthest ahead.
LISTED, APART = 40, 3


def show(controls: DeltaGenerator) -> None:
    """The whole part."""
    every = cache.claims()
    with controls:
        paper = state.choose("Claims of", [ALL, *dict.fromkeys(e.paper for e in every)], "paper")
        of = ledger.chosen(every, "" if paper == ALL else paper)
        found = [verdict for verdict in ledger.VERDICTS if any(e.finding.verdict == verdict for e in of)]
        verdict = state.choose("That", [ALL, *found], "verdict", words={ALL: "hold or not"})
        entries = ledger.chosen(of, verdict="" if verdict == ALL else verdict)
        words = {e.key: f"{e.task}: {e.claim.text}" for e in entries}
        key = state.choose("Claim", [e.key for e in entries], "claim", words=words)
    entry = next(e for e in entries if e.key == key)
    st.markdown(f"#### {ledger.summary(entries)}")
    st.dataframe(
        styled(entries, st.context.theme.type or "light"),
        hide_index=True,
        height=min(38 + 35 * len(entries), 290),
        column_config={
            "verdict": st.column_config.TextColumn(width=175),
            "claim": st.column_config.TextColumn(width=330),
        },
        alt=f"Claims with their verdicts. {ledger.summary(entries)}",
    )
    st.caption(
        "Grey: it stands on a claim that fails. Would be seen: the smallest true difference that the test with these "
        f"examples and seeds finds four times in five. {ledger.correction(entries)}"
    )
    st.markdown(f"#### {MARKS[entry.finding.verdict]} {state.plain(entry.claim.text)}")
    one(entry)


def table(entries: Sequence[Entry]) -> pd.DataFrame:
    """One row a claim."""
    rows: list[dict[str, Any]] = []
    for e in entries:
        finding = e.finding
        rows.append(
            {
                "verdict": f"{MARKS[finding.verdict]} {e.after}",
                "claim": e.claim.text,
                "paper": e.paper,
                "task": e.task,
                "theirs": ledger.amount(e.theirs, e.claim),
                "ours": ledger.amount(finding.difference, e.claim),
                "95 %": ledger.interval(e),
                "would be seen": would_be_seen(finding).removesuffix(" would be seen")
                if finding.seeds
                else "",
                "p": ledger.probability(finding.p),
                "p (Holm)": ledger.probability(e.corrected),
                "seeds": str(finding.seeds or ""),
                "minutes": f"{e.minutes:.0f}" if e.minutes else "",
            }
        )
    return pd.DataFrame(rows)


def styled(entries: Sequence[Entry], theme: str) -> Any:
    """The table, grey where a premise fails."""
    fallen = [bool(e.fallen) for e in entries]
    grey = f"color: {GREYS.get(theme, GREYS['light'])}"
    return table(entries).style.apply(lambda row: [grey if fallen[row.name] else ""] * len(row), axis=1)


def facts(entry: Entry) -> list[tuple[str, str]]:
    """What is known of a claim, name and value; those that are not known are left out."""
    claim, finding = entry.claim, entry.finding
    printed = ", ".join(filter(None, (ledger.amount(entry.theirs, claim), entry.where)))
    if not printed and claim.source != "asked here":
        printed = "no number that is at hand here"
    told = [
        ("The claim is from", claim.source if claim.source != "asked here" else "nobody: it was asked here"),
        ("As an inequality", claim.inequality),
        ("Written down", f"{claim.written}, before its runs" if claim.written else ""),
        ("They printed", printed),
        (
            "Measured here",
            questions.in_words(finding) if finding.seeds or finding.failed else "nothing was run for it yet",
        ),
        ("With these runs", f"{would_be_seen(finding)} four times in five" if finding.seeds else ""),
        ("p", p_told(entry)),
        ("The setting differs", entry.gap),
        (
            "Cost",
            f"{counted(round(entry.minutes), 'minute')} of one core, without teachers"
            if entry.minutes
            else "",
        ),
        ("Stands on", "; ".join(f"{text} ({standing(text, entry)})" for text in claim.needs)),
    ]
    return [(name, value) for name, value in told if value]


def p_told(entry: Entry) -> str:
    """Both p, and of what test."""
    if entry.finding.p != entry.finding.p:
        return ""
    by = {
        "right or wrong": "exact binomial test of the examples on which the sides differ",
        "scores": "signs of the examples' differences flipped at random",
        "seeds": "Student's t over seeds",
    }[entry.finding.by]
    if entry.claim.margin:
        by = "one-sided, from the margin"
    holm = f", {ledger.probability(entry.corrected)} after Holm" if entry.tested else ""
    return f"{ledger.probability(entry.finding.p)}{holm}; {by}"


def standing(text: str, entry: Entry) -> str:
    """Whether a premise stands."""
    return "which fails" if text in entry.fallen else "which does not fail"


def one(entry: Entry) -> None:
    """Everything about one claim."""
    said, drawn = st.columns([1, 1.15], gap="large")
    with said:
        told = [*facts(entry), *(("Corrected", change) for change in entry.claim.history)]
        st.markdown("\n".join(f"- **{name}:** {state.plain(value)}" for name, value in told))
    with drawn:
        records = {(run.cell, run.seed): run for side in entry.sides for run in side.runs}
        figure = recorded.claim_figure(entry.finding, records)
        if figure is None:
            st.info("Nothing was run for it yet.")
        else:
            charts.show(figure, "sides")
        st.caption("Run both sides again, with the next seed:" if entry.seeds else "Run both sides:")
        st.code("\n".join(entry.commands()), language=None, wrap_lines=True)
    if entry.seeds:
        examples(entry)


def examples(entry: Entry) -> None:
    """Who has which examples right."""
    st.markdown("#### On which examples do the two differ?")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        seed = entry.seeds[0]
        if len(entry.seeds) > 1:
            seed = int(state.choose("Seed", [str(each) for each in entry.seeds], "claim-seed", few=True))
        pair = entry.runs(seed)
        groups = ledger.who_is_right(pair) if pair else None
        if groups is None:
            apart(entry, pair)
            return
        order = (ledger.BETTER, ledger.WORSE, ledger.NEITHER, ledger.BOTH)
        who = state.choose("Right", order, "right", few=True)
    first, second = (f"“{name}”" for name in names_of(entry))
    those = groups[who]
    shares = ", ".join(f"{name} {len(groups[name])}" for name in order)
    of = counted(sum(map(len, groups.values())), "example")
    st.markdown(f"Of {of}, right: {shares}. The first is {first}, the second {second}.")
    more = f" and {len(those) - LISTED} more" if len(those) > LISTED else ""
    listed = ", ".join(map(str, those[:LISTED])) + more
    st.caption(f"Their numbers in the held-out split, from 0: {listed or 'none'}.")
    if those and (lines := code(entry, those[:LISTED])):
        st.code(lines, language="python", wrap_lines=True)


def apart(entry: Entry, pair: tuple[Run, Run] | None) -> None:
    """On which examples their scores are farthest apart."""
    found = ledger.farthest_ahead(pair, APART) if pair else None
    if found is None:
        st.caption("The records of this task hold nothing of each example.")
        return
    told = [
        f"“{name}” is farthest ahead on {', '.join(map(str, those)) or 'none'}."
        for name, those in zip(names_of(entry), found, strict=True)
    ]
    st.markdown(f"{' '.join(told)} These are their numbers in the held-out split, from 0.")
    if lines := code(entry, [*found[0], *found[1]]):
        st.code(lines, language="python", wrap_lines=True)


def names_of(entry: Entry) -> list[str]:
    """Of both sides."""
    return [state.plain(side.name) for side in entry.sides]


def code(entry: Entry, those: Sequence[int]) -> str:
    """Python that looks at some of the examples, where their data are at hand; "" for tasks that binviz does not read.

    >>> print(code(cache.claims()[0], [3, 7]))
    from binviz.data import glue
    <BLANKLINE>
    examples = glue.load("sst2", "validation")
    for i in [3, 7]:
        print(i, examples.labels[i], *examples.texts[i])
    """
    name = names.task_name(entry.sides[0].runs[0])
    if name in glue.TASKS:
        return (
            f'from binviz.data import glue\n\nexamples = glue.load("{name}", "validation")\n'
            f"for i in {list(those)}:\n    print(i, examples.labels[i], *examples.texts[i])"
        )
    drawing = tasks.get(name).drawing if name in tasks.names() else None
    if drawing is not None:
        models = {side.name: f"runs-out/{side.runs[0].cell}.seed{side.runs[0].seed}" for side in entry.sides}
        return drawing(those, models)
    if name in tasks.names() and tasks.get(name).pictures is not None:
        return (
            "import plotly.express as px\n\nfrom binviz import tasks\n\n"
            f'pictures, labels = tasks.get("{name}").pictures.held_out()\nthose = {list(those)}\n'
            "print(labels[those])\nfigure = px.imshow(pictures[those], facet_col=0, facet_col_wrap=8)"
        )
    return ""
