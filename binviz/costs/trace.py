"""How many multiply-accumulates (MACs) each layer does, found by running the network on shapes alone.

A copy without numbers (torch's "meta" device) runs one input. Binary layers run there as their float parents:
the shapes are the same, and no binarizer has to cope with a tensor that holds nothing. Attention is counted from
the queries, keys and values that pass; what else multiplies matrices is counted by torch's own formulas and
reported apart, so that nothing is left out silently.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from math import prod
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from binviz.errors import UserError
from binviz.layers import BinaryConv2d, BinaryEmbedding, BinaryLinear
from binviz.layers.tap import listening

_PARENTS: dict[type[nn.Module], type[nn.Module]] = {
    BinaryLinear: nn.Linear,
    BinaryConv2d: nn.Conv2d,
    BinaryEmbedding: nn.Embedding,
}
_HOOKS = ("_forward_hooks", "_forward_pre_hooks")


@dataclass(frozen=True)
class Heads:
    """The size of one attention: batch (windows, and times it is run), heads, queries, keys, width of a head.

    >>> Heads(batch=1, heads=12, queries=128, keys=128, width=64).macs
    12582912
    """

    batch: int
    heads: int
    queries: int
    keys: int
    width: int

    @property
    def macs(self) -> int:
        """Of each of the two products, queries with keys and attention with values."""
        return self.batch * self.heads * self.queries * self.keys * self.width


@dataclass
class Trace:
    """What one input makes a network do.

    layers: path of a linear or convolution -> MACs. attention: path of an attention module -> its size.
    norms: path of a layer norm -> how many numbers it normalizes. elsewhere: MACs of other matrix products.
    """

    layers: dict[str, int] = field(default_factory=dict)
    attention: dict[str, Heads] = field(default_factory=dict)
    norms: dict[str, int] = field(default_factory=dict)
    elsewhere: int = 0


def _same(x: Tensor, *given: Any, **named: Any) -> Tensor:
    return torch.empty_like(x)


def _norm(x: Tensor, *given: Any) -> tuple[Tensor, Tensor, Tensor]:
    return torch.empty_like(x), x.new_empty(0), x.new_empty(0)


def _layer_norm(x: Tensor, size: Sequence[int], *given: Any) -> tuple[Tensor, Tensor, Tensor]:
    if list(x.shape[-len(size) :]) != list(size):
        raise ValueError(f"a layer norm of {list(size)} does not take {list(x.shape)}")
    return _norm(x)


_aten = torch.ops.aten
#: The shapes that operations give, where torch would take each apart into ten and find the shapes of those.
_SHAPES: dict[Any, Callable[..., Any]] = {
    _aten.addmm.default: lambda bias, a, b, **scales: torch.mm(a, b),
    _aten.native_layer_norm.default: _layer_norm,
    _aten.native_batch_norm.default: _norm,
    _aten.hardtanh.default: _same,
    _aten.gelu.default: _same,
    _aten.relu.default: _same,
}


class _Products(TorchDispatchMode):
    """Adds up the FLOPs of every operation for which torch has a formula; only in its own thread."""

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = _SHAPES.get(function, function)(*args, **(kwargs or {}))
        formula = flop_registry.get(function._overloadpacket)
        if formula is not None:
            self.flops += formula(*args, **(kwargs or {}), out_val=result)
        return result


def without_numbers(model: nn.Module) -> nn.Module:
    """A deep copy whose parameters and buffers are on the meta device: shapes and types, no memory.

    >>> without_numbers(nn.Linear(2, 3)).weight
    Parameter containing: tensor(..., device='meta', size=(3, 2), requires_grad=True)
    """
    memo: dict[int, Any] = {}
    for tensor in chain(model.parameters(), model.buffers()):
        empty = tensor.detach().to("meta")
        is_parameter = isinstance(tensor, nn.Parameter)
        memo[id(tensor)] = nn.Parameter(empty, tensor.requires_grad) if is_parameter else empty
    # Each module has ten for hooks, all but always empty, that would take most of the time.
    for value in chain.from_iterable(vars(module).values() for module in model.modules()):
        if isinstance(value, OrderedDict) and not value:
            memo[id(value)] = OrderedDict()
    return copy.deepcopy(model, memo)


def trace(model: nn.Module, example: Tensor) -> Trace:
    """MACs of one forward pass.

    Args:
        model: any torch network, float or binary, on any device; it is not run and not changed.
        example: meta tensor, the network's first argument, (1, ...).

    Raises:
        UserError: the network does not take such an input, or cannot run without numbers.

    >>> trace(nn.Linear(4, 3), torch.zeros(1, 4, device="meta")).layers
    {'': 12}
    """
    twin = without_numbers(model).eval().float()
    found = Trace()
    paths: dict[nn.Module, str] = {}
    for path, module in list(twin.named_modules()):
        paths[module] = path
        _prepare(module)
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d):
            module.register_forward_hook(_counter(found.layers, path))
        elif isinstance(module, nn.LayerNorm):
            module.register_forward_hook(_numbers(found.norms, path))
    if hasattr(twin, "config"):
        from binviz.layers.attention import use_binviz_attention

        use_binviz_attention(twin)
    asked: dict[str, torch.Size] = {}

    def listen(module: nn.Module, part: str, value: Any) -> None:
        path = paths[module]
        if part == "q":
            asked[path] = value.shape
        elif part == "k":
            batch, heads, queries, width = asked[path]
            before = found.attention[path].batch if path in found.attention else 0
            found.attention[path] = Heads(before + batch, heads, queries, value.shape[-2], width)

    products = _Products()
    try:
        with torch.no_grad(), listening(listen), products:
            twin(example)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        reason = " ".join(str(error).split())[:160]
        size = " x ".join(map(str, example.shape[1:]))
        raise UserError(
            f"{type(model).__name__} cannot be run on the shape {size} alone: {reason}"
        ) from error
    counted = sum(found.layers.values()) + sum(2 * heads.macs for heads in found.attention.values())
    found.elsewhere = max(products.flops // 2 - counted, 0)
    return found


def _prepare(module: nn.Module) -> None:
    """Make a module run as its float parent, and nobody's hooks with it."""
    for hooks in _HOOKS:
        getattr(module, hooks).clear()
    parent = next((parent for binary, parent in _PARENTS.items() if isinstance(module, binary)), None)
    if parent is not None:
        module.forward = MethodType(parent.forward, module)
    if is_binary_attention(getattr(module, "binary", None)):
        del module.binary


def is_binary_attention(module: Any) -> bool:
    """Whether it is a BinaryAttention, found out without importing transformers for a network that has none."""
    if not isinstance(module, nn.Module):
        return False
    from binviz.layers.attention import BinaryAttention

    return isinstance(module, BinaryAttention)


def _counter(macs: dict[str, int], path: str) -> Any:
    def hook(module: Any, args: tuple[Any, ...], output: Tensor) -> None:
        # one output is a sum over all inputs of its row
        macs[path] = macs.get(path, 0) + output.numel() * prod(module.weight.shape[1:])

    return hook


def _numbers(norms: dict[str, int], path: str) -> Any:
    def hook(module: Any, args: tuple[Any, ...], output: Tensor) -> None:
        norms[path] = norms.get(path, 0) + output.numel()

    return hook
