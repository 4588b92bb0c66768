"""Fill the gap: what a float encoder and its binary student, pre-trained to guess hidden words, put there."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st
from binviz_dashboard import cache, charts, filled, models, page, state
from binviz_dashboard.pages import FILLER

from binviz import plots, zoo
from binviz.evidence import gaps

OWN = "Write my own"


def live(found: filled.Live, text: str, figure: go.Figure) -> None:
    """What the packed model answers now."""
    st.markdown(f"**1-bit, live: {state.plain(filled.in_words(found.answers[:1]))}**")
    charts.show(plots.describe(figure, code=filled.code(FILLER, text)), "gap-bits")
    st.caption(
        f"It took {1000 * found.seconds:.1f} ms, on bits and one thread of this machine. The file: "
        f"{models.size(zoo.describe(FILLER).bytes)}."
    )


def recorded(answers: filled.Answers, figure: go.Figure) -> None:
    """What the float model answered when it was recorded."""
    st.markdown(f"**Float, recorded: {state.plain(filled.in_words(answers[:1]))}**")
    charts.show(figure, "gap-floats")
    st.caption("The float model itself is not in the box, only what it answered to these sentences.")


with page.frame(
    "Which word belongs in the gap?",
    "write a sentence of your own, with ___ where a word is missing.",
    ("packed", "teacher"),
) as controls:
    known = gaps.shipped()
    with controls:
        state.imply("own-gap", "gap", OWN)
        chosen = state.choose("Sentence", [*known.sentences, OWN], "gap")
        text = chosen
        if chosen == OWN:
            about = "With ___ or [MASK] where one word is missing."
            text = state.write("Text", "own-gap", filled.FIRST_TEXT, filled.LONGEST_TEXT, about=about)
    st.markdown(f"### {state.plain(text)}")
    found = cache.fill(FILLER, text)
    figure = filled.figure(found.answers, "1-bit")
    if chosen == OWN:
        live(found, text, figure)
        st.caption("The float model is not in the box, so that only recorded sentences show what it says.")
    else:
        number = known.sentences.index(chosen)
        st.caption(f"The word that was taken out: {known.words[number]}.")
        said = filled.teacher(known).answers[number]
        floats, bits = plots.same_scales([filled.figure(said, "float"), figure])
        left, right = st.columns(2, gap="large")
        with left:
            recorded(said, floats)
        with right:
            live(found, text, bits)
        st.markdown("**The same gap over the pre-training, recorded**")
        table = filled.table(known, number)
        st.dataframe(table, hide_index=True, alt="What every recorded model puts into this gap.")
    st.caption(filled.about(known, zoo.describe(FILLER).recipe))
