"""Products of bits as shares of what the processor could do at most (see `limit`), and of codes of several bits."""

from typing import Any

import binviz_kernels
import numpy as np

from binviz.bench import limit
from binviz.bench.timing import interleave, ratio, spread

SHAPES = ((128, 768, 768), (128, 768, 3072), (128, 3072, 768), (1024, 768, 768), (1024, 768, 3072))
SEVERAL = {
    "2": (2, 0, 3),
    "ternary": (2, -1, 1),
    "4": (4, 0, 15),
}  # bits of an activation, least and most code


def measure(rows: int, inputs: int, outputs: int, rounds: int) -> dict[str, Any]:
    """One product beside the loops that do nothing but count or look up, on one thread.

    Args:
        rows: M.
        inputs: K.
        outputs: N.
        rounds: how often each is timed.

    Returns:
        rows, inputs, outputs, seconds (median and quartiles), share of the better limit, counting: share of the limit
        of XOR and popcount, bits: time of activations of 2 bits, of three levels and of 4 bits over that of one.
    """
    random = np.random.default_rng(0)
    a = binviz_kernels.pack_rows(random.standard_normal((rows, inputs)))
    weights = random.standard_normal((outputs, inputs))
    w = binviz_kernels.pack_weights(weights)
    contestants = {"product": lambda: binviz_kernels.xnor_gemm(a, w)}
    for name, (bits, least, most) in SEVERAL.items():
        codes = random.integers(least, most + 1, size=(rows, inputs)).astype(np.int8 if least else np.uint8)
        operands = binviz_kernels.pack_planes(codes, bits), binviz_kernels.pack_weights(weights, bits)
        contestants[name] = lambda operands=operands: binviz_kernels.planes_gemm(*operands)  # type: ignore[misc]
    times = interleave(contestants | {name: way.run for name, way in limit.WAYS.items()}, rounds)
    operations = 2 * rows * inputs * outputs
    shares = {
        name: ratio([seconds * operations / way.operations for seconds in times[name]], times["product"])
        for name, way in limit.WAYS.items()
    }
    return {
        "rows": rows, "inputs": inputs, "outputs": outputs, "seconds": spread(times["product"])._asdict(),
        "share": min(shares.values())._asdict(), "counting": shares["counting"]._asdict(),
        "bits": {name: ratio(times[name], times["product"])._asdict() for name in SEVERAL},
    }  # fmt: skip
