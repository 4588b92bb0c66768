"""Record what pre-trained encoders put into the gaps of our own sentences: the float self and its binary students.

    python -m binviz.training.gaps runs-out other-runs-out

The folders are those of `binviz pretrain`. For whoever bundles a model.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from binviz import zoo
from binviz.data import gaps as sentences
from binviz.errors import UserError
from binviz.evidence import gaps, runs
from binviz.tasks import words
from binviz.training.words import run_of

#: Digits of a probability that are kept.
DIGITS = 5


def ask(folder: Path) -> gaps.Filled:
    """What the model of a folder puts into every gap.

    Raises:
        UserError: it cannot be read, or is not finished.
    """
    run, model, tokenizer = run_of(folder), zoo.load(folder), zoo.load_tokenizer(folder)
    train = run.config["train"]
    return gaps.Filled(
        cell=run.cell,
        seed=run.seed,
        recipe=run.config["stages"][-1],
        tokens=train["steps"] * train["batch_size"] * run.config["length"],
        metrics=run.metrics,
        code=run.code,
        answers=tuple(
            [(piece, round(share, DIGITS)) for piece, share in words.fill(model, tokenizer, gap.text)]
            for gap in sentences.load()
        ),
    )


def record(outs: Sequence[Path]) -> gaps.Gaps:
    """What every model of some folders of `binviz pretrain` says: the float one first, then by recipe and tokens.

    Raises:
        UserError: there is none, or one is not finished.
    """
    folders = {path.stem: out / path.stem for out in outs for path in (out / "runs/pretrain").glob("*.json")}
    if not folders:
        raise UserError("there is no record of binviz pretrain in these folders; name what was its --out")
    models = sorted(
        map(ask, folders.values()), key=lambda each: (each.recipe != "float", each.recipe, each.tokens)
    )
    ours = sentences.load()
    return gaps.Gaps(
        tuple(gap.text for gap in ours),
        tuple(gap.word for gap in ours),
        tuple(models),
        runs.code_state(),
        runs.machine(),
    )


def main(arguments: list[str] | None = None) -> None:
    """Write the record into the source tree, a line for each model."""
    parser = argparse.ArgumentParser(
        prog="python -m binviz.training.gaps", description=__doc__.split("\n")[0]
    )
    parser.add_argument("outs", type=Path, nargs="+", help="what was --out of binviz pretrain")
    try:
        found = record(parser.parse_args(arguments).outs)
        gaps.write(found, gaps.SHIPPED)
    except UserError as error:
        parser.error(str(error))
    for model in found.models:
        print(f"{model.cell}: {found.right(model)} of {len(found.words)} right, {model.metrics}")


if __name__ == "__main__":
    main()
