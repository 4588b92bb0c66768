"""Look inside: named activations, their statistics, errors of binarization, sensitivity, attention.

capture      one run, named arrays                    stream       many runs, constant memory
errors       float against binary, place by place     sensitivity  one layer binary at a time
attention    maps, codes and ones per row             metrics      the measures themselves
"""

from binviz.analysis import metrics as metrics
from binviz.analysis.attention import Attention, LayerAttention, Map, attention
from binviz.analysis.capture import Captured, capture, names
from binviz.analysis.errors import errors
from binviz.analysis.scan import scan
from binviz.analysis.sensitivity import sensitivity
from binviz.analysis.streaming import Summary, stream

__all__ = [
    "Attention",
    "Captured",
    "LayerAttention",
    "Map",
    "Summary",
    "attention",
    "capture",
    "errors",
    "metrics",
    "names",
    "scan",
    "sensitivity",
    "stream",
]
