"""Binarizers: any binarizer on any input, forwards, backwards, and how wrong it is."""

from __future__ import annotations

import streamlit as st
from binviz_dashboard import cache, charts, lab, page, state, tensors

from binviz import binarizers, plots


def options_of(name: str) -> tuple[tuple[str, object], ...]:
    """A widget per option of the binarizer; those left at their default are not passed on."""
    chosen: list[tuple[str, object]] = []
    for option in lab.options(name):
        label, key, value = option.name.replace("_", " "), f"{name}.{option.name}", option.default
        if isinstance(value, bool):
            value = state.tick(label, key, value)
        elif option.choices:
            value = state.choose(label, state.first(str(value), option.choices), key, few=True)
        elif isinstance(value, int):
            value = state.number(label, 0, 1000, value, key)
        else:
            value = state.number(label, -100.0, 100.0, float(value), key)
        if value != option.default:
            chosen.append((option.name, value))
    return tuple(chosen)


def learned_by_hand(chosen: lab.Lab, start: dict[str, float]) -> lab.Lab:
    """Sliders for what a binarizer learns, from the values that the input gives it."""
    progress, learned = None, ()
    if chosen.has_schedule:
        progress = state.slide("Training progress", 0.0, 1.0, 1.0, "progress", step=0.05)
    if start and state.tick("Set learned values by hand", "by_hand"):
        reach = 3 * max(*(abs(value) for value in start.values()), 0.5)
        learned = tuple(
            (
                name,
                state.slide(
                    name, 0.001 if value > 0 else -reach, reach, value, f"learned.{name}", step=0.001
                ),
            )
            for name, value in start.items()
        )
    return lab.Lab(chosen.name, chosen.options, learned, progress)


with page.frame(
    "What does a binarizer keep of a number?",
    "two that differ only in their slope, or one on softmax rows.",
    ("binarizer", "code", "scale", "threshold", "surrogate"),
) as controls:
    with controls:
        name = state.choose("Binarizer", state.first("bnn", binarizers.names()), "binarizer")
        chosen = lab.Lab(name, options_of(name))
        name_of_x, x, source = tensors.ask()
        chosen = learned_by_hand(chosen, cache.measured(chosen, name_of_x, x).learned)
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
        charts.show(plots.describe(figure, code=lab.source_code(chosen, source, "curves")), "curves")
    with right:
        st.markdown("**The values before and after**")
        figure = plots.before_after(result.before, result.after, result.codes)
        charts.show(plots.describe(figure, code=lab.source_code(chosen, source, "histogram")), "histogram")
    st.caption(
        "Curve: one value of the first row moves, the rest of its row stays. "
        f"Values: this binarizer's error is {result.error:,.1f} % of the input's energy."
    )

    for column, of, sweep, used in zip(
        st.columns(2, gap="large"),
        ("scale", "threshold"),
        (result.scale, result.threshold),
        (result.used_scale, result.used_threshold),
        strict=True,
    ):
        with column:
            st.markdown(f"**Error against the {of}**")
            if sweep is None:
                st.info("More than two levels have more than one threshold.")
            else:
                code = lab.source_code(chosen, source, of, used)
                charts.show(plots.describe(plots.error_curve(sweep, of, used), code=code), of)
