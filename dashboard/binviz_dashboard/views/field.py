"""The field: every system, its idea, the curves of its class, where it lives here and what became of its claims."""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st
from binviz_dashboard import cache, charts, page, state
from binviz_dashboard.pages import PAGES

from binviz import plots
from binviz.evidence.field import COMMANDS, THEMES, System, systems
from binviz.experiments import ledger
from binviz.words import counted

ALL, HERE, NOT_HERE = "all", "here", "not here"
COLUMNS = 3


def named(system: System) -> str:
    """Its name, which leads to its source, and the year."""
    name = f"[{system.name}]({system.link})" if system.link else system.name
    return ", ".join(filter(None, (f"**{name}**", str(system.year or ""))))


def where(system: System) -> list[str]:
    """Where it lives here, each as a link where a page of the dashboard shows it."""
    found = []
    if system.binarizer:
        found.append(f"[its curves]({state.address('binarizers', binarizer=system.binarizer)})")
    if names := system.own_recipes:
        found.append(
            f"[on your model]({state.address('yours', recipe=names[0])}) as "
            + ", ".join(f"`{n}`" for n in names)
        )
    if system.page:
        title, _ = PAGES[system.page.partition("?")[0]]
        found.append(f"[{title}](/{system.page})")
    if system.experiment:
        found.append(f"`binviz reproduce {system.experiment}`")
    if system.command:
        found.append(f"`binviz {system.command}` {COMMANDS[system.command]}")
    return found + [f"notebook {number}" for number in system.notebooks]


def card(system: System) -> None:
    """What lives here."""
    with st.container(border=True, height="stretch"):
        st.markdown(named(system))
        if system.binarizer:
            alt = f"{system.binarizer}: what becomes of a number, and the gradient that it gets in training."
            st.image(cache.thumbnail(system.binarizer), width="stretch", alt=alt)
        st.markdown(system.idea)
        st.caption(" · ".join(where(system)))
        if said := ledger.held(cache.claims(), system.name):
            st.markdown(f"[{said}]({state.address('evidence', paper=system.name)})")


def theme(title: str, of: Iterable[System]) -> None:
    """The systems of a theme: cards of those that live here, a line for each other one."""
    st.markdown(f"#### {title.capitalize()}")
    here = [system for system in of if system.here]
    for start in range(0, len(here), COLUMNS):
        for place, system in zip(st.columns(COLUMNS), here[start : start + COLUMNS], strict=False):
            with place:
                card(system)
    lines = [
        f"- {named(system)}: {system.idea} *Not here: {system.why}.*" for system in of if not system.here
    ]
    if lines:
        st.markdown("\n".join(lines))


def claims(of: Iterable[System]) -> None:
    """A bar for each verdict on the claims of each paper."""
    verdicts = {system.name: ledger.verdicts(cache.claims(), system.name) for system in of}
    papers = [name for name, found in verdicts.items() if found]
    if papers:
        st.markdown("#### What became of the papers' claims")
        counts = {each: [verdicts[name].count(each) for name in papers] for each in ledger.VERDICTS}
        charts.show(plots.verdicts(papers, counts), "verdicts")
        st.caption("Counted in the records, a claim once for each task on which it is asked.")


with page.frame(
    "Which systems are there, and what became of them here?",
    "those that are not here: each says why.",
    ("binarizer", "surrogate", "recipe"),
) as controls:
    with controls:
        about = state.choose("About", [ALL, *THEMES], "about")
        which = state.choose("Which", [ALL, HERE, NOT_HERE], "which", few=True)
    chosen = [
        s for s in systems() if about in (ALL, s.theme) and which in (ALL, HERE if s.here else NOT_HERE)
    ]
    living = sum(system.here for system in chosen)
    st.markdown(f"**{counted(len(chosen), 'system')}: {living} here, {len(chosen) - living} not.**")
    if living:
        st.caption(
            "A picture shows what the class itself makes of a number, as it starts, and the gradient that comes back "
            "in place of the true one, which is zero."
        )
    for title in dict.fromkeys(system.theme for system in chosen):
        theme(title, [system for system in chosen if system.theme == title])
    claims(chosen)
