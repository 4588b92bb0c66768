"""How fast this processor could multiply bits at most: XOR, popcount and add on registers, and nothing else.

    python -m binviz.bench.limit

A product of bits needs these three instructions for every register full of bits, whatever else it does. So the
share of this limit that a kernel reaches says how good the kernel is, on any machine. One bit times one bit and
the addition of it count as two operations, as in floating point.
"""

from collections.abc import Callable
from typing import Any

from binviz_kernels import forms
from binviz_kernels import vectors as v
from numba import njit, types
from numba.extending import intrinsic

from binviz.bench.timing import Spread, interleave, spread

# Independent sums, enough to keep every unit of the processor busy, and no more than its registers hold
REGISTERS = {"avx512": (24, v.vector(v.INT32, 16)), "avx2": (10, v.vector(v.BYTE, 32))}
SUMS, REGISTER = REGISTERS.get(forms.CHOSEN.name, REGISTERS["avx2"])
STEPS = 20_000
OPERATIONS = 2 * STEPS * SUMS * REGISTER.count * REGISTER.element.width


@intrinsic
def count_in_registers(typing: Any, steps: Any, seed: Any) -> Any:
    """`sum = sum + popcount(sum ^ seed)` for all registers, `steps` times."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        seed = builder.trunc(arguments[1], REGISTER.element)
        other = v.broadcast(builder, seed, REGISTER.count)
        # Different beginnings, or the compiler sees that all sums are one.
        numbers = [v.constant(REGISTER, n + 1) for n in range(SUMS)]

        def step(k: Any, sums: list[Any]) -> list[Any]:
            return [builder.add(s, v.popcount(builder, builder.xor(s, other))) for s in sums]

        total, *others = v.loop(builder, v.INT64(0), arguments[0], 1, numbers, step)
        for s in others:
            total = builder.xor(total, s)
        return builder.zext(builder.extract_element(total, v.INT32(0)), v.INT64)

    return types.int64(types.int64, types.int64), emit


@njit
def _count(steps: int, seed: int) -> int:
    return count_in_registers(steps, seed)


def loop() -> Callable[[], object]:
    """A function that makes `OPERATIONS` operations as fast as they can be made."""
    return lambda: _count(STEPS, 7)


def measure(rounds: int = 30) -> Spread:
    """Operations per second on one thread: median and quartiles of some short runs."""
    seconds = interleave({"limit": loop()}, rounds)["limit"]
    return spread([OPERATIONS / s for s in seconds])


def main() -> None:
    """Print it."""
    limit = measure()
    print(
        f"{forms.CHOSEN.name}: {limit.median / 1e12:.2f} ({limit.low / 1e12:.2f}-{limit.high / 1e12:.2f}) Tops/s"
    )


if __name__ == "__main__":
    main()
