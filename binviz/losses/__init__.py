"""What a network learns from: one loss, one file.

>>> from binviz import losses
>>> losses.names()
['labels', 'bit', 'bibert', 'mlm', 'bipft', 'deviation-aware', 'dbnet']
"""

from binviz.losses import labels, bit, bibert, mlm, bipft, deviation, dbnet  # isort: skip  # the order of `names`
from binviz.losses.loss import Batch, Loss, LossChoice, get, inputs_of, names, register

__all__ = [
    "Batch",
    "Loss",
    "LossChoice",
    "bibert",
    "bipft",
    "bit",
    "dbnet",
    "deviation",
    "get",
    "inputs_of",
    "labels",
    "mlm",
    "names",
    "register",
]
