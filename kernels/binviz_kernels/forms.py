"""Which form of the kernels this processor runs, chosen once, when the package is imported.

| form | for | how | panels |
|---|---|---|---|
| avx512 | AVX-512 with VPOPCNTDQ (AMD since Zen 4, Intel since Ice Lake) | counts words | uint32 [P, 1 + 2W, 64] |
| avx512bw | AVX-512 without it (before Ice Lake) | looks up in tables (`tables`) | int8 [P, 1 + 2W, 8, 64] |
| avx512vbmi | codes of several bits where avx512 is chosen | looks up (`wide_tables`) | int16 [P, 1 + W, 11, 1, 32] |
| avx2 | AVX2 | looks up in tables (`tables`) | uint8 [P, 1 + 2W, 8, 64] |
| neon | 64-bit ARM | counts bytes | uint16 [P, 1 + 2W, 128] |
| portable | every processor: a loop in Python that Numba compiles | counts words of 64 bits | uint64 [W, N] |

All give the same results. The type of a weight's panels says which form they are for, and with it which one runs.
The environment variable BINVIZ_KERNELS names a form to use instead. One that counts runs on any processor, if slowly;
one that looks up is refused where the instruction for it is lacking.
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
        line: axes of what stands side by side in a panel; none in the portable form, which has no panels.
        needs: what the processor must have to run this form at speed.
    """

    name: str
    dtype: np.dtype[Any]
    line: tuple[int, ...]
    needs: frozenset[str]

    @property
    def type(self) -> types.Array:
        """The panels' type as Numba knows it."""
        return types.Array(numba.from_dtype(self.dtype), 2 + len(self.line), "C", readonly=True)

    @property
    def tables(self) -> bool:
        """Whether products are looked up.

        >>> FORMS["avx512"].tables, FORMS["avx512bw"].tables
        (False, True)
        """
        return len(self.line) > 1

    def shape(self, N: int, W: int) -> tuple[int, ...]:
        """The panels' shape for N rows of W words.

        >>> FORMS["avx512"].shape(N=64, W=3)
        (1, 7, 64)
        """
        lines = 1 + W if len(self.line) == 3 else 1 + 2 * W
        return (-(-N // PANEL), lines, *self.line) if self.line else (W, N)


def _form(name: str, dtype: Any, line: tuple[int, ...], *needs: str) -> Form:
    return Form(name, np.dtype(dtype), line, frozenset(needs))


FORMS = {
    form.name: form
    for form in (
        _form("avx512", np.uint32, (64,), "avx512f", "avx512vpopcntdq"),
        _form("avx512bw", np.int8, (8, 64), "avx512bw"),
        _form("avx512vbmi", np.int16, (11, 1, 32), "avx512bw", "avx512vbmi"),
        _form("avx2", np.uint8, (8, 64), "avx2"),
        _form("neon", np.uint16, (128,), "neon"),
        _form("portable", np.uint64, ()),
    )
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


def available(features: set[str] | None = None) -> list[Form]:
    """The forms that a processor with these features can run, fast or slowly; by default this one.

    >>> [form.name for form in available(set())]
    ['avx512', 'neon', 'portable']
    """
    features = processor_features() if features is None else features
    return [form for form in FORMS.values() if not form.tables or form.needs <= features]


def choose(features: set[str], wanted: str | None = None) -> Form:
    """The form for a processor.

    Args:
        features: what it has, in LLVM's words.
        wanted: the name of a form to use in any case.

    Raises:
        ValueError: there is no form of that name, or the processor has no instruction for it.

    >>> choose({"avx2"}).name, choose(set()).name, choose(set(), wanted="avx512").name
    ('avx2', 'portable', 'avx512')
    """
    if wanted:
        if wanted not in FORMS:
            raise ValueError(f"BINVIZ_KERNELS must be one of {', '.join(FORMS)}, got {wanted!r}")
        form = FORMS[wanted]
        if form not in available(features):
            raise ValueError(
                f"BINVIZ_KERNELS={wanted}: this processor lacks {', '.join(form.needs)}; unset it"
            )
        return form
    return next(form for form in FORMS.values() if form.needs <= features)


if numba.config.DISABLE_JIT:
    raise ValueError("NUMBA_DISABLE_JIT is set, and kernels that are not compiled compute nothing; unset it")
CHOSEN = choose(processor_features(), os.environ.get("BINVIZ_KERNELS"))
if lacking := CHOSEN.needs - processor_features():
    logging.getLogger(__name__).warning(
        "BINVIZ_KERNELS=%s: results are right but slow, as this processor lacks %s; unset it to have the fastest form",
        CHOSEN.name, " and ".join(sorted(lacking)),
    )  # fmt: skip


def for_bits(bits: int) -> Form:
    """The form for products with codes of so many bits.

    Counting, each bit costs as much as the first; looking up, several cost about what one does. Measured on a
    processor that counts words (Zen 4), 128 rows and more, over the time of 1 bit: 2 bits 1.4 to 1.5 in tables of six
    bits, 1.9 to 2.2 in tables of four, 1.9 to 2.0 by counting; 4 bits 1.9 to 2.2, 2.3 to 2.8 and 3.6 to 4.1.
    On one that has AVX2 only (Zen 3), in tables of four: 2 bits 1.3 to 1.5, codes −1, 0 and 1 1.0, 4 bits 1.8 to 2.2.
    Weights are laid out before anyone knows how many rows will come, so one row takes the same way, though for it
    counting 2 bits is a little faster.

    >>> for_bits(1) is CHOSEN
    True
    """
    if bits > 1 and CHOSEN.name == "avx512":
        features = processor_features()
        if FORMS["avx512vbmi"].needs <= features:
            return FORMS["avx512vbmi"]
        if bits > 2 and FORMS["avx512bw"].needs <= features:
            return FORMS["avx512bw"]
    return CHOSEN
