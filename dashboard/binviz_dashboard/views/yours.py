"""Your model: what a recipe makes of a model of the visitor's, what is lost, and the packed file."""

from __future__ import annotations

import re

import streamlit as st
from binviz_dashboard import cache, charts, holds, jobs, models, page, priced, state, yours
from binviz_dashboard.yours import Measured, Planned

from binviz.zoo.outside import LONGEST, Found

OWN = "From the hub"


def chosen() -> tuple[str, bool]:
    """The model's name, id or folder, and whether folders may be read."""
    here = yours.only_here(st.get_option("server.address"), st.context.headers)
    own = f"{OWN}, a folder or a file" if here else OWN
    state.imply("source", "yours", OWN)
    name = state.choose("Model", [*yours.BUNDLED, OWN], "yours", words=yours.BUNDLED | {OWN: own})
    if name != OWN:
        return name, here
    about = "Such as google/bert_uncased_L-2_H-128_A-2" + (
        ", or a folder, .safetensors or .gguf here." if here else "."
    )
    return state.write(
        "Hub id, folder or file" if here else "Hub id", "source", "", LONGEST, about=about
    ).strip(), here


def before(planned: Planned, recipe: str) -> None:
    """What is known without the weights."""
    st.markdown(yours.in_words(planned, recipe))
    for column, what in zip(st.columns(2, gap="large"), ("operations", "memory"), strict=True):
        with column:
            st.markdown(f"**{what.capitalize()} of each layer**")
            charts.show(priced.figure(planned.costs, what), f"your-{what}")
    st.caption(priced.about("everything"))
    with st.expander("Every layer: what becomes 1-bit, and why the rest does not"):
        st.dataframe(yours.table(planned.conversion), hide_index=True, alt="The table of the conversion.")
    with st.expander("What every layer costs"):
        st.dataframe(priced.table(planned.costs), hide_index=True, alt="Costs of every layer.")


def after(found: Found, recipe: str, keep: bool) -> None:
    """A button that converts and measures, and what came of it."""
    question = f"{found.source}, {recipe}"
    st.markdown("**Convert it, and look what is lost**")
    measured = jobs.offer(
        "Convert it here",
        "convert",
        question,
        lambda tell: yours.measure(found, recipe, tell, keep),
        ceiling=900,
    )
    if measured is None:
        st.caption(
            "The weights are read, a copy is converted without training, compared layer by layer, and packed. "
            f"{models.size(found.bytes)} of weights, .safetensors only; no code of the model's author is run."
        )
        return
    if measured.question != question:
        st.info(f"Below is {state.plain(measured.question)}.", icon=":material/history:")
    show(measured.answer, re.sub(r"[^\w.-]+", "-", measured.question))


def show(measured: Measured, name: str) -> None:
    """Errors, sensitivity, and what can be taken away."""
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**The error that each place makes by itself**")
        charts.show(yours.errors_figure(measured.errors), "your-errors")
    with right:
        st.markdown("**How far one layer alone turns the output**")
        charts.show(yours.sensitivity_figure(measured.lost), "your-sensitivity")
    st.caption(
        f"Measured on {measured.read}. With all of it 1-bit and nothing trained, the output's cosine to the float "
        f"model's is {measured.alike:.3f}: 1 is the same, 0 unrelated. Training with the recipe is what brings it back."
    )
    with st.container(horizontal=True):
        options = {"on_click": "ignore", "type": "primary"}
        size = models.size(len(measured.file))
        st.download_button(
            f"Packed model ({size})", measured.file, f"{name}.safetensors", key="your-file", **options
        )
        options = {"mime": "text/markdown", "on_click": "ignore"}
        st.download_button("Model card (README.md)", measured.card, "README.md", key="your-card", **options)
    with st.expander("The card"):
        st.code(measured.card, language=None, wrap_lines=True)


with page.frame(
    "What would one bit make of your own model?",
    "another recipe on the same model.",
    ("recipe", "packed", "binarizer", "scale"),
) as controls:
    with controls:
        source, here = chosen()
        file = here and holds.is_file(source)
        recipe = "" if file else state.choose("Recipe", yours.known_recipes(), "recipe")
    if not source:
        st.info(
            "Give the id of a text or picture encoder on the Hugging Face hub"
            + (
                ", a folder with config.json and .safetensors, or any .safetensors or .gguf." if here else "."
            ),
            icon=":material/search:",
        )
    elif file:
        holds.show(source)
    else:
        found = cache.outside(source, here)
        longest = yours.most_tokens(found)
        with controls:
            tokens = state.number("Tokens", 1, longest, min(128, longest), "tokens") if longest else 0
        planned = cache.planned(found.source, here, recipe, tokens)
        before(planned, recipe)
        after(found, recipe, here)
