"""A tab of the page Inside: what each word or pixel adds to an answer, by gradients and by taking it away."""

from __future__ import annotations

from functools import partial

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from binviz import plots, zoo
from binviz.analysis import Attribution
from binviz.tasks import Example
from binviz_dashboard import attributed, cache, charts, jobs, state
from binviz_dashboard.attributed import ABLATION, GRADIENTS, OCCLUSION, Asked
from binviz_dashboard.subject import Subject

AWAY = {"one at a time": ABLATION, "in windows": OCCLUSION}


def show(controls: DeltaGenerator, subject: Subject, example: Example) -> None:
    """Gradients beside what really happens, float beside 1-bit, and whether the gradients are complete."""
    labels = subject.task.labels
    with controls:
        floats = labels[int(np.argmax(cache.answer(subject.teacher.name, example.key, example)))]
        target = labels.index(state.choose("For the answer", state.first(floats, labels), "target"))
        steps = int(state.choose("Steps", ["32", "8", "16", "64"], "steps"))
        away = AWAY[state.choose("Take away", list(AWAY), "away", few=True)]
        window = state.slide("Window", 2, 4, 2, "window", step=1) if away == OCCLUSION else 1
        pictured = example.picture is not None
        ground = state.choose("Nothing is", list(attributed.BACKGROUNDS), "nothing") if pictured else ""
    reference, coded = attributed.nothing(subject, example, cache.tokenizer(subject.name), ground)
    made = partial(subject.code, coded)

    def both(asked: Asked) -> list[Attribution]:
        return [
            cache.attribution(each, example.key, ground, asked, example, reference) for each in subject.pair
        ]

    asked = Asked(GRADIENTS, target, steps), Asked(away, target, window)
    by_gradients, by_absence = map(both, asked)
    said = (
        attributed.completeness(*by_gradients),
        "Each number is a difference of two outputs: what the answer loses without the part. "
        + attributed.agreement(by_gradients, by_absence),
    )
    titles = (
        "Integrated gradients",
        f"Taken away {next(words for words, each in AWAY.items() if each == away)}",
    )
    for column, title, key, one, found, below in zip(
        st.columns(2, gap="large"),
        titles,
        ("gradients", "absence"),
        asked,
        (by_gradients, by_absence),
        said,
        strict=True,
    ):
        with column:
            st.markdown(f"**{title}: what speaks for “{labels[target]}”**")
            figure = attributed.figure(example, *found)
            code = attributed.code_of_figure(made, example, one)
            charts.show(plots.describe(figure, code=code), key)
            st.caption(below)
    steps_needed(subject, example, target, ground)


def steps_needed(subject: Subject, example: Example, target: int, ground: str) -> None:
    """A button that measures whether more steps make gradients complete, and the curve."""
    st.markdown("**Would more steps of the integral do?**")
    question = f"{subject.title}, “{example.key}”, {subject.task.labels[target]}{ground and f', {ground}'}"
    reference, _ = attributed.nothing(subject, example, cache.tokenizer(subject.name), ground)

    def work(tell: jobs.Tell) -> dict[str, list[float]]:
        return attributed.curve([zoo.load(each) for each in subject.pair], example, reference, target, tell)

    measured = jobs.offer("Measure it here", "completeness", question, work, ceiling=240)
    if measured is None:
        return
    if measured.question != question:
        st.info(f"Below is {state.plain(measured.question)}.", icon=":material/history:")
    charts.show(attributed.curve_figure(measured.answer), "completeness-curve")
    st.caption(
        "In the float network what is missing goes with more steps. In the 1-bit one it stays: no integral mends it."
    )
