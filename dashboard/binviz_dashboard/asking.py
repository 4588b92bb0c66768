"""The widgets with which every page asks for a model and an input."""

from __future__ import annotations

import streamlit as st

from binviz import zoo
from binviz.data import digits, sentences
from binviz.errors import UserError
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


def for_example(name: str) -> models.Example:
    """An input for that model: a sentence or a digit."""
    if zoo.describe(name).task == "digits":
        last = len(digits.raw("test")[1]) - 1
        state.follow("digit", 0)
        number = st.number_input("Picture", 0, last, key="digit", bind="query-params")
        return models.digit(state.keep("digit", number))
    ours = {sentence.text: models.CLASSES["sst2"][sentence.label] for sentence in sentences.load()}
    if "text" in st.query_params:
        st.session_state.setdefault("sentence", OWN)
    text = state.choose("Sentence", [*ours, OWN], "sentence")
    return models.sentence(_own_text() if text == OWN else text, name, cache.tokenizer(name), ours.get(text))


def number(label: str, count: int, key: str) -> int:
    """A number from 0 to count - 1; one that became too large with another choice becomes the last."""
    if st.session_state.get(key, 0) >= count:
        st.session_state[key] = count - 1
    return st.number_input(label, 0, count - 1, key=key, bind="query-params")


def _own_text() -> str:
    st.session_state.setdefault("text", st.query_params.get("text", FIRST_TEXT))
    state.follow("text", FIRST_TEXT)
    text = state.keep("text", st.text_area("Text", key="text"))
    if len(text) <= LONGEST_IN_URL:
        st.query_params["text"] = text
    return text
