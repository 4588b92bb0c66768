"""BWTA: binary weights, ternary activations (Ding et al. 2026, 2604.03957), as far as its abstract says.

Weights and word embeddings are signs; activations that can have both signs are -1, 0 or +1, so that tiny ones stay
tiny. Those that cannot be negative, behind a softmax or a ReLU, have no use for the third value and are BiT's {0, 1}.
What the abstract leaves open, scales, shifts and where a ReLU stands, is BiT's too. The paper takes levels away step by
step while it trains; the experiment "bwta" does so.
"""

from binviz.recipes import bit
from binviz.recipes.recipe import Choice, register

_TERNARY = Choice("elastic-ternary")

BWTA = register(
    bit.W1A1.but(
        "bwta",
        activation=Choice("elastic-ternary", {"learn_shift": True}),
        query=_TERNARY,
        key=_TERNARY,
        value=_TERNARY,
    )
)
