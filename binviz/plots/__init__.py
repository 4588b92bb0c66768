"""Figures: plain data in, `plotly` Figure out. The notebooks and the dashboard draw with the same builders.

Every figure has units on its axes, colours that colour-blind readers can tell apart, a description in
`figure.layout.meta["alt"]` and, in `figure.layout.meta["code"]`, Python that draws it again.

>>> from binviz import plots
>>> figure = plots.error_curve(plots.scale_sweep([-1.0, 3.0], [-1, 1]), of="scale")
>>> figure.layout.meta["alt"]
'Error against scale. Least error 20.0% at scale 2. The binarizer uses 1, with an error of 40.0%.'
"""

from binviz.plots import theme as theme
from binviz.plots.attention import attention, model_view
from binviz.plots.attribution import pixel_attribution, word_attribution
from binviz.plots.binarizers import before_after, curves, error_curve
from binviz.plots.bits import bit_product, bit_words
from binviz.plots.costs import costs
from binviz.plots.denoising import denoising
from binviz.plots.figure import describe, reference_line
from binviz.plots.layers import activations
from binviz.plots.learning import bars, lines, moving_histogram
from binviz.plots.margins import margins
from binviz.plots.network import causes, network, sensitivity
from binviz.plots.overview import accuracy_size, answers, pictures
from binviz.plots.patches import ones_entropy, patch_attention
from binviz.plots.ranking import Place, ranking
from binviz.plots.residuals import residuals
from binviz.plots.robustness import robustness
from binviz.plots.scales import same_scales
from binviz.plots.segmentation import segmentation
from binviz.plots.signs import flips
from binviz.plots.speed import Point, Size, crossover, ratios, roofline
from binviz.plots.summaries import (
    Histogram,
    Sweep,
    central_span,
    histogram,
    outliers,
    scale_sweep,
    threshold_sweep,
)
from binviz.plots.text import text_maps
from binviz.plots.tradeoff import Tradeoff, pareto, tradeoff
from binviz.plots.training import Course, Side, claim, courses, progress, verdicts

__all__ = [
    "Course",
    "Histogram",
    "Place",
    "Point",
    "Side",
    "Size",
    "Sweep",
    "Tradeoff",
    "accuracy_size",
    "activations",
    "answers",
    "attention",
    "bars",
    "before_after",
    "bit_product",
    "bit_words",
    "causes",
    "central_span",
    "claim",
    "costs",
    "courses",
    "crossover",
    "curves",
    "denoising",
    "describe",
    "error_curve",
    "flips",
    "histogram",
    "lines",
    "margins",
    "model_view",
    "moving_histogram",
    "network",
    "ones_entropy",
    "outliers",
    "pareto",
    "patch_attention",
    "pictures",
    "pixel_attribution",
    "progress",
    "ranking",
    "ratios",
    "reference_line",
    "residuals",
    "robustness",
    "roofline",
    "same_scales",
    "scale_sweep",
    "segmentation",
    "sensitivity",
    "text_maps",
    "threshold_sweep",
    "tradeoff",
    "verdicts",
    "word_attribution",
]
