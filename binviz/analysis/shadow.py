"""A second face of a model, to hang hooks on: new module objects around the same parameters and buffers.

Whatever is done to the shadow's hooks, modes, submodules and configuration, the model never sees it. Another
thread may run the model, or another shadow of it, at the same time, and an exception leaves nothing behind.

>>> model = nn.Sequential(nn.Linear(2, 2), nn.Dropout())
>>> twin = shadow(model).eval()
>>> twin[0].weight is model[0].weight, twin[0] is model[0], model.training
(True, False, True)
"""

from __future__ import annotations

import copy
from typing import Any

from torch import nn

from binviz.binarizers import Binarizer


def shadow(model: nn.Module, isolate: bool = True) -> nn.Module:
    """New module objects for the whole tree; parameters, buffers and every other attribute are shared.

    Hooks that are on the model run in the shadow too. A model's configuration is copied, once, so that the
    shadow can be given another attention implementation. No tensor is copied; a model of a hundred modules
    takes a few milliseconds.

    Args:
        model: any torch module.
        isolate: a binarizer whose parameters start from the first batch it sees, and that has seen none, is
            copied with its parameters, so that running the shadow does not start the model's.

    >>> network = nn.Sequential(nn.Linear(2, 2))
    >>> twin = shadow(network)
    >>> twin[0] is network[0], twin[0].weight is network[0].weight
    (False, True)
    """
    modules: dict[int, nn.Module] = {}
    configurations: dict[int, Any] = {}

    def twin_of(module: nn.Module) -> nn.Module:
        if id(module) in modules:
            return modules[id(module)]
        if isolate and isinstance(module, Binarizer) and not module.has_started:
            modules[id(module)] = copy.deepcopy(module)
            return modules[id(module)]
        twin = modules[id(module)] = type(module).__new__(type(module))
        state = dict(vars(module))
        for name, value in state.items():
            if "_hooks" in name and isinstance(value, dict):
                state[name] = value.copy()
        if "config" in state:
            config = state["config"]
            state["config"] = configurations.setdefault(id(config), copy.copy(config))
        vars(twin).update(state)
        children = [(name, child and twin_of(child)) for name, child in module._modules.items()]
        vars(twin)["_modules"] = type(module._modules)(children)
        return twin

    return twin_of(model)
