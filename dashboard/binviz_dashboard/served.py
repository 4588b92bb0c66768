"""What `streamlit run` serves: the pages of app.py, with our style in the head of the HTML that a browser asks for."""

from pathlib import Path

from starlette.middleware import Middleware
from streamlit.starlette import App

from binviz_dashboard.style import Styled

app = App(Path(__file__).with_name("app.py"), middleware=[Middleware(Styled)])
