"""The one way in which a figure reaches a page: drawn, described for a screen reader, with one quiet bar."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, NamedTuple

import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from binviz import plots
from binviz.plots import narrow, theme
from binviz_dashboard import state, style

#: Plotly's own buttons stay hidden; those of the bar press them.
CONFIG = theme.CONFIG | {"scrollZoom": False, "toImageButtonOptions": {"format": "png", "scale": 2}}
#: On a projector type grows so many times, and a figure has at most so many pixels; fewer above the tour's panel.
GROWTH, TALLEST, ABOVE_PANEL = 1.4, 620, 460

#: Buttons that press plotly's hidden ones, which know how to save a picture and to fill the window.
_PRESS = st.components.v2.component(
    "binviz.press",
    html="<button type='button'></button>",
    css="""
    button {
        font: inherit; font-size: 0.875rem; color: var(--st-text-color); background: transparent;
        cursor: pointer; width: 100%;
        border: 1px solid var(--st-border-color); border-radius: var(--st-button-radius); padding: 0.4rem 0.75rem;
    }
    button:hover { border-color: var(--st-primary-color); color: var(--st-primary-color); }
    """,
    js="""
    export default function ({ data, parentElement }) {
        const button = parentElement.querySelector("button");
        button.textContent = data.label;
        button.onclick = () => {
            const chart = document.querySelector(`.st-key-chart-${data.chart}`);
            // Plotly reads the format of a picture from the figure's own options as its button is pressed
            const options = chart.querySelector(".js-plotly-plot")._context.toImageButtonOptions;
            options.format = data.format;
            chart.querySelector(`.modebar-btn[data-title^="${data.press}"]`).click();
        };
    }
    """,
)


class _Waiting(NamedTuple):
    """A figure that is drawn when its like is known: of what name, and where."""

    name: str
    key: str
    figure: go.Figure
    clicked: Callable[[Any], None] | None
    place: DeltaGenerator


_waiting: ContextVar[list[_Waiting] | None] = ContextVar("waiting", default=None)


@contextmanager
def same_scales() -> Iterator[None]:
    """Around a view that is drawn twice: its figures are drawn at the end, two of a name on the same scales."""
    token = _waiting.set([])
    try:
        yield
        waiting = _waiting.get() or []
    finally:
        _waiting.reset(token)
    for name in dict.fromkeys(each.name for each in waiting):
        alike = [each for each in waiting if each.name == name]
        for each, figure in zip(alike, plots.same_scales([each.figure for each in alike]), strict=True):
            with each.place:
                _draw(figure, each.key, each.clicked)


def show(figure: go.Figure, key: str, *, clicked: Callable[[Any], None] | None = None) -> None:
    """Draw a figure of `binviz.plots` with its bar: enlarge, picture, figure, description, code.

    Args:
        figure: its `layout.meta` holds `alt` and `code`.
        key: unique on the page.
        clicked: called before the next run of the page with the `customdata` of the point that the visitor clicked.
    """
    waiting = _waiting.get()
    if waiting is None:
        _draw(figure, state.own(key), clicked)
    else:
        waiting.append(_Waiting(key, state.own(key), figure, clicked, st.container()))


def _draw(figure: go.Figure, key: str, clicked: Callable[[Any], None] | None) -> None:
    meta = figure.layout.meta
    options = CONFIG["toImageButtonOptions"] | {"filename": f"binviz-{key}"}
    if style.narrow():
        figure = narrow.narrowed(figure)
    if state.visit().shown.get("big"):
        figure = _enlarged(figure)
    if st.context.theme.type == "dark":
        figure = go.Figure(figure).update_layout(template="binviz_dark")
    with st.container(key=f"chart-{key}", gap=None):
        st.plotly_chart(
            figure,
            key=key,
            alt=meta["alt"],
            theme=None,
            height=round(figure.layout.height),
            config=CONFIG | {"toImageButtonOptions": options},
            on_select=partial(_clicked, key, clicked) if clicked else "ignore",
            selection_mode="points",
        )
        with (
            st.container(horizontal=True, key=f"bar-{key}"),
            st.popover(
                "", type="tertiary", icon=":material/more_horiz:", key=f"menu-{key}", help=f"Figure {key}"
            ),
        ):
            st.markdown(state.plain(meta["alt"]))
            buttons = st.columns(3)
            for place, label, press in zip(
                buttons, ("Enlarge", "Picture (.png)"), ("Fullscreen", "Download"), strict=False
            ):
                with place:
                    _press(key, label, press, "png")
            buttons[2].download_button(
                "Figure (.json)",
                data=figure.to_json,
                file_name=f"binviz-{key}.json",
                mime="application/json",
                on_click="ignore",
                width="stretch",
                key=f"json-{key}",
            )
            height = 220 if meta["code"].count("\n") > 9 else "content"
            st.code(meta["code"], language="python", height=height)


def vector(key: str) -> None:
    """A button that saves the figure of that key as SVG."""
    with st.container(width=150, key=f"svg-{key}"):
        _press(key, "Figure (.svg)", "Download", "svg")


def _press(key: str, label: str, press: str, kind: str) -> None:
    data = {"chart": key, "label": label, "press": press, "format": kind}
    _PRESS(data=data, key=f"{press}-{kind}-{key}")


def _clicked(key: str, then: Callable[[Any], None]) -> None:
    points = st.session_state[key]["selection"]["points"]
    if points and points[0].get("customdata"):
        then(points[0]["customdata"])


def _enlarged(figure: go.Figure) -> go.Figure:
    """A copy with larger type, as tall as a screen allows."""
    tallest = ABOVE_PANEL if state.visit().shown.get("tour") else TALLEST
    height = min(tallest, GROWTH * (figure.layout.height or 400))
    return narrow.wrapped(theme.scaled(figure, GROWTH).update_layout(height=height))
