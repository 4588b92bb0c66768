"""The part of the page Inside that asks how much of a network is in its signs."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from binviz import plots
from binviz.errors import UserError
from binviz_dashboard import cache, charts, jobs, signs, state
from binviz_dashboard.subject import Subject


def signs_of(controls: DeltaGenerator, subject: Subject) -> None:
    """Signs that training changed, and what is left with some flipped at random."""
    table = cache.changed_signs(subject.name)
    paths = dict(zip(table["name"], table["path"], strict=True))
    with controls:
        where = state.choose("Signs of", [signs.EVERYWHERE, *list(paths)[:-1]], "signs")
        share = state.slide("Flipped at random (%)", 0, 50, 10, "flipped", step=1)
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Which signs are no longer those of the float start? Click a layer**")
        figure = plots.network(*signs.grid(table), **signs.ABOUT, chosen=where)
        charts.show(
            plots.describe(figure, code=signs.code_of_changed(subject)), "signs-changed", clicked=to_layer
        )
        st.caption(signs.changed_said(table))
    with right:
        chosen = None if where == signs.EVERYWHERE else [paths[where]]
        flipped(subject, where, chosen, share)


def flipped(subject: Subject, where: str, paths: list[str] | None, share: int) -> None:
    """The number at the slider, live, and the curve, once it was measured."""
    st.markdown(f"**What is left with {share} % of the signs of {where} flipped?**")
    try:
        questions = cache.sign_questions(subject.name)
    except UserError as error:
        st.info(f"Not counted: {state.plain(str(error))}.", icon=":material/info:")
        return
    before, now = (cache.with_flips(subject.name, tuple(paths or ()), each) for each in (0, share))
    st.markdown(now.said(before.score, len(questions.truths)))

    def work(tell: jobs.Tell) -> pd.DataFrame:
        return signs.curve(subject, questions, paths, tell)

    question = f"{subject.title}, {where}"
    measured = jobs.offer("Measure all shares", "flipped-shares", question, work, ceiling=600)
    if measured is None:
        draws = f"{signs.DRAWS} draws of each share up to {100 * signs.SHARES[-1]:.0f} %"
        st.info(f"{question}: {draws}, and all examples asked each time.", icon=":material/timer:")
        return
    mark = None
    if measured.question == question:
        mark = (float(share), 100 * now.score)
    else:
        st.info(f"Below is {measured.question}. Measure again for {question}.", icon=":material/history:")
    figure = plots.flips(*signs.arguments(measured.answer), signs.chance(questions), mark)
    charts.show(plots.describe(figure, code=signs.code_of_flips(subject, paths)), "flips-curve")
    st.caption(
        "A draw flips a share of each layer's signs; scales, thresholds and everything float stay. With half of all "
        "signs flipped nothing of them is left: each is right as often as wrong."
    )


def to_layer(names: Any) -> None:
    """From a click: that layer."""
    state.put("signs", names[0])
