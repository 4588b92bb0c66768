"""Pictures that a float diffusion network and its 1-bit twin make of the same noise; no Streamlit here."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from torch import Tensor, nn

from binviz import plots, zoo
from binviz.analysis import sampling
from binviz.errors import UserError
from binviz.evidence import runs
from binviz.experiments import generated
from binviz.tasks import diffusion
from binviz.words import percent

#: Pictures that are drawn.
COUNT = 9
#: Steps of sampling that are offered, each a divisor of the schedule's.
STEPS = ("20", "5", "10", "50")
PICTURE, BELIEVED = "The picture", "What it believes in"


class Way(NamedTuple):
    """From noise to pictures: after each step the picture and the clean one that was seen, (steps, N, C, H, W)."""

    pictures: NDArray[np.float32]
    clean: NDArray[np.float32]

    def shown(self, what: str) -> NDArray[np.float32]:
        """(steps, N, H, W) of one of them, in grey."""
        return (self.pictures if what == PICTURE else self.clean).mean(axis=2)


class Pair(NamedTuple):
    """The entries in the zoo of a 1-bit network that says which noise is in a picture, and of its float partner."""

    binary: zoo.Entry
    teacher: zoo.Entry

    @property
    def task(self) -> diffusion.Pictures:
        return generated.KNOWN[self.binary.task]


def pairs() -> dict[str, Pair]:
    """Name of each bundled 1-bit network of that kind -> it and its partner.

    Raises:
        UserError: there is none.
    """
    entries = [zoo.describe(name) for name in zoo.names() if zoo.describe(name).task in generated.KNOWN]
    floats = {(entry.task, entry.arch): entry for entry in entries if entry.recipe == "float"}
    found = {
        entry.name: Pair(entry, floats[entry.task, entry.arch])
        for entry in entries
        if entry.recipe != "float" and (entry.task, entry.arch) in floats
    }
    if not found:
        raise UserError("this installation holds no networks that draw; install binviz again")
    return found


def noise(of: diffusion.Pictures, seed: int) -> Tensor:
    """What both networks begin with."""
    return sampling.noise(COUNT, (of.channels, of.side, of.side), seed)


def follow(model: nn.Module, of: diffusion.Pictures, seed: int, steps: int) -> Way:
    """What a network makes of the noise of a seed."""
    found = list(sampling.sample(model, noise(of, seed), diffusion.schedule(), steps))
    pictures, clean = (
        np.stack([getattr(step, name).numpy() for step in found]).astype(np.float32)
        for name in ("picture", "clean")
    )
    return Way(pictures, clean)


def apart(floats: Way, bits: Way) -> dict[str, list[float]]:
    """Root of the mean squared difference after each step, of the pictures and of what the networks believe in.

    >>> way = Way(np.zeros((2, 1, 1, 2, 2), np.float32), np.zeros((2, 1, 1, 2, 2), np.float32))
    >>> apart(way, Way(way.pictures + 0.5, way.clean))
    {'the picture': [0.5, 0.5], 'what they believe in': [0.0, 0.0]}
    """
    both = {
        "the picture": (floats.pictures, bits.pictures),
        "what they believe in": (floats.clean, bits.clean),
    }
    return {
        name: np.sqrt(np.square(ours - theirs).mean(axis=(1, 2, 3, 4))).tolist()
        for name, (ours, theirs) in both.items()
    }


def figure(pair: Pair, floats: Way, bits: Way, step: int, what: str) -> go.Figure:
    """The pictures of both after a step, and their difference."""
    ours, theirs = (way.shown(what)[step - 1] for way in (floats, bits))
    return plots.denoising(ours, theirs, ink=pair.task.dark)


def courses(differences: dict[str, list[float]], step: int) -> go.Figure:
    """What `apart` gives, step by step."""
    steps = range(1, len(next(iter(differences.values()))) + 1)
    drawn = plots.lines(steps, differences, "step", "1-bit apart from float (rms)", network="1-bit")
    return plots.reference_line(drawn, step, "shown", axis="x")


def code(pair: Pair, seed: int, steps: int, step: int, what: str) -> str:
    """Python that draws the pictures of `figure`."""
    wanted = "picture" if what == PICTURE else "clean"
    of = pair.task
    return (
        "import binviz\nfrom binviz import plots\nfrom binviz.analysis import sampling\n"
        "from binviz.tasks import diffusion\n\n"
        f"noise = sampling.noise({COUNT}, {(of.channels, of.side, of.side)}, seed={seed})\n"
        "pictures = []\n"
        f"for name in ({pair.teacher.name!r}, {pair.binary.name!r}):\n"
        f"    steps = list(sampling.sample(binviz.load(name), noise, diffusion.schedule(), steps={steps}))\n"
        f"    pictures.append(steps[{step - 1}].{wanted}.mean(1).numpy())\n"
        f"figure = plots.denoising(*pictures, ink={of.dark})\n"
    )


def recorded(entry: zoo.Entry) -> dict[str, str]:
    """What is on record of a network: its loss on held-out pictures, and how far what it draws is from real ones."""
    said = {}
    if "loss" in entry.metrics:
        said["Held-out loss"] = f"{entry.metrics['loss']:.4f}"
    _, cell, seed = entry.run
    run = runs.find(generated.EXPERIMENT, cell, seed)
    if run is not None and "frechet" in run.metrics:
        said["Frechet distance"] = f"{run.metrics['frechet']:.1f}"
    return said


def about(pair: Pair) -> str:
    """What the numbers mean, with the distance of real pictures where it is on record."""
    _, cell, seed = pair.binary.run
    run = runs.find(generated.EXPERIMENT, cell, seed)
    share = percent(pair.binary.bytes / pair.teacher.float_bytes)
    said = f"The 1-bit file takes {share} of the float network's bytes in memory."
    if run is None or "frechet" not in run.metrics:
        return f"{said} How far its pictures are from real ones is not on record."
    return (
        f"{said} The distance is the Frechet distance on the features of {run.config['classifier']}, of "
        f"{run.config['count']} pictures in {run.config['steps']} steps; it is no FID. As many real held-out pictures "
        f"have {run.metrics['frechet_held_out']:.1f}, for few pictures are a distance apart even where they are real."
    )
