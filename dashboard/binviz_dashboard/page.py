"""What surrounds every page: its question, one thing to try, the words it uses, and what a link could not show."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from binviz.errors import UserError
from binviz_dashboard import state, style, tour
from binviz_dashboard.glossary import WORDS


@contextmanager
def frame(question: str, try_this: str, words: tuple[str, ...] = ()) -> Iterator[DeltaGenerator]:
    """Around everything that a page draws.

    What it gives is the row for the widgets that say what the page shows, which wraps where it is narrow.
    A UserError inside becomes one line, and the page ends there; the app stays alive.

    Args:
        question: that the page answers.
        try_this: one thing to do here; a link in Markdown, mostly.
        words: of the glossary, explained on the page.
    """
    guide = st.container()
    with st.container(horizontal=True, vertical_alignment="center", key=f"{state.OURS}-head"):
        title = st.empty()
        if words:
            with st.popover("Words", type="tertiary", key=f"{state.OURS}-words"):
                for word in words:
                    st.markdown(f"**{word}**: {WORDS[word]}")
        tour_wanted = st.button("Tour", type="tertiary", key=f"{state.OURS}-tour")
        big = state.tick("Projector", "big")
    _ask(title, question, style.NEW if state.visit().moved else style.USED, big)
    if not big:
        st.caption(f"Try: {try_this}")
    reported = st.container()
    try:
        with guide:
            opened = tour.show(big)
        if tour_wanted:
            tour.go(1, big)
        with st.container(key=f"{state.OURS}-body"):
            with st.expander("Settings", expanded=opened) if big else nullcontext():
                controls = st.container(
                    horizontal=True, vertical_alignment="bottom", key=f"{state.OURS}-controls"
                )
            yield controls
    except UserError as error:
        state.hold()
        st.error(state.plain(state.sentence(str(error))), icon=":material/error:")
        st.stop()
    finally:
        if state.visit().moved:
            _ask(title, question, style.SENT, big)
    for line in state.settle():
        reported.warning(state.plain(f"From the link: {line}."), icon=":material/link_off:")


def _ask(title: DeltaGenerator, question: str, stage: str, big: bool) -> None:
    with title.container(key=style.stage(stage, big)):
        st.markdown(f"### {question}")
