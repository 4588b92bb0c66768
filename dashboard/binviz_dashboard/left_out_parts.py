"""The part of the page Inside that shows what binarized attention leaves out."""

from __future__ import annotations

from functools import partial
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from binviz import plots
from binviz.tasks import Example
from binviz_dashboard import cache, charts, left_out, state
from binviz_dashboard.subject import Subject


def residuals(controls: DeltaGenerator, subject: Subject, example: Example) -> None:
    """Scores or context of all heads, and of one of them in four terms."""
    made = partial(subject.code, example)
    found = cache.polynomials(subject.name, example.key, example)
    with controls:
        product = state.choose("Product", list(left_out.PRODUCTS), "product", few=True)
        layer = int(state.choose("Layer", [str(each) for each in range(len(found))], "layer"))
        head = int(state.choose("Head", [str(each) for each in range(len(found[0]))], "head"))
        rank = state.number("Rank", 1, 16, left_out.PRODUCTS[product], "rank", step=1)
    part = getattr(found[layer][head], product)
    left, right = st.columns([1, 1.6], gap="large")
    with left:
        st.markdown("**Is what codes leave out of low rank? Click a head**")
        heads = left_out.heads_of(found, product, rank)
        figure = plots.network(*heads, **left_out.measure(rank), chosen=left_out.place(layer, head))
        figure.update_yaxes(title="head (number)")
        code = left_out.code_of_heads(made, subject.name, product, rank)
        charts.show(plots.describe(figure, code=code), "left-out", clicked=to_head)
    with right:
        st.markdown(f"**Layer {layer}, head {head}: the {product} in four terms**")
        figure = plots.residuals(part.singular_values, part.left, left_out.estimators_of(part))
        code = left_out.code_of_terms(made, subject.name, product, layer, head)
        charts.show(plots.describe(figure, code=code), "four-terms")
        st.caption(left_out.said(part, product, rank))
    st.markdown(
        r"With codes times scales as main parts, $Q = Q_b + Q_r$ and $K = K_b + K_r$, the float scores are exactly "
        r"$QK^\top = Q_bK_b^\top + Q_bK_r^\top + Q_rK_b^\top + Q_rK_r^\top$, and the context $AV$ likewise. A 1-bit "
        "layer computes the first term; BiPFT's estimators, of low rank and alike for all heads, are to add the others."
    )


def to_head(names: Any) -> None:
    """From a click: that layer and head."""
    for key, number in zip(("layer", "head"), left_out.number_of(names[0]), strict=True):
        state.put(key, number)
