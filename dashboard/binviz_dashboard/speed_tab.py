"""The part Speed: a race at one size, and a map of who is fastest where, on the machine that serves the page."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from binviz import plots
from binviz.bench.crossover import MOST_UNSTEADY
from binviz.words import percent
from binviz_dashboard import charts, jobs, speed, state


def show(controls: DeltaGenerator) -> None:
    """The whole part."""
    with controls:
        layer = state.choose("Layer (inputs → outputs)", list(speed.LAYERS), "shape")
        rows = int(state.choose("Rows at once", [str(each) for each in speed.ROWS], "rows"))
    question = f"{rows} rows, {layer}"
    measured = jobs.offer(
        "Measure on this machine",
        "measure",
        question,
        lambda tell: speed.race(layer, rows, tell),
        ceiling=120,
    )
    seen = measured.answer if measured else speed.recorded_race(layer, rows)
    if seen is None:
        st.info(
            f"No record has {question}. *Measure on this machine* takes a few seconds.",
            icon=":material/timer:",
        )
    else:
        if not seen.answers(layer, rows):
            st.info(f"Below is {measured.question}. Measure again for {question}.", icon=":material/history:")
        race(seen)
    st.markdown("#### From which size on is who fastest?")
    fastest()


def race(seen: speed.Race) -> None:
    """One size: times, ratios and the roofline."""
    st.caption(f"{seen.where[:1].upper()}{seen.where[1:]}. {speed.CLAIM}")
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


def fastest() -> None:
    """The map: measured here, or until then as it was accepted from a machine."""
    here = jobs.offer("Measure a map: one minute", "measure-map", None, speed.measure_map, ceiling=300)
    accepted = speed.accepted_maps()
    seen = here.answer if here else None
    if seen is None and accepted:
        seen = accepted[state.choose("Recorded map", list(accepted), "recorded")]
    if seen is None:
        st.info("No record has a map. *Measure a map* takes about a minute.", icon=":material/timer:")
        return
    among = state.choose("Formats in the map", list(speed.AMONG), "among")
    where = "Measured on this machine" if here else f"Recorded on {seen.machine}"
    if seen.found["unsteady"] > MOST_UNSTEADY:
        share = percent(seen.found["unsteady"], 0)
        st.warning(speed.MAP_UNSTEADY.format(share=share), icon=":material/warning:")
    charts.show(plots.crossover(speed.sizes(seen, among)), "fastest")
    st.caption(f"{where}. {speed.about_map(seen)}")
