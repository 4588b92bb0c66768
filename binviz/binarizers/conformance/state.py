"""The checks of what a binarizer holds: what is there from the start, saved as it was used, named and bounded."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor

from binviz.binarizers.base import Binarizer
from binviz.binarizers.conformance.rule import Check, Make, require
from binviz.errors import UserError


def _lazy(make: Make, x: Tensor) -> None:
    binarizer = make()
    before = {name: tensor.shape for name, tensor in binarizer.state_dict().items()}
    binarizer.train()(x)
    binarizer.eval()(x)
    after = {name: tensor.shape for name, tensor in binarizer.state_dict().items()}
    changed = sorted(name for name in before | after if before.get(name) != after.get(name))
    require(
        not changed,
        "lazy",
        f"{', '.join(changed)} appeared or changed shape in the first forward, too late for the optimizer; "
        "make it in __init__",
    )


def _saved(make: Make, x: Tensor) -> None:
    used = make()
    used(x)
    with torch.no_grad():
        for parameter in used.parameters():
            parameter.mul_(1.5).add_(0.125)
    loaded = make()
    loaded.load_state_dict(deepcopy(used.state_dict()))
    other = 7 * x
    for mode in (True, False):
        require(
            torch.equal(used.train(mode)(other), loaded.train(mode)(other)),
            "saved",
            "a fresh instance with the saved state gives other results; keep whatever the forward uses, also "
            "the mark that a parameter has started from data, in parameters and buffers",
        )


def _independent(make: Make, x: Tensor) -> None:
    binarizer = make()
    binarizer(x)
    if binarizer.channel_axis == 0:
        return
    whole, part = binarizer.encode(x), binarizer.encode(x[1:2])
    alone = part.decode()
    require(
        torch.equal(whole.q[1:2], part.q)
        and torch.allclose(whole.decode()[1:2], alone, rtol=1e-5, atol=1e-6),
        "independent",
        "an example's result depends on the others of its batch; reduce over its own row only, or start from "
        "the first batch by _initialize_once",
    )


def _bounds(make: Make, x: Tensor) -> None:
    cls: Any = type(make())
    for name, option in cls.options.items():
        if option.low is None or option.high is None:
            continue
        step = 1 if isinstance(option.low, int) else option.high - option.low
        for value in (option.low - step, option.high + step):
            try:
                cls(**{name: value})
            except UserError:
                continue
            require(
                False,
                "bounds",
                f"{name}={value!r} is taken, but options allow {option.low} to {option.high}; call "
                f"self._check({name}={name}) in __init__",
            )
        for value in (option.low, option.high):
            cls(**{name: value})


def _named(make: Make, x: Tensor) -> None:
    binarizer = make()
    learned = {name for name, parameter in binarizer.named_parameters() if parameter.ndim < 2}
    named = {
        f"{path}.{name}".lstrip(".")
        for path, part in binarizer.named_modules()
        if isinstance(part, Binarizer)
        for name in (*part.scales, *part.shifts, *part.of_training)
    }
    unnamed = sorted(learned - named)
    require(
        not unnamed,
        "named",
        f"{', '.join(unnamed)} is learned and named in none of `scales`, `shifts` and `of_training`; name it on the "
        "class, so that it is trained and drawn as what it is",
    )


#: Name -> check, in order.
CHECKS: dict[str, Check] = {
    "lazy": _lazy,
    "saved": _saved,
    "independent": _independent,
    "bounds": _bounds,
    "named": _named,
}
