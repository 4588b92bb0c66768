"""The part Runs: the questions that recorded runs answer, and how one or two of them went."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from binviz import plots
from binviz.evidence import names
from binviz.evidence.runs import Run
from binviz.experiments import questions
from binviz.experiments.questions import Question
from binviz_dashboard import cache, charts, recorded, state

NONE = "nothing"


def show(controls: DeltaGenerator) -> None:
    """The whole part."""
    known = cache.questions()
    every = {recorded.key(run): run for asked in known for run in asked.runs}
    state.translate("run", recorded.old_key)
    state.translate("beside", recorded.old_key)
    if (linked := every.get(state.linked("run"))) is not None:
        state.imply("run", "question", questions.answering(known, linked)[0].text)
    with controls:
        texts = [asked.text for asked in known]
        asked = known[texts.index(state.choose("Question", texts, "question"))]
        keys = {recorded.key(run): run for run in asked.runs}
        words = cache.run_names() | dict(zip(keys, names.short(list(keys.values())), strict=True))
        shown: list[str] = []
        if keys:
            default = recorded.default()
            order = state.first(recorded.key(default) if default else "", list(keys))
            one = state.choose("Run", order, "run", words=words)
            others = [key for key in dict.fromkeys([*order, *every]) if key != one]
            shown = [one, state.choose("Beside it", [NONE, *others], "beside", words=words)]
    st.markdown(f"#### {state.plain(asked.text)}")
    if asked.findings:
        answer(asked)
    if keys:
        st.markdown("#### How it went")
        course({words[key]: every[key] for key in shown if key != NONE})


def answer(asked: Question) -> None:
    """What became of a claim, task by task."""
    tasks = recorded.tasks_of(asked)
    finding = asked.findings[0]
    if len(tasks) > 1:
        finding = tasks[state.choose("On", list(tasks), "on", few=True)]
    figure = recorded.claim_figure(finding, {(run.cell, run.seed): run for run in asked.runs})
    said, drawn = st.columns([1, 1.3], gap="large")
    with said:
        for task, each in tasks.items():
            verdict = questions.in_words(each)
            st.markdown(f"**{task}**: {verdict}" if each is finding else f"{task}: {verdict}")
        st.caption(f"The claim is from {asked.source}." if asked.source else "")
    with drawn:
        if figure is None:
            st.info("Nothing was run for it yet.")
        else:
            charts.show(figure, "sides")


def course(shown: dict[str, Run]) -> None:
    """How one or two runs went."""
    for place, (name, run) in zip(st.columns(2, gap="large"), shown.items(), strict=False):
        with place:
            st.markdown(f"**{name}**")
            why = run.config.get("why", "").rstrip(".")
            said = " · ".join(f"{label} {value}" for label, value in recorded.numbers(run).items())
            st.markdown(said)
            st.caption(f"{why[:1].upper()}{why[1:]}. {recorded.has(run)}" if why else recorded.has(run))
            if model := recorded.model_of(run):
                st.markdown(f"[See this model answer]({state.address('answers', model=model)})")
    with_loss = {name: run for name, run in shown.items() if run.curves.get("loss")}
    loss, accuracy = st.columns(2, gap="large")
    if with_loss:
        with loss:
            unit = "unit of the run's loss, logarithmic"
            of = [names.network(run) for run in with_loss.values()]
            figure = plots.progress(recorded.losses(with_loss), "loss", unit, log=True, networks=of)
            charts.show(figure, "losses")
    if answers := recorded.accuracies(shown):
        with accuracy:
            of = [names.network(shown[name]) for name in answers]
            figure = plots.progress(answers, "accuracy", "% of training examples", networks=of)
            charts.show(figure, "accuracies")
    moving = [name for name in recorded.MOVING if recorded.courses(shown, name)]
    if moving:
        what = state.choose("What moved", moving, "moved", few=True)
        figure = plots.courses(recorded.courses(shown, what), what, recorded.MOVING[what].unit)
        charts.show(figure, "courses")
    if len(shown) == 2:
        table = recorded.differences(*shown.values())
        st.dataframe(table, hide_index=True, alt="Settings in which the two runs differ.")
    st.caption(
        "A flip is a weight whose code changes in one step. The curve of accuracy is that of the training batches, "
        f"each before the model learned from it, the mean of {recorded.SMOOTHED} points. Losses of different kinds "
        "are not comparable: BiT's sums distances of hidden states, a float model's is the cross-entropy of its labels."
    )
