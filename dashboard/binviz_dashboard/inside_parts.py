"""The parts of the page Inside: errors, distributions, attention and sensitivity of one subject."""

from __future__ import annotations

from functools import partial
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from binviz import plots, zoo
from binviz.analysis import MEASURES
from binviz.analysis import steps as steps_of
from binviz.errors import UserError
from binviz.tasks import Example
from binviz_dashboard import activations, answers, cache, charts, inside, jobs, looks_parts, state
from binviz_dashboard.subject import Subject

FROM = {"made here": "local", "accumulated": "accumulated"}


def errors(controls: DeltaGenerator, subject: Subject, example: Example) -> None:
    """The network as a map of its errors; a click leads to a place, its causes and its three states."""
    made = partial(subject.code, example)
    table = cache.errors(subject.name, example.key, example)
    with controls:
        measure = state.choose("Measure", list(MEASURES), "measure")
        there = [label for label, kind in activations.KINDS.items() if kind in set(table["kind"])]
        kind = activations.KINDS[state.choose("Places", there, "places")]
        rows = table[table["kind"] == kind]
        since = [label for label, view in FROM.items() if view in set(rows["view"])]
        view = FROM[state.choose("Error", since, "error", few=True)]
        names = list(dict.fromkeys(rows["name"]))
        place = state.choose("Place", names, "place")
    grid, about = inside.grid(table, kind, view, measure), inside.as_arguments(measure)
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Every place of the network: click one**")
        figure = plots.network(*grid, **about, chosen=place)
        code = inside.code_of_network(made, kind, view, measure)
        charts.show(plots.describe(figure, code=code), "network", clicked=to_place)
        st.caption(
            "Made here: the place is given the float network's tensors, so it answers for its own loss only. "
            "Accumulated: the 1-bit network runs by itself, and every loss before the place counts too."
        )
    with right:
        three_states(place, subject, example)
    split = cache.causes(subject.name, example.key, example)
    layer = next((int(row["layer"]) for _, row in rows.iterrows() if row["name"] == place), -1)
    st.markdown(f"**Why {f'layer {layer} is' if layer >= 0 else 'they are'} wrong**")
    found = inside.causes_of(split, layer, measure)
    figure = plots.causes(found.places, found.errors, names=found.names, **about)
    charts.show(plots.describe(figure, code=inside.code_of_causes(made, layer, measure)), "causes")
    st.caption(f"Causes do not add up: two may cancel. {inside.swapped(split, layer)}")
    with st.expander("The table"):
        st.dataframe(table, hide_index=True, alt="Errors of every place.")


def to_place(names: Any) -> None:
    """From a click: that place."""
    state.put("place", names[0])


def three_states(name: str, subject: Subject, example: Example) -> None:
    """One tensor in the teacher, before its binarizer and behind it."""
    made = partial(subject.code, example)
    floats, binaries = (cache.captured(each, example.key, example) for each in subject.pair)
    found = inside.place(floats, binaries, name)
    st.markdown(f"**{name}: teacher, before and after its binarizer**")
    figure = plots.before_after(found.before, found.after, found.codes, found.teacher, inside.ROWS)
    code = inside.code_of_place(made, name, found.reader)
    charts.show(plots.describe(figure, code=code), "states")
    st.caption(found.said)


def distributions(controls: DeltaGenerator, subject: Subject, example: Example) -> None:
    """The same tensor in both networks, layer by layer."""
    made = partial(subject.code, example)
    floats, binaries = (cache.captured(each, example.key, example) for each in subject.pair)
    families = activations.in_both(floats, binaries)
    with controls:
        family = state.choose("Tensor", state.first("layers.*.ffn_in", list(families)), "tensor")
        names = families[family]
        layer = state.choose("Layer", [activations.short(each) for each in names], "layer")
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown(f"**{family}, teacher beside 1-bit**")
        sides = inside.side_by_side(floats, binaries, names)
        figure = plots.activations([activations.short(each) for each in names], *sides)
        code = inside.code_of_distributions(made, names)
        charts.show(plots.describe(figure, code=code), "activations")
    with right:
        three_states(next(each for each in names if activations.short(each) == layer), subject, example)


