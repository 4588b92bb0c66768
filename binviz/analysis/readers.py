"""Which binarizers read a tensor, whatever it is called where they stand."""

from __future__ import annotations

import numpy as np

from binviz.analysis.capture import Captured


def readers(seen: Captured, name: str) -> list[str]:
    """The binarizers whose input is, bit for bit, the tensor of that name.

    One tensor has several names: what enters a BERT layer is `layers.0.resid_in`, and also `layers.0.q_in`, `k_in` and
    `v_in`, where binarizers read it. None is found where a norm or another function lies between.

    Args:
        seen: of the 1-bit model, with the `.pre` of its binarizers.
        name: of a captured tensor.

    Returns:
        Names with `.pre`, `.code` and `.decoded`, in the order in which the model runs them; [] where the tensor is
        read by float parts only.

    Raises:
        UserError: the name was not captured.

    >>> import torch
    >>> from binviz import binarize_, capture
    >>> network = torch.nn.Sequential(*(torch.nn.Linear(4, 4) for _ in range(3)))
    >>> _ = binarize_(network, "bnn")
    >>> seen = capture(network, torch.randn(2, 4))
    >>> readers(seen, "0"), readers(seen, "1.in"), readers(seen, "1")
    (['1'], ['1'], [])
    """
    value = np.asarray(seen[name])
    inputs = ((each.removesuffix(".pre"), seen[each]) for each in seen if each.endswith(".pre"))
    return [base for base, read in inputs if np.array_equal(value, np.asarray(read))]
