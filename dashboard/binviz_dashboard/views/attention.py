"""Attention: one head's map in floats and in bits, over tokens or patches."""

from __future__ import annotations

import streamlit as st
from binviz_dashboard import activations, cache, charts, inputs, models, state

from binviz import plots
from binviz.errors import UserError

with state.one_line():
    with st.sidebar:
        name = inputs.for_model()
        example = inputs.for_example(name)
    floats, binaries = (
        cache.attention(each, example.key, example) for each in (models.float_name(name), name)
    )
    if binaries.layers[0].codes is None:
        raise UserError(f"the recipe of {name} keeps attention float; choose another model")
    with st.sidebar:
        layer = int(state.choose("Layer", [str(each) for each in range(len(binaries.layers))], "layer"))
        heads = binaries.layers[layer].codes.shape[1]
        head = int(state.choose("Head", [str(each) for each in range(heads)], "head"))

labels = activations.labels(binaries, example)
before, after = floats.map(layer, head), binaries.map(layer, head)
st.markdown(f"#### Layer {layer}, head {head}: what looks at what")
figure = plots.attention(labels, before.probs, after.probs, after.codes)
tail = (
    f"before, after = floats.map({layer}, {head}), binaries.map({layer}, {head})\n"
    f"figure = plots.attention({labels}, before.probs, after.probs, after.codes)\n"
)
charts.show(plots.describe(figure, code=activations.code_of_attention(name, example, tail)), "attention")

if example.picture is not None:
    query = state.choose("Query", labels, "query")
    position, side = labels.index(query), activations.side_of(binaries)
    place = None if position == 0 else divmod(position - 1, side)
    maps = [part[position, 1:].reshape(side, side) for part in (before.probs, after.probs, after.codes)]
    tail = (
        f"maps = [part[{position}, 1:].reshape({side}, {side}) for part in "
        f"(floats.map({layer}, {head}).probs, *binaries.map({layer}, {head})[1:3])]\n"
        f"figure = plots.patch_attention({example.picture_code}, {place}, *maps)\n"
    )
    figure = plots.patch_attention(example.picture, place, *maps)
    charts.show(plots.describe(figure, code=activations.code_of_attention(name, example, tail)), "patches")

st.markdown("#### Ones per row in every head")
numbers = [str(each) for each in range(len(binaries.layers))]
figure = plots.ones_of_heads(numbers, activations.mean_ones(binaries.layers), len(labels))
tail = (
    "ones = [layer.ones[0].mean(axis=-1).tolist() for layer in binaries.layers]\n"
    f"figure = plots.ones_of_heads({numbers}, ones, {len(labels)})\n"
)
charts.show(plots.describe(figure, code=activations.code_of_attention(name, example, tail)), "heads")
