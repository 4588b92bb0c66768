"""The widgets with which the lab asks for a tensor: drawn at random, from a bundled model, or uploaded."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from binviz import tasks, zoo
from binviz.data import validate
from binviz.errors import UserError
from binviz_dashboard import cache, lab, lab_code, state
from binviz_dashboard.lab import ACTIVATIONS, FILE, WEIGHTS

#: Number of the example whose activations are shown: of our sentences the first long one.
EXAMPLE = 50
_ROWS = "x = torch.from_numpy(lab.as_rows({array}))\n"
_FROM_MODEL = "import binviz\nfrom binviz import zoo\nfrom binviz_dashboard import lab\n\n"


class Tensor(NamedTuple):
    """name: stands for it in caches. x: (rows, columns). source: Python that makes x."""

    name: str
    x: NDArray[np.float32]
    source: str


def ask(natural: str) -> Tensor:
    """The chosen input of the lab.

    Args:
        natural: the kind of input to begin with.

    Raises:
        UserError: the uploaded file cannot be used, or no models are bundled.
    """
    kinds = [*lab.DISTRIBUTIONS, WEIGHTS, ACTIVATIONS, FILE]
    kind = state.choose("Input", state.first(natural, kinds), "input")
    if kind == FILE:
        return _uploaded()
    if kind in (WEIGHTS, ACTIVATIONS):
        names = zoo.names("*.float")
        if not names:
            raise UserError("this installation holds no models; install binviz again")
        name = state.choose("From the model", names, "from")
        return _weights(name) if kind == WEIGHTS else _activations(name)
    centre = 0.0
    if kind in lab.CENTRED:
        centre = state.slide("Centre", -3.0, 3.0, 0.0, "centre", step=0.1)
    spread = state.slide("Spread", 0.1, 4.0, 1.0, "spread", step=0.1)
    seed = state.number("Seed", 0, 9999, 0, "seed")
    source = lab_code.source_of_distribution(kind, centre, spread, seed)
    return Tensor(source, cache.drawn(kind, centre, spread, seed), source)


def _weights(name: str) -> Tensor:
    layers = [
        key
        for key, value in cache.model(name).model.named_parameters()
        if key.endswith(".weight") and value.ndim > 1
    ]
    layer = state.choose("Weights", layers, "weights")
    weight = cache.model(name).model.get_parameter(layer).detach().flatten(1).numpy()
    lines = f"weight = binviz.load({name!r}).get_parameter({layer!r}).detach().flatten(1).numpy()\n"
    return Tensor(f"{name} {layer}", lab.as_rows(weight), _FROM_MODEL + lines + _ROWS.format(array="weight"))


def _activations(name: str) -> Tensor:
    example = tasks.of_model(name).example(EXAMPLE, name, cache.tokenizer(name))
    seen = cache.captured(name, example.key, example)
    layers = [key for key in seen if seen[key].ndim > 1 and not key.endswith(".scores")]
    layer = state.choose("Activations", layers, "activations")
    lines = f"{example.imports}{example.code}seen = binviz.capture(binviz.load({name!r}), inputs)\n"
    source = _FROM_MODEL.rstrip("\n") + "\n" + lines + _ROWS.format(array=f"seen[{layer!r}]")
    return Tensor(f"{name} {example.key} {layer}", lab.as_rows(seen[layer]), source)


def _uploaded() -> Tensor:
    file = st.file_uploader("A .npy file of floats, up to 32 MiB", type="npy", key="file")
    if file is None:
        st.info("Choose a file that numpy.save wrote.")
        state.hold()
        st.stop()
    content = file.getvalue()
    x = lab.as_rows(validate.load_array(content))
    source = "from binviz.data import validate\nfrom binviz_dashboard import lab\n\n"
    source += _ROWS.format(array=f"validate.load_array({file.name!r})")
    return Tensor(hashlib.sha256(content).hexdigest(), x, source)
