"""Start: the same question to a float model and to its 1-bit student."""

from __future__ import annotations

import numpy as np
import streamlit as st
from binviz_dashboard import answers as both
from binviz_dashboard import cache, charts, inputs, models, speed, state

from binviz import plots, tasks, zoo
from binviz.words import percent


def to_the_next(name: str) -> None:
    """Show the next example that the two models answer differently."""
    found = cache.compared(name).next(inputs.chosen(name))
    if found is not None:
        inputs.show(name, found)


st.markdown("#### Ask a float network and its 1-bit twin the same question")
with state.one_line():
    with st.sidebar:
        name = inputs.for_model()
        example = inputs.for_example(name)
        if st.button(
            "Find one where they differ", key="differ", on_click=to_the_next, args=(name,), width="stretch"
        ):
            st.caption(cache.compared(name).in_words(tasks.of_model(name).about_examples))
    pair = (models.float_name(name), name)
    entries = [zoo.describe(each) for each in pair]
    answers = [cache.answer(each, example.key, example) for each in pair]
    floats, bits = cache.model(pair[0]), cache.packed(pair[1])
    with floats.lock, bits.lock:
        timed = speed.pair(floats.model, bits.model, example)

task = tasks.get(entries[0].task)
classes = task.labels
asked, *columns = st.columns([1.2, 1, 1], gap="large", border=True)
with asked:
    st.markdown("**The question**")
    if example.picture is None:
        st.markdown(f"> {' '.join(example.tokens).replace(' ##', '')}")
        st.caption(f"{task.title} Shown as the models read it, in word pieces.")
    else:
        big = np.kron(255 - example.picture * 15, np.ones((20, 20), np.uint8))
        st.image(big, width=160, alt=f"a handwritten {example.truth}, 8 by 8 pixels")
    if example.truth is not None:
        st.caption(f"The right answer is {example.truth}.")
    if example.cut:
        st.caption(f"{example.cut} word pieces at the end were left out.")
    tokenizer = cache.tokenizer(name)
    if missed := both.unknown(example, tokenizer and tokenizer.unk_token):
        st.warning(missed, icon=":material/help:")
for column, title, entry, answer in zip(columns, ("Float", "1-bit"), entries, answers, strict=True):
    with column:
        best = int(np.argmax(answer))
        st.metric(
            f"{title} says",
            classes[best],
            f"{percent(answer[best])} sure",
            delta_arrow="off",
            delta_color="off",
        )
        is_float = entry.recipe == "float"
        st.metric("Size of the file, float16" if is_float else "Size of the file", models.size(entry.bytes))
        found = models.recorded(entry.name)
        said = (found.shown, found.beside) if found else ("not recorded", None)
        st.metric("Accuracy, recorded", *said, delta_arrow="off", delta_color="off")
        took = timed.floats if is_float else timed.bits
        shown = f"{1000 * took.median:.1f} ms" if timed.steady else "not steady"
        st.metric("Time, in float32" if is_float else "Time, on bits", shown)

sizes = (entries[0].bytes, entries[1].bytes)
st.markdown(f"**{both.verdict(classes, *answers, example.truth, sizes, timed)}**")
st.caption(f"{timed.in_words()} Measured at {timed.at}.")
st.button("Measure again", key="again")
left, right = st.columns(2, gap="large")
with left:
    st.markdown("**How sure they are**")
    figure = plots.answers(classes, *answers)
    charts.show(plots.describe(figure, code=models.code_of_answers(name, example)), "answers")
with right:
    st.markdown("**All bundled models of this task**")
    known = [entry for entry in map(zoo.describe, zoo.names(f"{task.name}-*")) if "accuracy" in entry.metrics]
    figure = plots.accuracy_size(
        [entry.name for entry in known],
        [entry.bytes / 1e6 for entry in known],
        [100 * entry.metrics["accuracy"] for entry in known],
        [entry.recipe != "float" for entry in known],
        pair,
    )
    charts.show(figure, "sizes")
st.caption(
    "The 1-bit model runs on bits here: its layers pack what they read and count bits in machine words. Both times "
    "are medians of runs in turns on one thread of this machine. The pages under *Look inside* run it in float, "
    "on the values that its bits stand for. How much bits gain grows with the width of the layers: see *Bits and "
    "speed*."
)
