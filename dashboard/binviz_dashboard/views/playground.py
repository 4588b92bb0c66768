"""Playground: nets whose weights are signs, as they learn."""

from __future__ import annotations

import streamlit as st
from binviz_dashboard import cache, charts, page, plane, state
from streamlit.delta_generator import DeltaGenerator

from binviz import plots
from binviz.playground import latent
from binviz.words import percent

PARTS = ["In the plane", "On digits"]


def in_the_plane(controls: DeltaGenerator) -> None:
    """A small net and its float twin, which run in the visitor's browser."""
    chosen = plane.show(big=bool(state.visit().shown.get("big")))
    st.download_button(
        "As one file",
        data=lambda: plane.one_file(chosen),
        file_name="playground.html",
        mime="text/html",
        on_click="ignore",
        key="one-file",
        help="A page that works by itself, without a server or a network.",
    )


def on_digits(controls: DeltaGenerator) -> None:
    """A net of signs that learns on the digits, on the machine that serves the page."""
    with controls:
        weight = state.choose("Binarizer of weights", list(latent.WEIGHTS), "weight")
        activation = state.choose("Binarizer of activations", list(latent.ACTIVATIONS), "activation")
        rates = [str(rate) for rate in (0.01, 0.0003, 0.001, 0.003, 0.03, 0.1)]
        lr = float(state.choose("Learning rate", rates, "rate"))
        decay = state.tick("Rate falls to zero", "decay", True)
        clip = state.tick("Clip latent weights to ±1", "clip")
        frozen = state.tick("Keep the first signs", "frozen")
        seed = state.number("Seed", 0, 999, 0, "seed")
    settings = latent.Settings(weight, activation, lr=lr, decay=decay, clip=clip, frozen=frozen, seed=seed)
    seen = cache.trained(settings)
    last = seen[-1]
    for column, (label, value) in zip(
        st.columns(4),
        {
            "Accuracy on 450 held-out digits": percent(last.accuracy),
            "Signs that flip in a step, at the end": percent(last.flips, 2),
            "Latent weights beyond ±1": percent(last.outside),
            "Steps": f"{last.step:,}",
        }.items(),
        strict=True,
    ):
        column.metric(label, value)
    steps = [snapshot.step for snapshot in seen]
    histogram, *lines = st.columns([1.2, 1, 1], gap="medium")
    with histogram:
        st.markdown("**Latent weights of the first layer**")
        charts.show(
            plots.moving_histogram(steps, [s.latent for s in seen], "latent weight (no unit)"), "latent"
        )
    for column, (name, values) in zip(
        lines,
        {
            "accuracy": [100 * snapshot.accuracy for snapshot in seen],
            "signs that flip in a step": [100 * snapshot.flips for snapshot in seen],
        }.items(),
        strict=True,
    ):
        with column:
            st.markdown(f"**{name.capitalize()}**")
            figure = plots.lines(steps, {name: values}, "step (number)", f"{name} (%)", network="1-bit")
            charts.show(figure, name.split()[0])
    st.caption(
        "64 pixels, 64 hidden units, 10 answers; both matrices are 1-bit, only the normalizations are float. Weights "
        "near their threshold flip; those far away hardly ever do. Trained on one thread of this machine when these "
        "settings were first asked for."
    )


with page.frame(
    "How does a network learn when its weights are only signs?",
    "press Play, then drag the threshold on the binarizer's curve while the net learns.",
    ("binarizer", "latent weight", "flip", "surrogate", "scale", "threshold"),
) as controls:
    # Links from when the digits were all that there was
    for key in ("weight", "activation", "rate", "decay", "clip", "frozen", "seed"):
        state.imply(key, "part", PARTS[1])
    with controls:
        part = state.choose("Part", PARTS, "part", few=True)
    {PARTS[0]: in_the_plane, PARTS[1]: on_digits}[part](controls)
