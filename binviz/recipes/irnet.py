"""IR-Net (Qin et al. 2020, 1909.10788), the network that CMIM teaches (2207.02970).

The papers have no transformers; there all but weights and activations is as in BiBench's plain signs.
"""

from binviz.recipes.bibench import BNN
from binviz.recipes.recipe import Choice, register

IR_NET = register(BNN.but("ir-net", weight=Choice("ir-net-weight"), activation=Choice("ir-net-activation")))
