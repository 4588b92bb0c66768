"""A tab of the page Inside: how many bits the 1-bit network's answer is away from another one."""

from __future__ import annotations

from functools import partial
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from binviz import analysis, plots, zoo
from binviz.tasks import Example
from binviz.words import counted
from binviz_dashboard import bits_away, cache, charts, jobs, state
from binviz_dashboard.subject import Subject


def show(controls: DeltaGenerator, subject: Subject, example: Example) -> None:
    """The last binary layer, where the number is exact or nearly so, and every layer, where flips are searched."""
    labels = subject.task.labels
    away = cache.away(subject.name, example.key, example)
    made = partial(bits_away.code_of, subject, example)
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown(f"**The last binary layer, {state.plain(away.path)}**")
        st.markdown(bits_away.in_words(away, labels))
        figure = plots.margins(*bits_away.bars(away, labels), what="other answer")
        charts.show(plots.describe(figure, code=made()), "margins")
        st.caption(
            "A flip turns the sign of one 1-bit weight. It moves the sum of one row and nothing else, so the "
            "fewest flips can be found, not only guessed. For another input other bits count."
        )
    with right:
        st.markdown("**Every layer, all others as they are**")
        every_layer(subject, example, away)


def every_layer(subject: Subject, example: Example, away: bits_away.Away) -> None:
    """A button that looks for few flips in each layer, and what it found."""
    question = f"{subject.title}, “{example.key}”"

    def work(tell: jobs.Tell) -> Any:
        return analysis.turning_flips(
            zoo.load(subject.name), example.inputs, lambda done, total, path: tell(done / total, path)
        )

    measured = jobs.offer("Measure it here", "turning-flips", question, work, ceiling=300)
    if measured is None:
        st.info(
            "The weights that the gradient blames most are flipped, and the network is run: how many turn its answer?",
            icon=":material/timer:",
        )
        return
    if measured.question != question:
        st.info(f"Below is {state.plain(measured.question)}.", icon=":material/history:")
    known = away if measured.question == question else None
    charts.show(plots.margins(*bits_away.layers(measured.answer, known)), "flips-of-layers")
    st.caption(
        f"Of {counted(len(measured.answer), 'layer')}. Pale: these flips were tried and turn the answer, fewer may. "
        "“None found”: following the gradient, flips of that layer alone did not."
    )
