"""What our pages add to Streamlit's own style, and the layer that puts it into the head of the page of a browser.

Sent by a page like its other elements it would come too late: Streamlit fetches the code of an element when it first
meets one, and what was drawn before would move.
"""

from __future__ import annotations

from pathlib import Path

import streamlit
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from binviz_dashboard.state import OURS

#: How far a page is: it is seen for the first time, and not all of it is there; it was sent; it has been used.
NEW, SENT, USED = STAGES = ("new", "sent", "used")
_STAGE, _BODY, _BIG = f"st-key-{OURS}-stage", f".st-key-{OURS}-body", "html:has([class*=-in-a-hall])"


def stage(which: str, big: bool) -> str:
    """Key of the container that says how far a page is.

    Args:
        which: of `STAGES`.
        big: on a projector.

    >>> stage(NEW, big=True)
    'binviz-stage-new-in-a-hall'
    """
    return f"{OURS}-stage-{which}" + ("-in-a-hall" if big else "")


#: A page that is seen for the first time appears as a whole, its question before: nothing moves under the eye. What
#: says that it takes a while, or that something went wrong, is seen at once.
APPEARS = f"""
.stApp:has([class*={_STAGE}-new]) {_BODY},
.stApp:has([class*={_STAGE}-sent]):has([data-testid=stSkeleton]) {_BODY} {{visibility: hidden}}
{_BODY} :is(.stSpinner, .stAlert, .stException) {{visibility: visible}}
"""
#: In a hall type grows, and a figure takes most of a screen.
BIG = f"""
{_BIG} {{font-size: 21px !important}}
{_BIG} .stMainBlockContainer.stMainBlockContainer {{padding: 4rem 1rem 2rem}}
{_BIG} .stHorizontalBlock:has(> .stColumn .stPlotlyChart) {{flex-direction: column}}
{_BIG} .stHorizontalBlock:has(> .stColumn .stPlotlyChart) > .stColumn {{width: 100%; flex: none}}
"""
#: Streamlit begins with a narrow column in the middle, whatever layout a page asks for.
SHEET = f"""
.stMainBlockContainer.stMainBlockContainer {{max-width: none; padding: 4.5rem 1rem 3rem}}
@media (min-width: 48rem) {{
    .stMainBlockContainer.stMainBlockContainer {{padding-left: 5rem; padding-right: 5rem}}
}}
.stPlotlyChart .modebar-container {{width: 0 !important; height: 0 !important; overflow: hidden}}
[data-testid=stButtonGroup] button {{min-height: 2.5rem}}
[data-testid=stCaptionContainer] {{color: inherit; opacity: 0.78}}
[class*=st-key-chart-] {{position: relative}}
[class*=st-key-bar-] {{position: absolute; top: -0.5rem; right: 0; z-index: 5; width: auto}}
@media (max-width: 640px) {{
    .katex-display {{overflow-x: auto}}
}}
{APPEARS}{BIG}"""


class Styled:
    """A layer around an app: every HTML page that it answers with becomes Streamlit's with our style.

    A file that a visitor saves, whatever it is, stays as it is.

    >>> "<style>" in Styled(app=None).page
    True
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        page = (Path(streamlit.__file__).parent / "static" / "index.html").read_text("utf-8")
        self.page = page.replace("</head>", f"<style>{SHEET}</style></head>", 1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ours = False

        async def styled(message: Message) -> None:
            nonlocal ours
            headers = dict(message.get("headers", ()))
            html = headers.get(b"content-type", b"").startswith(b"text/html")
            if message.get("status") == 200 and html and b"content-disposition" not in headers:
                ours = True
                await HTMLResponse(self.page, headers={"Cache-Control": "no-cache"})(scope, receive, send)
            elif not ours:
                await send(message)

        await self.app(scope, receive, styled if scope["type"] == "http" else send)
