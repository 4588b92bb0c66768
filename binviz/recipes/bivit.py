"""BiViT (He et al. 2023, 2211.07091): softmax-aware attention, learned weight scales.

`bivit-w1a1` binarizes attention and feed-forward part; `bivit-mixed`, the paper's default, keeps the inputs of
the feed-forward part float. `bivit-attention` binarizes attention alone: the first stage of cross-layer
binarization (section 3.3), whose second is one of the others. `bivit-w1a1-v` keeps the factor v of attention's codes
(section 3.2), which the paper drops for speed: ours, for comparison. Patch embedding, down-sampling and head stay float
in all. As in the official code, every window blocks the gradient at exactly 1. Departure: the code has its dropout
on the scores before the softmax, here it is on the probabilities.
"""

from binviz.recipes.recipe import Choice, Recipe, register

SIGN = Choice("bnn", {"edge": "blocks"})

W1A1 = register(
    Recipe(
        name="bivit-w1a1",
        weight=Choice("bivit-weight", {"edge": "blocks"}),
        activation=SIGN,
        query=SIGN,
        key=SIGN,
        value=SIGN,
        attention=Choice("bivit-attention"),
    )
)
MIXED = register(W1A1.but("bivit-mixed", float_activations=("*.fc1", "*.fc2")))
WITH_V = register(W1A1.but("bivit-w1a1-v", attention=Choice("bivit-attention", {"scale": True})))
ATTENTION = register(W1A1.but("bivit-attention", keep_float=("*.fc1", "*.fc2")))
