"""Binarizers whose scale starts from the first batch that they see, and that have seen none.

Until then such a model has no answer of its own: the batch that comes first decides. A batch of zeros starts nothing,
so a scale behind an attention that lets nothing pass stays as it is.
"""

from __future__ import annotations

import logging

from torch import nn

from binviz.binarizers.base import Binarizer

log = logging.getLogger(__name__)


def unstarted(model: nn.Module) -> list[str]:
    """Paths of the binarizers in a model, packed or not, that no batch has started yet.

    >>> import torch
    >>> from binviz import binarizers
    >>> model = nn.Sequential(binarizers.get("elastic-signed"), binarizers.get("bnn"))
    >>> unstarted(model)
    ['0']
    >>> _ = model(torch.tensor([0.5, -2.0]))
    >>> unstarted(model)
    []
    """
    return [
        path for path, part in model.named_modules() if isinstance(part, Binarizer) and not part.has_started
    ]


def warn_unstarted(model: nn.Module, made: str) -> None:
    """Log one line if a model has binarizers that no batch has started yet.

    Args:
        model: any.
        made: what is made of it, "the file".
    """
    if paths := unstarted(model):
        marked = (part for part in model.modules() if hasattr(part, "initialized"))
        # A model that has seen a batch is not told to run one: what came to these was zero
        ran = any(bool(part.has_started) for part in marked if isinstance(part, Binarizer))
        advice = "they have seen only zeros so far" if ran else "run one batch first"
        log.warning(
            "%s answers by the first batch that it sees: %d scales have not started (%s, ...); %s",
            *(made, len(paths), paths[0], advice),
        )
