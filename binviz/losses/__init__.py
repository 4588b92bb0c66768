"""What a network learns from: one loss, one file.

>>> from binviz import losses
>>> losses.names()
['labels', 'bit', 'bibert', 'mlm', 'bipft', 'deviation-aware', 'qp',
'qp-official', 'sign-sgd', 'prox-quant']
"""

from binviz.losses import labels, bit, bibert, mlm, bipft, deviation, qp, sign_sgd, prox_quant  # isort: skip  # the order of `names`
['labels', 'bit', 'bibert', 'mlm', 'bipft', 'deviation-aware', 'cmim']
"""

from binviz.losses import labels, bit, bibert, mlm, bipft, deviation, cmim  # isort: skip  # the order of `names`
['labels', 'bit', 'bibert', 'mlm', 'bipft', 'deviation-aware', 'low-rank-mimicking']
"""

from binviz.losses import labels, bit, bibert, mlm, bipft, deviation, low_rank  # isort: skip  # the order of `names`
['labels', 'bit', 'bibert', 'mlm', 'bipft', 'deviation-aware', 'two-tasks', 'bi-mtdp']
"""

from binviz.losses import labels, bit, bibert, mlm, bipft, deviation, mtdp  # isort: skip  # the order of `names`
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
