"""What a network learns from: one loss, one file.

>>> from binviz import losses
>>> losses.names()
['labels', 'bit', 'bibert', 'mlm', 'bipft', 'deviation-aware', 'low-rank-mimicking', 'two-tasks', 'bi-mtdp',
'dbnet', 'cmim', 'qp', 'qp-official', 'sign-sgd', 'prox-quant']
"""

# The order of `names`.
from binviz.losses import labels, bit, bibert, mlm, bipft, deviation, low_rank  # isort: skip
from binviz.losses import mtdp, dbnet, cmim, qp, sign_sgd, prox_quant  # isort: skip
from binviz.losses.loss import Batch, Loss, LossChoice, get, inputs_of, names, register

__all__ = [
    "Batch",
    "Loss",
    "LossChoice",
    "bibert",
    "bipft",
    "bit",
    "cmim",
    "dbnet",
    "deviation",
    "get",
    "inputs_of",
    "labels",
    "low_rank",
    "mlm",
    "mtdp",
    "names",
    "prox_quant",
    "qp",
    "register",
    "sign_sgd",
]
