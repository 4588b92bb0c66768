"""Activations: the same tensor in the float and in the 1-bit network, layer by layer."""

from __future__ import annotations

import streamlit as st
from binviz_dashboard import asking, cache, charts, looking, models, state

from binviz import plots

with state.one_line():
    with st.sidebar:
        name = asking.for_model()
        example = asking.for_example(name)
    floats, binaries = (
        cache.captured(each, example.key, example) for each in (models.float_name(name), name)
    )
    families = looking.in_both(floats, binaries)
    with st.sidebar:
        family = state.choose("Tensor", state.first("layers.*.ffn_in", list(families)), "tensor")
        names = families[family]
        layer = state.choose("Layer", [looking.short(each) for each in names], "layer")

st.markdown(f"#### {family}, float beside 1-bit")
figure = plots.activations(
    [looking.short(each) for each in names],
    [looking.histogram(floats.flat(each)) for each in names],
    [looking.histogram(binaries.flat(each)) for each in names],
)
charts.show(plots.describe(figure, code=looking.code_of_activations(name, example, names)), "activations")

chosen = next(each for each in names if looking.short(each) == layer)
st.markdown(f"#### {chosen}, before and after its binarizer")
found = looking.binarized(binaries, chosen)
if found is None:
    st.info("No binarizer reads this tensor: it stays float in this recipe.")
else:
    figure = plots.before_after(*found)
    charts.show(plots.describe(figure, code=looking.code_of_binarized(name, example, chosen)), "binarized")
