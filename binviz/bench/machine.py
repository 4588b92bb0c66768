"""The machine a time was measured on. A time without it means nothing."""

import os
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from binviz_kernels import forms

from binviz.evidence.runs import processor

# The instructions that bit kernels, float32, bfloat16 and int8 products live on.
FLAGS = (
    "popcnt", "avx2", "avx512f", "avx512bw", "avx512_vpopcntdq", "avx512_bitalg", "avx512_vnni", "avx512_bf16",
    "avx_vnni", "amx_tile", "amx_int8", "amx_bf16", "asimd", "asimddp", "bf16", "i8mm", "sve",
)  # fmt: skip
#: Without one of these, torch computes bfloat16 by way of float32, at a fraction of its speed.
BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16"}
NO_BFLOAT16 = "this processor is not known to have instructions for it"
PACKAGES = (
    "binviz", "numpy", "numba", "llvmlite", "torch", "transformers",
    "faiss-cpu", "numkong", "onnxruntime", "openvino", "nncf", "bnn-lab",
)  # fmt: skip


def describe(cpuinfo: Path = Path("/proc/cpuinfo")) -> dict[str, Any]:
    """What the numbers depend on, as plain data.

    Args:
        cpuinfo: where Linux describes its processors; elsewhere the system is asked for the name and no flags are
            listed.

    Returns:
        cpu, flags (those of `FLAGS` it has), cores (that this process may use), system, python, and the
        version of each of `PACKAGES` that is installed.

    >>> sorted(describe())
    ['cores', 'cpu', 'flags', 'packages', 'python', 'system']
    """
    fields: dict[str, str] = {}
    if cpuinfo.exists():
        for line in cpuinfo.read_text("utf-8").splitlines():
            name, _, value = line.partition(":")
            fields.setdefault(name.strip().lower(), value.strip())
    flags = fields.get("flags", fields.get("features", "")).split()  # Arm calls them features
    return {
        "cpu": fields.get("model name") or processor(),
        "flags": [flag for flag in FLAGS if flag in flags],
        "cores": usable_cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {package: found for package in PACKAGES if (found := installed(package))},
    }


def lacks_bfloat16(flags: Sequence[str]) -> str:
    """Why bfloat16 is not measured on a processor, in one line; empty if it is.

    Args:
        flags: as `describe` gives them.

    >>> lacks_bfloat16(["avx2"]), lacks_bfloat16(["avx2", "amx_bf16"])
    ('this processor is not known to have instructions for it', '')
    """
    return "" if BFLOAT16 & set(flags) else NO_BFLOAT16


def installed(package: str) -> str | None:
    """The version of a package, by its name on the package index; None if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def usable_cores() -> int:
    """How many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def kernel_form() -> str:
    """Which form of the kernels runs in this process, and why, in one line.

    >>> kernel_form().startswith("kernels: ")
    True
    """
    chosen = forms.CHOSEN
    if os.environ.get("BINVIZ_KERNELS"):
        why = "named by BINVIZ_KERNELS"
    elif chosen.needs:
        why = f"this processor has {', '.join(sorted(chosen.needs))}"
    else:
        why = "it needs nothing of the processor"
    other = next((b for b in range(2, 8) if forms.for_bits(b) is not chosen), None)
    more = "" if other is None else f", from {other} bits on {forms.for_bits(other).name}"
    return f"kernels: {chosen.name}{more}, of {', '.join(forms.FORMS)}; {why}"


def matrix_units(flags: Sequence[str]) -> str:
    """Whether a processor multiplies int8 as fast as bits, in one or two sentences.

    Args:
        flags: as `describe` gives them.

    >>> matrix_units(["avx2", "amx_int8"]).split(":")[0]
    'int8 matrix units'
    """
    if not flags:
        here = "whether this processor has them is not known"
    elif "amx_int8" in flags:
        here = "this processor has them, so int8 may be the faster choice here"
    else:
        here = "this processor has none"
    return (
        f"int8 matrix units: {here}. With them (AMX; Intel's Sapphire Rapids and later) int8 is as fast as one bit: "
        "NumKong publishes 1,670 Gop/s for int8 (MKL) against its 1,390 for one bit there."
    )
