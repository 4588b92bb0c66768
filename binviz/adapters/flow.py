"""Which layers of a torch network are called, on the input itself, and as the answer: from a pass of symbols.

`torch.fx` runs the network's own `forward` on symbols in place of tensors, so no input is needed. A `forward` that
decides by what it sees (a shape, a value) cannot be run so.
"""

from __future__ import annotations

import copy
import inspect
import threading
import warnings
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from torch import fx, nn

#: fx changes nn.Module while it runs, so one at a time.
_one = threading.Lock()


@dataclass
class Flow:
    """Paths of layers, in training and in use together.

    called: by the network. first: of these, called on what no other layer made. last: with no other layer behind them.
    read: those whose weight is taken by other code.
    """

    called: set[str] = field(default_factory=set)
    first: set[str] = field(default_factory=set)
    last: set[str] = field(default_factory=set)
    read: set[str] = field(default_factory=set)


class _Tracer(fx.Tracer):
    """Looks into every module but the layers and torch's own; arguments with a default have it."""

    def __init__(self, layers: Collection[nn.Module]) -> None:
        super().__init__()
        self.layers, self.thread = layers, threading.get_ident()

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return m in self.layers or super().is_leaf_module(m, module_qualified_name)

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if threading.get_ident() != self.thread:  # a model that another thread runs meanwhile
            return forward(*args, **kwargs)
        return super().call_module(m, forward, args, kwargs)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        if threading.get_ident() != self.thread:
            return attr_val
        return super().getattr(attr, attr_val, parameter_proxy_cache)


def flow_of(model: nn.Module, paths: Collection[str]) -> Flow | None:
    """What a network does with the layers at these paths, or None where its `forward` cannot be run on symbols.

    >>> class Heads(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.body, self.one, self.other = nn.Linear(4, 4), nn.Linear(4, 2), nn.Linear(4, 3)
    ...     def forward(self, x):
    ...         x = self.body(x).relu()
    ...         return self.one(x), self.other(x)
    >>> flow = flow_of(Heads(), ["body", "one", "other"])
    >>> sorted(flow.first), sorted(flow.last)
    (['body'], ['one', 'other'])
    """
    found = Flow()
    try:
        # The tensors are the model's own; what the pass leaves behind in modules is not
        tensors = {id(value): value for value in (*model.parameters(), *model.buffers())}
        twin = copy.deepcopy(model, tensors)
        layers = {path: twin.get_submodule(path) for path in paths}
        defaults = {
            name: given.default
            for name, given in inspect.signature(twin.forward).parameters.items()
            if given.default is not given.empty
        }
        with _one, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for training in (True, False):
                for module in twin.modules():
                    module.training = training
                _add(found, _Tracer(set(layers.values())).trace(twin, defaults), twin, layers)
    except Exception:  # code of somebody's own, on symbols, may raise anything
        return None
    return found


def _add(flow: Flow, graph: fx.Graph, model: nn.Module, layers: dict[str, nn.Module]) -> None:
    path_of = {id(layer): path for path, layer in layers.items()}
    is_layer: dict[fx.Node, str] = {}
    for node in graph.nodes:
        if node.op == "call_module" and (path := path_of.get(id(model.get_submodule(node.target)))):
            is_layer[node] = path
        elif node.op == "get_attr":
            owner, _, name = node.target.rpartition(".")
            value = getattr(model.get_submodule(owner), name)
            flow.read |= {path for path, layer in layers.items() if getattr(layer, "weight", None) is value}
    touched: set[fx.Node] = set()  # by a layer before them
    followed: set[fx.Node] = set()
    for node in graph.nodes:
        if any(source in touched or source in is_layer for source in node.all_input_nodes):
            touched.add(node)
    for node in reversed(graph.nodes):
        if any(user in followed or user in is_layer for user in node.users):
            followed.add(node)
    flow.called |= set(is_layer.values())
    flow.first |= {path for node, path in is_layer.items() if node not in touched}
    flow.last |= {path for node, path in is_layer.items() if node not in followed}
