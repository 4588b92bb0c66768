"""What the page of text shows: maps of a detector, its soft step by hand, and that step beside a sign's surrogates.

No Streamlit here.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
import torch
from numpy.typing import NDArray
from torch import nn

from binviz import plots
from binviz.binarizers import get
from binviz.data import scene_text, text_boxes, text_photos, validate
from binviz.data.scene_text import Scene
from binviz.losses.differentiable_binarization import differentiable_binarization
from binviz.tasks.pictures import normalise

#: The bundled model of the page.
DETECTOR = "scene-text-dbnet.float"
#: Of the scenes that the page offers: those of training and test have others.
SEED = 7
#: Longer side of a visitor's picture, in pixels.
LONGER = 320
#: Name -> a sign's binarizer, whose surrogates stand beside the soft step.
SIGNS = {"sign, window of BNN": "bnn", "sign, Bi-Real's gradient": "bireal-activation"}


class Maps(NamedTuple):
    """P and T of a detector, (H, W) float32."""

    probability: NDArray[np.float32]
    threshold: NDArray[np.float32]


def scene(number: int) -> Scene:
    """A generated scene that no detector has learned from or was judged on.

    >>> scene(3).picture.shape
    (128, 128, 3)
    """
    return scene_text.scene(np.random.default_rng((SEED, number)))


def own(content: bytes) -> NDArray[np.uint8]:
    """A visitor's picture from the bytes of its file, as a detector takes it.

    Raises:
        UserError: it is no picture, or too large.
    """
    return text_photos.fitted(validate.load_picture(content), LONGER)


@torch.no_grad()
def look(model: nn.Module, picture: NDArray[np.uint8]) -> Maps:
    """The maps of a detector, put in eval mode, for a picture (H, W, 3) whose sides are multiples of 32."""
    output = model.eval()(pixel_values=normalise(picture[None]))
    return Maps(output.logits.sigmoid()[0, 0].numpy(), output.thresholds[0, 0].numpy())


def stepped(maps: Maps, k: float, threshold: float | None) -> NDArray[np.float32]:
    """The approximate binary map, at the learned thresholds or at one for all.

    >>> maps = Maps(np.array([[0.2, 0.52]], np.float32), np.array([[0.3, 0.5]], np.float32))
    >>> [round(float(x), 4) for x in stepped(maps, 50.0, None)[0]]
    [0.0067, 0.7311]
    """
    at: torch.Tensor | float = torch.from_numpy(maps.threshold) if threshold is None else threshold
    return differentiable_binarization(torch.from_numpy(maps.probability), at, k).numpy()


def alive(maps: Maps, k: float, threshold: float | None) -> float:
    """Share of the pixels at which the step's gradient is at least a hundredth of its largest, k / 4.

    >>> maps = Maps(np.array([[0.5, 0.9]], np.float32), np.full((1, 2), 0.5, np.float32))
    >>> alive(maps, 1.0, None), alive(maps, 50.0, None)
    (1.0, 0.5)
    """
    soft = stepped(maps, k, threshold)
    return float((4 * soft * (1 - soft) >= 0.01).mean())


def figure(picture: NDArray[np.uint8], maps: Maps, k: float, threshold: float | None) -> go.Figure:
    """The picture with its boxes, and three maps."""
    cut = text_boxes.CUT if threshold is None else threshold
    shown = maps.threshold if threshold is None else np.full_like(maps.threshold, threshold)
    named = {
        "probability P": maps.probability,
        "threshold T": shown,
        "soft step of P - T": stepped(maps, k, threshold),
    }
    return plots.text_maps(picture, named, text_boxes.boxes(maps.probability, cut).corners)


def in_words(found: Scene, maps: Maps, threshold: float | None) -> str:
    """How many of a scene's words have a box, in a sentence.

    >>> picture = scene(3)
    >>> blank = np.zeros((128, 128), np.float32)
    >>> in_words(picture, Maps(blank, blank), None).partition(" ")[0]
    '0'
    """
    cut = text_boxes.CUT if threshold is None else threshold
    boxes = text_boxes.boxes(maps.probability, cut)
    right, counted, words = text_boxes.matched(boxes.corners, found.polygons, found.ignored)
    return f"{right} of {words} words have a box of their own; {counted - right} more boxes have no word."


def curves(k: float) -> go.Figure:
    """The soft step and two signs, each from 0 to 1, with the slope that the backward pass takes."""
    # Odd steps: no point lies where the signs jump
    x = np.linspace(-1, 1, 402)
    given = torch.from_numpy(x).requires_grad_()
    soft = differentiable_binarization(given, 0.0, k)
    soft.sum().backward()
    assert given.grad is not None
    outputs, slopes = {f"soft step, k = {k:g}": soft.detach().tolist()}, {}
    slopes[next(iter(outputs))] = given.grad.tolist()
    for title, name in SIGNS.items():
        value = torch.from_numpy(x).float().requires_grad_()
        sign = (get(name, features=1)(value[:, None]).squeeze(1) + 1) / 2
        sign.sum().backward()
        assert value.grad is not None
        outputs[title], slopes[title] = sign.detach().tolist(), value.grad.tolist()
    drawn = plots.curves(x.tolist(), outputs, slopes)
    return drawn.update_xaxes(title="probability minus threshold, P - T", row=2, col=1)


def code(number: int | None, k: float, threshold: float | None) -> str:
    """Python that draws the maps again; of a visitor's picture with the name of its file to fill in."""
    picture = (
        f"found_text.scene({number}).picture"
        if number is not None
        else 'found_text.own(open("my.jpg", "rb").read())'
    )
    return (
        "import binviz\nfrom binviz_dashboard import found_text\n\n"
        f"picture = {picture}\nmaps = found_text.look(binviz.load({DETECTOR!r}), picture)\n"
        f"figure = found_text.figure(picture, maps, {k:g}, {threshold})\n"
    )
