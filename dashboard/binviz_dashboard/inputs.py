"""The widgets with which every page asks for a model and an input."""

from __future__ import annotations

import streamlit as st

from binviz import tasks
from binviz.data import sentences
from binviz.errors import UserError
from binviz.tasks import Example, text
from binviz_dashboard import cache, models, state

OWN = "Write my own"
FIRST_TEXT = "Not once did I look at my watch."
#: Longer texts are not written into the URL.
LONGEST_IN_URL = 500


def for_model() -> str:
    """A 1-bit model; its float partner is `models.float_name` of it."""
    names = models.binary_names()
    if not names:
        raise UserError("this installation holds no models; install binviz again")
    return state.choose("Model", names, "model")


def for_example(name: str) -> Example:
    """An input for that model, of the kind that its task shows."""
    task = tasks.of_model(name)
    return {"text": _text, "picture": _picture}[task.shows](task, name)


def chosen(name: str) -> int:
    """The number of the example that is shown; -1 where the visitor wrote it."""
    if tasks.of_model(name).shows == "picture":
        return int(st.session_state["digit"])
    texts = [sentence.text for sentence in sentences.load()]
    sentence = st.session_state["sentence"]
    return texts.index(sentence) if sentence in texts else -1


def show(name: str, number: int) -> None:
    """From a callback: show the example of that number."""
    if tasks.of_model(name).shows == "picture":
        st.session_state["digit"] = number
    else:
        st.session_state["sentence"] = sentences.load()[number].text


def _picture(task: tasks.Task, name: str) -> Example:
    """One of the held-out pictures, by its number."""
    last = len(task.held_out(None).examples) - 1
    state.follow("digit", 0)
    number = st.number_input("Picture", 0, last, key="digit", bind="query-params")
    return task.example(state.keep("digit", number), name, None)


def _text(task: tasks.Task, name: str) -> Example:
    """One of our sentences, or the visitor's own."""
    ours = {sentence.text: index for index, sentence in enumerate(sentences.load())}
    if "text" in st.query_params:
        st.session_state.setdefault("sentence", OWN)
    chosen, tokenizer = state.choose("Sentence", [*ours, OWN], "sentence"), cache.tokenizer(name)
    if chosen == OWN:
        return text.sentence(_own_text(), name, tokenizer)
    return task.example(ours[chosen], name, tokenizer)


def number(label: str, count: int, key: str) -> int:
    """A number from 0 to count - 1; one that became too large with another choice becomes the last."""
    if st.session_state.get(key, 0) >= count:
        st.session_state[key] = count - 1
    return st.number_input(label, 0, count - 1, key=key, bind="query-params")


def _own_text() -> str:
    st.session_state.setdefault("text", st.query_params.get("text", FIRST_TEXT))
    state.follow("text", FIRST_TEXT)
    written = state.keep("text", st.text_area("Text", key="text"))
    if len(written) <= LONGEST_IN_URL:
        st.query_params["text"] = written
    return written
