"""What trained diffusion networks draw: pictures from the same noise, and how far they are from real ones.

    python -m binviz.experiments.generated runs-out/digits-diffusion.*.seed0 digits-diffusion.float

Each network draws as many pictures as there are held-out digits, by DDIM in 20 steps. Beside the record lie the first
of them, a PNG of at most some kilobytes. The distance is the *Frechet distance on the features of digits-cnn* to the
training digits, and on those of cifar10-vit, which reads pictures of 16 pixels enlarged to 32, to the first training
pictures; neither is to be compared with a FID (`binviz.analysis.frechet`). Beside it stands that of as many real
held-out pictures, since few pictures are a distance apart even where they are real.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

import binviz
from binviz import zoo
from binviz.analysis import frechet, sampling
from binviz.errors import UserError
from binviz.evidence import runs
from binviz.files import replace_files
from binviz.tasks import diffusion

EXPERIMENT = "generated"
#: Pictures that are drawn, in so many steps; those of them that are kept, in rows of so many.
COUNT, STEPS, KEPT, ROW = 450, 20, 16, 8
#: Pictures at once.
BATCH = 150
#: Real pictures at most, the first of the training data.
REAL = 5000


class Reader(NamedTuple):
    """A bundled classifier for a task's pictures. layer: its last one. larger: how many times they are enlarged."""

    classifier: str
    layer: str
    larger: int


READERS = {
    "digits-diffusion": Reader("digits-cnn.float", "head", 1),
    "cifar10-diffusion": Reader("cifar10-vit.float", "classifier", 2),
}
KNOWN = {each.name: each for each in (diffusion.DIGITS, diffusion.CIFAR)}


def draw(model: nn.Module, of: diffusion.Pictures, count: int, steps: int, seed: int = 0) -> Tensor:
    """Pictures that a network makes of noise, (count, channels, side, side) in [-1, 1].

    >>> draw(diffusion.DIGITS.start("unet-8", seed=0)[0].eval(), diffusion.DIGITS, count=2, steps=2).shape
    torch.Size([2, 1, 8, 8])
    """
    noise = sampling.noise(count, (of.channels, of.side, of.side), seed)
    parts = [list(sampling.sample(model, part, diffusion.schedule(), steps)) for part in noise.split(BATCH)]
    return torch.cat([part[-1].picture for part in parts]).clamp(-1, 1)


def sheet(pictures: NDArray[np.uint8], row: int = ROW) -> NDArray[np.uint8]:
    """Pictures in rows, with a grey line around each.

    Args:
        pictures: (N, H, W) or (N, H, W, 3); N is a multiple of `row`.
        row: pictures side by side.

    >>> sheet(np.zeros((4, 8, 8), np.uint8), row=2).shape
    (19, 19)
    """
    widths = [(0, 0), (1, 0), (1, 0)] + [(0, 0)] * (pictures.ndim - 3)
    lined = np.pad(pictures, widths, constant_values=128)
    rows = [np.concatenate(list(part), axis=1) for part in lined.reshape(-1, row, *lined.shape[1:])]
    edges = [(0, 1), (0, 1)] + [(0, 0)] * (pictures.ndim - 3)
    return np.pad(np.concatenate(rows), edges, constant_values=128)


def measure(place: str, count: int = COUNT, steps: int = STEPS) -> tuple[runs.Run, NDArray[np.uint8]]:
    """The record of a trained network's pictures, and the first of them in rows.

    Args:
        place: folder of a trained cell, such as runs-out/digits-diffusion.float.seed0, or the name of a bundled model,
            whose record then is that of its cell.
        count: pictures to draw. steps: of sampling.

    Raises:
        UserError: no model there, or a name that is not such a cell's.
    """
    cell, of, seed = _cell_of(place)
    started = time.perf_counter()
    drawn = draw(binviz.load(place), of, count, steps)
    config: dict[str, Any] = {"model": cell, "count": count, "steps": steps, "noise": "seed 0"}
    reader = READERS[of.name]
    classifier = zoo.load(reader.classifier)

    def features(pictures: Tensor) -> NDArray[np.float64]:
        larger = F.interpolate(pictures, scale_factor=reader.larger, mode="nearest")
        return frechet.features(classifier, larger, reader.layer)

    config["classifier"] = reader.classifier
    real = features(of.load("train")[:REAL])
    metrics = {
        "frechet": frechet.frechet(features(drawn), real),
        "frechet_held_out": frechet.frechet(features(of.load("test")[:count]), real),
    }
    run = runs.Run(
        experiment=EXPERIMENT,
        cell=cell,
        seed=seed,
        config=config,
        selection="none: a trained model draws",
        data={"noise": "drawn"},
        metrics=metrics,
        examples=count,
        seconds=round(time.perf_counter() - started, 1),
        code=runs.code_state(),
        machine=runs.machine(),
    )
    return run, sheet(of.seen(drawn[:KEPT]))


def _cell_of(place: str) -> tuple[str, diffusion.Pictures, int]:
    if place in zoo.names():
        _, cell, number = zoo.describe(place).run
        seed = str(number)
    else:
        cell, _, seed = Path(place).name.rpartition(".seed")
    of = next((each for name, each in KNOWN.items() if cell.startswith(name)), None)
    if of is None or not seed.isdigit():
        raise UserError(
            f"{place} is neither a bundled network that draws nor named as a trained cell is, such as "
            "digits-diffusion.float.seed0"
        )
    return cell, of, int(seed)


def picture_of(run: runs.Run, folder: Path) -> Path:
    """Where the pictures of a record lie, under a folder of records."""
    return (folder / run.path).with_suffix(".png")


def write(run: runs.Run, pictures: NDArray[np.uint8], folder: Path) -> None:
    """A record, and its pictures beside it as a PNG.

    Args:
        run: the record.
        pictures: (H, W) or (H, W, 3).
        folder: of records.
    """
    from PIL import Image

    runs.write(run, folder)
    path = picture_of(run, folder)
    replace_files({path: lambda place: Image.fromarray(pictures).save(place, "PNG", optimize=True)})


def main(arguments: list[str] | None = None) -> None:
    """Print a line for each model, and write its record and its pictures."""
    parser = argparse.ArgumentParser(
        prog="python -m binviz.experiments.generated", description=__doc__.split("\n")[0]
    )
    parser.add_argument(
        "places",
        nargs="+",
        help="trained cells, such as runs-out/digits-diffusion.float.seed0, or names of bundled networks",
    )
    parser.add_argument("--out", type=Path, default=Path("runs-out"), help="folder for the records")
    parser.add_argument("--count", type=int, default=COUNT, help="pictures to draw")
    parser.add_argument("--steps", type=int, default=STEPS, help="of sampling, a divisor of 1000")
    options = parser.parse_args(arguments)
    if options.count < KEPT:
        parser.error(f"draw {KEPT} pictures or more")
    try:
        for place in options.places:
            run, kept = measure(place, options.count, options.steps)
            write(run, kept, options.out / "runs")
            print(run.cell, *(f"{name} {value:.2f}" for name, value in run.metrics.items()), flush=True)
    except UserError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
