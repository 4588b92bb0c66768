"""Who is fastest, and from which size on: layers of one and more bits beside torch's formats, over a grid of sizes.

    python -m binviz.bench.crossover

One layer K -> K gets M rows of float activations and gives floats, on one thread. Small layers are ruled by what a call
costs, layers of few rows by memory, large ones by arithmetic; so on one machine each format may win somewhere, and on
another machine somewhere else.

| format | weights | activations |
|---|---|---|
| 1 bit | signs | signs, packed here |
| 2 bits, 4 bits | signs | rounded to 0..3 or 0..15 by torch, then packed here |
| int8 | int8 | torch's dynamic quantization, rounded as they come |
| bfloat16 | bfloat16 | bfloat16 from the beginning, as in a model of that format |
| float32 | float32 | float32 |

Of few rows the rounding takes longer than the product. They do not compute the same: fewer bits say less. One bit
beats two nearly everywhere, so the question may also be asked among wider formats only.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import binviz_kernels
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from binviz.bench.kernels import dynamic_int8, set_threads
from binviz.bench.machine import describe, lacks_bfloat16
from binviz.bench.timing import interleave, spread

FORMATS = ("1 bit", "2 bits", "4 bits", "int8", "bfloat16", "float32")
SIZES = tuple(2**n for n in range(6, 13))  # K = N, from 64 to 4096
ROWS = tuple(2**n for n in range(11))  # M, from 1 to 1024
ROUNDS, SECONDS = 5, 0.001  # a sample's least length
#: Who takes so many times as long as the fastest is timed twice only.
HOPELESS = 10.0
#: By how much the middle half of the winner's times may differ, as a share, before a size counts as unsteady.
LARGEST_SPREAD = 0.25
#: And at what share of the sizes, before the map is not to be trusted.
MOST_UNSTEADY = 0.2

#: Activations float32 [M, K] -> a function to time.
Format = Callable[[Tensor], Callable[[], object]]


def left_out() -> dict[str, str]:
    """Formats that this machine or this torch lacks -> why, in one line."""
    lacking = {}
    if why := lacks_bfloat16(describe()["flags"]):
        lacking["bfloat16"] = why
    if dynamic_int8(nn.Sequential(nn.Linear(1, 1))) is None:
        lacking["int8"] = "this torch has no dynamic quantization for this processor"
    return lacking


def layer(size: int, without: Collection[str]) -> dict[str, Format]:
    """One layer of random weights in every format but some.

    Args:
        size: K = N, weights [N, K].
        without: formats to leave out.
    """
    random = torch.Generator().manual_seed(0)
    w, bias = torch.randn(size, size, generator=random), torch.randn(size, generator=random)
    packed, scale, b = binviz_kernels.pack_weights(w.numpy()), w.abs().mean(dim=1).numpy(), bias.numpy()
    half_w, half_b = w.bfloat16(), bias.bfloat16()
    linear = nn.Linear(size, size)
    linear.weight.data, linear.bias.data = w, bias
    int8 = None if "int8" in without else dynamic_int8(nn.Sequential(linear))

    def one_bit(x: Tensor) -> Callable[[], object]:
        return lambda: torch.from_numpy(binviz_kernels.linear(x.numpy(), packed, scale, b))

    def levels(bits: int) -> Format:
        most = 2**bits - 1

        def start(x: Tensor) -> Callable[[], object]:
            def run() -> object:
                codes = x.mul(most / 2).round_().clamp_(0, most).to(torch.uint8).numpy()
                planes = binviz_kernels.pack_planes(codes, bits)
                return torch.from_numpy(binviz_kernels.linear(planes, packed, scale, b))

            return run

        return start

    def bfloat16(x: Tensor) -> Callable[[], object]:
        half = x.bfloat16()
        return lambda: F.linear(half, half_w, half_b)

    formats: dict[str, Format] = {
        "1 bit": one_bit,
        "2 bits": levels(2),
        "4 bits": levels(4),
        "int8": lambda x: lambda: int8(x),  # type: ignore[misc]
        "bfloat16": bfloat16,
        "float32": lambda x: lambda: F.linear(x, w, bias),
    }
    return {name: make for name, make in formats.items() if name not in without}


def cell(formats: Mapping[str, Format], rows: int, size: int, rounds: int) -> tuple[dict[str, Any], bool]:
    """Every format at one size: rows, size, seconds (medians); and whether the fastest one's time was steady."""
    x = torch.randn(rows, size, generator=torch.Generator().manual_seed(1))
    functions = {name: make(x) for name, make in formats.items()}
    times = interleave(functions, 2, SECONDS)
    limit = HOPELESS * min(map(min, times.values()))
    near = {name: function for name, function in functions.items() if min(times[name]) <= limit}
    times |= interleave(near, rounds, SECONDS)
    spreads = {name: spread(samples) for name, samples in times.items()}
    best = min(spreads.values())
    seconds = {name: each.median for name, each in spreads.items()}
    return {
        "rows": rows,
        "size": size,
        "seconds": seconds,
    }, best.high - best.low <= LARGEST_SPREAD * best.median


@torch.inference_mode()
def measure(
    sizes: Sequence[int] = SIZES,
    rows: Sequence[int] = ROWS,
    rounds: int = ROUNDS,
    tell: Callable[[float, str], object] = lambda share, text: None,
) -> dict[str, Any]:
    """Every format at every size, on one thread; the caller's numbers of threads are given back afterwards.

    Args:
        sizes: K = N.
        rows: M.
        rounds: how often each is timed.
        tell: called with the share that is done, and with what comes next.

    Returns:
        threads, formats (their names), left_out (format -> why), unsteady (share of the sizes at which something else
        seems to have run), cells (rows, size, seconds of each format). Plain data.
    """
    threads = binviz_kernels.get_threads(), torch.get_num_threads()
    set_threads(1)
    without = left_out()
    cells, steady = [], []
    # A size takes the time of its products, which grows with them, and a time of its own, as of so many products.
    work = {(m, size): m * size**2 + 2**26 for size in sizes for m in rows}
    done = 0
    try:
        for size in sizes:
            formats = layer(size, without)
            for m in rows:
                tell(done / sum(work.values()), f"{m} row{'s' * (m > 1)}, {size} → {size}")
                found, quiet = cell(formats, m, size, rounds)
                cells.append(found)
                steady.append(quiet)
                done += work[m, size]
    finally:
        binviz_kernels.set_threads(threads[0])
        torch.set_num_threads(threads[1])
    names = [name for name in FORMATS if name not in without]
    unsteady = 1 - sum(steady) / len(steady)
    return {"threads": 1, "formats": names, "left_out": without, "unsteady": unsteady, "cells": cells}


def main() -> None:
    """Print the table."""
    from rich.console import Console

    from binviz.bench.report import crossover

    Console().print(crossover({"crossover": measure(tell=lambda share, text: print(f"{share:4.0%} {text}"))}))


if __name__ == "__main__":
    main()
