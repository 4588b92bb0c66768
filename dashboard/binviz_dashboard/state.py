"""What is in the URL, what follows from page to page, and what a page says when it cannot use it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import streamlit as st

from binviz.errors import UserError

T = TypeVar("T")


@contextmanager
def one_line() -> Iterator[None]:
    """A UserError inside becomes one line on the page, which ends there; the app stays alive."""
    try:
        yield
    except UserError as error:
        line = str(error)
        st.error(line[:1].upper() + line[1:], icon=":material/error:")
        st.stop()


def arrive(page: str) -> None:
    """Note which page is run, and whether the last one was another."""
    st.session_state["moved"] = st.session_state.get("page") not in (None, page)
    st.session_state["page"] = page


def follow(key: str, default: object) -> None:
    """Before a widget: give it, and the URL, the value that it had on the page from where the user comes.

    Streamlit's own persist_state forgets, on the next page, a value that came with the URL.
    """
    value = st.session_state.get(f"kept {key}", default)
    if st.session_state.get("moved") and key not in st.query_params and value != default:
        st.session_state[key] = value
        st.query_params[key] = value


def keep(key: str, value: T) -> T:
    """After a widget: remember its value for other pages; returns it."""
    st.session_state[f"kept {key}"] = value
    return value


def choose(label: str, options: Sequence[str], key: str) -> str:
    """A select box; its value is in the URL under `key`, and follows to other pages that have the same key.

    The first option is the default, which the URL leaves out. A value in the URL that is none of the options
    gives one line.
    """
    given = st.query_params.get(key)
    if given is not None and given not in options:
        st.warning(
            f"No {label.lower()} is named {given[:60]!r}; showing {options[0]!r} instead.",
            icon=":material/link_off:",
        )
    if st.session_state.get(f"kept {key}") in options:
        follow(key, options[0])
    return keep(key, st.selectbox(label, options, key=key, bind="query-params"))


def first(default: str, options: Sequence[str]) -> list[str]:
    """The options with the default in front, where it is one of them.

    >>> first("b", ["a", "b", "c"]), first("d", ["a"])
    (['b', 'a', 'c'], ['a'])
    """
    return sorted(options, key=lambda option: option != default)
