"""What networks draw while they learn: pictures from the same noise after so many steps.

    python -m binviz.experiments.learning_to_draw digits-diffusion.plain digits-diffusion.binarydm --out runs-out

Cells of "binarydm" are trained once more, and draw on their way; that changes nothing of what they learn, so the record
has the loss of the cell's own. Its PNG has a row for each look. Students start from the float network in `--out`, or
from the bundled one.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from binviz import tasks, zoo
from binviz.errors import UserError
from binviz.evidence import runs
from binviz.experiments import binarydm, generated
from binviz.experiments.cells import Cell
from binviz.losses import Batch
from binviz.training.loop import fit
from binviz.training.stages import prepare

EXPERIMENT = "learning-to-draw"
#: Looks before the last one, as shares of all steps; pictures of each look.
LOOKS, PICTURES = (0.0, 0.0625, 0.25, 0.5), 8


def course(
    cell: Cell, start: str = "", looks: tuple[float, ...] = LOOKS, seed: int = 0
) -> tuple[runs.Run, NDArray[np.uint8]]:
    """The record of a cell that draws while it learns, and what it drew, a row for each look.

    Args:
        cell: of "binarydm".
        start: folder or name of the float network that a student starts from.
        looks: as shares of the steps; a last one is behind them all.
        seed: of the cell.

    Raises:
        UserError: no model in `start`.
    """
    task, of, started = tasks.get(cell.task), generated.KNOWN[cell.task], time.perf_counter()
    model, tokenizer = (
        (zoo.load(start), task.tokenizer(start)) if cell.teacher else task.start(cell.architecture, seed)
    )
    problem = task.problem(tokenizer, cell.stage.train.batch_size, seed)
    loss = prepare(model, cell.stage, problem, seed)
    at = [round(share * cell.stage.train.steps) for share in looks]
    seen: list[NDArray[np.uint8]] = []

    def look() -> None:
        learning = model.training
        with torch.random.fork_rng(devices=[]):
            seen.append(of.seen(generated.draw(model.eval(), of, PICTURES, generated.STEPS)))
        model.train(learning)

    def batch_of(step: int) -> Batch:
        if step in at:
            look()
        return problem.batch_of(step)

    fit(model, batch_of, loss, cell.stage.train, label=cell.name, seed=seed)
    look()
    metrics, values = problem.evaluate(model)
    run = runs.Run(
        experiment=EXPERIMENT,
        cell=cell.name,
        seed=seed,
        config={"train": asdict(cell.stage.train), "looks": [*at, cell.stage.train.steps]},
        selection="none: the cell's own run, seen on its way",
        data=problem.data,
        metrics=metrics,
        seconds=round(time.perf_counter() - started, 1),
        **runs.of_examples(values),
        code=runs.code_state(),
        machine=runs.machine(),
    )
    return run, generated.sheet(np.concatenate(seen), PICTURES)


def main(arguments: list[str] | None = None) -> None:
    """Print a line for each cell, and write its record and its pictures."""
    parser = argparse.ArgumentParser(
        prog="python -m binviz.experiments.learning_to_draw", description=__doc__.split("\n")[0]
    )
    parser.add_argument("cells", nargs="+", help='cells of "binarydm", such as digits-diffusion.binarydm')
    parser.add_argument("--out", type=Path, default=Path("runs-out"), help="folder for the records")
    options = parser.parse_args(arguments)
    try:
        for cell in [cell for name in options.cells for cell in binarydm.EXPERIMENT.chosen(name)]:
            teacher = options.out / f"{cell.task}.float.seed0"
            run, drawn = course(cell, str(teacher) if teacher.is_dir() else f"{cell.task}.float")
            generated.write(run, drawn, options.out / "runs")
            print(run.cell, *(f"{name} {value:.4f}" for name, value in run.metrics.items()), flush=True)
    except UserError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
