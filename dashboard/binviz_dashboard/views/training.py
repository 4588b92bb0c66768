"""Training: what moved while a recorded model learned, two runs side by side; and a net that learns while you look."""

from __future__ import annotations

import streamlit as st
from binviz_dashboard import cache, charts, recorded, state

from binviz import plots
from binviz.evidence import runs
from binviz.playground import latent

PARTS = ["Recorded runs", "Live on the digits"]
NONE = "nothing"


def of_records() -> None:
    """One recorded run, or two side by side."""
    with st.sidebar:
        known = recorded.titles(runs.runs())
        names = state.first("bit: sst2.bit-w1a1", list(known))
        title = state.choose("Run", names, "run")
        other = state.choose("Beside it", [NONE, *names], "beside")
        what = state.choose("What moved", list(recorded.MOVING), "moved")
    shown = {name: known[name] for name in dict.fromkeys((title, other)) if name != NONE}
    for place, (name, run) in zip(st.columns(2, gap="large"), shown.items(), strict=False):
        with place:
            st.markdown(f"#### {name}")
            why = run.config.get("why", "")
            st.caption(f"{why[:1].upper()}{why[1:]}")
            ended = recorded.numbers(run)
            for column, (label, value) in zip(st.columns(len(ended)), ended.items(), strict=True):
                column.metric(label.capitalize(), value)
    loss, accuracy = st.columns(2, gap="large")
    with loss:
        figure = plots.progress(
            recorded.losses(shown), "loss", "unit of the run's loss, logarithmic", log=True
        )
        charts.show(figure, "losses")
    with accuracy:
        answers = recorded.accuracies(shown)
        if answers:
            charts.show(plots.progress(answers, "accuracy", "% of training examples"), "accuracies")
        for line in recorded.missing(shown, answers, "accuracy of its training batches"):
            st.info(line)
    courses = recorded.courses(shown, what)
    if courses:
        charts.show(plots.courses(courses, what, recorded.MOVING[what].unit), "courses")
    for line in recorded.missing(shown, courses, f"{what} (a float model has none)"):
        st.info(line)
    if len(shown) == 2:
        table = recorded.differences(*shown.values())
        st.dataframe(table, hide_index=True, alt="Settings in which the two runs differ.")
    st.caption(
        "A flip is a weight whose code changes in one step. The numbers above are the last step's on the examples "
        "kept for evaluation. The curve of accuracy is that of the training batches, each before the model "
        f"learned from it, the mean of {recorded.SMOOTHED} points. Losses of different kinds are not comparable: BiT's "
        "sums distances of hidden states, a float model's is the cross-entropy of its labels."
    )


def live() -> None:
    """A small net of 1-bit weights, trained on this machine."""
    with st.sidebar:
        weight = state.choose("Binarizer of weights", cache.LIVE_WEIGHTS, "weight")
        activation = state.choose("Binarizer of activations", cache.LIVE_ACTIVATIONS, "activation")
        lr = st.select_slider(
            "Learning rate", [0.0003, 0.001, 0.003, 0.01, 0.03, 0.1], 0.01, key="rate", bind="query-params"
        )
        decay = st.toggle("Rate falls to zero", True, key="decay", bind="query-params")
        clip = st.toggle("Clip latent weights to ±1", False, key="clip", bind="query-params")
        frozen = st.toggle("Keep the first signs", False, key="frozen", bind="query-params")
        seed = st.number_input("Seed", 0, 999, 0, key="seed", bind="query-params")
    settings = latent.Settings(weight, activation, lr=lr, decay=decay, clip=clip, frozen=frozen, seed=seed)
    seen = cache.trained(settings)
    last = seen[-1]
    st.markdown("#### Only signs multiply; what training moves are the latent weights behind them")
    for column, (label, value) in zip(
        st.columns(4),
        {
            "Accuracy on 450 held-out digits": f"{last.accuracy:.1%}",
            "Signs that flip in a step, at the end": f"{last.flips:.2%}",
            "Latent weights beyond ±1": f"{last.outside:.1%}",
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
            charts.show(plots.lines(steps, {name: values}, "step (number)", f"{name} (%)"), name.split()[0])
    st.caption(
        "64 pixels, 64 hidden units, 10 answers; both matrices are 1-bit, only the normalizations are float. Weights "
        "near their threshold flip; those far away hardly ever do. Keep the first signs to see how far normalization "
        "alone gets. Trained on one thread of this machine when these settings were first asked for."
    )


with state.one_line():
    tabs = st.tabs(PARTS, key="part", on_change="rerun", bind="query-params")
    for tab, show in zip(tabs, (of_records, live), strict=True):
        if tab.open:
            with tab:
                show()
