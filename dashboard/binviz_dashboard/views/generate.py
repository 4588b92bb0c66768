"""Generate: the same noise, turned into pictures step by step by a float network and its 1-bit twin."""

from __future__ import annotations

import streamlit as st
from binviz_dashboard import cache, charts, denoise, page, state

from binviz import plots

MOST_SEED = 9999


def generated(pair: denoise.Pair, seed: int, steps: int, what: str) -> None:
    """The pictures of both after a step, and how far they are apart at every one."""
    floats, bits = (cache.denoised(entry.name, seed, steps) for entry in (pair.teacher, pair.binary))
    step = state.slide("Step", 1, steps, steps, "step", step=1, about="Clean from the last step on.")
    figure = denoise.figure(pair, floats, bits, step, what)
    charts.show(plots.describe(figure, code=denoise.code(pair, seed, steps, step, what)), "denoising")
    left, right = st.columns([2, 1], gap="large")
    with left:
        charts.show(denoise.courses(denoise.apart(floats, bits), step), "apart")
    with right:
        for column, (network, entry) in zip(
            st.columns(2), {"Float": pair.teacher, "1-bit": pair.binary}.items(), strict=True
        ):
            for label, value in denoise.recorded(entry).items():
                column.metric(f"{label}, {network}", value)
    st.caption(denoise.about(pair))


with page.frame(
    "What does one bit do to a picture that is made of noise?",
    "another seed: do both draw the same digit, and from which step on?",
    ("recipe", "basis"),
) as controls:
    pairs = denoise.pairs()
    with controls:
        name = state.choose("Network", list(pairs), "network")
        seed = state.number("Seed", 0, MOST_SEED, 0, "seed", about="Of the noise.")
        steps = int(state.choose("Steps", denoise.STEPS, "steps", few=True))
        what = state.choose("Shown", [denoise.PICTURE, denoise.BELIEVED], "shown", few=True)
    generated(pairs[name], seed, steps, what)
