"""Optimizers by name: a factory takes groups of parameters and the largest norm of a gradient.

It returns the optimizer, and the largest norm of all gradients together that the loop sees to.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from binviz.registry import Registry
from binviz.training.bert_adam import BertAdam

Factory = Callable[[list[dict[str, Any]], float], tuple[torch.optim.Optimizer, float]]
REGISTRY: Registry[Factory] = Registry("optimizer")
register, get, names = REGISTRY.register, REGISTRY.get, REGISTRY.names


@register("adamw")
def adamw(groups: list[dict[str, Any]], clip: float) -> tuple[torch.optim.Optimizer, float]:
    """Adam with decoupled weight decay (1711.05101).

    >>> optimizer, clip = adamw([{"params": [torch.nn.Parameter(torch.ones(1))], "lr": 0.1}], 1.0)
    >>> optimizer.defaults["fused"], clip
    (True, 1.0)
    """
    return torch.optim.AdamW(groups, fused=True), clip


@register("sgd")
def sgd(groups: list[dict[str, Any]], clip: float) -> tuple[torch.optim.Optimizer, float]:
    """Gradient descent with a momentum of 0.9, whose weight decay is part of the gradient.

    >>> optimizer, clip = sgd([{"params": [torch.nn.Parameter(torch.ones(1))], "lr": 0.1}], 1.0)
    >>> optimizer.defaults["momentum"], clip
    (0.9, 1.0)
    """
    return torch.optim.SGD(groups, lr=groups[0]["lr"], momentum=0.9), clip


@register("plain-sgd")
def plain_sgd(groups: list[dict[str, Any]], clip: float) -> tuple[torch.optim.Optimizer, float]:
    """Gradient descent and nothing else: each step is the rate times the gradient.

    >>> optimizer, clip = plain_sgd([{"params": [torch.nn.Parameter(torch.ones(1))], "lr": 0.1}], 1.0)
    >>> optimizer.defaults["momentum"], clip
    (0, 1.0)
    """
    return torch.optim.SGD(groups, lr=groups[0]["lr"]), clip


@register("bert-adam")
def bert_adam(groups: list[dict[str, Any]], clip: float) -> tuple[torch.optim.Optimizer, float]:
    """The one of the official codes, which clips each tensor's gradient; see `binviz.training.bert_adam`.

    (Their warm-up begins one step later, with a rate of zero.)

    >>> optimizer, clip = bert_adam([{"params": [torch.nn.Parameter(torch.ones(1))], "lr": 0.1}], 1.0)
    >>> optimizer.defaults["clip"], clip
    (1.0, inf)
    """
    return BertAdam(groups, clip=clip), math.inf
