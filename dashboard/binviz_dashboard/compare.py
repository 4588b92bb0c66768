"""A second model on a page: the same view of both side by side, with the first one's widgets and on the same scales."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from binviz.errors import UserError
from binviz_dashboard import charts, state, subject
from binviz_dashboard.subject import Subject

NOBODY = "nothing"
#: Key of what holds both.
PAIR = f"{state.OURS}-pair"


def ask(first: Subject, among: Mapping[str, Subject] | None = None) -> Subject | None:
    """A second 1-bit model of the same task, which the same examples fit; None for none.

    Args:
        first: that the page shows.
        among: those that the view can show; None for all.
    """
    known = subject.subjects() if among is None else among
    alike = {name: each for name, each in known.items() if each.task == first.task and name != first.name}
    words = {NOBODY: "nothing", **{name: each.title for name, each in alike.items()}}
    if not alike:
        return None
    chosen = state.choose("Beside it", [NOBODY, *alike], "second", words=words)
    return alike.get(chosen)


def show(first: Subject, second: Subject | None, draw: Callable[[Subject], object]) -> None:
    """Draw a view of one model, or of two beside one another.

    Args:
        first: that the page shows.
        second: from `ask`.
        draw: the view of a model, with widgets of `state`, figures of `charts` and jobs of `jobs` only.
    """
    if second is None:
        draw(first)
        return
    with st.container(key=PAIR), charts.same_scales():
        left, right = st.columns(2, gap="large")
        with left:
            st.markdown(f"#### {first.title}")
            draw(first)
        with right, state.again():
            st.markdown(f"#### {second.title}")
            try:
                draw(second)
            except UserError as error:
                st.info(state.plain(state.sentence(str(error))), icon=":material/info:")
