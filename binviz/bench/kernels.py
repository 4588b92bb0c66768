"""Our 1-bit linear layer beside torch's float32 and bfloat16 ones, at the shapes of BERT-base.

    python -m binviz.bench.kernels --out kernels.json

Every contestant starts and ends with torch tensors. Ours packs the float activations, multiplies bits, scales
and adds the bias; the weights are packed beforehand, as torch's are in bfloat16 beforehand.
A machine that is busy with something else gives numbers that are nobody's: a run is refused unless two threads
make a float32 layer at least 1.6 times as fast as one, before and after.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import binviz_kernels
import numba
import torch
from torch.nn.functional import linear

from binviz.bench.machine import describe, usable_cores
from binviz.bench.timing import Spread, interleave, ratio, spread

LAYERS = ((768, 768), (768, 3072), (3072, 768))  # inputs, outputs
ROWS = (1, 128, 1024)
LEAST_SPEEDUP = 1.6
BUSY = "this machine is busy: two threads are only {:.2f} times as fast as one. Close other programs and run again"


def contestants(rows: int, inputs: int, outputs: int) -> dict[str, Callable[[], object]]:
    """One layer of random weights three times over.

    Args:
        rows: M, activations x float32 [M, K].
        inputs: K.
        outputs: N, weights [N, K].

    Returns:
        binviz, float32 and bfloat16, each a function that computes [M, N].
    """
    random = torch.Generator().manual_seed(0)
    x = torch.randn(rows, inputs, generator=random)
    w = torch.randn(outputs, inputs, generator=random)
    bias, scale = torch.randn(outputs, generator=random), w.abs().mean(dim=1)
    packed, scale_, bias_ = binviz_kernels.pack_weights(w.numpy()), scale.numpy(), bias.numpy()
    half = [t.bfloat16() for t in (x, w, bias)]
    return {
        "binviz": lambda: torch.from_numpy(binviz_kernels.linear(x.numpy(), packed, scale_, bias_)),
        "float32": lambda: linear(x, w, bias),
        "bfloat16": lambda: linear(*half),
    }


def set_threads(threads: int) -> None:
    """Let torch and our kernels use this many threads."""
    numba.set_num_threads(threads)  # first: starting Numba's threads may reset torch's number
    torch.set_num_threads(threads)


def speedup(rounds: int) -> float | None:
    """How many times faster two threads make a float32 layer; None if there is one core only."""
    if usable_cores() < 2:
        return None
    layer = contestants(128, 768, 3072)["float32"]

    def on(threads: int) -> object:
        torch.set_num_threads(threads)
        return layer()

    # Long enough that changing the number of threads does not count.
    times = interleave({"one": lambda: on(1), "two": lambda: on(2)}, rounds, seconds=0.02)
    return ratio(times["one"], times["two"]).median


def measure(threads: int, rows: int, inputs: int, outputs: int, rounds: int) -> dict[str, Any]:
    """One line of the table: median seconds and quartiles of each contestant, and torch's time over ours."""
    set_threads(threads)
    with torch.inference_mode():
        times = interleave(contestants(rows, inputs, outputs), rounds)
    return {
        "threads": threads, "rows": rows, "inputs": inputs, "outputs": outputs,
        "seconds": {name: spread(samples)._asdict() for name, samples in times.items()},
        "ratio": {name: ratio(times[name], times["binviz"])._asdict() for name in ("float32", "bfloat16")},
    }  # fmt: skip


def line(result: dict[str, Any]) -> str:
    """A line of the printed table."""
    layer = f"{result['inputs']} -> {result['outputs']}"
    cells = [f"{result['threads']:>7} {layer:>13} {result['rows']:>5}"]
    cells += [
        f"{result['seconds'][name]['median'] * 1e6:>10.1f}" for name in ("binviz", "float32", "bfloat16")
    ]
    for name in ("float32", "bfloat16"):
        times = Spread(**result["ratio"][name])
        cells.append(f"{times.median:>6.1f} ({times.low:.1f}-{times.high:.1f})".ljust(21))
    return " ".join(cells).rstrip()


def main(arguments: list[str] | None = None) -> None:
    """Measure, print a table, and write it as JSON where told."""
    parser = argparse.ArgumentParser(
        prog="python -m binviz.bench.kernels", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--out", type=Path, help="a JSON file to write the results to")
    parser.add_argument(
        "--threads", type=int, nargs="+", help="numbers of threads (default: 1, and 2 if there are)"
    )
    parser.add_argument(
        "--rounds", type=int, default=30, help="how often each contestant is timed (default: 30)"
    )
    parser.add_argument(
        "--busy", action="store_true", help="measure on a busy machine, too; the results say so"
    )
    options = parser.parse_args(arguments)
    wanted = options.threads or sorted({1, min(2, usable_cores())})
    if not 1 <= min(wanted) <= max(wanted) <= usable_cores():
        parser.error(f"--threads must be from 1 to {usable_cores()}, the cores of this machine")

    machine = describe()
    print(f"{machine['cpu']}, {machine['cores']} cores: {' '.join(machine['flags'])}")
    print(
        f"{machine['system']}, Python {machine['python']},",
        *(f"{k} {v}" for k, v in machine["packages"].items()),
    )
    speedups = [speedup(options.rounds)]
    refuse_if_busy(speedups, options.busy)
    print("\nMedian microseconds; torch's time over ours: median (quartiles)")
    print(
        "threads         layer  rows     binviz    float32   bfloat16 float32/binviz        bfloat16/binviz"
    )
    results = []
    for threads in wanted:
        for inputs, outputs in LAYERS:
            for rows in ROWS:
                results.append(measure(threads, rows, inputs, outputs, options.rounds))
                print(line(results[-1]), flush=True)
    speedups.append(speedup(options.rounds))
    refuse_if_busy(speedups, options.busy)
    if options.out:
        record = {
            "machine": machine,
            "two_threads_over_one": speedups,
            "busy": busy(speedups),
            "results": results,
        }
        options.out.write_text(json.dumps(record, indent=1) + "\n")


def busy(speedups: list[float | None]) -> bool:
    """Whether two threads ever failed to be much faster than one."""
    return any(s is not None and s < LEAST_SPEEDUP for s in speedups)


def refuse_if_busy(speedups: list[float | None], allowed: bool) -> None:
    """Leave with one line, unless the user wants the numbers all the same."""
    if busy(speedups):
        message = BUSY.format(min(s for s in speedups if s is not None))
        if not allowed:
            raise SystemExit(message)
        print(f"Warning: {message}")


if __name__ == "__main__":
    main()
