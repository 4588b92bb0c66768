"""On the page Your model: what a file of the visitor's holds, how many bits a weight of it takes, what fewer lose."""

from __future__ import annotations

import streamlit as st

from binviz.analysis.contents import contents, readable, summed_up
from binviz.analysis.scan import by_tensor, scan
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
        lambda tell: contents(source, progress=False, tell=_plainly(tell)),
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
        "numbers, scales those of its blocks or rows."
    )
    lost = jobs.offer(
        "What would fewer bits lose?",
        "losses",
        found.question,
        lambda tell: by_tensor(scan(found.question, progress=False, tell=_plainly(tell))),
        ceiling=900,
    )
    if lost is not None and lost.question == found.question:
        st.dataframe(
            lost.answer.assign(shape=[" × ".join(map(str, shape)) for shape in lost.answer["shape"]]),
            hide_index=True,
            column_config=dict.fromkeys(
                lost.answer.columns[3:], st.column_config.NumberColumn(format="%.3f")
            ),
            alt="What each binarizer would lose of each tensor.",
        )
        st.caption(
            "The norm of what is lost over that of the tensor, 0 = nothing: signs alone and with three papers' scales, "
            "then three levels, two sets of signs (BinaryDM) and two of {0, 1} (DB-LLM), before any training. More, in "
            "other orders and with other binarizers, says `binviz scan` with this path."
        )


def _plainly(tell: jobs.Tell) -> jobs.Tell:
    return lambda share, name: tell(share, state.plain(name))
