"""How kernels are compiled, and when they use more than one thread.

Two Python threads may call any kernel at the same time. Numba's default choice of threads may be its
"workqueue", which aborts the whole process then; so this package asks for a thread-safe kind, unless the user
has chosen one. Where no thread-safe kind is installed, kernels run on one thread.
"""

import functools
import os
import sys
from collections.abc import Callable
from typing import Any

import numba

SMALLEST_WORK = 1 << 18  # words to compare: about 20 microseconds, ten times what starting the threads costs

if "NUMBA_THREADING_LAYER" not in os.environ and numba.config.THREADING_LAYER == "default":
    numba.config.THREADING_LAYER = "threadsafe"


def run(serial: Callable[..., None], threaded: Callable[..., None], rows: int, work: int, *args: Any) -> None:
    """Call one of a kernel's two forms.

    Args:
        serial: the form `f(*args, start, stop)` that computes some rows of the output on this thread.
        threaded: the form `f(*args, threads)` that splits the rows over threads.
        rows: rows of the output; a single row is never split.
        work: words to be compared.
        args: the kernel's other arguments.
    """
    threads = thread_count() if rows > 1 and work >= SMALLEST_WORK else 1
    if threads > 1:
        threaded(*args, threads)
    else:
        serial(*args, 0, rows)


def thread_count() -> int:
    """How many threads a kernel may use now: what `numba.set_num_threads` says, or 1 where none can be had."""
    return numba.get_num_threads() if threads_available() else 1


@functools.cache
def threads_available() -> bool:
    """Start Numba's threads; False if there are none of the chosen kind.

    Numba and torch may share one OpenMP library, and starting Numba's threads resets its number of threads. So
    in a program that has imported torch, what `torch.set_num_threads` said is said again.
    """
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else None
    try:
        numba.get_num_threads()
    except ValueError:  # no library of that kind is installed
        return False
    if torch and torch.get_num_threads() != before:
        torch.set_num_threads(before)
    return True


def compile_serial(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function at its first call, and remember the result on disk."""
    return _compile(function, parallel=False)


def compile_parallel(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same with the iterations of its `prange` split over threads."""
    return _compile(function, parallel=True)


def _compile(function: Callable[..., Any], parallel: bool) -> Callable[..., Any]:
    options = {"nogil": True, "parallel": parallel}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no folder for the cache can be written to
        return numba.njit(**options)(function)
