"""Bit planes in the first layer (Vorabbi et al. 2023, 2305.02885), in front of what BiT makes of the others.

The paper puts its input layer before any binary network. `planes-w1a1` has its eight planes; `planes-w1a1-17` has 17
levels, as many as the digits of `binviz.data.digits`, which five planes hold exactly. A layer is converted so only
where a network declares that it sees the picture itself (`binviz.adapters.layout.Layout.inputs`).
"""

from binviz.recipes.bit import W1A1
from binviz.recipes.recipe import Choice, register

PLANES = register(W1A1.but("planes-w1a1", input=Choice("bit-planes")))
PLANES_17 = register(W1A1.but("planes-w1a1-17", input=Choice("bit-planes", {"greys": 17})))
