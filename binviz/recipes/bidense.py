"""BiDense (Yin et al. 2024, 2411.10346): convolutions whose inputs' thresholds and scales follow each picture.

`bidense-bits`, ours, is without the scale of each channel, which stands inside the sum of a convolution: with it the
weights alone are packed, without it the products are of bits too. A linear's input has a learned threshold alone, and
its weight is centred. The float way around each layer is the network's (`binviz.layers.bypass`), for those that have
one; attention stays float.
"""

from binviz.recipes.recipe import Choice, Recipe, register

BIDENSE = register(
    Recipe("bidense", weight=Choice("bidense-weight"), activation=Choice("bidense-activation"))
)
BITS = register(BIDENSE.but("bidense-bits", activation=Choice("bidense-activation", {"scale": False})))
