"""Two answers: the same question to a float model and to its 1-bit student."""

from __future__ import annotations

import numpy as np
import streamlit as st
from binviz_dashboard import answers as both
from binviz_dashboard import cache, charts, compare, inputs, models, own, page, speed, state
from binviz_dashboard.subject import Subject

from binviz import plots, zoo
from binviz.tasks import Example
from binviz.words import counted, percent


def to_the_next(subject: Subject) -> None:
    """Show the next example that the two models answer differently."""
    found = cache.compared(subject.name).next(inputs.chosen(subject))
    if found is not None:
        inputs.show(subject, found)


def question(subject: Subject, example: Example) -> None:
    """What both are asked, large."""
    if example.picture is None:
        st.markdown(f"### {state.plain(example.key)}")
    else:
        high, wide = example.picture.shape[:2]
        what = "your picture" if example.truth is None else f"a picture of {example.truth}"
        st.image(own.large(example.picture, 160), width=150, alt=f"{what}, {wide} by {high} pixels")
    said = [f"Read in {counted(len(example.tokens), 'word piece')}."] if example.tokens else []
    said += [f"The right answer is {example.truth}."] if example.truth is not None else []
    said += [f"{example.cut} word pieces at the end were left out."] if example.cut else []
    st.caption(" ".join(said))
    tokenizer = cache.tokenizer(subject.name)
    if missed := both.unknown(example, tokenizer and tokenizer.unk_token):
        st.warning(missed, icon=":material/help:")


def draw(of: Subject) -> None:
    """What a model and its partner say, how sure they are, and what they cost."""
    example = asked_first if of == subject else inputs.for_example(of)
    answers = [cache.answer(each, example.key, example) for each in of.pair]
    classes, sizes = of.task.labels, (of.teacher.bytes, of.binary.bytes)
    floats, bits = cache.model(of.teacher.name), cache.packed(of.name)
    timed = speed.pair(floats.model, bits.model, example, (floats.lock, bits.lock))

    with st.container(key="both" if of == subject else None):
        asked, *columns = st.columns([2, 1, 1], gap="large", border=True)
        with asked:
            question(of, example)
        for column, title, answer in zip(columns, ("Float", "1-bit"), answers, strict=True):
            best = int(np.argmax(answer))
            column.metric(
                f"{title} says",
                classes[best],
                f"{percent(answer[best])} sure",
                delta_arrow="off",
                delta_color="off",
            )
        st.markdown(f"**{both.verdict(classes, *answers, example.truth, sizes, timed)}**")
    if pressed and of == subject:
        st.info(cache.compared(of.name).in_words(of.task.about_examples))
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**How sure they are**")
        figure = plots.answers(classes, *answers)
        charts.show(plots.describe(figure, code=models.code_of_answers(of, example)), "answers")
    with right:
        st.markdown("**What they cost**")
        st.table(both.costs_of(of, timed).set_index("network"), border="horizontal")
        st.caption(
            f"{timed.in_words()} Measured at {timed.at}, in turns, on one thread of this machine."
            if timed
            else "Not measured: somebody else measures on this machine just now."
        )
        st.button("Measure again", key=state.own("again"))


with page.frame(
    "Do a float network and its 1-bit twin say the same?",
    "write a sentence of your own in which one small word turns the meaning round.",
    ("teacher", "packed"),
) as controls:
    with controls:
        subject = inputs.for_subject()
        second = compare.ask(subject)
        asked_first = inputs.for_example(subject)
        pressed = st.button("Find one where they differ", key="differ", on_click=to_the_next, args=(subject,))
    compare.show(subject, second, draw)
    st.markdown("**All bundled models of this task**")
    known = [
        entry
        for entry in map(zoo.describe, zoo.names(f"{subject.task.name}-*"))
        if "accuracy" in entry.metrics
    ]
    figure = plots.accuracy_size(
        [entry.name for entry in known],
        [entry.bytes / 1e6 for entry in known],
        [100 * entry.metrics["accuracy"] for entry in known],
        [entry.recipe != "float" for entry in known],
        [*subject.pair, *([second.name] if second else [])],
    )
    charts.show(figure, "sizes")
    st.caption(
        "The 1-bit model runs on bits here: its layers pack what they read and count bits in machine words. *Inside* "
        "runs it in float, on the values that its bits stand for. How much bits gain grows with the width of the "
        f"layers: see [Speed]({state.address('tradeoffs', part='Speed')})."
    )
