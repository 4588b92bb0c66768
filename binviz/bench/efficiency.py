"""What trained networks cost here beside their float one: a step of training, an answer on bits, bytes.

    binviz reproduce bibench --cell 'digits-cnn.*' --out runs-out
    python -m binviz.bench.efficiency digits-cnn.float runs-out/digits-cnn.*.seed0 --task digits --out runs-out

Both take turns on one thread: with one example, and with a training batch through forward, backward and an AdamW step.
Bytes are those of the packed file's tensors, and of the float network's. What else runs on the machine meanwhile makes
times worthless: such a network is not recorded.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

import binviz
from binviz import evidence, tasks, zoo
from binviz.bench import pair
from binviz.bench.kernels import set_threads
from binviz.bench.roofline import float_loop, steady
from binviz.bench.timing import interleave, spread
from binviz.errors import UserError
from binviz.evidence import runs
from binviz.losses import Batch, inputs_of
from binviz.saving.packed import packed_bytes
from binviz.tasks import Problem

#: Records that come with the package.
SHIPPED = Path(evidence.__file__).parent / "efficiency"
ROUNDS = 9


def measure(model: str, floats: str, task: str, rounds: int = ROUNDS) -> runs.Run:
    """One network's costs, and its float network's.

    Args:
        model: folder of a binarized model, `<cell>.seed<N>`.
        floats: bundled name or folder of the float one.
        task: name of a task that both answer; its data is needed.
        rounds: how often each is timed.

    Returns:
        A record of the experiment "efficiency" under the model's cell: seconds of an answer and of a training step,
        and bytes, of both networks.

    Raises:
        UserError: no such model, data or task, or the machine was not steady.
    """
    started, about = time.perf_counter(), tasks.get(task)
    binary, base = zoo.load(model), zoo.load(floats)
    problem = about.problem(about.tokenizer(model), 64, 0)
    batch = problem.batch_of(0)
    one = {name: value[:1] for name, value in inputs_of(batch, problem.targets).items()}
    answers = pair.measure(base, binviz.pack(binary), one, rounds)
    steps = {name: _step(each, problem, batch) for name, each in (("bits", binary), ("floats", base))}
    samples = interleave({**steps, "loop": float_loop()}, rounds)
    if not (answers.steady and steady([spread(samples["loop"])])):
        raise UserError(
            f"{model}: something else ran on this machine meanwhile; measure again when it is idle"
        )
    cell, _, seed = Path(model).name.rpartition(".seed")
    return runs.Run(
        experiment="efficiency",
        cell=cell,
        seed=int(seed),
        config={
            "model": Path(model).name,
            "float": Path(floats).name,
            "task": task,
            "batch": len(batch["labels"]),
        },
        selection="none: nothing is trained to an end",
        data=problem.data,
        metrics={
            "answer_seconds": answers.bits.median,
            "answer_seconds_float": answers.floats.median,
            "step_seconds": spread(samples["bits"]).median,
            "step_seconds_float": spread(samples["floats"]).median,
            "bytes": float(packed_bytes(binary)),
            "bytes_float": float(packed_bytes(base)),
        },
        seconds=round(time.perf_counter() - started, 1),
        code=runs.code_state(),
        machine=runs.machine(),
    )


def records() -> dict[str, runs.Run]:
    """Cell -> its record, of those that come with the package.

    >>> found = records()["points.bnn"].metrics
    >>> found["bytes"] < found["bytes_float"]
    True
    """
    found = map(runs.read, sorted(SHIPPED.glob("*.json"), reverse=True))
    return {run.cell: run for run in found}


def _step(model: nn.Module, problem: Problem, batch: Batch) -> Callable[[], object]:
    """A training step of a copy of a model, from labels."""
    model = copy.deepcopy(model).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, fused=True)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(model(**inputs_of(batch, problem.targets)).logits, batch["labels"]).backward()
        optimizer.step()

    return step


def main(arguments: list[str] | None = None) -> None:
    """Print what was measured and write it as run records."""
    parser = argparse.ArgumentParser(
        prog="python -m binviz.bench.efficiency", description=__doc__.split("\n")[0]
    )
    parser.add_argument("floats", help="a bundled float model, or its folder")
    parser.add_argument("models", nargs="+", help="folders of binarized models of the same network")
    parser.add_argument("--task", required=True, help="what all of them answer")
    parser.add_argument("--out", type=Path, default=Path("runs-out"), help="folder for the records")
    options = parser.parse_args(arguments)
    set_threads(1)
    for model in options.models:
        try:
            run = measure(model, options.floats, options.task, ROUNDS)
        except UserError as error:
            parser.exit(2, f"{error}\n")
        runs.write(run, options.out)
        print(run.cell, *(f"{name} {value:.3g}" for name, value in run.metrics.items()))


if __name__ == "__main__":
    main()
