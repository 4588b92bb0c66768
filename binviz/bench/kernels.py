"""Our bit kernels beside the processor's own limit, torch's layers, and other libraries' distances.

    python -m binviz.bench.kernels --out kernels.json

Of the layers, at the shapes of BERT-base, every contestant starts and ends with torch tensors. Ours packs the
float activations, multiplies bits, scales and adds the bias; the weights are packed beforehand, as torch's are in
bfloat16 or int8 beforehand. int8 is torch's dynamic quantization, which quantizes the activations as they come.
A machine that is busy with something else gives numbers that are nobody's: a run is refused unless two threads
make a float32 layer at least 1.6 times as fast as one, before and after.
"""

import argparse
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import binviz_kernels
import torch
from binviz_kernels import forms
from torch.nn.functional import linear

from binviz.bench import distances, products
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
        binviz, float32, bfloat16 and, where torch has it, int8, each a function that computes [M, N].
    """
    random = torch.Generator().manual_seed(0)
    x = torch.randn(rows, inputs, generator=random)
    w = torch.randn(outputs, inputs, generator=random)
    bias, scale = torch.randn(outputs, generator=random), w.abs().mean(dim=1)
    packed, scale_, bias_ = binviz_kernels.pack_weights(w.numpy()), scale.numpy(), bias.numpy()
    half = [t.bfloat16() for t in (x, w, bias)]
    functions: dict[str, Callable[[], object]] = {
        "binviz": lambda: torch.from_numpy(binviz_kernels.linear(x.numpy(), packed, scale_, bias_)),
        "float32": lambda: linear(x, w, bias),
        "bfloat16": lambda: linear(*half),
    }
    int8 = dynamic_int8(w, bias)
    if int8 is not None:
        functions["int8"] = lambda: int8(x)
    return functions


def dynamic_int8(w: torch.Tensor, bias: torch.Tensor) -> torch.nn.Module | None:
    """Torch's dynamically quantized layer with these weights; None where this torch has none."""
    layer = torch.nn.Linear(w.shape[1], w.shape[0])
    layer.weight.data, layer.bias.data = w, bias
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecated, but what is recommended instead is another package
            model = torch.nn.Sequential(layer).eval()
            return torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, torch.qint8)
    except (AttributeError, RuntimeError):  # no engine for this processor, or gone from torch
        return None


def set_threads(threads: int) -> None:
    """Let torch and our kernels use this many threads."""
    binviz_kernels.set_threads(threads)
    binviz_kernels.get_threads()  # first: starting Numba's threads may reset torch's number
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
        "ratio": {name: ratio(times[name], times["binviz"])._asdict() for name in times if name != "binviz"},
    }  # fmt: skip


def line(result: dict[str, Any]) -> str:
    """A line of the printed table."""
    layer = f"{result['inputs']} -> {result['outputs']}"
    cells = [f"{result['threads']:>7} {layer:>13} {result['rows']:>5}"]
    cells.append(f"{result['seconds']['binviz']['median'] * 1e6:>10.1f}")
    for quartiles in result["ratio"].values():
        times = Spread(**quartiles)
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
    set_threads(1)
    print(f"\nForm of the kernels: {forms.CHOSEN.name}. On one thread:\n{products.HEADER}")
    shares = [products.measure(*shape, options.rounds) for shape in products.SHAPES]
    print(*map(products.line, shares), sep="\n")
    print(distances.HEADER)
    compared = [distances.measure(*shape, options.rounds) for shape in distances.SHAPES]
    print(*map(distances.line, compared), sep="\n")
    print("\nMedian microseconds of our layer; torch's time over ours: median (quartiles)")
    print("threads         layer  rows     binviz float32               bfloat16              int8")
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
            "form": forms.CHOSEN.name,
            "products": shares,
            "distances": compared,
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
