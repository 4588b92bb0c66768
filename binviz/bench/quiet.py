"""Whether the machine did nothing else meanwhile: numbers of a busy one are nobody's.

On an idle machine a large float32 layer is nearly twice as fast on two threads as on one. Where anything else
runs, or the neighbours of a virtual machine do, it is not: then it is waited for, and what was measured meanwhile is
measured again.
"""

from collections.abc import Callable
from typing import TypeVar

import torch

from binviz.bench.kernels import contestants
from binviz.bench.machine import usable_cores
from binviz.bench.timing import interleave, ratio
from binviz.errors import UserError

LEAST_SPEEDUP = 1.6
LOOKS = 60  # at a machine that is never quiet: about a minute

T = TypeVar("T")


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


def disturbed(speedups: list[float | None]) -> bool:
    """Whether two threads ever failed to be much faster than one.

    >>> disturbed([1.9, None]), disturbed([1.9, 1.2])
    (False, True)
    """
    return any(s is not None and s < LEAST_SPEEDUP for s in speedups)


def between(
    measure: Callable[[], T], waits: Callable[[], object] = lambda: None
) -> tuple[T, list[float | None]]:
    """Measure between two looks at a quiet machine: where the second finds it disturbed, again once it is quiet.

    Args:
        measure: what is measured.
        waits: called whenever a quiet machine is quiet no longer.

    Returns:
        what was measured last, and every look.

    Raises:
        UserError: the machine does not become or stay quiet; it says what to do.
    """
    looks: list[float | None] = []
    found: list[T] = []
    for _ in range(LOOKS):
        looks.append(speedup(rounds=10))
        if disturbed(looks[-1:]):
            found.clear()
            if not disturbed(looks[-2:-1]):
                waits()
        elif found:
            return found[0], looks
        else:
            found.append(measure())
    least = min(look for look in looks if look is not None)
    raise UserError(
        f"this machine is busy: two threads are only {least:.2f} times as fast as one, and must be "
        f"{LEAST_SPEEDUP}; close other programs and run again, or measure all the same with --busy"
    )
