"""How kernels are compiled: at their first call, for one kind of argument each, and remembered on disk.

A kernel that reads an array is compiled for read-only ones, and Numba passes it any C-contiguous array: so it
cannot write into its inputs, callers may pass read-only arrays, and nothing is compiled twice.

Numba's cache knows a kernel by its name and by the file it stands in, and does not notice a change in another
file that it is made of. So here a kernel's name ends in a digest of the whole package's source: another version
is another kernel. A cache that cannot be read, as a full disk leaves it, or whose code is not what was written,
is written anew.
"""

import functools
import hashlib
import logging
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba import types
from numba.core.caching import IndexDataCacheFile

from binviz_kernels import forms
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


def named(names: type, *kinds: tuple[types.Type, int]) -> types.NamedTuple:
    """The type of a named tuple of arrays, each given by its elements and axes."""
    return types.NamedTuple(tuple(written(element, axes) for element, axes in kinds), names)


PANELS, PANELS_OUT = None, "written"  # stand for the panels' type, which differs between forms
COUNT, FLAG = types.int64, types.boolean
FLOATS, INTS, WIDTHS = read(types.float32, 1), read(types.int32, 1), read(types.uint32, 1)
FLOAT_MATRIX, INT_MATRIX = read(types.float32, 2), read(types.int32, 2)
OCTETS, WORDS = read(types.uint8, 2), read(types.uint64, 2)
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
        arguments: the types of the arguments of `serial`; PANELS or PANELS_OUT where the panels stand.

    Attributes:
        serial, threaded: the two forms for callers in a hurry, once they are compiled for this processor by a
            call of the kernel itself. Before, and for arguments of other types, they raise TypeError.
    """

    def __init__(
        self, serial: Callable[..., bool], threaded: Callable[..., bool], *arguments: types.Type | str | None
    ):
        self.arguments = arguments
        self.functions = serial, threaded
        self._panels = next((i for i, t in enumerate(arguments) if t in (PANELS, PANELS_OUT)), None)
        for function in self.functions:
            function.__qualname__ = f"{function.__name__}-{DIGEST}"
        self.serial: Callable[..., bool] = _not_compiled
        self.threaded: Callable[..., bool] = _not_compiled
        self._compiled: dict[tuple[bool, Form | None], Callable[..., bool]] = {}
        self._lock = threading.Lock()

    def __call__(self, work: int, *arguments: Any) -> bool:
        """Call the fitting form, and compile it before if need be.

        Args:
            work: how many bits are multiplied; little work is never split.
            arguments: the kernel's.
        """
        form = None if self._panels is None else BY_DTYPE[arguments[self._panels].dtype]
        threads = get_threads() if work >= SMALLEST_WORK else 1
        function = self._compiled.get((threads > 1, form)) or self._compile(threads > 1, form)
        return function(*arguments, threads) if threads > 1 else function(*arguments)

    def _compile(self, parallel: bool, form: Form | None) -> Callable[..., bool]:
        """For one form: once in each process, and then on disk for all following ones.

        Nobody else gets to see the function before it refuses other types: two Python threads may come at once.
        """
        with self._lock:
            if (parallel, form) not in self._compiled:
                signature = [_type(t, form) for t in self.arguments]
                dispatcher = compile_for(
                    self.functions[parallel], parallel, tuple(signature + [COUNT] * parallel)
                )
                self._compiled[parallel, form] = dispatcher
                if form in (None, forms.CHOSEN):
                    setattr(self, "threaded" if parallel else "serial", dispatcher)
            return self._compiled[parallel, form]


def _type(argument: Any, form: Form | None) -> Any:
    """The type of an argument, where that of the panels is the form's."""
    if form and argument is PANELS:
        return form.type
    return written(form.type.dtype, form.type.ndim) if form and argument is PANELS_OUT else argument


class CheckedFile(IndexDataCacheFile):
    """Numba's files of one function, with the SHA-256 of its machine code, which nothing else would miss a bit of."""

    def _save_data(self, name: str, data: Any) -> None:
        content = self._dump(data)
        super()._save_data(name, (hashlib.sha256(content).digest(), content))

    def _load_data(self, name: str) -> Any:
        digest, content = super()._load_data(name)
        if hashlib.sha256(content).digest() != digest:
            raise ValueError(f"{name} is not what was written")
        return pickle.loads(content)


def jit(function: Callable[..., bool], parallel: bool) -> Any:
    """A function that Numba compiles and remembers on disk."""
    options = {"nogil": True, "parallel": parallel}
    try:
        dispatcher = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no folder for the cache can be written to
        return numba.njit(**options)(function)
    cache, kept = dispatcher._cache, dispatcher._cache._impl
    cache._cache_file = CheckedFile(cache.cache_path, kept.filename_base, kept.locator.get_source_stamp())
    return dispatcher


def compile_for(function: Callable[..., bool], parallel: bool, signature: tuple[types.Type, ...]) -> Any:
    """A function compiled for these arguments and no others, from the cache where that can be read."""
    dispatcher = jit(function, parallel)
    try:
        dispatcher.compile(signature)
    except Exception:  # what unpickling an odd file raises can be anything
        cache = dispatcher._cache
        if cache.cache_path is None:
            raise
        _say_damaged(cache.cache_path)
        try:
            cache.flush()
            dispatcher = jit(function, parallel)
        except OSError:
            dispatcher = numba.njit(nogil=True, parallel=parallel)(function)
        dispatcher.compile(signature)
    dispatcher.disable_compile()
    return dispatcher


@functools.cache
def _say_damaged(folder: str) -> None:
    """Once in a process."""
    logging.getLogger(__name__).warning(
        "compiled kernels in %s cannot be read; they are compiled anew", folder
    )


def _not_compiled(*arguments: Any) -> bool:
    raise TypeError("this kernel is not compiled yet")
