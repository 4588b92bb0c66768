"""One owner of what a visitor has chosen: the widgets, the URL, and what follows from page to page.

Every widget whose value stands in the URL is made here. The URL is a function of the values that are really shown:
`settle` writes it at the end of a run, without those that are the default. The other way round it is read when it did
not come from `settle`: at first, by the back button, by hand. A value that cannot be used becomes the default, and is
reported once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, TypeVar

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from binviz.errors import one_line

N = TypeVar("N", int, float)
V = TypeVar("V")

#: The entry of `st.session_state` that is ours, and the first letters of the keys of the frame.
OURS = "binviz"
#: Longer texts, and longer values in what is reported, are cut.
LONGEST_QUOTED = 60


@dataclass
class Visit:
    """What is known of a visitor between two runs.

    page: its path. moved: the last run was of another. written: the URL's values as they were last written.
    given: those of the URL that no widget has taken yet. fresh: the URL is to be read, so a widget that it does not
    name has its default. kept: key -> the last value, on any page. shown: key -> value of the widgets of this run.
    defaults: those left out of the URL. usual: key -> the default when it was last shown. said: see `say`. refused:
    lines about values that could not be used. jobs: key -> work of the visitor's, see `jobs`. twice: see `again`. sent:
    ids of the widgets whose values the browser brought to a session that did not know it.
    """

    page: str | None = None
    moved: bool = False
    written: dict[str, str] = field(default_factory=dict)
    given: dict[str, str] = field(default_factory=dict)
    fresh: bool = False
    kept: dict[str, Any] = field(default_factory=dict)
    shown: dict[str, Any] = field(default_factory=dict)
    defaults: set[str] = field(default_factory=set)
    usual: dict[str, Any] = field(default_factory=dict)
    said: str = ""
    refused: list[str] = field(default_factory=list)
    jobs: dict[str, Any] = field(default_factory=dict)
    twice: bool = False
    sent: tuple[str, ...] = ()


def visit() -> Visit:
    """The visitor's."""
    if OURS not in st.session_state:
        st.session_state[OURS] = Visit()
    found: Visit = st.session_state[OURS]
    return found


def arrive(page: str) -> None:
    """Before a page runs: look where it is, and whether the URL says something that `settle` did not write."""
    seen, url = visit(), dict(st.query_params)
    touched = any(key in st.session_state and st.session_state[key] != seen.shown[key] for key in seen.shown)
    seen.moved = moved = page != seen.page
    context = get_script_run_ctx()
    returned = context is not None and context.is_history_navigation
    # After a restart of the server a browser is silent until a click, with which it sends what all its widgets show
    met = context is None or seen.page is not None
    seen.sent = () if met else tuple(context.session_state._state._new_widget_state)
    # A click that comes before the browser has heard of the last URL sends the one before it: the click counts.
    if moved or (url != seen.written and not touched):
        # Without values a page's name shows what follows from page to page, an entry of the history the defaults
        seen.given, seen.fresh = url, bool(url) or not moved or returned
    else:
        seen.fresh = False
    seen.page, seen.shown, seen.defaults, seen.refused = page, {}, set(), []


def settle() -> list[str]:
    """After a page has run: write the URL; returns lines about what could not be used."""
    seen = visit()
    for key, value in seen.given.items():
        seen.refused.append(f"{key}={_quoted(value)} is no setting of what is shown here")
    seen.given = {}
    hold()
    return seen.refused


def hold() -> None:
    """Write the URL of a page that ends early: what is shown, and what no widget has taken yet."""
    seen = visit()
    texts = {key: _text(value) for key, value in seen.shown.items() if key not in seen.defaults}
    seen.written = seen.given | texts
    if dict(st.query_params) != seen.written:
        st.query_params.from_dict(seen.written)


def address(page: str, **values: Any) -> str:
    """A link to a page with some values.

    >>> address("inside", model="digits-vit.bit-w1a1", layer=2)
    '/inside?model=digits-vit.bit-w1a1&layer=2'
    """
    from urllib.parse import urlencode

    return f"/{page}?{urlencode({key: _text(value) for key, value in values.items()})}"


