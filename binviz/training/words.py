"""Bundle a pre-trained binary encoder: packed, its table of word pieces cut, its head in float16.

    python -m binviz.training.words runs-out/mlm.float+bipft-a.seed0

It becomes `words-minilm.<recipe>`, and its record is that of its last stage, judged on the pieces that ship. For
whoever bundles a model.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from torch import nn

from binviz import tasks, zoo
from binviz.errors import UserError
from binviz.evidence import runs
from binviz.saving import load_packed, save_packed
from binviz.tasks import words
from binviz.training.bundle import bundle


def run_of(folder: Path) -> runs.Run:
    """The record of a folder that `binviz pretrain` left.

    Raises:
        UserError: it has none, or is not as long as it was to be and no mark on the way.
    """
    run = runs.read(folder.parent / "runs" / "pretrain" / f"{folder.name}.json")
    wanted = run.config["float_steps" if run.config["stages"] == ["float"] else "steps"]
    if ".at-" not in run.cell and run.config["train"]["steps"] < wanted:
        raise UserError(f"{folder} is not finished; the same binviz pretrain goes on with it")
    return run


def small(folder: Path) -> tuple[nn.Module, Any]:
    """The model of a folder with stored codes and fewer word pieces, and its tokenizer.

    Raises:
        UserError: it cannot be read or packed, or data not to be had.
    """
    with TemporaryDirectory() as place:
        whole = Path(place, "whole.safetensors")
        save_packed(zoo.load(folder), whole)
        model = load_packed(whole)
    return model, words.cut(model, zoo.load_tokenizer(folder))


def main(arguments: list[str] | None = None) -> None:
    """Write the packed file, the manifest and the record into the source tree; one line says what."""
    parser = argparse.ArgumentParser(
        prog="python -m binviz.training.words", description=__doc__.split("\n")[0]
    )
    parser.add_argument("folder", type=Path, help="of a model that binviz pretrain left")
    folder = parser.parse_args(arguments).folder
    try:
        run = run_of(folder)
        model, tokenizer = small(folder)
        entry = bundle(
            f"words-minilm.{run.config['stages'][-1]}",
            model,
            run,
            lambda model: tasks.get("words").judge(model, tokenizer),
            tokenizer,
            half_head=True,
        )
    except UserError as error:
        parser.error(str(error))
    found = ", ".join(f"{name} {value:.4f}" for name, value in entry.metrics.items())
    print(f"{entry.name}: {entry.bytes:,} bytes, {found}")


if __name__ == "__main__":
    main()
