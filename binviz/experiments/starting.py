"""Where training would start from: what few bits make of a decoder that is trained, before any of it is trained again.

    python -m binviz.experiments.starting SmolLM2-135M-Instruct.Q4_1.gguf
    python -m binviz.experiments.starting SmolLM2-135M-Instruct.Q4_1.gguf --speeds

The blocks' linears are rounded to 2 bits, to -1, 0 and +1 and to 1 bit, with a scale for each row and for each 64
weights of a row; everything else stays float. Of 2 bits those are the values from which DB-LLM's two sets of {0, 1}
start, so rounding and FDB are the same here (`binviz.binarizers.fdb`).

Perplexity is that of held-out text of wikitext-2, as it was cut into words there, on sequences of 128 tokens: words
early in a sequence have little before them, so all figures are higher than published ones. Whoever holds all words for
equally likely has the size of the vocabulary.

With --speeds it is timed instead how fast each of them, packed, reads and writes (`binviz.experiments.decoding`): what
a decoder gains whose weights do not lie in a processor's caches.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import binviz
from binviz.adapters import layout_of
from binviz.analysis.contents import contents
from binviz.errors import UserError
from binviz.evidence import runs
from binviz.experiments.decoding import linear_bytes, timed
from binviz.recipes import Choice, Recipe
from binviz.tasks import causal
from binviz.tasks.gguf_decoder import read_decoder

TASK, SPLIT = "wikitext", "validation"
#: Sequences of `causal.LENGTH` tokens that are judged.
JUDGED = 48
GROUP = {"group": 64}
WEIGHTS = {"2-bits": "fdb-weight", "ternary": "ternary-weight", "1-bit": "xnor-weight"}
#: Start -> the weights of the blocks' linears; "float" are those of the file.
STARTS = {"float": None} | {
    f"{name}{end}": Recipe(f"{name}{end}", Choice(weight, options))
    for name, weight in WEIGHTS.items()
    for end, options in (("", {}), (".g64", GROUP))
}


def held_out(tokenizer: Any, count: int = JUDGED) -> causal.Continued:
    """Sequences of the held-out text, spread over it."""
    whole = causal.sequences(TASK, SPLIT, tokenizer)
    numbers = np.linspace(0, whole.per_epoch, min(count, whole.per_epoch), endpoint=False).astype(int)
    return causal.Continued(np.concatenate([whole.stretch(int(k)) for k in numbers]), causal.LENGTH, 0)


def measure(path: Path, count: int = JUDGED) -> Iterator[runs.Run]:
    """A record of each of `STARTS`, one after the other on the same model.

    Args:
        path: of a decoder in GGUF.
        count: of sequences.

    Raises:
        UserError: no decoder there, or no text.
    """
    model, tokenizer = read_decoder(path)
    causal.mark_ends(tokenizer)
    of, file_bits = held_out(tokenizer, count), contents(path, progress=False).attrs["bits_per_weight"]
    data = {"file": _sha256(path), SPLIT: causal.corpus(TASK, SPLIT).sha256}
    paths = [each for block in layout_of(model).blocks for each in block.linears().values()]
    weights = sum(model.get_parameter(f"{each}.weight").numel() for each in paths)
    stem = path.stem.replace(".", "-")
    for name, recipe in STARTS.items():
        started = time.perf_counter()
        if recipe is not None:
            binviz.binarize_(model, recipe)
        metrics, values = causal.judge(model, of)
        bits = {"linear_bits_per_weight": 8 * linear_bytes(model) / weights}
        yield runs.Run(
            experiment="starting",
            cell=f"{TASK}-{stem}.{name}",
            seed=0,
            config={
                "identity": {
                    "task": TASK,
                    "architecture": stem,
                    "recipe": "float" if recipe is None else recipe.to_dict(),
                },
                "sequences": of.per_epoch,
                "tokens": causal.LENGTH,
            },
            selection="none: nothing is trained",
            data=data,
            metrics=metrics | bits | ({"file_bits_per_weight": file_bits} if recipe is None else {}),
            seconds=round(time.perf_counter() - started, 1),
            **runs.of_examples(values),
            code=runs.code_state(),
            machine=runs.machine(),
        )


def speeds(path: Path, written: int = 16) -> Iterator[runs.Run]:
    """A record of how fast each of `STARTS` but those in groups reads and writes, one after the other.

    Args:
        path: of a decoder in GGUF.
        written: tokens to write.

    Raises:
        UserError: no decoder there, or one without room for so many tokens.
    """
    model, _ = read_decoder(path)
    for name, recipe in STARTS.items():
        if name.endswith(".g64"):
            continue
        if recipe is not None:
            binviz.binarize_(model, recipe)
        cell = f"{path.stem.replace('.', '-')}.{name}"
        yield timed(model, cell, "none: nothing is trained", written, unpacked=False)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main(arguments: list[str] | None = None) -> None:
    """Print a line for each start, and write it as a run record."""
    parser = argparse.ArgumentParser(
        prog="python -m binviz.experiments.starting", description=__doc__.split("\n")[0]
    )
    parser.add_argument("file", type=Path, help="a decoder in GGUF")
    parser.add_argument("--speeds", action="store_true", help="time prefill and generation instead")
    parser.add_argument("--out", type=Path, default=Path("runs-out"), help="folder for the records")
    options = parser.parse_args(arguments)
    try:
        for run in (speeds if options.speeds else measure)(options.file):
            runs.write(run, options.out / "runs")
            print(run.cell, *(f"{name} {value:,.4g}" for name, value in run.metrics.items()), flush=True)
    except UserError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