def imply(key: str, other: str, value: str) -> None:
    """Where the link gives `key` and leaves out `other`, it means that value of it."""
    given = visit().given
    if key in given:
        given.setdefault(other, value)


def linked(key: str) -> str:
    """What the link gives for `key`, as long as no widget has taken it; "" where it gives nothing."""
    return visit().given.get(key, "")


def ahead(key: str) -> str:
    """What a widget that is not drawn yet is going to show, as the link or the visitor says; "" for its default."""
    seen = visit()
    if key in seen.given or seen.fresh:
        return linked(key)
    value = st.session_state.get(key, seen.kept.get(key))
    return "" if value in (None, seen.usual.get(key)) else _text(value)


def translate(key: str, read: Callable[[str], str]) -> None:
    """Where the link gives `key`, as an older version wrote it, it means what `read` makes of it."""
    given = visit().given
    if key in given:
        given[key] = read(given[key])


def put(key: str, value: Any) -> None:
    """From a callback: the value that a widget has from the next run on."""
    visit().kept[key] = st.session_state[key] = value


def say(line: str) -> None:
    """From a callback: a line that the page says once, see `said`."""
    visit().said = line


def said() -> str:
    """What a callback had to say; "" for nothing."""
    line, visit().said = visit().said, ""
    return line


def choose(
    label: str,
    options: Sequence[str],
    key: str,
    *,
    words: Mapping[str, str] | None = None,
    few: bool = False,
    about: str | None = None,
) -> str:
    """One of some names; the first is the default.

    Args:
        label: of the widget.
        options: the names, as they stand in the URL.
        key: of the widget and of the URL.
        words: name -> how it is shown, where that differs.
        few: all stand side by side, in place of a box that opens.
        about: said beside the label.
    """

    def read(text: str) -> str:
        if text not in options:
            raise ValueError
        return text

    if _known(key):
        value = visit().shown[key]
        return value if value in options else options[0]
    _begin(key, options[0], read, lambda value: value if value in options else options[0])
    named = (lambda option: words.get(option, option)) if words else str
    if few:
        value = st.segmented_control(
            label, options, key=key, format_func=named, required=True, help=about, width="content"
        )
    else:
        value = st.selectbox(label, options, key=key, format_func=named, help=about)
    return _end(key, options[0] if value is None else value, options[0])


def number(
    label: str, low: N, high: N, default: N, key: str, *, step: N | None = None, about: str | None = None
) -> N:
    """A number within bounds; both ends are allowed."""
    if _known(key):
        return _within(key, low, high, default)
    _begin(key, default, _reader(low, high), lambda value: min(max(type(low)(value), low), high))
    value = st.number_input(label, low, high, key=key, step=step, help=about)
    return _end(key, value, default)


def slide(label: str, low: N, high: N, default: N, key: str, *, step: N, about: str | None = None) -> N:
    """A number within bounds, on a slider."""
    if _known(key):
        return _within(key, low, high, default)
    _begin(key, default, _reader(low, high), lambda value: min(max(type(low)(value), low), high))
    return _end(key, st.slider(label, low, high, key=key, step=step, help=about), default)


def tick(label: str, key: str, default: bool = False, *, about: str | None = None) -> bool:
    """Yes or no."""

    def read(text: str) -> bool:
        return {"true": True, "false": False}[text.lower()]

    if _known(key):
        return bool(visit().shown[key])
    _begin(key, default, read, bool)
    return _end(key, st.toggle(label, key=key, help=about), default)


def write(
    label: str, key: str, default: str, longest: int, *, lines: bool = False, about: str | None = None
) -> str:
    """A text of at most so many characters."""

    def read(text: str) -> str:
        if len(text) > longest:
            raise ValueError
        return text

    if _known(key):
        return str(visit().shown[key])[:longest]
    _begin(key, default, read, lambda value: str(value)[:longest])
    ask = st.text_area if lines else st.text_input
    return _end(key, ask(label, key=key, max_chars=longest, help=about), default)


