"""Robustness: accuracy of a float network and its 1-bit twin where inputs are corrupted, and one of them followed."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st
from binviz_dashboard import cache, charts, compare, inputs, jobs, own, page, robust, state
from binviz_dashboard.subject import Subject
from numpy.typing import NDArray

from binviz import plots
from binviz.tasks import Example
from binviz.tasks.corrupted import kind_of

#: The next line in Markdown.
NEXT = "  \n"


def to_severity(place: Any) -> None:
    """From a click: that severity, of the clean picture the least."""
    state.put("severity", max(int(place[1]), 1))


def measure(subject: Subject) -> None:
    """A button that measures both on this machine; what it finds is shown to later visitors too."""
    known = cache.measured_robustness()

    def work(tell: jobs.Tell) -> robust.Pair:
        known[subject.name] = robust.measure(subject, tell)
        return known[subject.name]

    jobs.offer("Measure it here", "measure-robustness", subject.name, work, ceiling=1200)


def show(subject: Subject, pair: robust.Pair, live: bool, severity: int) -> None:
    """What corruption costs both, in words and curve by curve."""
    st.markdown(robust.in_words(pair))
    columns = 5 if state.visit().shown.get("big") else 3
    figure = plots.robustness(robust.curves(pair), 100 * pair.floats.chance, severity, columns)
    code = robust.code_of_curves(subject, live, severity, columns)
    charts.show(plots.describe(figure, code=code), "robustness", clicked=to_severity)
    st.caption(robust.about(pair, live))


def marked(clean: NDArray[np.object_], spoilt: NDArray[np.object_]) -> str:
    """Texts in Markdown, with the words that changed in bold."""
    words = zip(*(" / ".join(texts).split() for texts in (clean, spoilt)), strict=True)
    return " ".join(
        state.plain(after) if after == before else f"**{state.plain(after)}**" for before, after in words
    )


def gallery(subject: Subject, example: Example, severity: int) -> None:
    """The input under all corruptions, with both answers."""
    labels = subject.task.labels
    found = cache.followed(subject.name, example.key, severity, inputs.chosen(subject), example)
    said = f"The right answer is {example.truth}. " if example.truth is not None else ""
    noun, wide = kind_of(subject.task).corruptions.noun, subject.task.pictures is None
    st.markdown(f"**One {noun} under all of them at severity {severity}**")
    st.caption(f"{said}{robust.still_right(found, labels, example.truth)}")
    with st.container(horizontal=not wide, gap="small", key=state.own("gallery")):
        for each in found:
            answers = {"float": labels[each.floats], "1-bit": labels[each.bits]}
            with st.container(width="stretch" if wide else 104, gap=None):
                told = ", ".join(f"{network}: {answer}" for network, answer in answers.items())
                if wide:
                    st.markdown(marked(found[0].raw, each.raw))
                else:
                    st.image(own.large(each.raw, 96), width=96, alt=f"{each.title}; {told}")
                marks = [
                    f"{network} {answer}{'' if example.truth is None else ' ✓' if answer == example.truth else ' ✗'}"
                    for network, answer in answers.items()
                ]
                st.caption(f"**{each.title}**" + "".join(f"{', ' if wide else NEXT}{mark}" for mark in marks))


def draw(of: Subject) -> None:
    """What is on record or was measured of a model and its partner, and one picture followed."""
    left, right = st.columns([1.15, 1], gap="large")
    with left:
        live = cache.measured_robustness().get(of.name)
        pair = live or robust.recorded(of)
        if pair is None:
            st.info(f"Nothing is on record of {of.title}: measure it here.")
        else:
            show(of, pair, live is not None, severity)
        measure(of)
    with right:
        with controls:
            example = inputs.for_example(of)
        gallery(of, example, severity)


known = robust.subjects()
with page.frame(*robust.question(known.get(state.ahead("model"))), ("teacher", "recipe")) as controls:
    with controls:
        subject = inputs.for_subject(among=known)
        second = compare.ask(subject, known)
        severity = state.slide("Severity", 1, 5, 3, "severity", step=1)
    compare.show(subject, second, draw)
