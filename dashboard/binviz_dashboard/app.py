"""Entry point of the dashboard: its pages and what surrounds them.

They lie in views/, because Streamlit would serve a folder named pages/ by itself, without this file.
"""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from binviz_dashboard import state
from binviz_dashboard.pages import MOVED, PAGES

HERE = Path(__file__).parent
ICON = str(HERE / "static" / "binviz.png")


def lead(page: str, values: dict[str, str]) -> Callable[[], None]:
    """A page that leads an old link on, with all that it says."""

    def on() -> None:
        st.switch_page(known[page], query_params={**st.query_params, **values})

    return on


# Before the navigation: a browser's tab would have the page's icon, which is fetched from elsewhere.
st.set_page_config(
    page_icon=ICON,
    menu_items={
        "about": "**binviz** shows, trains and runs binarized transformers. Nothing leaves this machine."
    },
)

known = {
    name: st.Page(f"views/{name}.py", title=title, icon=icon, default=name == next(iter(PAGES)))
    for name, (title, icon) in PAGES.items()
}
old = [
    st.Page(lead(page, values), title=name.capitalize(), url_path=name, visibility="hidden")
    for name, (page, values) in MOVED.items()
]
page = st.navigation([*known.values(), *old], position="top")
st.set_page_config(page_title=f"{page.title} · binviz")
st.logo(ICON, size="large")
state.arrive(page.url_path)
page.run()
