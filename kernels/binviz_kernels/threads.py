"""How many threads kernels use.

Two Python threads may call any kernel at the same time. Numba's default choice of threads may be its
"workqueue", which aborts the whole process then; so this package asks for a thread-safe kind, unless the user
has chosen one. Where no thread-safe kind is installed (Numba's wheels for macOS bring no OpenMP library along),
kernels run on one thread; and so they do in a process that was forked from one with threads, which the child
does not have.
"""

import functools
import os
import sys

import numba

if "NUMBA_THREADING_LAYER" not in os.environ and numba.config.THREADING_LAYER == "default":
    numba.config.THREADING_LAYER = "threadsafe"

_wanted: int | None = None
_started = _forked = False


def set_threads(threads: int | None) -> None:
    """Choose how many threads the kernels of this package use, in all Python threads.

    Results do not depend on it. Products too small to gain from it stay on one thread.

    Args:
        threads: from 1 to the number Numba started with (NUMBA_NUM_THREADS, usually the number of cores).
            None: as many as `numba.get_num_threads()` says, which is how the program begins.

    Raises:
        ValueError: threads is not such a number.

    >>> from binviz_kernels import get_threads, set_threads
    >>> set_threads(1)
    >>> get_threads()
    1
    >>> set_threads(None)
    """
    global _wanted
    most = numba.config.NUMBA_NUM_THREADS
    whole = isinstance(threads, int) and not isinstance(threads, bool)
    if threads is not None and not (whole and 1 <= threads <= most):
        raise ValueError(
            f"threads must be None or a whole number from 1 to {most}, got {threads!r}; "
            "for more, set NUMBA_NUM_THREADS before Python starts"
        )
    _wanted = threads


def get_threads() -> int:
    """How many threads a large product uses now; 1 where no more can be had.

    >>> from binviz_kernels import get_threads
    >>> get_threads() >= 1
    True
    """
    if _wanted == 1 or _forked or not threads_available():
        return 1
    return numba.get_num_threads() if _wanted is None else _wanted


@functools.cache
def threads_available() -> bool:
    """Start Numba's threads; False if there are none of the chosen kind.

    Numba and torch may share one OpenMP library, and starting Numba's threads resets its number of threads. So
    in a program that has imported torch, what `torch.set_num_threads` said is said again.
    """
    global _started
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else None
    try:
        numba.get_num_threads()
    except ValueError:  # no library of that kind is installed
        return False
    _started = True
    if torch and torch.get_num_threads() != before:
        torch.set_num_threads(before)
    return True


def _after_fork() -> None:
    """The threads stayed with the parent, and OpenMP aborts a child that asks for them."""
    global _forked
    _forked = _started


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
