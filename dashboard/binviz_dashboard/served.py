"""What `streamlit run` serves: the pages of app.py, with our style in the head of the HTML that a browser asks for."""

from __future__ import annotations

from pathlib import Path

import streamlit
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.starlette import App

from binviz_dashboard import style

HERE = Path(__file__).parent


class Styled:
    """A layer around an app: every HTML page that it answers with becomes Streamlit's with our style.

    >>> "<style>" in Styled(app=None).page
    True
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        page = (Path(streamlit.__file__).parent / "static" / "index.html").read_text("utf-8")
        self.page = page.replace("</head>", f"<style>{style.SHEET}</style></head>", 1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ours = False

        async def styled(message: Message) -> None:
            nonlocal ours
            headers = dict(message.get("headers", ()))
            if message.get("status") == 200 and headers.get(b"content-type", b"").startswith(b"text/html"):
                ours = True
                await HTMLResponse(self.page, headers={"Cache-Control": "no-cache"})(scope, receive, send)
            elif not ours:
                await send(message)

        await self.app(scope, receive, styled if scope["type"] == "http" else send)


app = App(HERE / "app.py", middleware=[Middleware(Styled)])
