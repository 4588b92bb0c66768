"""Look inside: named activations, their statistics, errors of binarization, sensitivity, attention.

capture      one run, named arrays                    stream       many runs, constant memory
errors       float against binary, place by place     sensitivity  one layer binary at a time
causes       why: function, weights or activations    readers      which binarizers read a tensor
attention    maps, codes and ones per row             steps        what retraining and binarization did to them
metrics      the measures themselves                  MEASURES     their names, directions and references
attribution  what an answer rests on               margins      how many bits it is away from another one
contents     what a checkpoint stores, bits a weight    scan       what one bit would do to any checkpoint
sampling     pictures from noise, step by step      frechet      how far they are from real ones
residual_polynomial   what binarized attention leaves out, term by term
"""

from binviz.analysis import metrics as metrics
from binviz.analysis.attention import Attention, LayerAttention, Map, Steps, attention, steps
from binviz.analysis.attribution import (
    Attribution,
    ablation,
    integrated_gradients,
    masked,
    occlusion,
    rank_agreement,
)
from binviz.analysis.capture import Captured, capture, names
from binviz.analysis.causes import CAUSES, causes
from binviz.analysis.contents import contents
from binviz.analysis.errors import errors
from binviz.analysis.margins import Margin, Readout, margins, read_out
from binviz.analysis.measures import MEASURES, Measure
from binviz.analysis.readers import readers
from binviz.analysis.residual_polynomial import Polynomial, Polynomials, residual_polynomial
from binviz.analysis.scan import scan
from binviz.analysis.sensitivity import sensitivity
from binviz.analysis.streaming import Summary, stream
from binviz.analysis.turning import turning_flips

__all__ = [
    "CAUSES",
    "MEASURES",
    "Attention",
    "Attribution",
    "Captured",
    "LayerAttention",
    "Map",
    "Margin",
    "Measure",
    "Polynomial",
    "Polynomials",
    "Readout",
    "Steps",
    "Summary",
    "ablation",
    "attention",
    "capture",
    "causes",
    "contents",
    "errors",
    "integrated_gradients",
    "margins",
    "masked",
    "metrics",
    "names",
    "occlusion",
    "rank_agreement",
    "read_out",
    "readers",
    "residual_polynomial",
    "scan",
    "sensitivity",
    "steps",
    "stream",
    "turning_flips",
]
