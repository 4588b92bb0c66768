"""Which form of the kernels this processor runs, chosen once, when the package is imported.

| form | for | counts | panels |
|---|---|---|---|
| avx512 | AVX-512 with VPOPCNTDQ (AMD since Zen 4, Intel since Ice Lake) | words of 32 bits | uint32 [P, 1 + 2W, 64] |
| avx2 | AVX2 | bytes | uint8 [P, 1 + 2W, 256] |
| neon | 64-bit ARM | bytes | int8 [P, 1 + 2W, 256] |
| portable | every processor: a loop in Python that Numba compiles | words of 64 bits | uint64 [W, N] |

All give the same results. The type of a weight's panels says which form they are for, and with it which one runs.
The environment variable BINVIZ_KERNELS names a form to use instead. Any form runs on any processor and gives the
same results; what the processor lacks is said once, since then the form is slow.
"""

import logging
import os
from typing import Any, NamedTuple

import numba
import numpy as np
from llvmlite import binding
from numba.core import types
from numba.core.codegen import get_host_cpu_features

from binviz_kernels.sums import PANEL


class Form(NamedTuple):
    """A way to lay out weights.

    Attributes:
        name: as in the table above.
        dtype: of the panels.
        needs: what the processor must have to run this form at speed.
    """

    name: str
    dtype: np.dtype[Any]
    needs: frozenset[str]

    @property
    def type(self) -> types.Array:
        """The panels' type as Numba knows it."""
        dtype = numba.from_dtype(self.dtype)
        return types.Array(dtype, 2 if self.name == "portable" else 3, "C", readonly=True)

    def shape(self, N: int, W: int) -> tuple[int, ...]:
        """The panels' shape for N rows of W words."""
        if self.name == "portable":
            return W, N
        return -(-N // PANEL), 1 + 2 * W, PANEL * 4 // self.dtype.itemsize


FORMS = {
    "avx512": Form("avx512", np.dtype(np.uint32), frozenset({"avx512f", "avx512vpopcntdq"})),
    "avx2": Form("avx2", np.dtype(np.uint8), frozenset({"avx2"})),
    "neon": Form("neon", np.dtype(np.int8), frozenset({"neon"})),
    "portable": Form("portable", np.dtype(np.uint64), frozenset()),
}
BY_DTYPE = {form.dtype: form for form in FORMS.values()}


def processor_features() -> set[str]:
    """What Numba compiles for: this processor, or what NUMBA_CPU_FEATURES says; and NEON on every 64-bit ARM.

    >>> isinstance(processor_features(), set)
    True
    """
    named = numba.config.CPU_FEATURES
    listed = get_host_cpu_features() if named is None else named
    features = {feature[1:] for feature in listed.split(",") if feature.startswith("+")}
    # Not every system says what an ARM processor has
    if binding.get_process_triple().startswith(("aarch64", "arm64")):
        features.add("neon")
    return features


def choose(features: set[str], wanted: str | None = None) -> Form:
    """The form for a processor.

    Args:
        features: what it has, in LLVM's words.
        wanted: the name of a form to use in any case.

    Raises:
        ValueError: there is no form of that name.

    >>> choose({"avx2"}).name, choose(set()).name, choose(set(), wanted="avx512").name
    ('avx2', 'portable', 'avx512')
    """
    if wanted:
        if wanted not in FORMS:
            raise ValueError(f"BINVIZ_KERNELS must be one of {', '.join(FORMS)}, got {wanted!r}")
        return FORMS[wanted]
    return next(form for form in FORMS.values() if form.needs <= features)


CHOSEN = choose(processor_features(), os.environ.get("BINVIZ_KERNELS"))
if lacking := CHOSEN.needs - processor_features():
    logging.getLogger(__name__).warning(
        "BINVIZ_KERNELS=%s: results are right but slow, as this processor lacks %s; unset it to have the fastest form",
        CHOSEN.name, " and ".join(sorted(lacking)),
    )  # fmt: skip
