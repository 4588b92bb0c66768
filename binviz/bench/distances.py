"""All-pairs Hamming distances beside NumKong's and faiss', where they are installed (`pip install binviz[bench]`)."""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import binviz_kernels
import numpy as np

from binviz.bench.timing import interleave, ratios, spreads

SHAPES = ((1000, 1000, 256), (1000, 1000, 1024), (4000, 4000, 768))


def contestants(rows: int, others: int, bits: int) -> dict[str, Callable[[], object]]:
    """The same codes for everyone, each in the form that it takes.

    NumKong gets its second matrix packed beforehand; our time and faiss' include all that they do to theirs.

    Args:
        rows: M codes.
        others: N codes that each is compared with.
        bits: of a code, a multiple of 64.

    Returns:
        binviz, and numkong and faiss if they are installed, each a function that computes [M, N] on one thread.
    """
    random = np.random.default_rng(0)
    x, y = (random.integers(0, 256, (n, bits // 8), np.uint8) for n in (rows, others))
    a, b = (binviz_kernels.PackedRows(codes.view(np.uint64), bits) for codes in (x, y))
    out = np.empty((rows, others), np.int32)
    functions: dict[str, Callable[[], object]] = {"binviz": lambda: binviz_kernels.hamming(a, b, out)}
    if find_spec("numkong"):
        import numkong

        packed, their_out = numkong.hammings_pack(y), numkong.zeros((rows, others), dtype="uint32")
        functions["numkong"] = lambda: numkong.hammings_packed(x, packed, out=their_out)
    if find_spec("faiss"):
        faiss: Any = import_module("faiss")  # its types know no hammings
        faiss.omp_set_num_threads(1)
        faiss_out = np.empty((rows, others), np.int32)

        def faiss_hammings() -> object:
            # The pointers do not keep their arrays alive, this function does.
            pointers = [faiss.swig_ptr(array) for array in (x, y, faiss_out)]
            faiss.hammings(pointers[0], pointers[1], rows, others, bits // 8, pointers[2])
            return faiss_out

        functions["faiss"] = faiss_hammings
    return functions


def measure(rows: int, others: int, bits: int, rounds: int) -> dict[str, Any]:
    """One line of the table.

    Returns:
        rows, others, bits, seconds of each contestant, and ratio of the others' times to ours.
    """
    times = interleave(contestants(rows, others, bits), rounds)
    return {
        "rows": rows, "others": others, "bits": bits,
        "seconds": spreads(times), "ratio": ratios(times, "binviz"),
    }  # fmt: skip
