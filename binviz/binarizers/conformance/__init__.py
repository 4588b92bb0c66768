r"""Does a binarizer keep the contract? `check_binarizer` says so, or says why not and what to do.

Most of these checks would have caught a defect that was published: a sign that gives 0, a backward
that returns nothing, a parameter made after the optimizer, a threshold that moves only the surrogate,
a minimum over the batch, a mark that a saved model loses.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from binviz.binarizers.base import Binarizer
from binviz.binarizers.conformance import codes, gradients, state
from binviz.binarizers.conformance.rule import ConformanceError, Make, require
from binviz.binarizers.registry import get
from binviz.errors import UserError


def sample(channel_axis: int, features: int, seed: int = 0) -> Tensor:
    """Normal numbers with exact zeros of both signs and the corners -1, -0.5, 0.5, 1 among them.

    Shape (features, 12) for weights, (6, features, 3, 3) for images, else (6, 4, features).

    >>> sample(-1, 8).shape
    torch.Size([6, 4, 8])
    """
    shapes = {0: (features, 12), 1: (6, features, 3, 3)}
    x = torch.randn(shapes.get(channel_axis, (6, 4, features)), generator=torch.Generator().manual_seed(seed))
    corners = torch.tensor([0.0, -0.0, 1.0, -1.0, 0.5, -0.5])
    x.view(-1)[torch.arange(6) * (x.numel() // 6)] = corners
    return x


_CHECKS = codes.CHECKS | gradients.CHECKS | state.CHECKS


def _maker(binarizer: Binarizer | type[Binarizer] | str, options: dict[str, Any]) -> Make:
    if isinstance(binarizer, nn.Module):
        if options:
            raise UserError("give options with a name or a class; an instance has its own")
        return lambda: deepcopy(binarizer)
    options = {"features": 8} | options
    if isinstance(binarizer, str):
        return lambda: get(binarizer, **options)
    return lambda: binarizer(**options)


def check_binarizer(
    binarizer: Binarizer | type[Binarizer] | str,
    *,
    inputs: Tensor | None = None,
    derivative: Callable[[float], float] | None = None,
    **options: Any,
) -> list[str]:
    """Check a binarizer of yours against the contract that layers, packing and training rely on.

    What is checked, in order: *shape* (shape and dtype kept, from float16 to float64), *levels* (codes
    are on them), *zeros* (exact zeros of both signs), *declared* (`scale_kind`, `shifted`,
    `basis_count`, `offset`, `takes`), *weight* (of channel axis 0: a sum of signs without a shift), *forward* (is
    decode(encode), the same in training and in eval mode), *cut* (codes change where `cut` says), *gradient*
    (reaches x, finite, not zero everywhere), *incoming gradient* (not edited), *parameters* (a gradient reaches
    every one), *effect* (every learned scalar or vector changes the output), *progress* (any point of the
    schedule works), *lazy* (no parameter or buffer appears in the first forward), *saved* (a fresh instance with
    the saved state gives the same), *independent* (an example does not depend on its batch), *bounds* (the
    constructor refuses what is out of the bounds in `options`), *named* (what is learned stands in `scales`,
    `shifts` or `of_training`), and if you give its definition, *derivative*.

    Args:
        binarizer: a registered name, a class, or an instance (which is copied, not changed).
        inputs: what to check on; `sample(channel_axis, features)` if not given.
        derivative: d forward(x) / dx as a Python function of one number, where it is elementwise.
        options: for a name or a class; features is 8 if not given.

    Returns:
        The names of the checks, all passed.

    Raises:
        ConformanceError: the first check that fails, why, and what to do.

    >>> check_binarizer("bnn", derivative=lambda x: float(abs(x) <= 1))[-1]
    'derivative'
    """
    make = _maker(binarizer, options)
    try:
        first = make()
    except TypeError as error:
        raise ConformanceError(
            f"options: {error}; every binarizer takes features and channel_axis, keyword-only"
        ) from error
    require(isinstance(first, Binarizer), "class", "derive it from binviz.binarizers.Binarizer")
    x = sample(first.channel_axis, max(first.features, 2)) if inputs is None else inputs.detach()
    for check in _CHECKS.values():
        check(make, x)
    if derivative is None:
        return list(_CHECKS)
    gradients.derived(make, x, derivative)
    return [*_CHECKS, "derivative"]
