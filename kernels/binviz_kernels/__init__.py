"""1-bit matrix products that really run on bits. NumPy and Numba only.

A vector of −1 and +1 is stored as one bit per entry, 1 for +1. Then a dot product of K entries needs no
multiplication: XOR marks the places that differ, popcount counts them, and

    dot(a, w) = matches − mismatches = K − 2·popcount(a ^ w).

For activations in {0, 1}, AND marks the weights that are added or subtracted at all:

    dot(a, w) = 2·popcount(a & w) − popcount(a).

Every function has a slow, obviously correct twin of the same name in `binviz_kernels.naive`.

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
