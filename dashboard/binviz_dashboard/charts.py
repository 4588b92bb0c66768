"""The one way in which a figure reaches a page: drawn, described for a screen reader, with one quiet menu."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st

from binviz.plots import theme

#: The buttons above a chart stay hidden; the menu below it presses the one that saves a picture.
CONFIG = theme.CONFIG | {"scrollZoom": False, "toImageButtonOptions": {"format": "png", "scale": 2}}
STYLE = """<style>
.stPlotlyChart .modebar-container {display: none}
.stMainBlockContainer {padding-top: 4.5rem; padding-bottom: 3rem}
</style>"""

_SAVE = st.components.v2.component(
    "binviz.save_picture",
    html="<button type='button'>Picture (.png)</button>",
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
        parentElement.querySelector("button").onclick = () => {
            const chart = document.querySelector(`.st-key-chart-${data}`);
            chart.querySelector('.modebar-btn[data-title^="Download"]').click();
        };
    }
    """,
)


def show(figure: go.Figure, key: str) -> None:
    """Draw a figure of `binviz.plots` with its menu: download, code, description.

    Args:
        figure: its `layout.meta` holds `alt` and `code`.
        key: unique on the page.
    """
    meta = figure.layout.meta
    options = CONFIG["toImageButtonOptions"] | {"filename": f"binviz-{key}"}
    with st.container(key=f"chart-{key}", gap="small"):
        st.plotly_chart(figure, key=key, alt=meta["alt"], config=CONFIG | {"toImageButtonOptions": options})
        with (
            st.container(horizontal=True, horizontal_alignment="right"),
            st.popover("Figure", type="tertiary", icon=":material/more_horiz:", key=f"menu-{key}"),
        ):
            st.markdown(meta["alt"])
            picture, file = st.columns(2)
            with picture:
                _SAVE(data=key, key=f"save-{key}")
            file.download_button(
                "Plotly figure (.json)",
                data=figure.to_json,
                file_name=f"binviz-{key}.json",
                mime="application/json",
                on_click="ignore",
                width="stretch",
                key=f"json-{key}",
            )
            height = 220 if meta["code"].count("\n") > 9 else "content"
            st.code(meta["code"], language="python", height=height)
