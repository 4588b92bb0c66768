"""RBONN (Xu et al. 2022, 2209.01542): ReActNet whose weights step back along the gradient before.

The paper has no transformers; there all but the weights is as in BiBench's ReActNet. It begins with a stage whose
activations alone are binary; here there is one stage, from a float network.
"""

from binviz.recipes.bibench import REACTNET
from binviz.recipes.recipe import Choice, register

RBONN = register(REACTNET.but("rbonn", weight=Choice("rbonn-weight")))
