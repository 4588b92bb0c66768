"""Inside: distributions, errors and attention of one subject as it reads one example."""

from __future__ import annotations

import streamlit as st
from binviz_dashboard import activations, cache, charts, inputs, page, state
from streamlit.delta_generator import DeltaGenerator

from binviz import plots
from binviz.errors import UserError


def distributions(controls: DeltaGenerator) -> None:
    """The same tensor in both networks, layer by layer."""
    floats, binaries = (cache.captured(each, example.key, example) for each in subject.pair)
    families = activations.in_both(floats, binaries)
    with controls:
        family = state.choose("Tensor", state.first("layers.*.ffn_in", list(families)), "tensor")
        names = families[family]
        layer = state.choose("Layer", [activations.short(each) for each in names], "layer")
    st.markdown(f"#### {family}, float beside 1-bit")
    figure = plots.activations(
        [activations.short(each) for each in names],
        *(cache.histograms(each, example.key, tuple(names), example) for each in subject.pair),
    )
    charts.show(
        plots.describe(figure, code=activations.code_of_activations(subject, example, names)), "activations"
    )

    chosen = next(each for each in names if activations.short(each) == layer)
    st.markdown(f"#### {chosen}, before and after its binarizer")
    found = activations.binarized(binaries, chosen)
    if found is None:
        st.info("No binarizer reads this tensor: it stays float in this recipe.")
    else:
        figure = plots.before_after(*found)
        charts.show(
            plots.describe(figure, code=activations.code_of_binarized(subject, example, chosen)), "binarized"
        )


def errors(controls: DeltaGenerator) -> None:
    """What binarization loses at each place, made there or accumulated."""
    table = cache.errors(subject.name, example.key, example)
    with controls:
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
        code = activations.code_of_errors(subject, example, kind, number, measure)
        charts.show(plots.describe(figure, code=code), "errors")
    else:
        st.info("There is no such place in this layer; choose another layer or kind of place.")
    st.caption(
        "Made here: this place is given the float network's tensors, so it answers for its own loss only. "
        "Accumulated: the 1-bit network runs by itself, and every loss before this place counts too."
    )
    with st.expander("The table"):
        st.dataframe(table, hide_index=True)


def attention(controls: DeltaGenerator) -> None:
    """One head's map in floats and in bits."""
    floats, binaries = (cache.attention(each, example.key, example) for each in subject.pair)
    if binaries.layers[0].codes is None:
        raise UserError(f"the recipe of {subject.name} keeps attention float; choose another model")
    with controls:
        layer = int(state.choose("Layer", [str(each) for each in range(len(binaries.layers))], "layer"))
        heads = binaries.layers[layer].codes.shape[1]
        head = int(state.choose("Head", [str(each) for each in range(heads)], "head"))
    labels = activations.labels(binaries, example)
    before, after = floats.map(layer, head), binaries.map(layer, head)
    st.markdown(f"#### Layer {layer}, head {head}: what looks at what")
    figure = plots.attention(labels, before.probs, after.codes)
    tail = (
        f"before, after = floats.map({layer}, {head}), binaries.map({layer}, {head})\n"
        f"figure = plots.attention({labels}, before.probs, after.codes)\n"
    )
    charts.show(
        plots.describe(figure, code=activations.code_of_attention(subject, example, tail)), "attention"
    )

    if example.picture is not None:
        query = state.choose("Query", labels, "query")
        position, side = labels.index(query), activations.side_of(binaries)
        place = None if position == 0 else divmod(position - 1, side)
        maps = [part[position, 1:].reshape(side, side) for part in (before.probs, after.codes)]
        tail = (
            f"maps = [part[{position}, 1:].reshape({side}, {side}) for part in "
            f"(floats.map({layer}, {head}).probs, binaries.map({layer}, {head}).codes)]\n"
            f"figure = plots.patch_attention({example.picture_code}, {place}, *maps)\n"
        )
        figure = plots.patch_attention(example.picture, place, *maps)
        charts.show(
            plots.describe(figure, code=activations.code_of_attention(subject, example, tail)), "patches"
        )

    st.markdown("#### Ones per row in every head")
    numbers = [str(each) for each in range(len(binaries.layers))]
    figure = plots.ones_of_heads(numbers, activations.mean_ones(binaries.layers), len(labels))
    tail = (
        "ones = [layer.ones[0].mean(axis=-1).tolist() for layer in binaries.layers]\n"
        f"figure = plots.ones_of_heads({numbers}, ones, {len(labels)})\n"
    )
    charts.show(plots.describe(figure, code=activations.code_of_attention(subject, example, tail)), "heads")


VIEWS = {"Errors": errors, "Distributions": distributions, "Attention": attention}

with page.frame(
    "What does binarization do inside a network?",
    "another layer, or a sentence of your own.",
    ("activation", "binarizer", "teacher", "mass"),
) as controls:
    with controls:
        view = state.choose("View", list(VIEWS), "view", few=True)
        subject = inputs.for_subject()
        example = inputs.for_example(subject)
    VIEWS[view](controls)
