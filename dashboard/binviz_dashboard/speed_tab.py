"""The tab Speed: a race at one size, and a map of who is fastest where; both measured on the machine that serves it."""

from __future__ import annotations

import streamlit as st

from binviz import plots
from binviz.bench.crossover import MOST_UNSTEADY
from binviz.words import percent
from binviz_dashboard import charts, speed, state


def show() -> None:
    """The whole tab."""
    with st.sidebar:
        layer = state.choose("Layer (inputs → outputs)", list(speed.LAYERS), "shape")
        rows = int(state.choose("Rows at once", [str(each) for each in speed.ROWS], "rows"))
        pressed = st.button("Measure on this machine", key="measure", type="primary", width="stretch")
        accepted = speed.accepted_maps()
        among = state.choose("Formats in the map", list(speed.AMONG), "among")
        recorded = state.choose("Recorded map", list(accepted), "recorded") if accepted else None
        map_pressed = st.button("Measure a map: one minute", key="measure-map", width="stretch")
    st.markdown("#### 1/64 of the operations. How much of the time?")
    st.markdown(speed.CLAIM)
    if pressed:
        bar = st.progress(0.0)
        st.session_state["race"] = speed.race(layer, rows, lambda share, text: bar.progress(share, text))
        bar.empty()
    shown = st.session_state.get("race") or speed.recorded_race(layer, rows)
    if shown:
        st.markdown(f"**{shown.where[:1].upper()}{shown.where[1:]}**")
        if not shown.answers(layer, rows):
            st.info(
                f"That was another size. Measure again for {rows} rows, {layer}.", icon=":material/history:"
            )
        race(shown)
    else:
        st.info("Press *Measure on this machine*; it takes a few seconds.", icon=":material/timer:")
    st.markdown("#### Who is fastest, and from which size on?")
    if map_pressed:
        bar = st.progress(0.0)
        st.session_state["measured map"] = speed.measure_map(lambda share, text: bar.progress(share, text))
        bar.empty()
    who_is_fastest(accepted[recorded] if recorded else None, among)


def race(seen: speed.Race) -> None:
    """One size: times, ratios and the roofline."""
    if seen.disturbed:
        st.warning(speed.DISTURBED, icon=":material/warning:")
        return
    for column, (label, (value, below)) in zip(st.columns(4), speed.times(seen).items(), strict=False):
        column.metric(label, value, below, delta_color="off", delta_arrow="off")
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Promised, possible, measured**")
        charts.show(plots.ratios(*speed.ratios(seen)), "ratios")
    with right:
        st.markdown("**The roofline that explains the difference**")
        charts.show(plots.roofline(*speed.points(seen), seen.bandwidth), "roofline")
    st.caption(speed.explanation(seen))


def who_is_fastest(recorded: speed.Map | None, among: str) -> None:
    """The map: measured here, or until then as it was accepted from a machine."""
    seen = st.session_state.get("measured map", recorded)
    if seen is None:
        st.info("Press *Measure a map*; it takes about a minute.", icon=":material/timer:")
        return
    where = "this machine" if "measured map" in st.session_state else f"recorded on {seen.machine}"
    st.markdown(f"**{where[:1].upper()}{where[1:]}**")
    if seen.found["unsteady"] > MOST_UNSTEADY:
        st.warning(
            speed.MAP_UNSTEADY.format(share=percent(seen.found["unsteady"], 0)), icon=":material/warning:"
        )
    charts.show(plots.crossover(speed.sizes(seen, among)), "fastest")
    st.caption(speed.about_map(seen))
