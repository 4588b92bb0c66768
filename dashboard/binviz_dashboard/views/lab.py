"""Binarizer lab: any binarizer on any input, forwards, backwards, and how wrong it is."""

from __future__ import annotations

import streamlit as st
from binviz_dashboard import cache, charts, lab, lab_code, state, tensors

from binviz import binarizers, plots


def options_of(name: str) -> tuple[tuple[str, object], ...]:
    """A widget per option of the binarizer; those left at their default are not passed on."""
    chosen: dict[str, object] = {}
    known = [option.name for option in lab.options(name)]
    while known:
        option = next(option for option in lab.options(name, chosen) if option.name == known[0])
        key, declared = f"{name}.{option.name}", option.declared
        if isinstance(option.default, bool):
            value = st.toggle(option.label, option.default, key=key, help=option.help, bind="query-params")
        elif option.choices:
            value = st.segmented_control(
                option.label,
                option.choices,
                default=option.default,
                required=True,
                key=key,
                help=option.help,
                bind="query-params",
            )
        else:
            value = st.number_input(
                option.label,
                declared.low,
                declared.high,
                option.default,
                key=key,
                help=option.help,
                bind="query-params",
            )
        chosen[option.name] = value
        known = [other.name for other in lab.options(name, chosen) if other.name not in chosen]
    defaults = {option.name: option.default for option in lab.options(name, chosen)}
    return tuple((key, value) for key, value in chosen.items() if key in defaults and value != defaults[key])


def where_it_stands(chosen: lab.Lab, x: object) -> lab.Lab:
    """As it starts or after learning, and sliders for what it learns."""
    progress, by_hand, learnt = None, (), False
    if chosen.has_schedule:
        progress = st.slider("Training progress", 0.0, 1.0, 1.0, 0.05, key="progress", bind="query-params")
    if chosen.learns:
        learnt = st.toggle("After learning (least error)", key="learnt", bind="query-params")
    moved = lab.handles(chosen, x)
    if moved and st.toggle("Set learned values by hand", key="by_hand", bind="query-params"):
        by_hand = tuple(
            (
                handle.name,
                st.slider(
                    handle.label,
                    handle.low,
                    handle.high,
                    handle.start,
                    key=f"learned.{handle.name}",
                    bind="query-params",
                ),
            )
            for handle in moved
        )
    return lab.Lab(chosen.name, chosen.options, by_hand, progress, learnt)


with state.one_line(), st.sidebar:
    name = state.choose("Binarizer", state.first("bnn", binarizers.names()), "binarizer")
    chosen = lab.Lab(name, options_of(name))
    name_of_x, x, source = tensors.ask()
    chosen = where_it_stands(chosen, x)
    result = cache.measured(chosen, name_of_x, x)

about = lab.about(name)
st.markdown(f"#### {about.summary}")
with st.expander("Formulas and source"):
    for formula in about.formulas:
        st.latex(formula)
    st.caption(about.paper)

left, right = st.columns(2, gap="large")
with left:
    st.markdown("**Forward curve, and the slope that stands in for its gradient**")
    figure = plots.curves(result.grid, {name: result.output}, {name: result.slope})
    charts.show(plots.describe(figure, code=lab_code.source_code(chosen, source, "curves")), "curves")
with right:
    st.markdown("**The values before and after**")
    figure = plots.before_after(result.before, result.after, result.codes)
    charts.show(plots.describe(figure, code=lab_code.source_code(chosen, source, "histogram")), "histogram")
st.caption(f"Curve: one value moves, everything else stays. {lab.explain(chosen, result)}")

of_scale, of_threshold = st.columns(2, gap="large")
with of_scale:
    st.markdown("**Error against the scale**")
    figure = plots.error_curve(result.scale, "scale", "times its own")
    charts.show(plots.describe(figure, code=lab_code.source_code(chosen, source, "scale")), "scale")
with of_threshold:
    st.markdown("**Error against the threshold**")
    if result.threshold is None:
        st.info("It has more than one threshold.")
    else:
        code = lab_code.source_code(chosen, source, "threshold", result.threshold_of)
        figure = plots.error_curve(result.threshold, *result.threshold_of)
        charts.show(plots.describe(figure, code=code), "threshold")
