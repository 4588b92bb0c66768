"""Take a network apart into `Part`s: what is multiplied there, with how many bits, and what is stored."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from binviz.adapters import Layout, layout_of
from binviz.costs.parts import FLOAT, Part
from binviz.costs.trace import Heads, Trace, is_binary_attention
from binviz.errors import UserError
from binviz.layers import BinaryEmbedding, BinaryLayer

_MATRIX = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d


def parts_of(model: nn.Module, trace: Trace) -> list[Part]:
    """The parts of a float or binary network, in module order.

    >>> network = nn.Sequential(nn.Linear(4, 3), nn.LayerNorm(3))
    >>> [(part.name, part.macs, part.weights, part.floats) for part in parts_of(network, Trace({"0": 12}))]
    [('0', 12, 12, 3), ('1', 0, 0, 6)]
    """
    return list(_Inventory(model, trace).parts())


class _Inventory:
    def __init__(self, model: nn.Module, trace: Trace) -> None:
        self.model, self.trace = model, trace
        try:
            self.layout = layout_of(model)
        except UserError:  # it cannot be binarized, but be counted
            self.layout = Layout("network")
        self.tables = set(self.layout.tables.values())
        self.names = {path: name for name, path in self.layout.tables.items()}
        for block in self.layout.blocks:
            self.names |= {path: name for name, path in block.linears().items()}
        self.names |= {path: name for name, path in self.layout.others.items()}
        self.seen: set[tuple[int, str]] = set()
        self.state: dict[str, dict[str, Tensor]] = {}
        for name, value in model.state_dict(keep_vars=True).items():
            path, _, last = name.rpartition(".")
            self.state.setdefault(path, {})[last] = value

    def parts(self) -> Iterator[Part]:
        products = {block.value: (block.name, block.attention) for block in self.layout.blocks}
        known = {attention for _, attention in products.values()}
        inside: tuple[str, ...] = ()
        for path, module in self.model.named_modules():
            if path.startswith(inside):
                continue
            if isinstance(module, BinaryLayer):
                inside += (f"{path}.",)
                yield self._binary(path, module)
            elif path.endswith(".binary") and is_binary_attention(module):
                inside += (f"{path}.",)
            elif isinstance(module, _MATRIX) or path in self.tables:
                yield self._matrix(path, module)
            elif path in self.state:
                yield self._others(path, type(module).__name__)
            if path in products:
                yield from self._attention(*products[path])
            elif path in self.trace.attention and path not in known:
                yield from self._attention(path, path)
        if self.trace.elsewhere:
            yield Part("elsewhere", "", "other products", self.trace.elsewhere, FLOAT, FLOAT)

    def _is_new(self, value: Tensor, form: str = "float") -> bool:
        """Whether these numbers were not counted yet as "bits", as "float", or in the float "parent"."""
        key = (id(value), form)
        new = key not in self.seen
        self.seen.add(key)
        return new

    def _below(self, path: str) -> dict[str, Tensor]:
        """The state of a module and of everything in it, by dotted name."""
        return {
            ".".join(filter(None, (owner[len(path) :].lstrip("."), name))): value
            for owner, values in self.state.items()
            if owner == path or owner.startswith(f"{path}.")
            for name, value in values.items()
        }

    def _binary(self, path: str, layer: Any) -> Part:
        rows, k = layer.weight.shape[0], math.prod(layer.weight.shape[1:])
        tied, new = not self._is_new(layer.weight, "parent"), self._is_new(layer.weight, "bits")
        kind, bits = layer.weight_binarizer.scale_kind, layer.weight_binarizer.bit_count
        own = {name: value for name, value in self._below(path).items() if not name.startswith("weight")}
        bias = [own.pop("bias")] if "bias" in own else []
        activation = getattr(layer, "activation_binarizer", None)
        embedding = isinstance(layer, BinaryEmbedding)
        scales = layer.weight_binarizer.scale_count(layer.weight.shape)
        words = bits * rows * math.ceil(k / 64) * 8
        return Part(
            name=self.names.get(path, path),
            path=path,
            kind=type(layer).__name__,
            macs=self.trace.layers.get(path, 0),
            weight_bits=bits,
            activation_bits=None if embedding else _operand_bits(activation),
            weights=rows * k if new else 0,
            rows=rows if new else 0,
            floats=sum(value.numel() for value in bias if self._is_new(value)),
            tied=tied,
            added=(0 if kind == "none" else scales) + _parameters(own),
            stored=words + 4 * scales + _bytes(bias) + _bytes(own.values()),
            float_stored=_bytes([layer.weight, *bias]),
        )

    def _matrix(self, path: str, layer: Any) -> Part:
        own = self.state[path]
        weight = own["weight"]
        stored = _bytes(own.values())
        tied, new = not self._is_new(weight, "parent"), self._is_new(weight)
        words = path in self.tables
        return Part(
            name=self.names.get(path, path) or type(layer).__name__,
            path=path,
            kind=type(layer).__name__,
            macs=self.trace.layers.get(path, 0),
            weight_bits=FLOAT,
            activation_bits=None if words else FLOAT,
            weights=weight.numel() if new else 0,
            rows=weight.shape[0] if new else 0,
            floats=sum(
                value.numel() for name, value in own.items() if name != "weight" and self._is_new(value)
            ),
            tied=tied,
            stored=stored,
            float_stored=stored,
        )

    def _others(self, path: str, kind: str) -> Part:
        values = self.state[path].values()
        stored = _bytes(values)
        own = (value for value in values if isinstance(value, nn.Parameter) and self._is_new(value))
        floats = sum(map(Tensor.numel, own))
        normalized = self.trace.norms.get(path, 0)
        return Part(
            path or kind,
            path,
            kind,
            floats=floats,
            normalized=normalized,
            stored=stored,
            float_stored=stored,
        )

    def _attention(self, name: str, path: str) -> Iterator[Part]:
        heads = self.trace.attention.get(path, Heads(0, 0, 0, 0, 0))
        binary = getattr(self.model.get_submodule(path), "binary", None)
        for product, left, right in (("scores", "query", "key"), ("context", "attention", "value")):
            own: dict[str, Tensor] = {}
            for role in (left, right) if binary is not None else ():
                below = self._below(f"{path}.binary.{role}_binarizer")
                own |= {f"{role}.{key}": value for key, value in below.items()}
            bits = {
                role: getattr(getattr(binary, f"{role}_binarizer", None), "bits", FLOAT)
                for role in (left, right)
            }
            yield Part(
                f"{name}.{product}",
                path,
                "product",
                macs=heads.macs,
                weight_bits=bits[right],
                activation_bits=bits[left],
                of_activations=True,
                added=_parameters(own),
                stored=_bytes(own.values()),
            )
        estimators = getattr(binary, "estimators", None)
        if estimators is not None:
            own = self._below(f"{path}.binary.estimators")
            yield Part(
                f"{name}.estimators",
                f"{path}.binary.estimators",
                type(estimators).__name__,
                macs=_estimator_macs(estimators, heads),
                weight_bits=FLOAT,
                activation_bits=FLOAT,
                floats=_parameters(own),
                estimator=True,
                stored=_bytes(own.values()),
            )


def _operand_bits(activation: Any) -> int:
    """Of what a layer multiplies with its weight: codes, or floats where a scale is inside the sum."""
    return FLOAT if activation is None or activation.scale_kind == "per_channel" else activation.bits


def _estimator_macs(estimators: Any, heads: Heads) -> int:
    """Five linears, three products of (T, rank) with (rank, T), and the map of every head times one column."""
    rank, hidden = estimators.q_main.weight.shape
    linears = heads.queries * hidden * (4 * rank + 1)
    return heads.batch * (linears + heads.queries * heads.keys * (3 * rank + heads.heads))


def _bytes(values: Any) -> int:
    return sum(value.numel() * value.element_size() for value in values)


def _parameters(values: dict[str, Tensor]) -> int:
    return sum(value.numel() for value in values.values() if isinstance(value, nn.Parameter))
