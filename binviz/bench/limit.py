"""How fast this processor could multiply bits at most: on registers, and nothing else.

    python -m binviz.bench.limit

There are two ways (`binviz_kernels.sums`, `binviz_kernels.tables`): XOR, popcount and addition of every register full
of bits; or lookups of registers full of bytes, of which each stands for four products of each of two rows. Three of
them are added, then added to one sum, and moved by half a byte to another one: these two tell the rows' sums.
Where the processor can look up six at once (`binviz_kernels.wide_tables`), which serves codes of several bits, a lookup
and an addition stand for six products of one row. Whatever else a product needs, it needs these. So the share of
the better limit that a kernel reaches says how good the kernel is, on any machine. One bit times one bit and the
addition of it count as two operations, as in floating point.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from binviz_kernels import forms, tables, wide_tables
from binviz_kernels import vectors as v
from numba import njit, types
from numba.extending import intrinsic

from binviz.bench.timing import Spread, interleave, spread

# Independent sums, enough to keep every unit of the processor busy, and no more than its registers hold
WIDE = forms.CHOSEN.name.startswith("avx512")
SUMS, REGISTER = (24, v.vector(v.INT32, 16)) if WIDE else (10, v.vector(v.BYTE, 32))
BYTES = v.vector(v.BYTE, 64 if WIDE else 32)
SIX = forms.for_bits(2).name == "avx512vbmi"
STEPS = 20_000


class Way(NamedTuple):
    """One way to multiply bits on registers.

    run: makes the loop once. operations: in it.
    """

    run: Callable[[], object]
    operations: int


def _in_registers(register: Any, once: Callable[..., list[Any]]) -> Any:
    """An intrinsic's signature and body: `sums = once(builder, sums, other)` for all registers, `steps` times."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        seed = builder.trunc(arguments[1], register.element)
        other = v.broadcast(builder, seed, register.count)
        # Different beginnings, or the compiler sees that all sums are one.
        numbers = [v.constant(register, n + 1) for n in range(SUMS)]

        def step(k: Any, sums: list[Any]) -> list[Any]:
            return once(builder, sums, other)

        total, *others = v.loop(builder, v.INT64(0), arguments[0], 1, numbers, step)
        for s in others:
            total = builder.xor(total, s)
        return builder.zext(builder.extract_element(total, v.INT32(0)), v.INT64)

    return types.int64(types.int64, types.int64), emit


@intrinsic
def count_in_registers(typing: Any, steps: Any, seed: Any) -> Any:
    """`sum = sum + popcount(sum ^ seed)`."""

    def once(builder: Any, sums: list[Any], other: Any) -> list[Any]:
        return [builder.add(s, v.popcount(builder, builder.xor(s, other))) for s in sums]

    return _in_registers(REGISTER, once)


@intrinsic
def look_up_in_registers(typing: Any, steps: Any, seed: Any) -> Any:
    """`sum = sum + table[sum]`, byte by byte, of a table that holds the seed; or sums of two rows, from one table."""

    def once(builder: Any, sums: list[Any], other: Any) -> list[Any]:
        if SIX:
            return [builder.add(s, wide_tables.look_up(builder, other, s)) for s in sums]
        new = []
        for both, moved, third in zip(sums[::2], sums[1::2], sums[2::2] + sums[:1], strict=True):
            some = [tables.look_up(builder, other, places) for places in (both, moved, third)]
            found = builder.add(builder.add(some[0], some[1]), some[2])
            new += [
                builder.add(both, found),
                builder.add(moved, tables.half_a_byte(builder, builder.lshr, found)),
            ]
        return new

    return _in_registers(BYTES, once)


@njit
def _count(steps: int, seed: int) -> int:
    return count_in_registers(steps, seed)


@njit
def _look_up(steps: int, seed: int) -> int:
    return look_up_in_registers(steps, seed)


WAYS: Mapping[str, Way] = {
    "counting": Way(lambda: _count(STEPS, 7), 2 * STEPS * SUMS * REGISTER.count * REGISTER.element.width)
}
if any(form.tables for form in forms.available()) and (WIDE or forms.CHOSEN.name == "avx2"):
    # Products for each sum: six; or four of two rows, three times for both rows' sums
    looked_up = 2 * STEPS * SUMS * BYTES.count * (6 if SIX else 4 * 3)
    WAYS = {**WAYS, "looking up": Way(lambda: _look_up(STEPS, 7), looked_up)}


def measure(rounds: int = 30) -> dict[str, Spread]:
    """Operations per second on one thread: way -> median and quartiles of some short runs."""
    times = interleave({name: way.run for name, way in WAYS.items()}, rounds)
    return {name: spread([WAYS[name].operations / s for s in seconds]) for name, seconds in times.items()}


def best(limits: Mapping[str, Spread]) -> Spread:
    """The faster of the ways.

    >>> best({"counting": Spread(2.0, 2.0, 2.0), "looking up": Spread(3.0, 3.0, 3.0)}).median
    3.0
    """
    return max(limits.values())


def main() -> None:
    """Print it."""
    for name, limit in measure().items():
        median, low, high = (speed / 1e12 for speed in limit)
        print(f"{forms.CHOSEN.name}, {name}: {median:.2f} ({low:.2f}-{high:.2f}) Tops/s")


if __name__ == "__main__":
    main()
