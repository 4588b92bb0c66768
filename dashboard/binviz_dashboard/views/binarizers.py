"""Binarizers: any binarizer on any input, forwards, backwards, and how wrong it is."""

from __future__ import annotations

import pandas as pd
import streamlit as st
from binviz_dashboard import cache, charts, lab, lab_code, page, state, tensors

from binviz import plots

NONE = "nothing"
KINDS = ["activation", "weight", "attention"]


def options_of(name: str) -> tuple[tuple[str, object], ...]:
    """A widget per option of the binarizer; those left at their default are not passed on."""
    chosen: dict[str, object] = {}
    waiting = lab.options(name)
    while waiting:
        option = waiting[0]
        key, declared, default = f"{name}.{option.name}", option.declared, option.default
        if isinstance(default, bool):
            value: object = state.tick(option.label, key, default, about=option.help)
        elif option.choices:
            texts = {str(choice): choice for choice in option.choices}
            words = {text: declared.words.get(choice, text) for text, choice in texts.items()}
            order = state.first(str(default), list(texts))
            value = texts[state.choose(option.label, order, key, words=words, few=True, about=option.help)]
        else:
            low, high = (type(default)(bound) for bound in (declared.low, declared.high))
            value = state.number(option.label, low, high, default, key, about=option.help)
        chosen[option.name] = value
        waiting = [other for other in lab.options(name, chosen) if other.name not in chosen]
    defaults = {option.name: option.default for option in lab.options(name, chosen)}
    return tuple((key, value) for key, value in chosen.items() if key in defaults and value != defaults[key])


def where_it_stands(chosen: lab.Lab, x: object) -> lab.Lab:
    """As it starts or after learning, and sliders for what it learns."""
    progress, by_hand, learnt = None, (), False
    if chosen.has_schedule:
        progress = state.slide("Training progress", 0.0, 1.0, 1.0, "progress", step=0.05)
    if chosen.learns:
        learnt = state.tick("After learning (least error)", "learnt")
    moved = lab.handles(chosen, x)
    if moved and state.tick("Set learned values by hand", "by_hand"):
        by_hand = tuple(
            (
                each.name,
                state.slide(each.label, each.low, each.high, each.start, f"learned.{each.name}", step=0.01),
            )
            for each in moved
        )
    return lab.Lab(chosen.name, chosen.options, by_hand, progress, learnt)


with page.frame(
    "What does a binarizer keep of a number?",
    "two that differ only in their slope, or one of attention's on softmax rows.",
    ("binarizer", "code", "scale", "threshold", "surrogate"),
) as controls:
    cards = lab.kinds()
    linked = state.linked("binarizer")
    home = next((kind for kind in KINDS if linked in cards[kind]), None)
    if home:
        state.imply("binarizer", "kind", home)
    with controls:
        kind = state.choose("For", KINDS, "kind", few=True)
        known = state.first("bnn", cards[kind])
        name = state.choose("Binarizer", known, "binarizer")
        other = state.choose("Beside it", [NONE, *(each for each in known if each != name)], "beside-it")
        chosen = lab.Lab(name, options_of(name))
        name_of_x, x, source = tensors.ask(lab.natural_input(name, kind))
        chosen = where_it_stands(chosen, x)
    result = cache.measured(chosen, name_of_x, x)
    about = lab.about(name)
    st.markdown(f"#### {about.summary}")
    st.markdown(lab.explain(chosen, result))

    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Forward curve, and the slope that stands in for its gradient**")
        if other == NONE:
            figure = plots.curves(result.grid, {name: result.output}, {name: result.slope})
            code = lab_code.source_code(chosen, source, "curves")
        else:
            both = (chosen, lab.Lab(other))
            found = lab.compare(both, [cache.measured(each, name_of_x, x) for each in both])
            figure = plots.curves(found.grid, found.outputs, found.slopes)
            code = lab_code.source_of_comparison(both, source)
        charts.show(plots.describe(figure, code=code), "curves")
    with right:
        st.markdown("**The values before and after**")
        figure = plots.before_after(result.before, result.after, result.codes)
        code = lab_code.source_code(chosen, source, "histogram")
        charts.show(plots.describe(figure, code=code), "histogram")
    if other != NONE:
        st.dataframe(pd.DataFrame(found.rows), hide_index=True, alt="Both binarizers on this input.")

    of_scale, of_threshold = st.columns(2, gap="large")
    with of_scale:
        st.markdown("**Error against the scale**")
        figure = plots.error_curve(result.scale, "scale", "times its own")
        code = lab_code.source_code(chosen, source, "scale")
        charts.show(plots.describe(figure, code=code), "scale")
    with of_threshold:
        st.markdown("**Error against the threshold**")
        if result.threshold is None:
            st.info("It has more than one threshold.")
        else:
            figure = plots.error_curve(result.threshold, *result.threshold_of)
            code = lab_code.source_code(chosen, source, "threshold", result.threshold_of)
            charts.show(plots.describe(figure, code=code), "threshold")
    st.caption("Curve: one value moves, everything else stays. Errors are in % of the input's energy.")
    with st.expander("Formulas and source"):
        for formula in about.formulas:
            st.latex(formula)
        st.caption(about.paper)
