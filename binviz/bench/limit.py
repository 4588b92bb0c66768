"""How fast this processor could multiply bits at most: XOR, popcount and add on registers, and nothing else.

    python -m binviz.bench.limit

A product of bits needs these three instructions for every register full of bits, whatever else it does. So the
share of this limit that a kernel reaches says how good the kernel is, on any machine. One bit times one bit and
the addition of it count as two operations, as in floating point.
"""

import time
from typing import Any

import numpy as np
from binviz_kernels import forms
from binviz_kernels import vectors as v
from numba import njit, types
from numba.extending import intrinsic

from binviz.bench.timing import Spread, spread

SUMS = 24  # independent ones, enough to keep every unit of the processor busy
STEPS = 20_000


@intrinsic
def count_in_registers(typing: Any, steps: Any, seed: Any) -> Any:
    """`sum = sum + popcount(sum ^ seed)` for 24 registers of 512 bits, `steps` times."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes = v.vector(v.INT32, 16)
        other = v.broadcast(builder, arguments[1], 16)
        # Different beginnings, or the compiler sees that all sums are one.
        numbers = [v.constant(lanes, n + 1) for n in range(SUMS)]

        def step(k: Any, sums: list[Any]) -> list[Any]:
            return [builder.add(s, v.popcount(builder, builder.xor(s, other))) for s in sums]

        total, *others = v.loop(builder, v.INT64(0), arguments[0], 1, numbers, step)
        for s in others:
            total = builder.xor(total, s)
        return builder.extract_element(total, v.INT32(0))

    return types.int32(types.int64, types.int32), emit


@njit
def _count(steps: int, seed: int) -> int:
    return count_in_registers(steps, np.int32(seed))


def measure(rounds: int = 30) -> Spread:
    """Operations per second on one thread: median and quartiles of some short runs.

    The seconds of the fastest quarter say what the processor can do; slower ones, what else it had to do.
    """
    _count(STEPS, 7)
    samples = []
    for _ in range(rounds):
        start = time.perf_counter()
        _count(STEPS, 7)
        samples.append(2 * 512 * SUMS * STEPS / (time.perf_counter() - start))
    return spread(samples)


def main() -> None:
    """Print it."""
    limit = measure()
    print(f"{forms.CHOSEN.name}: {limit.median / 1e12:.2f} ({limit.low / 1e12:.2f}-{limit.high / 1e12:.2f}) Tops/s")


if __name__ == "__main__":
    main()
