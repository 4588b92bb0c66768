"""BiPFT (Xing et al. 2023, 2312.08937): BiT's quantizers for binary pre-training; B adds residual estimators.

As in the official code, GELU is kept and the feed-forward part's second input is signed. Departures: the
code's estimators cannot be switched off (A here has none); the pooler's extra LayerNorm and skip are left out,
so a float model's pooler can be converted.
"""

from binviz.recipes.bit import W1A1
from binviz.recipes.recipe import register

A = register(W1A1.but("bipft-a", nonneg_activation=None, ffn_activation=None))
B = register(A.but("bipft-b", estimator_rank=1))
