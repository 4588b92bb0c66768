"""Every bundled binary model, packed, beside itself: do the bits answer as the floats do?

    python -m binviz.bench.agreement --out agreement.json

Over all 872 sentences of SST-2's validation split (from BINVIZ_MIRROR or the hub) and all 450 held-out digits.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from torch import nn

import binviz
from binviz import tasks, zoo
from binviz.analysis.agreement import Agreement, Collate, report
from binviz.bench.fused_codes import compare, fused_layers
from binviz.errors import UserError
from binviz.packed.ranges import NotFoldable

HEADER = f"{'model':28} {'':24} {'codes that differ':>26} {'predictions':>14} {'largest logit gap':>18}"


def with_fused_codes(
    found: dict[str, Agreement], model: nn.Module, examples: Sequence[Any], collate: Collate
) -> dict[str, Agreement]:
    """A report whose line "packed" has the codes of the fused layers, and one more of each layer given equal inputs.

    It stays as it is where the layers of the model are not fused.
    """
    try:
        layers = fused_layers(model)
    except (NotFoldable, UserError):
        return found
    if not layers:
        return found
    nothing = Agreement(0, {}, 0, 0.0)
    equal_inputs = end_to_end = nothing
    for start in range(0, len(examples), 32):
        batch = collate(examples[start : start + 32])
        compared = compare(model, layers, batch)
        equal_inputs += replace(nothing, codes=compared.equal_inputs)
        end_to_end += replace(nothing, codes=compared.end_to_end)
    answers = replace(found["packed"], codes=end_to_end.codes)
    return {**found, "packed": answers, "packed, equal inputs": equal_inputs}


def line(name: str, against: str, found: Agreement) -> str:
    """A line of the printed table.

    >>> line("digits-vit", "packed", Agreement(450, {"fc1": (3, 900)}, 0, 0.5)).split()
    ['digits-vit', 'packed', '3', 'of', '900', '0', 'of', '450', '5.00e-01']
    """
    codes = f"{found.flips} of {found.compared}" if found.compared else "-"
    predictions = f"{found.disagreements} of {found.examples}" if found.examples else "-"
    gap = f"{found.gap:.2e}" if found.examples else "-"
    return f"{name:28} {against:24} {codes:>26} {predictions:>14} {gap:>18}"


def main(arguments: list[str] | None = None) -> None:
    """Print the table, and write it as JSON with every site where told."""
    parser = argparse.ArgumentParser(
        prog="python -m binviz.bench.agreement", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--out", type=Path, help="a JSON file to write the results to")
    parser.add_argument("--models", default="*", help="names of bundled models, such as 'digits-*'")
    options = parser.parse_args(arguments)
    results = {}
    print(HEADER)
    for name in zoo.names(options.models):
        if zoo.describe(name).recipe == "float":
            continue
        try:
            task = tasks.of_model(name)
            held_out = task.held_out(task.tokenizer(name))
        except UserError as error:
            print(f"{name:28} not compared: {error}")
            continue
        model = binviz.load(name)
        examples, collate = held_out.examples, held_out.collate
        answers = report(model, binviz.pack(model), examples, collate)
        found = with_fused_codes(answers, model, examples, collate)
        for against, agreement in found.items():
            print(line(name, against, agreement), flush=True)
        results[name] = {against: asdict(agreement) for against, agreement in found.items()}
    if options.out:
        options.out.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
