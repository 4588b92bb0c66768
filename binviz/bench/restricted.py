"""The same race where nobody may use AVX-512: as on the many processors that have AVX2 only.

    python -m binviz.bench.restricted

Every library that multiplies here chooses its instructions when it is loaded, so this is a process of its own, with
`environment()`: ATen, oneDNN, MKL and FBGEMM (torch's), Numba and our kernels. Of our own code the process then looks
at what was compiled: there is no 512-bit register in it.
"""

import gc
import json
import os
import subprocess
import sys
from tempfile import TemporaryDirectory
from typing import Any

import torch
from binviz_kernels.forms import processor_features
from numba.core.codegen import get_host_cpu_features
from numba.core.dispatcher import Dispatcher

from binviz.bench import models, products
from binviz.bench.kernels import set_threads
from binviz.errors import UserError

MODEL = "BERT-base"
WIDE = ("avx512", "avx10", "amx", "evex512")


def environment() -> dict[str, str]:
    """What to set so that nobody uses more than AVX2.

    >>> "+avx512f" in environment()["NUMBA_CPU_FEATURES"]
    False
    """
    features = get_host_cpu_features().split(",")
    return {
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "FBGEMM_ENABLE_INSTRUCTIONS": "AVX2",
        "BINVIZ_KERNELS": "avx2",
        "NUMBA_CPU_NAME": "x86-64-v3",
        "NUMBA_CPU_FEATURES": ",".join(
            f"-{name[1:]}" if name[1:].startswith(WIDE) else name for name in features
        ),
    }


def available() -> bool:
    """Whether this processor has AVX2, and more that can be left unused."""
    return {"avx2", "avx512f"} <= processor_features()


def measure(threads: tuple[int, ...], rounds: int) -> dict[str, Any]:
    """In a process of its own, what `main` prints there.

    Raises:
        UserError: the process failed, or something in it used 512-bit registers.
    """
    arguments = [json.dumps([threads, rounds])]
    with TemporaryDirectory() as folder:  # Numba shows only what it has just compiled
        done = subprocess.run(
            [sys.executable, "-m", __name__, *arguments],
            env=os.environ | environment() | {"NUMBA_CACHE_DIR": folder},
            capture_output=True, encoding="utf-8", errors="replace",
        )  # fmt: skip
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"it ended with status {done.returncode}"]
        raise UserError(f"the measurement without AVX-512 failed: {said[-1]}")
    return json.loads(done.stdout)


def wide_registers() -> bool:
    """Whether anything that Numba compiled in this process, and did not find in its cache, uses 512-bit registers."""
    compiled = [thing for thing in gc.get_objects() if issubclass(type(thing), Dispatcher)]
    return any("zmm" in text for function in compiled for text in function.inspect_asm().values())


def main(arguments: list[str]) -> None:
    """Measure and print as JSON: what was restricted, and the lines of `models.measure` and `products.measure`."""
    threads, rounds = json.loads(arguments[0])
    contestants = models.build(models.CASES[MODEL])
    contestants.pop("bfloat16", None)  # no instruction for it is left
    lines = [line for t in threads for line in models.measure(MODEL, contestants, t, 1, rounds)]
    set_threads(1)
    found = [products.measure(*shape, 3 * rounds) for shape in products.SHAPES]
    if wide_registers() or torch.backends.cpu.get_cpu_capability() != "AVX2":
        raise UserError("AVX-512 was used where only AVX2 was allowed")
    settings = {name: os.environ[name] for name in environment() if name != "NUMBA_CPU_FEATURES"}
    print(json.dumps({"restricted": settings, "models": lines, "products": found}))


if __name__ == "__main__":
    main(sys.argv[1:])
