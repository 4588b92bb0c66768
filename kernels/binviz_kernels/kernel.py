"""How kernels are compiled: at their first call, for one kind of argument each, and remembered on disk.

A kernel that reads an array is compiled for read-only ones, and Numba passes it any C-contiguous array: so it
cannot write into its inputs, callers may pass read-only arrays, and nothing is compiled twice.

Numba's cache knows a kernel by its name and by the file it stands in, and does not notice a change in another
file that it is made of. So here a kernel's name ends in a digest of the whole package's source: another version
is another kernel.
"""

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba import types

from binviz_kernels.forms import BY_DTYPE, Form
from binviz_kernels.threads import get_threads

SMALLEST_WORK = (
    1 << 24
)  # multiplications of bits: about 6 microseconds, three times what starting threads costs


def read(element: types.Type, axes: int) -> types.Array:
    """The type of an array that is only read."""
    return types.Array(element, axes, "C", readonly=True)


def written(element: types.Type, axes: int) -> types.Array:
    """The type of an array that is written to."""
    return types.Array(element, axes, "C")


PANELS = None  # stands for the panels' type, which differs between forms
COUNT, FLAG = types.int64, types.boolean
FLOATS, INTS, BITS = read(types.float32, 1), read(types.int32, 1), read(types.uint64, 1)
FLOAT_MATRIX, OCTETS, WORDS = read(types.float32, 2), read(types.uint8, 2), read(types.uint64, 2)
FLOATS_OUT, INTS_OUT, WORDS_OUT = written(types.float32, 2), written(types.int32, 2), written(types.uint64, 2)


def source_digest(folder: Path) -> str:
    """A few letters that differ whenever a Python file in the folder does."""
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


DIGEST = source_digest(Path(__file__).parent)


class Kernel:
    """A product twice: on this thread, and spread over several.

    Args:
        serial: computes everything; returns whether the arguments' sizes fit, and does nothing if not.
        threaded: the same with a number of threads as its last argument.
        arguments: the types of the arguments of `serial`; PANELS where the panels stand.

    Attributes:
        serial: the first form for callers in a hurry. It raises TypeError for arguments of other types, and
            before the first call of the kernel itself.
    """

    def __init__(
        self, serial: Callable[..., bool], threaded: Callable[..., bool], *arguments: types.Type | None
    ):
        self.arguments = arguments
        self.serial: Callable[..., bool] = _not_compiled
        self._serial, self._threaded = _compile(serial, parallel=False), _compile(threaded, parallel=True)
        self._compiled: set[tuple[bool, Form | None]] = set()
        self._lock = threading.Lock()

    def __call__(self, work: int, *arguments: Any) -> bool:
        """Call the fitting form, and compile it before if need be.

        Args:
            work: how many bits are multiplied; little work is never split.
            arguments: the kernel's.
        """
        form = BY_DTYPE[arguments[self.arguments.index(PANELS)].dtype] if PANELS in self.arguments else None
        threads = get_threads() if work >= SMALLEST_WORK else 1
        if (threads > 1, form) not in self._compiled:
            self._compile(threads > 1, form)
        return self._threaded(*arguments, threads) if threads > 1 else self.serial(*arguments)

    def _compile(self, parallel: bool, form: Form | None) -> None:
        """For a form: once in each process, and then on disk for all following ones."""
        with self._lock:
            dispatcher = self._threaded if parallel else self._serial
            signature = [form.type if form and t is PANELS else t for t in self.arguments]
            dispatcher.disable_compile(False)
            dispatcher.compile(tuple(signature + [COUNT] * parallel))
            dispatcher.disable_compile()
            self.serial = self.serial if parallel else dispatcher
            self._compiled.add((parallel, form))


def _compile(function: Callable[..., bool], parallel: bool) -> Any:
    function.__qualname__ += f"-{DIGEST}"
    options = {"nogil": True, "parallel": parallel}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no folder for the cache can be written to
        return numba.njit(**options)(function)


def _not_compiled(*arguments: Any) -> bool:
    raise TypeError("this kernel is not compiled yet")
