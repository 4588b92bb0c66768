"""The guided tour: the steps of tour.toml, one after the other, each with a frame around what it talks about.

Where a visitor is on it stands in the URL, as `tour=3`; a step's own link says everything else.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import streamlit as st

from binviz.errors import UserError
from binviz_dashboard import state
from binviz_dashboard.pages import PAGES

FILE = Path(__file__).with_name("tour.toml")
FIELDS = {"title", "text", "link", "show"}
#: Keys of what may be framed that is no figure and no widget.
PLACES = ("both", "plane")

#: Brings what is framed into sight, once for every step, when it is drawn: all of it, or its upper end.
_LOOK = st.components.v2.component(
    "binviz.look",
    js="""
    export default function ({ data }) {
        if (window.binvizStep === data.step) return;
        window.binvizStep = data.step;
        const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
        const look = (tries) => {
            const app = document.querySelector("[data-testid=stApp]"), found = document.querySelector(data.show);
            if (found && app.dataset.testScriptState === "notRunning") {
                const grown = new ResizeObserver(() => found.scrollIntoView({
                    block: found.offsetHeight > innerHeight / 1.5 ? "start" : "center",
                    behavior: still ? "auto" : "smooth",
                }));
                [found, document.querySelector(".stMainBlockContainer")].forEach((each) => grown.observe(each));
                setTimeout(() => grown.disconnect(), 3000);
            } else if (tries && window.binvizStep === data.step) {
                setTimeout(look, 250, tries - 1);
            }
        };
        look(120);
    }
    """,
)


@dataclass(frozen=True)
class Step:
    """One step. page: in views/. values: of the URL. show: key of the figure or widget that is framed."""

    title: str
    text: str
    page: str
    values: dict[str, str]
    show: str

    @property
    def selector(self) -> str:
        """Of what is framed, in CSS."""
        return ".st-key-" + re.sub(r"[^\w-]", "-", self.show)


def steps() -> tuple[Step, ...]:
    """All steps in their order, as the file is now.

    Raises:
        UserError: tour.toml is not as its first lines say.

    >>> steps()[0].page, len(steps())
    ('answers', 22)
    """
    return read(FILE.read_text("utf-8"))


def read(text: str) -> tuple[Step, ...]:
    r"""Steps from the text of a tour.

    Raises:
        UserError: it is no TOML, or a step lacks something, has too much, or leads to no page.

    >>> read('[[step]]\ntitle = "A bit"\ntext = "It turns."\nlink = "bits?a=1+-1"\nshow = "chart-steps"')[0].values
    {'a': '1 -1'}
    """
    try:
        given = tomllib.loads(text).get("step", [])
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"tour.toml cannot be read: {error}") from error
    found = []
    for number, each in enumerate(given, start=1):
        if set(each) != FIELDS or not all(isinstance(value, str) for value in each.values()):
            raise UserError(f"step {number} of tour.toml needs {', '.join(sorted(FIELDS))}, each a text")
        link = urlsplit(each["link"])
        page = link.path or next(iter(PAGES))
        if page not in PAGES:
            raise UserError(f"step {number} of tour.toml leads to {page!r}; pages are {', '.join(PAGES)}")
        values = dict(parse_qsl(link.query, keep_blank_values=True))
        found.append(Step(each["title"], each["text"], page, values, each["show"]))
    if not found:
        raise UserError("tour.toml has no step; write one under [[step]]")
    return tuple(found)


def go(number: int, big: bool) -> None:
    """Lead the visitor to a step, which ends this run of the page.

    Args:
        number: from 1 on.
        big: on a projector, which it stays.
    """
    step = steps()[number - 1]
    values = step.values | {"tour": str(number)} | ({"big": "true"} if big else {})
    st.switch_page(f"views/{step.page}.py", query_params=values)


def show(big: bool) -> bool:
    """The panel of the step that the URL names; nothing for a visitor who is not on the tour.

    Returns:
        Whether the step frames a widget, which then has to be seen.
    """
    number = state.carry("tour", 0, _number)
    if not number:
        return False
    step, last = steps()[number - 1], len(steps())
    frame = "outline: 3px solid #D55E00; outline-offset: 5px; scroll-margin: 4rem 0 8rem"
    st.html(f"<style>{step.selector} {{{frame}}}</style>")
    with st.container(key=f"{state.OURS}-tour-panel", gap=None):
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            st.markdown(f"**{number} of {last}: {step.title}**", width="stretch")
            back = st.button("Back", key=f"{state.OURS}-back", shortcut="PageUp", disabled=number == 1)
            onward = st.button("Next", key=f"{state.OURS}-next", shortcut="PageDown", disabled=number == last)
            again = st.button("Again", key=f"{state.OURS}-again", help="Show the step as it was")
            st.button("Leave", key=f"{state.OURS}-leave", on_click=state.put, args=("tour", 0))
        st.markdown(step.text)
    _LOOK(data={"step": number, "show": step.selector}, key=f"{state.OURS}-look")
    for pressed, to in ((back, number - 1), (again, number), (onward, number + 1)):
        if pressed:
            go(to, big)
    return not step.show.startswith(("chart-", *PLACES))


def _number(text: str) -> int:
    number = int(text)
    if not 0 <= number <= len(steps()):
        raise ValueError
    return number