def attention(controls: DeltaGenerator, subject: Subject, example: Example) -> None:
    """All heads at once, and one of them in three states."""
    made = partial(subject.code, example)
    floats, binaries = (cache.attention(each, example.key, example) for each in subject.pair)
    if binaries.layers[0].codes is None:
        raise UserError(f"the recipe of {subject.name} keeps attention float; choose another model")
    heads = binaries.layers[0].codes.shape[1]
    with controls:
        layer = int(state.choose("Layer", [str(each) for each in range(len(binaries.layers))], "layer"))
        head = int(state.choose("Head", [str(each) for each in range(heads)], "head"))
        which = state.choose("All heads of", inside.VIEWS, "state")
        binaries, made, said = looks_parts.threshold(subject, example, made)
    if said:
        st.markdown(said)
    steps, words = steps_of(floats, binaries), bool(example.tokens)
    left, right = st.columns([1, 1.8], gap="large")
    with left:
        st.markdown("**All layers and heads: click one**")
        maps, what, codes = inside.view(floats, binaries, which)
        figure = plots.model_view(maps, what, inside.notes(steps), codes, (layer, head))
        code = inside.code_of_model_view(made, which, words)
        charts.show(plots.describe(figure, code=code), "heads", clicked=to_head)
    with right:
        st.markdown(f"**Layer {layer}, head {head}: what looks at what**")
        teacher, student = floats.map(layer, head), binaries.map(layer, head)
        labels = activations.labels(binaries, example)
        numbers = (float(each[layer, head]) for each in steps)
        across = inside.across(len(labels), words)
        figure = plots.attention(labels, teacher.probs, student.probs, student.codes, *numbers, across=across)
        code = inside.code_of_head(made, labels, layer, head, words)
        charts.show(plots.describe(figure, code=code), "attention")
        st.caption(inside.steps_said(student, steps, layer, head))
    below, over = st.columns([1, 1.8], gap="large")
    with below:
        looks_parts.ones(binaries, made, layer, head, labels, words)
    if example.picture is not None:
        with over:
            looks_parts.patches(teacher, student, example, made, layer, head, labels)
    st.caption(
        "What a head looks at is not yet why the network answers as it does: attention is no explanation."
    )


def to_head(place: Any) -> None:
    """From a click: that layer and head."""
    for key, number in zip(("layer", "head"), place, strict=True):
        state.put(key, str(int(number)))


def sensitivity(controls: DeltaGenerator, subject: Subject) -> None:
    """Which part may be 1-bit, with everything else left float."""
    by = {"whole layers": "block", "each part": "layer"}
    with controls:
        parts = state.choose("One at a time", list(by), "parts", few=True)
    teacher, examples = subject.teacher.name, cache.tokenizer(subject.name)
    question = f"{subject.title}, {parts}"

    def work(tell: jobs.Tell) -> Any:
        inputs = [each.inputs for each in answers.every_example(subject.task, subject.name, examples)]
        recipe = cache.model(subject.name).model.binviz_recipe
        return inside.sensitivity(zoo.load(teacher), recipe, inputs, by[parts], tell)

    st.markdown("**Which part may be 1-bit, if nothing is trained?**")
    measured = jobs.offer("Measure it here", "sensitivity", question, work, ceiling=300)
    if measured is None:
        what = f"{question}: one at a time becomes 1-bit, and the answers are counted that stay."
        st.info(what, icon=":material/timer:")
        return
    if measured.question != question:
        st.info(f"Below is {measured.question}. Measure again for {question}.", icon=":material/history:")
    table = measured.answer
    charts.show(inside.sensitivity_figure(table, len(subject.task.labels)), "sensitivity")
    st.caption(
        f"Lost are answers that change, of {table.attrs['examples']} examples, when one part of the float network gets "
        "the binarizers of this model's recipe. The line is what guessing would lose. A network that learns with "
        "them loses far less."
    )
