"""On the page Your model: what a file of the visitor's holds, and how many bits a weight of it really takes."""

from __future__ import annotations

import streamlit as st

from binviz.analysis.contents import contents, readable, summed_up
from binviz_dashboard import jobs, state


def is_file(source: str) -> bool:
    """Whether the visitor names a file of weights.

    >>> is_file("/models/bonsai.gguf"), is_file("google/bert_uncased_L-2_H-128_A-2")
    (True, False)
    """
    return source.endswith((".gguf", ".safetensors"))


def show(source: str) -> None:
    """A button that reads the file, and the table of its tensors; only for who sits at this machine.

    Args:
        source: path of the file.
    """
    found = jobs.offer(
        "Read it here",
        "contents",
        source,
        lambda tell: contents(
            source, progress=False, tell=lambda share, name: tell(share, state.plain(name))
        ),
        ceiling=900,
    )
    if found is None:
        st.caption("Every tensor is read once, one after another. Nothing of the file is run.")
        return
    if found.question != source:
        st.info(f"Below is {state.plain(found.question)}.", icon=":material/history:")
    st.markdown(f"**{summed_up(found.answer)}**")
    st.dataframe(readable(found.answer), hide_index=True, alt="The tensors of the file.")
    st.caption(
        "Bits per weight are those of the tensor's bytes, its scales included. Zeros and positive are shares of its "
        "numbers, scales those of its blocks or rows. What each binarizer would lose says `binviz scan` with this path."
    )