def carry(key: str, default: V, read: Callable[[str], V]) -> V:
    """A value that is shown by something other than a widget of Streamlit's, and changed by `put`.

    Args:
        key: of the URL.
        default: left out of the URL.
        read: the URL's text -> a value; a KeyError or ValueError says that it is none.
    """
    _begin(key, default, read, lambda value: read(_text(value)))
    return _end(key, st.session_state[key], default)


def sentence(line: str) -> str:
    """The line of an error as a sentence; a name in front, of a model or a folder, stays as it is.

    >>> sentence("port 80 is taken"), sentence("google/bert is none")
    ('Port 80 is taken', 'google/bert is none')
    """
    return line[:1].upper() + line[1:] if line.partition(" ")[0].isalpha() else line


@contextmanager
def again() -> Iterator[None]:
    """Around a view that is drawn once more, of another model: a widget that the page has stays one, with one value.

    Where the other model has no such value its own default stands in.
    """
    seen = visit()
    seen.twice = True
    try:
        yield
    finally:
        seen.twice = False


def own(key: str) -> str:
    """The key, made another one in a view that is drawn once more."""
    return f"{key}-2" if visit().twice else key


def _known(key: str) -> bool:
    """Whether a widget stands on the page already, for the view that is drawn once more."""
    seen = visit()
    return seen.twice and key in seen.shown


def first(default: str, options: Sequence[str]) -> list[str]:
    """The options with the default in front, where it is one of them.

    >>> first("b", ["a", "b", "c"]), first("d", ["a"])
    (['b', 'a', 'c'], ['a'])
    """
    return sorted(options, key=lambda option: option != default)


def plain(text: object) -> str:
    r"""One line in which Markdown finds nothing to do.

    >>> plain("layers.*.ffn_in is __not__ here")
    'layers\\.\\*\\.ffn\\_in is \\_\\_not\\_\\_ here'
    """
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", one_line(text))


def _within(key: str, low: N, high: N, default: N) -> N:
    """The number of a widget that is on the page, or the own default where it stands at its."""
    seen = visit()
    return default if key in seen.defaults else min(max(type(low)(seen.shown[key]), low), high)


def _begin(key: str, default: Any, read: Callable[[str], Any], mend: Callable[[Any], Any]) -> None:
    """Before a widget: its value, from the URL, or from what the visitor chose last, or the default.

    Args:
        read: the URL's text -> a value; a KeyError or ValueError says that it is none.
        mend: a value that was chosen among other options -> the nearest one that there is.
    """
    if key.startswith(OURS):
        raise ValueError(f"{key!r} begins as the frame's own keys do")
    seen, chosen = visit(), st.session_state
    if any(ident.endswith(f"-{key}") for ident in seen.sent):
        seen.given.pop(key, None)
    elif key in seen.given:
        text = seen.given.pop(key)
        try:
            chosen[key] = read(text)
        except (KeyError, ValueError):
            chosen[key] = default
            seen.refused.append(f"{key}={_quoted(text)} cannot be shown; this is {_text(default)!r} instead")
    elif seen.fresh:
        chosen[key] = default
    else:
        value = chosen[key] if key in chosen else seen.kept.get(key, default)
        # A default that depends on other choices moves with them, as it would in a link
        if key in seen.usual and value == seen.usual[key]:
            value = default
        try:
            mended = mend(default if value is None else value)
        except (TypeError, ValueError):
            mended = default
        # On another page the widget is another one to Streamlit, and would begin with its own default.
        if seen.moved or key not in chosen or mended != chosen[key]:
            chosen[key] = mended


def _end(key: str, value: Any, default: Any) -> Any:
    """After a widget: remember what it shows."""
    seen = visit()
    seen.kept[key] = seen.shown[key] = value
    seen.usual[key] = default
    if value == default:
        seen.defaults.add(key)
    return value


def _reader(low: N, high: N) -> Callable[[str], N]:
    def read(text: str) -> N:
        value = type(low)(text)
        if not isfinite(value) or not low <= value <= high:
            raise ValueError
        return value

    return read


def _text(value: Any) -> str:
    """A value as it stands in the URL.

    >>> _text(True), _text(0.1 + 0.2), _text(7)
    ('true', '0.3', '7')
    """
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _quoted(text: str) -> str:
    return repr(one_line(text, LONGEST_QUOTED))
