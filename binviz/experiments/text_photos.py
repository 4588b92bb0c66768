"""How a detector that has seen generated scenes alone does on ten photographs.

    python -m binviz.experiments.text_photos runs-out/scene-text-*.seed0

Each photograph is scaled to a longer side of 640 pixels (`binviz.data.text_photos`). Ten pictures decide nothing: no
claim rests on them.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch

from binviz import zoo
from binviz.data import sources, text_photos
from binviz.errors import UserError
from binviz.evidence import runs
from binviz.networks import DBNet
from binviz.tasks import scene_text


@torch.no_grad()
def measure(place: str) -> runs.Run:
    """Precision, recall and F-measure of a saved detector on the photographs.

    Args:
        place: its folder, or the name of a bundled one.

    Raises:
        UserError: no such model, another one, or the photographs are not to be had.
    """
    started, model = time.perf_counter(), zoo.load(place)
    if not isinstance(model, DBNet):
        raise UserError(f"{place} is a {type(model).__name__}; give the folder of a DBNet")
    photos = text_photos.load()
    maps = [scene_text.probabilities(model, photo.picture[None])[0] for photo in photos]
    metrics, each = scene_text.measured(
        [scene_text.found_in(*pair)[1] for pair in zip(maps, photos, strict=True)]
    )
    cell = Path(place).name.partition(".seed")[0]
    return runs.Run(
        experiment="text-photos",
        cell=cell,
        seed=0,
        config={
            "model": Path(place).name,
            "task": "scene-text",
            "arch": cell.partition(".")[0].removeprefix("scene-text-"),
        },
        selection="none: a trained model is looked at, nothing is chosen",
        data={"test": sources.sha256([photo.picture.tobytes() for photo in photos])},
        metrics=metrics,
        seconds=round(time.perf_counter() - started, 1),
        code=runs.code_state(),
        machine=runs.machine(),
        **runs.of_examples(each),
    )


def main(arguments: list[str] | None = None) -> None:
    """Print what was measured and write it as run records."""
    parser = argparse.ArgumentParser(
        prog="python -m binviz.experiments.text_photos",
        description="How detectors of text do on ten photographs.",
    )
    parser.add_argument("models", nargs="+", help="folders of detectors, or names of bundled ones")
    parser.add_argument("--out", type=Path, default=Path("runs-out"), help="folder for the records")
    options = parser.parse_args(arguments)
    try:
        for place in options.models:
            run = measure(place)
            runs.write(run, options.out / "runs")
            print(run.cell, *(f"{name} {value:.3f}" for name, value in run.metrics.items()))
    except UserError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
