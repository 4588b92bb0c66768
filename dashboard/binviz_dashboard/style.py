"""What our pages add to Streamlit's own style, and the layer that puts it into the head of the page of a browser.

Sent by a page like its other elements it would come too late: Streamlit fetches the code of an element when it first
meets one, and what was drawn before would move.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from binviz.plots.theme import TEXT
from binviz_dashboard.state import OURS

#: How far a page is: it is seen for the first time, and not all of it is there; it was sent; it has been used.
NEW, SENT, USED = STAGES = ("new", "sent", "used")
#: Pixels up to which a window is narrow; Streamlit's columns stand under one another up to there.
NARROW = 640
_STAGE, _BODY, _BIG = f"st-key-{OURS}-stage", f".st-key-{OURS}-body", "html:has([class*=-in-a-hall])"
_FIGURE, _FORMULA = "> .stColumn .stPlotlyChart", "> .stColumn .katex-display"


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
#: In a hall type grows, and a figure takes most of a screen; beside it stays a formula, which says the same.
BIG = f"""
{_BIG} {{font-size: 21px !important}}
{_BIG} .stMainBlockContainer.stMainBlockContainer {{padding: 4rem 1rem 2rem}}
{_BIG} .stHorizontalBlock:has({_FORMULA}) [data-testid=stMetricValue] {{font-size: 1.7rem}}
{_BIG} .stHorizontalBlock:has({_FIGURE}):not(:has({_FORMULA})) {{flex-direction: column}}
{_BIG} .stHorizontalBlock:has({_FIGURE}):not(:has({_FORMULA})) > .stColumn {{width: 100%; flex: none}}
"""
#: Boxes that hold whole sentences.
LONG = ":is(.st-key-sentence, .st-key-text, .st-key-question, .st-key-run, .st-key-beside)"
#: On a phone a question has the whole width, its buttons stand below it, and two numbers stand side by side.
SMALL = f"""
@media (max-width: {NARROW}px) {{
    .stApp.stApp .stExpander .katex-display {{font-size: 0.8em; overflow-x: auto}}
    .st-key-{OURS}-head > :first-child {{flex: 1 1 100%}}
    .st-key-{OURS}-controls > {LONG} {{flex: 1 1 100% !important}}
    .st-key-{OURS}-controls > * {{max-width: 100% !important}}
    .stMainBlockContainer h3 {{font-size: 1.5rem}}
    .stMainBlockContainer .stHorizontalBlock {{gap: 1rem}}
    [data-testid=stButtonGroup] :is([role=radiogroup], [role=group]) {{flex-wrap: wrap}}
    [data-testid=stMetricValue] {{font-size: 1.7rem}}
    .stHorizontalBlock > .stColumn:has([data-testid=stMetric]):not(:has(.stPlotlyChart, .katex)) {{
        flex: 1 1 calc(50% - 1rem); min-width: calc(50% - 1rem)
    }}
}}
"""
#: The panel of the tour stays at the lower edge, and what it talks about, in a frame, above it: see tour.py.
TOUR = f"""
.st-key-{OURS}-tour-panel.st-key-{OURS}-tour-panel {{
    position: fixed; left: 0; right: 0; bottom: 0; z-index: 50; width: auto; padding: 0.6rem 1rem;
    border-top: 3px solid #D55E00; background: light-dark(#ffffff, #171614)
}}
.stApp:has(.st-key-{OURS}-tour-panel) .stMainBlockContainer.stMainBlockContainer {{padding-bottom: 14rem}}
"""
#: Of two models side by side each has one column, in which its figures stand under one another, as wide as alone.
PAIR = f"""
.st-key-{OURS}-pair .stColumn .stHorizontalBlock:has(> .stColumn .stPlotlyChart) {{flex-direction: column}}
.st-key-{OURS}-pair .stColumn .stHorizontalBlock:has(> .stColumn .stPlotlyChart) > .stColumn {{width: 100%; flex: none}}
"""
#: Type of a figure, but what lies on its colours, follows the page's theme at once; the figure itself at the next run.
TYPE = f"""
.js-plotly-plot .main-svg text:not(.heatmap-label *, .bartext-inside, .hoverlayer *) {{
    fill: light-dark({TEXT["binviz"]}, {TEXT["binviz_dark"]}) !important
}}
"""
#: What has the focus shows it, also where Streamlit leaves it to a shade of colour.
FOCUS = """
:is(button, a, summary, [role=tab], [role=radio], [tabindex="0"]):focus-visible {
    outline: 3px solid #0072B2; outline-color: light-dark(#0072B2, #56B4E9); outline-offset: 2px
}
"""
#: Streamlit begins with a narrow column in the middle, whatever layout a page asks for.
SHEET = f"""
.stMainBlockContainer.stMainBlockContainer {{max-width: none; padding: 4.5rem 1rem 3rem}}
@media (min-width: 48rem) {{
    .stMainBlockContainer.stMainBlockContainer {{padding-left: 5rem; padding-right: 5rem}}
}}
.stPlotlyChart .modebar-container {{width: 0 !important; height: 0 !important; overflow: hidden}}
[data-testid=stButtonGroup] button {{min-height: 2.5rem}}
.stApp [data-testid=stCaptionContainer] {{opacity: 1; color: light-dark(#595c66, #b4b9c4)}}
.stApp [data-testid=stCaptionContainer] :is(p, li) {{color: inherit}}
.st-key-{OURS}-controls.st-key-{OURS}-controls > :not(:has([data-testid=stButtonGroup])) {{max-width: 26rem}}
.st-key-{OURS}-controls.st-key-{OURS}-controls > {LONG} {{max-width: 44rem; flex-grow: 4 !important}}
.stApp.stApp .katex-display {{overflow: visible}}
[class*=st-key-chart-] {{position: relative}}
[class*=st-key-bar-][class*=st-key-bar-] {{position: absolute; top: -0.5rem; right: 0; z-index: 5; width: auto}}
.stApp.stApp :is([data-testid=stMetricLabel], [data-testid=stMetricValue]),
.stApp.stApp :is([data-testid=stMetricLabel], [data-testid=stMetricValue]) * {{white-space: normal; overflow: visible}}
{SMALL}{PAIR}{TOUR}{TYPE}{FOCUS}{APPEARS}{BIG}"""
#: Tells the server before the first picture whether the screen is narrow, where it is asked for in `narrow`.
WIDTH = f"document.cookie = '{OURS}-narrow=' + Number(innerWidth <= {NARROW}) + '; path=/; SameSite=Strict';"
#: One act of the visitor makes one entry of the browser's history. Streamlit makes one whenever a URL is written:
#: also of the page that is left, with the values of the next one, and for values that follow to a page.
ENTRIES = """
{
    let acted = false;
    for (const act of ["pointerdown", "keydown", "click"]) addEventListener(act, () => acted = true, true);
    addEventListener("popstate", () => acted = false);
    const push = history.pushState;
    history.pushState = function (...entry) {
        if (acted) push.apply(this, entry); else this.replaceState(...entry);
        acted = false;
    };
}
"""
SCRIPT = WIDTH + ENTRIES


def narrow() -> bool:
    """Whether the visitor's window was narrow, as on a phone, when the page was loaded."""
    return st.context.cookies.get(f"{OURS}-narrow") == "1"


class Styled:
    """A layer around an app: every HTML page that it answers with becomes Streamlit's with our style.

    A file that a visitor saves, whatever it is, stays as it is.

    >>> "<style>" in Styled(app=None).page
    True
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        page = (Path(st.__file__).parent / "static" / "index.html").read_text("utf-8")
        self.page = page.replace("</head>", f"<style>{SHEET}</style><script>{SCRIPT}</script></head>", 1)

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
