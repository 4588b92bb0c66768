"""1-bit matrix products that really run on bits. NumPy and Numba only.

A vector of −1 and +1 is stored as one bit per entry, 1 for +1. Then a dot product of K entries needs no
multiplication: XOR marks the places that differ, popcount counts them, and

    dot(a, w) = matches − mismatches = K − 2·popcount(a ^ w).

For activations in {0, 1}, AND marks the weights that are added or subtracted at all:

    dot(a, w) = 2·popcount(a & w) − popcount(a).

| function | computes |
|---|---|
| `pack_rows`, `pack_weights`, `unpack`, `prepare` | bits from numbers and back; weights from a file made ready |
| `xnor_gemm`, `and_gemm`, `hamming` | integer products and distances |
| `linear`, `linear_bits`, `fold_threshold` | a layer that ends in floats, or in bits for the next layer |
| `pack_planes`, `planes_gemm` | codes of 2, 4 and 8 bits (also in `linear`) |
| `linear_weight_only` | float activations, 1-bit weights |
| `pack_filters`, `conv2d` | convolutions |
| `encoder.encoder`, `encoder_layers.prepare_encoder` | all layers of an encoder in one call (twin: `naive_encoder`) |
| `code_encoder.code_encoder`, `.prepare_code_encoder` | the same with activations of 2 to 4 bits |
| `set_threads`, `get_threads` | how many threads large products use |

Every other function has a slow, obviously correct twin of the same name in `binviz_kernels.naive`. Results are the
same on every processor and any number of threads. To see how a product comes about, read `portable`, then `sums`,
and `tables` for processors that count bits slowly.

>>> import numpy as np
>>> from binviz_kernels import pack_rows, pack_weights, xnor_gemm
>>> a = np.array([[1, -1, 1, 1, -1, -1, 1, -1]], dtype=np.float32)
>>> w = np.array([[1, 1, -1, 1, -1, 1, 1, -1]], dtype=np.float32)
>>> int(xnor_gemm(pack_rows(a), pack_weights(w))[0, 0])  # 5 matches, 3 mismatches
2
"""

from binviz_kernels.convolution import PackedFilters, conv2d, pack_filters
from binviz_kernels.distance import hamming
from binviz_kernels.gemm import and_gemm, xnor_gemm
from binviz_kernels.layer import linear
from binviz_kernels.packing import PackedRows, PackedWeights, pack_rows, pack_weights, prepare, unpack
from binviz_kernels.planes import PackedPlanes, pack_planes, planes_gemm
from binviz_kernels.threads import get_threads, set_threads
from binviz_kernels.threshold import Threshold, fold_threshold, linear_bits
from binviz_kernels.weight_only import linear_weight_only

__all__ = [
    "PackedFilters",
    "PackedPlanes",
    "PackedRows",
    "PackedWeights",
    "Threshold",
    "and_gemm",
    "conv2d",
    "fold_threshold",
    "get_threads",
    "hamming",
    "linear",
    "linear_bits",
    "linear_weight_only",
    "pack_filters",
    "pack_planes",
    "pack_rows",
    "pack_weights",
    "planes_gemm",
    "prepare",
    "set_threads",
    "unpack",
    "xnor_gemm",
]
