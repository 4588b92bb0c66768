"""Products of bits as shares of what the processor could do at most (see `limit`)."""

from typing import Any

import binviz_kernels
import numpy as np

from binviz.bench import limit
from binviz.bench.timing import interleave, ratio, spread

SHAPES = ((128, 768, 768), (128, 768, 3072), (128, 3072, 768), (1024, 768, 768), (1024, 768, 3072))


def measure(rows: int, inputs: int, outputs: int, rounds: int) -> dict[str, Any]:
    """One product beside the loop that does nothing but count, on one thread.

    Args:
        rows: M.
        inputs: K.
        outputs: N.
        rounds: how often each is timed.

    Returns:
        rows, inputs, outputs, seconds (median and quartiles) and share of the limit.
    """
    random = np.random.default_rng(0)
    a = binviz_kernels.pack_rows(random.standard_normal((rows, inputs)))
    w = binviz_kernels.pack_weights(random.standard_normal((outputs, inputs)))
    times = interleave({"product": lambda: binviz_kernels.xnor_gemm(a, w), "limit": limit.loop()}, rounds)
    fastest = 2 * rows * inputs * outputs / limit.OPERATIONS
    share = ratio([seconds * fastest for seconds in times["limit"]], times["product"])
    return {
        "rows": rows, "inputs": inputs, "outputs": outputs,
        "seconds": spread(times["product"])._asdict(), "share": share._asdict(),
    }  # fmt: skip
