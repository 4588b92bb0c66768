"""A loss or gradient that is no number, and which layer made the first one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from binviz.errors import UserError


class NotFinite(UserError):
    """A loss or its gradient is no longer a number: the run has no model, and the same run would fail again."""


def first_output(model: nn.Module, run: Callable[[], object]) -> str | None:
    """Path of the module that first gives a nan or an infinity while `run` uses the model, or None.

    >>> model = nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2), nn.Linear(2, 1))
    >>> _ = nn.init.constant_(model[1].weight, float("nan"))
    >>> first_output(model, lambda: model(torch.ones(1, 2)))
    '1'
    """
    found: list[str] = []

    def hook(path: str) -> Callable[[nn.Module, Any, Any], None]:
        def look(module: nn.Module, inputs: Any, output: Any) -> None:
            tensors = output if isinstance(output, tuple | list) else [output]
            if any(isinstance(x, Tensor) and not x.isfinite().all() for x in tensors):
                found.append(path)

        return look

    handles = [module.register_forward_hook(hook(path)) for path, module in model.named_modules() if path]
    try:
        with torch.no_grad():
            run()
    finally:
        for handle in handles:
            handle.remove()
    return next(iter(found), None)


def last_gradient(model: nn.Module, run: Callable[[], Tensor]) -> str | None:
    """Path of the last parameter whose gradient of `run()` is no number, or None. Gradients flow from last to first.

    >>> layer = nn.Linear(1, 1)
    >>> last_gradient(layer, lambda: (layer.weight * 0).sqrt().sum() + layer.bias.sum())
    'weight'
    """
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    gradients = torch.autograd.grad(run(), [p for _, p in named], allow_unused=True)
    bad = [
        name
        for (name, _), g in zip(named, gradients, strict=True)
        if g is not None and not g.isfinite().all()
    ]
    return bad[-1] if bad else None
