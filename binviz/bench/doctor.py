"""Is everything in order here? What a person, or whoever helps them, wants to know before anything is measured."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import binviz_kernels as kernels
import numba
import numpy as np

from binviz import __version__, zoo
from binviz.bench.machine import describe, kernel_form, matrix_units, usable_cores


class Found(NamedTuple):
    """One thing that was looked at: whether it is as it should be, and what it is, in one line."""

    well: bool
    line: str


def processor() -> Iterator[Found]:
    """Name, cores, instructions, and the form of the kernels that they choose."""
    about = describe()
    flags = " ".join(about["flags"]) or "instructions not known"
    yield Found(True, f"processor: {about['cpu']}, {about['cores']} cores for this process; {flags}")
    yield Found(True, kernel_form())
    yield Found(True, matrix_units(about["flags"]))


def versions() -> Iterator[Found]:
    """Of Python and of the packages that results depend on."""
    about = describe()
    yield Found(sys.version_info >= (3, 11), f"Python {about['python']} on {about['system']}")
    yield Found(True, ", ".join(f"{name} {version}" for name, version in about["packages"].items()))


def products() -> Iterator[Found]:
    """Whether a product of bits is what integers say, on one thread and on all of them."""
    random = np.random.default_rng(0)
    x, w = (random.choice([-1.0, 1.0], size).astype(np.float32) for size in ((130, 300), (70, 300)))
    wanted = (x @ w.T).astype(np.int32)
    before = kernels.get_threads()
    for threads in sorted({1, before}):
        kernels.set_threads(threads)
        right = np.array_equal(kernels.xnor_gemm(kernels.pack_rows(x), kernels.pack_weights(w)), wanted)
        said = "equals that of integers" if right else "is WRONG: report it with these lines"
        yield Found(right, f"a product of bits on {threads} thread{'s' if threads > 1 else ''} {said}")
    kernels.set_threads(None)


def cache() -> Iterator[Found]:
    """Whether compiled kernels can be kept, so that the next start is quick."""
    folder = Path(numba.config.CACHE_DIR or Path(kernels.__file__).parent)
    well = os.access(folder if folder.exists() else folder.parent, os.W_OK)
    where = f"in {folder}" if well else f"in the user's own cache, since {folder} cannot be written to"
    yield Found(True, f"compiled kernels are kept {where}")


def mirrors() -> Iterator[Found]:
    """The folders of BINVIZ_MIRROR, and what is in them."""
    named = [part for part in os.environ.get("BINVIZ_MIRROR", "").split(os.pathsep) if part]
    if not named:
        yield Found(True, "BINVIZ_MIRROR is not set: data sets and models come from the hub")
    for part in named:
        folder = Path(part).expanduser()
        if not folder.is_dir():
            yield Found(False, f"BINVIZ_MIRROR names {folder}, which is no folder; correct or unset it")
            continue
        count = {kind: len(list((folder / kind).glob("*/*"))) for kind in ("datasets", "models")}
        said = f"{count['datasets']} data sets, {count['models']} models"
        hint = "" if any(count.values()) else "; it needs datasets/<owner>/<name> or models/<owner>/<name>"
        yield Found(any(count.values()), f"mirror {folder}: {said}{hint}")


def models() -> Iterator[Found]:
    """Whether every bundled model is the file that was shipped."""
    changed = []
    for name in zoo.names():
        entry = zoo.describe(name)
        if not entry.path.exists() or hashlib.sha256(entry.path.read_bytes()).hexdigest() != entry.sha256:
            changed.append(name)
    if not changed:
        yield Found(True, f"all {len(zoo.names())} bundled models are as they were shipped")
    for name in changed:
        yield Found(False, f"the file of {name} is missing or changed; install binviz again")


LOOKED_AT: tuple[Callable[[], Iterator[Found]], ...] = (
    versions,
    processor,
    products,
    cache,
    mirrors,
    models,
)


def examine() -> Iterator[Found]:
    """Everything, in the order in which it is printed.

    >>> next(examine()).line.split()[0]
    'binviz'
    """
    yield Found(True, f"binviz {__version__}, {usable_cores()} cores")
    for look in LOOKED_AT:
        yield from look()
