"""Activations: the same tensor in the float and in the 1-bit network, layer by layer."""

from __future__ import annotations

import streamlit as st
from binviz_dashboard import activations, cache, charts, inputs, models, state

from binviz import plots

with state.one_line():
    with st.sidebar:
        name = inputs.for_model()
        example = inputs.for_example(name)
    floats, binaries = (
        cache.captured(each, example.key, example) for each in (models.float_name(name), name)
    )
    families = activations.in_both(floats, binaries)
    with st.sidebar:
        family = state.choose("Tensor", state.first("layers.*.ffn_in", list(families)), "tensor")
        names = families[family]
        layer = state.choose("Layer", [activations.short(each) for each in names], "layer")

st.markdown(f"#### {family}, float beside 1-bit")
figure = plots.activations(
    [activations.short(each) for each in names],
    *(cache.histograms(each, example.key, tuple(names), example) for each in (models.float_name(name), name)),
)
charts.show(plots.describe(figure, code=activations.code_of_activations(name, example, names)), "activations")

chosen = next(each for each in names if activations.short(each) == layer)
st.markdown(f"#### {chosen}, before and after its binarizer")
found = activations.binarized(binaries, chosen)
if found is None:
    st.info("No binarizer reads this tensor: it stays float in this recipe.")
else:
    figure = plots.before_after(*found)
    charts.show(
        plots.describe(figure, code=activations.code_of_binarized(name, example, chosen)), "binarized"
    )
