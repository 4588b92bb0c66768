"""Bit planes in the first layer (Vorabbi et al. 2023, 2305.02885), in front of what BiT makes of the others.

The paper puts its input layer before any binary network. `planes-w1a1` has its eight planes; `planes-w1a1-17` has 17
levels, as many as the digits of `binviz.data.digits`, which five planes hold exactly. A layer is converted so only
where it is known to see the picture itself (`binviz.adapters.layout.Layout.inputs`): the first convolution of
`binviz.networks.cnn`, and the patch embedding of ViT and DeiT, a convolution whose kernel is its stride. Both recipes
take -1 for black and 1 for white; where a network reads other numbers, the binarizer's options `low` and `high` say so.
"""

from binviz.recipes.bit import W1A1
from binviz.recipes.recipe import Choice, register

PLANES = register(W1A1.but("planes-w1a1", input=Choice("bit-planes")))
PLANES_17 = register(W1A1.but("planes-w1a1-17", input=Choice("bit-planes", {"greys": 17})))
