"""Bits and speed: a dot product bit by bit, a row of a model, the race against floats, and what papers count."""

from __future__ import annotations

import streamlit as st
from binviz_dashboard import cache, charts, inputs, models, priced, product, speed_tab, state

from binviz import costs, plots, recipes

PARTS = ["Bit by bit", "A row of a model", "Speed", "Costs"]


def bit_by_bit() -> None:
    """Two vectors that the visitor writes."""
    with st.sidebar:
        kind = state.choose("Codes of a", ["−1 and +1 (XOR)", "0 and 1 (AND)"], "codes")
        a = st.text_input("Activations a", "0.8 -1.2 0.3 2 -0.1 -0.7 0 1.1", key="a", bind="query-params")
        w = st.text_input("Weights w", "0.2 0.4 0.9 1 -0.3 -0.8 0.1 -2", key="w", bind="query-params")
        step = product.step(a, w, signed="XOR" in kind)
    st.markdown("#### From products of numbers to a count of bits")
    figure = plots.bit_product(step.a, step.w, step.a_bits, step.w_bits, step.signed)
    charts.show(figure, "steps")
    st.latex(product.in_words(step))
    counted, codes, floats, scaled = st.columns(4)
    counted.metric("Counting bits", product.dot(step))
    codes.metric("Multiplying the codes", f"{step.a_codes.astype(float) @ step.w_codes:g}")
    floats.metric("Multiplying the numbers", f"{step.a @ step.w:.4g}")
    scaled.metric("Count × scales", f"{product.scaled(step):.4g}")
    st.caption(product.ABOUT[step.signed])


def row_of_a_model() -> None:
    """One activation and one weight row inside a bundled model."""
    with st.sidebar:
        name = inputs.for_model()
        example = inputs.for_example(name)
        places = cache.places(name)
        layer = state.choose("Linear layer", list(places), "linear")
        place = places[layer]
        seen = cache.seen_at(name, example.key, place, example)
        tokens = seen[place.path].size // place.outputs
        row = inputs.number("Output (weight row)", place.outputs, "row")
        token = inputs.number("Token or patch", tokens, "token")
    met = product.meet(cache.model(name).model, place, seen, token, row)
    st.markdown(f"#### {layer}: {example.position(token, tokens)} meets row {row} of the weights")
    figure = plots.bit_words(met.a_bits, met.w_bits, met.signed)
    code = product.code_of_row(name, example, place, token, row)
    charts.show(plots.describe(figure, code=code), "words")
    st.latex(product.row_in_words(met))
    for column, (label, value) in zip(st.columns(4), product.numbers(met).items(), strict=True):
        column.metric(label, value)
    st.caption(product.verdict(met))


def what_papers_count() -> None:
    """Operations and bytes under a named rule."""
    with st.sidebar:
        name = state.choose("Network", [*priced.CONFIGURATIONS, *models.binary_names()], "network")
        recipe = "its own"
        if name in priced.CONFIGURATIONS:
            recipe = state.choose("Recipe", state.first("bit-w1a1", recipes.names()), "recipe")
        tokens = st.number_input(
            "Tokens, where it reads text", 1, 512, 128, key="tokens", bind="query-params"
        )
        rule = state.choose("Rule of counting", state.first("bert-line", costs.rules.names()), "rule")
        counted = cache.costs(name, recipe, tokens).under(rule)
    st.markdown(f"#### {name}, {counted.recipe}, {counted.input}")
    for column, label, (value, below) in zip(
        st.columns(3), ("Operations", "Memory"), priced.totals(counted), strict=False
    ):
        column.metric(f"{label} [rule {rule}]", value, below, delta_color="off", delta_arrow="off")
    for column, what in zip(st.columns(2, gap="large"), ("operations", "memory"), strict=True):
        with column:
            charts.show(priced.figure(counted, what), what)
    st.caption(f"{priced.about(rule)} {priced.not_counted(counted)}")
    table = priced.table(counted)
    numbers = {name: st.column_config.TextColumn(alignment="right") for name in table.columns[2:]}
    alt = f"Costs of every layer by the rule {rule}."
    st.dataframe(table, hide_index=True, column_config=numbers, alt=alt)


with state.one_line():
    tabs = st.tabs(PARTS, key="part", on_change="rerun", bind="query-params")
    for tab, show in zip(tabs, (bit_by_bit, row_of_a_model, speed_tab.show, what_papers_count), strict=True):
        if tab.open:
            with tab:
                show()
