"""A linear layer on bits beside torch's.

At the shapes of BERT-base. Every contestant starts and ends with torch tensors. Ours packs the float activations,
multiplies bits, scales and adds the bias; the weights are packed beforehand, as torch's are in bfloat16 or int8
beforehand. int8 is torch's dynamic quantization, which quantizes the activations as they come.
"""

import warnings
from collections.abc import Callable
from typing import Any

import binviz_kernels
import torch
from torch import nn
from torch.nn.functional import linear

from binviz.bench.machine import describe, lacks_bfloat16
from binviz.bench.timing import interleave, ratios, spreads

LAYERS = ((768, 768), (768, 3072), (3072, 768))  # inputs, outputs
ROWS = (1, 128, 1024)


def contestants(rows: int, inputs: int, outputs: int) -> dict[str, Callable[[], object]]:
    """One layer of random weights three times over.

    Args:
        rows: M, activations x float32 [M, K].
        inputs: K.
        outputs: N, weights [N, K].

    Returns:
        binviz, float32, bfloat16 and, where torch has it, int8, each a function that computes [M, N].
    """
    random = torch.Generator().manual_seed(0)
    x = torch.randn(rows, inputs, generator=random)
    w = torch.randn(outputs, inputs, generator=random)
    bias, scale = torch.randn(outputs, generator=random), w.abs().mean(dim=1)
    packed, scale_, bias_ = binviz_kernels.pack_weights(w.numpy()), scale.numpy(), bias.numpy()
    half = [t.bfloat16() for t in (x, w, bias)]
    functions: dict[str, Callable[[], object]] = {
        "binviz": lambda: torch.from_numpy(binviz_kernels.linear(x.numpy(), packed, scale_, bias_)),
        "float32": lambda: linear(x, w, bias),
        "bfloat16": lambda: linear(*half),
    }
    layer = nn.Linear(inputs, outputs)
    layer.weight.data, layer.bias.data = w, bias
    int8 = dynamic_int8(nn.Sequential(layer))
    if int8 is not None:
        functions["int8"] = lambda: int8(x)
    return functions


def dynamic_int8(model: nn.Module) -> nn.Module | None:
    """A copy of it with torch's dynamically quantized linear layers; None where this torch has none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecated, but what is recommended instead is another package
            return torch.ao.quantization.quantize_dynamic(model.eval(), {nn.Linear}, torch.qint8)
    except (AttributeError, RuntimeError):  # no engine for this processor, or gone from torch
        return None


def set_threads(threads: int) -> None:
    """Let torch and our kernels use this many threads."""
    binviz_kernels.set_threads(threads)
    binviz_kernels.get_threads()  # first: starting Numba's threads may reset torch's number
    torch.set_num_threads(threads)


def measure(threads: int, rows: int, inputs: int, outputs: int, rounds: int) -> dict[str, Any]:
    """One line of the table.

    Returns:
        threads, rows, inputs, outputs, seconds of each contestant, and ratio of torch's times to ours. bfloat16 is left
        out where the processor has no instructions for it.
    """
    set_threads(threads)
    competing = contestants(rows, inputs, outputs)
    if lacks_bfloat16(describe()["flags"]):
        del competing["bfloat16"]
    with torch.inference_mode():
        times = interleave(competing, rounds)
    return {
        "threads": threads, "rows": rows, "inputs": inputs, "outputs": outputs,
        "seconds": spreads(times), "ratio": ratios(times, "binviz"),
    }  # fmt: skip
