"""The records of bundled models, made again from the files that ship; for whoever bundles a model.

    python -m binviz.training.shipped sst2-minilm.float

Only the metrics and what is kept of each example change, and `file` says where they come from; the record of the
training stays.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

from binviz import tasks, zoo
from binviz.errors import UserError
from binviz.evidence import runs
from binviz.training.bundle import judged

#: Fields of a record that are a look at the file.
LOOKED = ("metrics", "predictions", "examples", "scores", "file")


def record_again(name: str) -> list[runs.Run]:
    """The record of a bundled model from its file, and the copies that experiments keep of it; nothing is written.

    Args:
        name: of a bundled model.

    Raises:
        UserError: no such model, its record is missing, or its task's data are not to be had.
    """
    entry = zoo.describe(name)
    run = entry.record
    if run is None:
        raise UserError(f"there is no record {entry.run} of {name}")
    task = tasks.get(entry.task)
    tokenizer = task.tokenizer(name)
    again = judged(run, entry.path, lambda model: task.judge(model, tokenizer))

    def training(run: runs.Run) -> tuple[object, ...]:
        return run.cell, run.seed, run.seconds, run.curves, run.code

    return [
        replace(other, **{name: getattr(again, name) for name in LOOKED})
        for other in runs.runs()
        if training(other) == training(run)
    ]


def main(arguments: list[str] | None = None) -> None:
    """Write the records into the source tree, a line for each."""
    parser = argparse.ArgumentParser(
        prog="python -m binviz.training.shipped", description=__doc__.split("\n")[0]
    )
    parser.add_argument("names", nargs="+", help="of bundled models")
    options = parser.parse_args(arguments)
    try:
        for run in [run for name in options.names for run in record_again(name)]:
            runs.write(run, runs.SHIPPED)
            print(run.path, *(f"{name} {value:.4f}" for name, value in run.metrics.items()), flush=True)
    except UserError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
