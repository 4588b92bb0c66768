"""Bits: a dot product bit by bit, and a row of a model."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import streamlit as st
from binviz_dashboard import cache, charts, inputs, page, product, state
from binviz_dashboard import subject as subjects
from streamlit.delta_generator import DeltaGenerator

from binviz import plots

LONGEST = 200
PARTS = ["Bit by bit", "A row of a model"]


def bit_by_bit(controls: DeltaGenerator) -> None:
    """Two vectors that the visitor writes."""
    with controls:
        kind = state.choose("Codes of a", ["−1 and +1 (XOR)", "0 and 1 (AND)"], "codes")
        a = state.write("Activations a", "a", "0.8 -1.2 0.3 2 -0.1 -0.7 0 1.1", LONGEST)
        w = state.write("Weights w", "w", "0.2 0.4 0.9 1 -0.3 -0.8 0.1 -2", LONGEST)
        step = product.step(a, w, signed="XOR" in kind)
    drawn, counted = st.columns([2.2, 1], gap="large")
    with drawn:
        figure = plots.bit_product(step.a, step.w, step.a_bits, step.w_bits, step.signed)
        charts.show(figure, "steps", clicked=partial(turn, step))
    with counted:
        st.latex(product.in_words(step))
        if line := state.said():
            st.info(line, icon=":material/swap_vert:")
        else:
            st.caption("Click a bit, and it turns.")
    for column, (label, value) in zip(
        st.columns(4),
        {
            "Counting bits": f"{product.dot(step)}",
            "Multiplying the codes": f"{step.a_codes.astype(float) @ step.w_codes:g}",
            "Multiplying the numbers": f"{step.a @ step.w:.4g}",
            "Count × scales": f"{product.scaled(step):.4g}",
        }.items(),
        strict=True,
    ):
        column.metric(label, value)
    st.caption(product.ABOUT[step.signed])


def turn(step: product.Step, bit: Sequence[Any]) -> None:
    """From a click: the other value of that bit."""
    of, place = bit
    turned = product.flip(step, of, int(place))
    state.put(of, product.written({"a": turned.a, "w": turned.w}[of]))
    state.say(product.flipped(step, turned))


def row_of_a_model(controls: DeltaGenerator) -> None:
    """One activation and one weight row inside a bundled model."""
    with controls:
        subject = inputs.for_subject(among=subjects.subjects(attending=True))
        example, name = inputs.for_example(subject), subject.name
        places = cache.places(name)
        layer = state.choose("Linear layer", list(places), "linear")
        place = places[layer]
        seen = cache.seen_at(name, example.key, place, example)
        tokens = seen[place.path].size // place.outputs
        row = state.number("Output (weight row)", 0, place.outputs - 1, 0, "row")
        token = state.number("Token or patch", 0, tokens - 1, 0, "token")
    met = product.meet(cache.model(name).model, place, seen, token, row)
    st.markdown(f"#### {layer}: {example.position(token, tokens)} meets row {row} of the weights")
    drawn, counted = st.columns([2.2, 1], gap="large")
    with drawn:
        figure = plots.bit_words(met.a_bits, met.w_bits, met.signed)
        code = product.code_of_row(name, example, place, token, row)
        charts.show(plots.describe(figure, code=code), "words")
    with counted:
        st.latex(product.row_in_words(met))
        places = [column for _ in range(2) for column in st.columns(2)]
        for column, (label, value) in zip(places, product.numbers(met).items(), strict=True):
            column.metric(label, value)
    st.caption(product.verdict(met))


with page.frame(
    "How do bits multiply?",
    "turn one bit, and see by how much the sum moves.",
    ("code", "scale", "packed"),
) as controls:
    with controls:
        part = state.choose("Part", PARTS, "part", few=True)
    {PARTS[0]: bit_by_bit, PARTS[1]: row_of_a_model}[part](controls)
