"""Parts of Inside's attention: BiViT's threshold moved, ones against entropy, and patches over a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import streamlit as st

from binviz import plots
from binviz.analysis import Attention, Map
from binviz.tasks import Example
from binviz_dashboard import cache, charts, inside, looks, state
from binviz_dashboard.inside import Code
from binviz_dashboard.subject import Subject


class Moved(NamedTuple):
    """Attention with the threshold that the visitor chose, the code that makes it, and what it does, in sentences."""

    attention: Attention
    code: Code
    said: str


def threshold(subject: Subject, example: Example, code: Code) -> Moved:
    """A slider for β where the model's attention has one; its own attention where it has none."""
    name = subject.name
    own = cache.attention(name, example.key, example)
    known = looks.beta_of(cache.model(name).model)
    if known is None:
        return Moved(own, code, "")
    trained, low, high = known
    beta = state.slide("β: part of a row's maximum", low, high, trained, "beta", step=0.01)
    labels = subject.task.labels
    answers = [cache.answer_at(name, example.key, each, example) for each in (beta, trained)]
    says = [(labels[answer.index(max(answer))], max(answer)) for answer in answers]
    moved = own if beta == trained else cache.attention(name, example.key, example, beta)
    said = looks.said_of_beta(beta, trained, looks.summary(moved), looks.summary(own), says)
    return Moved(moved, code if beta == trained else looks.at_beta(code, beta), said)


def ones(binaries: Attention, code: Code, layer: int, head: int, labels: Sequence[str], words: bool) -> None:
    """Ones of each row of a layer against its entropy; a click chooses the query where there are patches."""
    st.markdown("**Do rows that look everywhere get more ones?**")
    figure = plots.ones_entropy(*looks.rows(binaries, layer), str(head), labels)
    code = looks.code_of_rows(code, layer, head, labels, words)
    clicked = None if words else to_query
    charts.show(plots.describe(figure, code=code), "ones", clicked=clicked)
    st.caption(
        f"A point is a row, a query of layer {layer}. A row on the dashed line has as many ones as keys that its "
        "entropy is worth."
    )


def patches(
    teacher: Map, student: Map, example: Example, code: Code, layer: int, head: int, labels: list[str]
) -> None:
    """The attention row of a patch that the visitor clicks or names, over the picture."""
    query = state.choose("Query", labels, "query")
    position = labels.index(query)
    found = inside.patches(teacher, student, position)
    figure = plots.patch_attention(example.picture, *found)
    code = inside.code_of_patches(code, example.picture_code, layer, head, position)
    charts.show(plots.describe(figure, code=code), "patches", clicked=to_patch)


def to_query(name: Sequence[str]) -> None:
    """From a click: that query."""
    state.put("query", name[0])


def to_patch(place: Sequence[float]) -> None:
    """From a click: the query in that row and column."""
    state.put("query", "{},{}".format(*map(int, place)))
