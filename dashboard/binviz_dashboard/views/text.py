"""Find the text: a detector's probabilities, thresholds and the soft step between them, on a picture of one's own."""

from __future__ import annotations

import hashlib

import numpy as np
import streamlit as st
from binviz_dashboard import cache, charts, found_text, own, page, state
from numpy.typing import NDArray

from binviz import plots
from binviz.words import percent

SCENES = "generated ones"
LAST = 999
ABOUT = (
    f"It is scaled to {found_text.LONGER} pixels on its longer side. It stays on this machine, and is not written to "
    "a disk."
)


def maps(key: str, picture: NDArray[np.uint8], number: int | None, k: float, threshold: float | None) -> None:
    """What the detector makes of a picture; `number` is that of a generated one."""
    found = cache.detected(found_text.DETECTOR, key, picture)
    figure = found_text.figure(picture, found, k, threshold)
    code = found_text.code(number, k, threshold)
    if number is not None:
        st.markdown(found_text.in_words(found_text.scene(number), found, threshold))
    charts.show(plots.describe(figure, code=code), "text-maps")
    cut = "at 0.3, as the finished detector does" if threshold is None else f"at {threshold:g}"
    st.caption(
        f"Boxes are made of P alone, cut {cut}: k is there for learning. With this k, "
        f"{percent(found_text.alive(found, k, threshold))} of the pixels are near enough to their threshold to "
        "give a gradient."
    )


with page.frame(
    "How does a step learn to find text?",
    "k at 1, then at 200: how many pixels are left to learn from?",
    ("threshold", "surrogate"),
) as controls:
    with controls:
        k = float(state.slide("Slope k", 1, 200, 50, "k", step=1))
        source = state.choose("Pictures", [SCENES, own.FILE, own.CAMERA], "text-pictures")
        number = state.number("Scene", 0, LAST, 0, "scene") if source == SCENES else None
        learned = state.tick("Learned thresholds", "learned-thresholds", True)
        at = None if learned else state.slide("Threshold", 0.05, 0.95, 0.3, "text-threshold", step=0.05)
    if number is None:
        content = own.handed_in(source, ABOUT).getvalue()
        maps(f"own {hashlib.sha256(content).hexdigest()}", found_text.own(content), None, k, at)
    else:
        maps(f"scene {number}", found_text.scene(number).picture, number, k, at)
    st.markdown(
        "**Two ways through a step: a soft one with its true gradient, or a hard one with a surrogate**"
    )
    code = f"from binviz_dashboard import found_text\n\nfigure = found_text.curves({k:g})\n"
    charts.show(plots.describe(found_text.curves(k), code=code), "text-step")
    st.caption(
        f"Above: from 0 to 1. Below: what goes back. The soft step's gradient is {k / 4:g} at its highest and about "
        f"{4 / k:.2g} wide. A binary network keeps its step hard, since its products are to be of bits; here what "
        "comes out is no bit, and the finished detector does without the step."
    )
