"""A picture of the visitor's own: from a file or the camera, made as small as a task's pictures, never written."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from binviz.data import validate
from binviz.tasks import Example, Task
from binviz_dashboard import state

BUNDLED, FILE, CAMERA = "bundled ones", "my own file", "my camera"
SOURCES = [BUNDLED, FILE, CAMERA]
#: Source -> key of its widget.
KEYS = {FILE: "photo", CAMERA: "camera"}


def picture(task: Task, source: str) -> Example:
    """What the visitor hands in, as the task's models read it; the page ends here until there is something.

    Args:
        task: with pictures.
        source: `FILE` or `CAMERA`.

    Raises:
        UserError: it is no picture, or too large.
    """
    given = handed_in(source, about(task))
    return example(task, given.getvalue(), given.name)


def handed_in(source: str, becomes: str) -> Any:
    """The visitor's file, with a name; the page ends here until there is one.

    Args:
        source: `FILE` or `CAMERA`.
        becomes: what becomes of it, in a sentence.
    """
    if state.visit().twice:
        given = st.session_state[KEYS[source]]
    elif source == FILE:
        given = st.file_uploader(
            "A picture, up to 16 MiB", type=["png", "jpg", "jpeg", "webp", "gif", "bmp"], key=KEYS[source]
        )
    else:
        given = st.camera_input("A photograph", key=KEYS[source])
    if given is None:
        what = "Choose a file." if source == FILE else "Take a photograph."
        st.info(f"{what} {becomes}", icon=":material/photo_camera:")
        state.hold()
        st.stop()
    return given


def example(task: Task, content: bytes, name: str) -> Example:
    """An input from the bytes of a picture file.

    Args:
        task: with pictures.
        content: of the file. name: of it, for the code that reads it again.

    Raises:
        UserError: it is no picture, or too large.
    """
    kind = task.pictures
    assert kind is not None
    small = kind.fit(validate.load_picture(content))
    fitted = f"tasks.get({task.name!r}).pictures.fit(validate.load_picture({name!r}))"
    return Example(
        f"own {hashlib.sha256(content).hexdigest()}",
        kind.read(small[None]),
        f"inputs = tasks.get({task.name!r}).pictures.read({fitted}[None])\n",
        imports="from binviz import tasks\nfrom binviz.data import validate\n",
        picture=small,
        picture_code=fitted,
    )


def about(task: Task) -> str:
    """What becomes of a visitor's picture.

    >>> from binviz import tasks
    >>> about(tasks.get("digits"))
    'Its middle is shrunk to 8 by 8 grey pixels. It stays on this machine, and is not written to a disk.'
    """
    assert task.pictures is not None
    high, wide, *colours = task.pictures.shape
    kind = "pixels" if colours else "grey pixels"
    return f"Its middle is shrunk to {wide} by {high} {kind}. It stays on this machine, and is not written to a disk."


def large(shown: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """A small picture with every pixel a square, about `side` pixels in all: a browser would blur it.

    >>> large(np.zeros((8, 8, 3), np.uint8), 100).shape
    (96, 96, 3)
    """
    times = max(side // max(shown.shape[:2]), 1)
    return shown.repeat(times, axis=0).repeat(times, axis=1)
