"""A layer in bits and in floats beside what the machine allows: its instructions on registers, and its memory.

    python -m binviz.bench.roofline

Papers count 64 products of bits as one operation. What that becomes on a machine follows from three numbers which
are measured here: how many products of bits its registers can make in a second (`limit`), how many products of
floats, and how many bytes its memory delivers. A layer is under all of them (Williams et al. 2009, "Roofline").
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import binviz_kernels
import numpy as np
import torch
from binviz_kernels import vectors as v
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from binviz.bench import limit
from binviz.bench.kernels import contestants, set_threads
from binviz.bench.timing import Spread, interleave, ratio, spread

# As many floats as fill the registers in which the limit of bits is measured
LANES = limit.REGISTER.count * limit.REGISTER.element.width // 32
FLOATS = v.vector(v.FLOAT, LANES)
FLOAT_OPERATIONS = 2 * limit.STEPS * limit.SUMS * LANES
COPIED = 64 * 2**20  # bytes, more than most caches hold
# Bytes of a number in activations and outputs, and of a weight. Our layer takes and gives floats, as torch's do.
BYTES = {"binviz": (4, 1 / 8), "float32": (4, 4), "bfloat16": (2, 2), "int8": (4, 1)}
#: By how much quartiles of the limit may differ within one run, as a share.
LARGEST_SPREAD = 0.1


@intrinsic
def multiply_in_registers(typing: Any, steps: Any, factor: Any) -> Any:
    """`sum = sum * factor + factor` for all registers, `steps` times."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        other = v.broadcast(builder, builder.fptrunc(arguments[1], v.FLOAT), LANES)
        # Different beginnings, or the compiler sees that all sums are one.
        numbers = [v.constant(FLOATS, n + 1) for n in range(limit.SUMS)]

        def step(k: Any, sums: list[Any]) -> list[Any]:
            return [v.call(builder, f"llvm.fmuladd.v{LANES}f32", FLOATS, s, other, other) for s in sums]

        total, *others = v.loop(builder, v.INT64(0), arguments[0], 1, numbers, step)
        for s in others:
            total = builder.fadd(total, s)
        return builder.fpext(builder.extract_element(total, v.INT32(0)), ir.DoubleType())

    return types.float64(types.int64, types.float64), emit


@njit
def _multiply(steps: int, factor: float) -> float:
    return multiply_in_registers(steps, factor)


def float_loop() -> Callable[[], object]:
    """A function that makes `FLOAT_OPERATIONS` float32 operations as fast as they can be made."""
    return lambda: _multiply(limit.STEPS, 0.5)


def bandwidth(rounds: int = 8) -> float:
    """Bytes per second on one thread, read and written by copying 64 MiB: the median."""
    source = np.ones(COPIED // 8)
    target = np.empty_like(source)
    seconds = interleave({"copy": lambda: np.copyto(target, source)}, rounds)["copy"]
    return 2 * COPIED / spread(seconds).median


def bytes_moved(kind: str, rows: int, inputs: int, outputs: int) -> float:
    """Bytes that a layer must move at least: every operand once.

    >>> bytes_moved("float32", 1, 64, 64) / bytes_moved("binviz", 1, 64, 64)
    16.5
    """
    number, weight = BYTES[kind]
    return number * rows * (inputs + outputs) + weight * inputs * outputs


@dataclass(frozen=True)
class Contest:
    """One layer in bits and in torch's formats, on one thread.

    rows, inputs, outputs: of the layer. seconds: of each of `kernels.contestants`. ratio: torch's time over
    ours, by the same names. limit, float_limit: operations per second on registers, in between; that of float32 is
    None in records, which lack it.
    """

    rows: int
    inputs: int
    outputs: int
    seconds: dict[str, Spread]
    ratio: dict[str, Spread]
    limit: Spread
    float_limit: Spread | None

    @property
    def operations(self) -> int:
        """Multiplications and additions of the layer."""
        return 2 * self.rows * self.inputs * self.outputs


def disturbed(contests: Sequence[Contest]) -> bool:
    """Whether something else ran meanwhile: the limit, made on registers alone, was not the same all the time.

    >>> steady, slower = Spread(100.0, 99.0, 101.0), Spread(90.0, 89.0, 91.0)
    >>> one, other = (Contest(1, 64, 64, {}, {}, limit=seen, float_limit=seen) for seen in (steady, slower))
    >>> disturbed([one]), disturbed([one, other])
    (False, True)
    """
    return not steady([contest.limit for contest in contests])


def steady(limits: Sequence[Spread]) -> bool:
    """Whether what was measured again and again, on registers alone, was the same all the time.

    >>> steady([Spread(1.0, 0.99, 1.01)]), steady([Spread(1.0, 0.8, 1.0)])
    (True, False)
    """
    least, most = min(limit.low for limit in limits), max(limit.high for limit in limits)
    return most - least <= LARGEST_SPREAD * most


@torch.inference_mode()
def measure(rows: int, inputs: int, outputs: int, rounds: int = 12) -> Contest:
    """One layer of random weights, in turns with the loops that do nothing but count or multiply.

    The caller's numbers of threads are given back afterwards.

    Args:
        rows: M.
        inputs: K.
        outputs: N.
        rounds: how often each is timed.
    """
    threads = binviz_kernels.get_threads(), torch.get_num_threads()
    set_threads(1)
    try:
        loops = {name: way.run for name, way in limit.WAYS.items()} | {"float limit": float_loop()}
        times = interleave(contestants(rows, inputs, outputs) | loops, rounds)
    finally:
        binviz_kernels.set_threads(threads[0])
        torch.set_num_threads(threads[1])
    floats = times.pop("float limit")
    bits = {
        name: spread([way.operations / seconds for seconds in times.pop(name)])
        for name, way in limit.WAYS.items()
    }
    return Contest(
        rows, inputs, outputs,
        seconds={name: spread(samples) for name, samples in times.items()},
        ratio={name: ratio(times[name], times["binviz"]) for name in times if name != "binviz"},
        limit=limit.best(bits),
        float_limit=spread([FLOAT_OPERATIONS / seconds for seconds in floats]),
    )  # fmt: skip


def main() -> None:
    """Print it."""
    print(f"memory: {bandwidth() / 1e9:.1f} GB/s")
    contests = [measure(rows, 768, 768) for rows in (1, 8, 128, 1024)]
    for contest in contests:
        floats = contest.float_limit
        assert floats is not None
        attained = ", ".join(
            f"{name} {contest.operations / seconds.median / 1e12:.2f} at "
            f"{contest.operations / bytes_moved(name, contest.rows, 768, 768):.3g} per byte"
            for name, seconds in contest.seconds.items()
        )
        print(
            f"{contest.rows} x 768 -> 768, Tops/s: limits {contest.limit.median / 1e12:.2f} and "
            f"{floats.median / 1e12:.3f}; {attained}"
        )
    if disturbed(contests):
        print("Something else was running: the limit was not the same all the time.")


if __name__ == "__main__":
    main()
