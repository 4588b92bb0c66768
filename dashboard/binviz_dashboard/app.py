"""Entry point of the dashboard: its pages and what surrounds them.

They lie in views/, because Streamlit would serve a folder named pages/ by itself, without this file.
"""

from pathlib import Path

import streamlit as st

from binviz_dashboard import charts, state

ICON = str(Path(__file__).with_name("static") / "binviz.png")

st.set_page_config(
    page_title="binviz",
    page_icon=ICON,
    layout="wide",
    menu_items={
        "about": "**binviz** shows, trains and runs binarized transformers. Nothing leaves this machine."
    },
)
st.logo(ICON, size="large")
st.html(charts.STYLE)

page = st.navigation(
    {
        "": [st.Page("views/start.py", title="Start", icon=":material/play_arrow:", default=True)],
        "Learn": [
            st.Page("views/lab.py", title="Binarizer lab", icon=":material/tune:"),
            st.Page("views/training.py", title="Training", icon=":material/trending_down:"),
            st.Page("views/bits.py", title="Bits and speed", icon=":material/speed:"),
        ],
        "Look inside": [
            st.Page("views/activations.py", title="Activations", icon=":material/stacked_line_chart:"),
            st.Page("views/errors.py", title="Errors", icon=":material/show_chart:"),
            st.Page("views/attention.py", title="Attention", icon=":material/grid_on:"),
        ],
    },
    position="top",
)
state.arrive(page.url_path)
page.run()
