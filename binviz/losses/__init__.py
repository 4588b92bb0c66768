"""What a network learns from: one loss, one file.

>>> from binviz import losses
>>> losses.names()
['labels', 'bit', 'bibert', 'mlm', 'bipft', 'deviation-aware', 'two-tasks', 'bi-mtdp']
"""

from binviz.losses import labels, bit, bibert, mlm, bipft, deviation, mtdp  # isort: skip  # the order of `names`
from binviz.losses.loss import Batch, Loss, LossChoice, get, inputs_of, names, register

__all__ = [
    "Batch",
    "Loss",
    "LossChoice",
    "bibert",
    "bipft",
    "bit",
    "deviation",
    "get",
    "inputs_of",
    "labels",
    "mlm",
    "mtdp",
    "names",
    "register",
]
