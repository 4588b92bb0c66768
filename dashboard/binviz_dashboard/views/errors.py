"""Errors: what binarization loses at each place, made there or accumulated."""

from __future__ import annotations

import streamlit as st
from binviz_dashboard import activations, cache, charts, inputs, state

from binviz import plots

with state.one_line(), st.sidebar:
    name = inputs.for_model()
    example = inputs.for_example(name)
    table = cache.errors(name, example.key, example)
    measure = state.choose("Measure", list(activations.METRICS), "measure")
    kinds = [label for label, kind in activations.KINDS.items() if kind in set(table["kind"])]
    kind = activations.KINDS[state.choose("Places", kinds, "places")]
    known = sorted({number for number in table["layer"] if number >= 0})
    layer = state.choose("Layer", ["all", *map(str, known)], "layer") if known else "all"

column, unit = activations.METRICS[measure]
number = None if layer == "all" else int(layer)
names, labels = activations.places(table, kind, number)
st.markdown(f"#### {measure.capitalize()} of the 1-bit network, place by place")
if names:
    views = activations.errors_of(table, kind, names, column)
    figure = plots.layer_errors(labels, views["local"], views["accumulated"], measure, unit)
    code = activations.code_of_errors(name, example, kind, number, measure)
    charts.show(plots.describe(figure, code=code), "errors")
else:
    st.info("There is no such place in this layer; choose another layer or kind of place.")
st.caption(
    "Made here: this place is given the float network's tensors, so it answers for its own loss only. "
    "Accumulated: the 1-bit network runs by itself, and every loss before this place counts too."
)
with st.expander("The table"):
    st.dataframe(table, hide_index=True)
