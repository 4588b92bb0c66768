"""The playground of nets in two dimensions: it runs in the visitor's browser, and its settings are in the URL.

net.js         points, nets, training: the formulas of `binviz.playground.plane`
draw.js        pictures of them
settings.js    from and to a link, CSV, a script with the library
form.js        what a visitor operates
playground.js  the page itself
controls.json  what can be chosen, for both sides
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import streamlit as st

from binviz_dashboard import state

HERE = Path(__file__).parent
#: Modules of the page, each importing only from those before it.
MODULES = ("net.js", "draw.js", "settings.js", "form.js", "playground.js")
CONTROLS: list[dict[str, Any]] = json.loads((HERE / "controls.json").read_text("utf-8"))
BY_KEY = {control["key"]: control for control in CONTROLS}
#: Of the component in a page.
KEY = "plane"


def source() -> str:
    """All of the page's JavaScript as one module, which nothing has to be fetched for."""
    texts = ((HERE / name).read_text("utf-8") for name in MODULES)
    return "\n".join(re.sub(r'^import .* from "\./.*";$', "", text, flags=re.MULTILINE) for text in texts)


def style() -> str:
    """The page's own style sheet."""
    return (HERE / "playground.css").read_text("utf-8")


def read(control: dict[str, Any], text: str) -> Any:
    """A control's value from its text.

    Raises:
        ValueError: it is none.

    >>> read(BY_KEY["depth"], "3"), read(BY_KEY["ends"], "true"), read(BY_KEY["hide"], "noise,gone,lr")
    (3, True, 'noise,gone,lr')
    """
    kind = control["kind"]
    if kind == "names":  # what a later version no longer has is hidden as well
        return text[:1000]
    if kind == "points":
        if text and not re.fullmatch(r"-?\d{1,3}_-?\d{1,3}_[01](\.-?\d{1,3}_-?\d{1,3}_[01]){0,199}", text):
            raise ValueError
        return text
    if kind == "choice":
        if text not in control["options"]:
            raise ValueError
        return text
    if kind == "switch":
        return {"true": True, "false": False}[text]
    value = float(text)
    if not control["low"] <= value <= control["high"] or (isinstance(control["step"], int) and value % 1):
        raise ValueError
    return int(value) if isinstance(control["step"], int) else value


def settings() -> dict[str, Any]:
    """What the visitor has chosen, or the link says."""
    return {
        control["key"]: state.carry(
            control["key"], control["default"], lambda text, control=control: read(control, text)
        )
        for control in CONTROLS
    }


def show(big: bool) -> dict[str, Any]:
    """Draw the playground; returns its settings.

    Args:
        big: for a projector.
    """
    chosen = settings()
    _PLANE(
        data={"controls": CONTROLS, "settings": chosen, "turn": _told().get("turn", 0), "big": big},
        key=KEY,
        on_settings_change=_take,
    )
    return chosen


def one_file(chosen: dict[str, Any]) -> str:
    """A page with everything in it, which needs no server and no network."""
    given = json.dumps([CONTROLS, chosen]).replace("<", "\\u003c")
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>binviz playground</title>
<style>
body {{ margin: 1rem; font-family: sans-serif; background: #ffffff; color: #31333f; --st-background-color: #ffffff; }}
@media (prefers-color-scheme: dark) {{
  body {{ background: #0e1117; color: #fafafa; --st-text-color: #fafafa; --st-background-color: #0e1117; }}
}}
{style()}</style>
<h1 style="font-size: 1.4rem">How does a network learn when its weights are only signs?</h1>
<div class="plane"></div>
<script type="module">
{source()}
window.playground = alone(document.querySelector(".plane"), ...{given});
</script>
</html>
"""


def _told() -> dict[str, Any]:
    return (st.session_state.get(KEY) or {}).get("settings") or {}


def _take() -> None:
    """Before the next run: what the browser says that is chosen, as far as it can be."""
    for key, value in _told().items():
        if key in BY_KEY:
            try:
                state.put(
                    key, read(BY_KEY[key], str(value).lower() if isinstance(value, bool) else str(value))
                )
            except (KeyError, ValueError):
                continue


_PLANE = st.components.v2.component(
    "binviz.plane", html="<div class='plane'></div>", css=style(), js=source()
)
