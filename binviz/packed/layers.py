r"""Layers that hold bits and multiply bits: the twins of `binviz.layers`, for use only.

$$y = \sum_p \underbrace{(q_x q_p^\top)}_{\text{in integers}} \odot (s_x s_p) + b$$

with the codes and the order of float operations of the layer that they were made from, so the result is the same
to the last bit. Only where the activation stays float, or has a scale of each channel, is the sum one of floats, whose
order may differ: entry by entry in a linear here, in blocks in torch. Both are within K · 2⁻²⁴ · Σ|x| of the true sum
(and so is their difference within twice that), before the scale.

The state of a layer is what the packed file holds of it: `bits`, `scale`, `bias`, the activation's parameters.
It stays on the CPU in float32, whatever is done to the model around it. Activations may be float16, bfloat16,
float32 or float64; their codes are those of the numbers as they are, and the result has their type.
"""

from __future__ import annotations

import copy
import functools
import math
import operator
from collections.abc import Iterable, Sequence
from typing import Any, cast

import numpy as np
import torch
from binviz_kernels import (
    PackedFilters,
    PackedWeights,
    conv2d,
    linear,
    linear_weight_only,
    pack_filters,
    pack_planes,
    pack_weights,
    prepare,
    unpack,
)
from binviz_kernels.checks import packed_words, padding_is_zero
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from binviz.binarizers import Code
from binviz.errors import UserError
from binviz.layers import BinaryConv2d, BinaryEmbedding, BinaryLayer, BinaryLinear
from binviz.layers.called import answers
from binviz.layers.tap import heard, tap
from binviz.packed.operand import Operand, operand_of, planes_of

#: What `PackedLayer._prepare` makes.
PREPARED = ("_weights", "_row_scales", "_filters", "_stored_scales", "_groups")


def pack_layer(layer: BinaryLayer) -> tuple[Tensor, Tensor]:
    """Bits and scales of a layer's weight, on the CPU, the rows of one basis after those of the other.

    Returns:
        Words uint64 (bases * rows, ceil(K/64)), none of an offset; scales float32 (bases * rows,), of groups (bases *
        rows, groups), of static ones (bases,), or () of one.
    """
    with torch.no_grad():
        codes = layer.weight_binarizer.bases(layer.weight.float())
    stored = codes[: layer.weight_binarizer.bit_count]
    words = pack_weights(torch.cat([code.q for code in stored]).flatten(1).cpu().numpy()).words
    group = layer.weight_binarizer.group
    if group is not None:
        return torch.from_numpy(words), torch.cat([_own(code.scale[:, ::group]) for code in codes])
    scales = torch.cat([_own(code.scale).reshape(-1) for code in codes])
    one = len(scales) == 1 and layer.weight_binarizer.scale_kind != "per_row"
    return torch.from_numpy(words), scales.reshape(()) if one else scales


def without_graph(x: Tensor, parameters: Iterable[Tensor]) -> Tensor:
    """The same numbers without their graph, which ends at bits.

    Raises:
        UserError: a gradient is wanted, of x or a parameter.
    """
    if torch.is_grad_enabled() and any(value.requires_grad for value in (x, *parameters)):
        raise UserError(
            "a packed model has no gradients; take the model that it was packed from, or torch.no_grad()"
        )
    return x.detach()


class PackedLayer(nn.Module):
    """A weight of signs as bits, with its scale.

    Attributes:
        shape: of the weight; the product of all but the first number is K.
        bits, scale: as `pack_layer` gives them.
        offset: whether the last basis is ones, which have no bits.
        group: how many neighbours in a row share a scale; None where all do.
        bias, output_scale: float32 (rows,) or None.
        activation_binarizer: None keeps the activation float.
    """

    #: Some models ask their layers (T5 does).
    weight: Tensor | None = None
    bits: Tensor
    scale: Tensor
    bias: nn.Parameter | None
    output_scale: nn.Parameter | None

    def __init__(self, layer: BinaryLayer) -> None:
        super().__init__()
        self.place = layer.place
        self.shape, self.offset = tuple(layer.weight.shape), layer.weight_binarizer.offset
        self.group = layer.weight_binarizer.group
        bits, scale = pack_layer(layer)
        self.register_buffer("bits", bits)
        self.register_buffer("scale", scale)
        for name in ("bias", "output_scale"):
            value = getattr(layer, name, None)
            self.register_parameter(name, None if value is None else nn.Parameter(_own(value)))
        binarizer = getattr(layer, "activation_binarizer", None)
        self.activation_binarizer = None if binarizer is None else copy.deepcopy(binarizer).cpu().float()
        self.requires_grad_(False).eval()

    def _prepare(self) -> None:
        """What the kernels need, from the bits and the scale."""
        levels = getattr(self.activation_binarizer, "levels", (-1, 1))
        bits = 1 if levels == (-1, 1) else planes_of(levels)
        self._weights = prepare(PackedWeights(self.bits.numpy(), math.prod(self.shape[1:])), bits)
        if self.group is not None:
            self._row_scales = np.ascontiguousarray(self.scale.numpy().T)
            self._stored_scales = np.ascontiguousarray(self._row_scales[:, : len(self.bits)])
            signs = unpack(self._weights).astype(np.float32)
            columns = np.split(signs, len(self._row_scales), 1) if self.activation_binarizer else []
            self._groups = [pack_weights(part, bits) for part in columns]
            return
        scales = self.scale.numpy().reshape(-1)
        rows = len(self.bits) + self.offset * self.shape[0]
        self._row_scales = np.repeat(scales, rows // len(scales))

    def flip_(self, words: NDArray[np.uint64]) -> None:
        """Flip the signs whose bits are 1; the same words once more undo it.

        Args:
            words: uint64, shaped as `bits`, 0 in the padding.

        Raises:
            TypeError, ValueError: they are not.
        """
        K = math.prod(self.shape[1:])
        padding_is_zero("flips", packed_words("flips", words, K), K)
        bits = self.bits.numpy()
        if words.shape != bits.shape:
            raise ValueError(f"flips have shape {words.shape}, bits {bits.shape}")
        np.bitwise_xor(bits, words, out=bits)
        self._prepare()

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        name, errors = f"{prefix}bits", rest[-1]
        if name in state_dict:
            K = math.prod(self.shape[1:])
            try:  # before anything is overwritten
                padding_is_zero(name, packed_words(name, state_dict[name].cpu().numpy(), K), K)
            except (TypeError, ValueError) as error:
                errors.append(str(error))
                return
        super()._load_from_state_dict(state_dict, prefix, *rest)
        self._prepare()

    def __getstate__(self) -> dict[str, Any]:
        """For pickle and copies: without panels, which differ between processors, and bits as a type that has one."""
        state = {name: value for name, value in vars(self).items() if name not in PREPARED}
        return state | {"_buffers": self._buffers | {"bits": self.bits.view(torch.int64)}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.bits = self.bits.view(torch.uint64)
        self._prepare()

    def _apply(self, fn: Any, recurse: bool = True) -> PackedLayer:
        """Bits have no other device or type to go to."""
        return self

    def _usable(self, x: Tensor, axis: int, size: int) -> Tensor:
        """The input without its graph, if this layer can take it."""
        if self.training:
            raise UserError("a packed model is for use, not for training; call .eval() on it")
        if not x.is_floating_point():
            raise UserError(f"a packed layer takes floats, not {x.dtype}; call .float() on the input")
        if x.device.type != "cpu":
            raise UserError(
                f"a packed layer computes on the CPU, not on {x.device}; call .cpu() on model and input"
            )
        if x.ndim < -axis or x.shape[axis] != size:
            raise UserError(f"this layer takes {size} numbers on axis {axis}, and got shape {tuple(x.shape)}")
        return without_graph(x, self.parameters())

    def _encode(self, x: Tensor) -> Operand:
        assert self.activation_binarizer is not None
        with torch.no_grad():
            codes = operand_of(self.activation_binarizer, x)
        if heard():
            tap(self, "pre", x)
            tap(self, "code", codes.code())
        if self.activation_binarizer.scale_kind == "per_channel":
            q = codes.code().q
            scaled = (q * codes.scale).to(q.dtype)
            return Operand("floats", scaled, scaled.new_ones(()), shift=codes.shift)
        return codes


class PackedLinear(PackedLayer):
    """`BinaryLinear` on bits.

    >>> from binviz import binarizers
    >>> layer = BinaryLinear(3, 2, weight=binarizers.get("bnn"), activation=binarizers.get("bnn"), bias=False)
    >>> _ = layer.weight.data.copy_(torch.tensor([[1.0, -1.0, 1.0], [0.5, 0.5, -0.5]]))
    >>> packed = PackedLinear(layer)
    >>> packed.bits.tolist(), packed(torch.tensor([2.0, 3.0, -4.0])).tolist()
    ([[5], [3]], [-1.0, 3.0])
    """

    def __init__(self, layer: BinaryLinear) -> None:
        super().__init__(layer)
        self.out_features, self.in_features = self.shape
        self._prepare()

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out)."""
        answers(self.place)
        x = self._usable(x, -1, self.in_features)
        scale, row_scale = self._row_scales, None
        codes = Operand("floats", x, x.new_ones(()))
        if self.activation_binarizer is not None:
            codes = self._encode(x)
            if self.activation_binarizer.scale_kind == "per_row":
                row_scale = codes.scale.float().reshape(-1)
            else:
                scale = scale * codes.scale.float().numpy()
        one = self._row_scales.shape == (self.out_features,)
        plain = codes.kind != "floats" and self.output_scale is None and one  # the kernel ends with the bias
        if self.group is not None:
            y = self._sum_of_groups(codes, scale, row_scale)
        else:
            bias = self.bias.detach().numpy() if plain and self.bias is not None else None
            stored, rows = len(self.bits), codes.values.reshape(-1, self.in_features)
            y = _scaled(rows, codes, self._weights, scale[:stored], row_scale, bias)
            y = y if one else _added(self._parts(y, rows, codes, scale[stored:], row_scale))
        if self.output_scale is not None:
            y = y.mul_(self.output_scale)
        if not plain and self.bias is not None:
            y = y.add_(self.bias)
        return y.view(*x.shape[:-1], self.out_features).to(x.dtype)

    def _parts(
        self, y: Tensor, rows: Tensor, codes: Operand, of_ones: NDArray[Any], row_scale: Tensor | None
    ) -> list[Tensor]:
        """The parts of all bases, (M, out) each: y (M, bases * out), and of an offset with its scales (out,)."""
        parts = [*y.split(self.out_features, -1)]
        if self.offset:
            total = codes._replace(values=rows).code().q.sum(-1, keepdim=True)
            part = total * torch.from_numpy(of_ones)
            parts.append(part if row_scale is None else part * row_scale[:, None])
        return parts

    def _sum_of_groups(self, codes: Operand, scale: NDArray[Any], row_scale: Tensor | None) -> Tensor:
        """The sum over bases, in each over groups, as `BinaryProduct` adds them; scale is (groups, bases * out)."""
        stored, rows = len(self.bits), codes.values.reshape(-1, self.in_features)
        if self.activation_binarizer is None:
            y = _scaled(rows, codes, self._weights, self._stored_scales, None)
            parts = [*y.split(self.out_features, -1)]
            if self.offset:
                parts.append(rows.float().unflatten(-1, (len(scale), -1)).sum(-1) @ self.scale[stored:].T)
            return _added(parts)
        of_groups = [
            self._parts(
                _scaled(part, codes, weights, s[:stored], row_scale), part, codes, s[stored:], row_scale
            )
            for part, weights, s in zip(rows.chunk(len(scale), -1), self._groups, scale, strict=True)
        ]
        return _added([part for basis in zip(*of_groups, strict=True) for part in basis])

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"
        )


class PackedConv2d(PackedLayer):
    """`BinaryConv2d` on bits. Dilated convolutions, the padding "same", float activations and those with a scale of
    each channel have no kernel: the weight is unpacked for each call there.

    >>> from binviz import binarizers
    >>> conv = BinaryConv2d(1, 1, 3, padding=1, bias=False, weight=binarizers.get("bnn"),
    ...                     activation=binarizers.get("bnn", channel_axis=1))
    >>> _ = conv.weight.data.fill_(1.0)
    >>> PackedConv2d(conv)(torch.ones(1, 1, 3, 3))[0, 0].tolist()
    [[4.0, 6.0, 4.0], [6.0, 9.0, 6.0], [4.0, 6.0, 4.0]]
    """

    #: Of no numbers: ViT asks its patch embedding for the type of its pictures.
    weight = torch.empty(0)
    _filters: list[PackedFilters] | None  # one of each basis

    def __init__(self, layer: BinaryConv2d) -> None:
        super().__init__(layer)
        self.in_channels, self.out_channels = layer.in_channels, layer.out_channels
        self.kernel_size, self.stride, self.padding = layer.kernel_size, layer.stride, layer.padding
        self.dilation, self.groups = layer.dilation, layer.groups
        self._prepare()

    def _prepare(self) -> None:
        super()._prepare()
        plain = self.dilation == (1, 1) and not isinstance(self.padding, str)
        self._filters = [pack_filters(q.numpy(), self.groups) for q in self._floats()] if plain else None

    def _floats(self) -> Tensor:
        """The weight's codes, float32 (bases, out, in/groups, h, w)."""
        stored = torch.from_numpy(unpack(self._weights)).float().view(-1, *self.shape)
        return torch.cat([stored, torch.ones(1, *self.shape)]) if self.offset else stored

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) -> (B, out, H', W'); without B as well."""
        if x.ndim == 3:
            return self(x[None])[0]
        x = self._usable(x, -3, self.in_channels)
        codes = Operand("floats", x, x.new_ones(()))
        if self.activation_binarizer is not None:
            codes = self._encode(x)
        per_row = self.activation_binarizer is not None and self.activation_binarizer.scale_kind == "per_row"
        parts = []
        for basis, rows in enumerate(torch.from_numpy(self._row_scales).view(-1, 1, self.out_channels, 1, 1)):
            y = self._convolve(codes, basis)
            part = y * rows * codes.scale if per_row else y * (rows * codes.scale)
            if codes.shift is not None:
                ones = Operand("bits", torch.ones_like(codes.values[:1], dtype=torch.bool), codes.scale)
                part = part + codes.shift * (rows * self._convolve(ones, basis))
            parts.append(part)
        y = _added(parts)
        if self.output_scale is not None:
            y = y * self.output_scale.view(1, -1, 1, 1)
        y = y if self.bias is None else y + self.bias.view(1, -1, 1, 1)
        return y.to(x.dtype)

    def _convolve(self, codes: Operand, basis: int) -> Tensor:
        """Sums of codes times the codes of a basis, whole numbers in float32."""
        if codes.kind == "floats" or self._filters is None:
            q = codes.values if codes.kind == "floats" else codes.code().q
            weight = self._floats()[basis]
            return F.conv2d(q.float(), weight, None, self.stride, self.padding, self.dilation, self.groups)
        values, filters = _array(codes.values), self._filters[basis]
        if codes.kind != "levels":
            return self._convolve_bits(values, filters)
        # q = sum_p 2^p b_p, and of signed codes the highest plane counts -2^p
        total = torch.zeros(())
        for p in range(codes.planes):
            worth = -(2**p) if values.dtype == np.int8 and p == codes.planes - 1 else 2**p
            total = total + worth * self._convolve_bits((values >> p & 1).astype(bool), filters)
        return total

    def _convolve_bits(self, x: NDArray[Any], filters: PackedFilters) -> Tensor:
        stride, padding = cast(tuple[int, int], self.stride), cast(tuple[int, int], self.padding)
        return torch.from_numpy(conv2d(x, filters, 1.0, stride=stride, padding=padding))

    def extra_repr(self) -> str:
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        )


class PackedEmbedding(PackedLayer):
    """`BinaryEmbedding` on bits: only the rows that are looked up are unpacked.

    >>> from binviz import binarizers
    >>> table = BinaryEmbedding(2, 2, weight=binarizers.get("bibert-weight"))
    >>> _ = table.weight.data.copy_(torch.tensor([[0.5, 1.5], [-0.25, -0.75]]))
    >>> PackedEmbedding(table)(torch.tensor([1, 0])).tolist()
    [[0.5, -0.5], [-1.0, 1.0]]
    """

    def __init__(self, layer: BinaryEmbedding) -> None:
        if layer.max_norm is not None:
            raise UserError("an embedding with max_norm changes its rows as it runs; it cannot be packed")
        super().__init__(layer)
        self.num_embeddings, self.embedding_dim = self.shape
        self.padding_idx = layer.padding_idx

    def _prepare(self) -> None:
        """Nothing: no kernel reads the bits."""

    def forward(self, ids: Tensor) -> Tensor:
        """(...) token ids -> (..., embedding_dim)."""
        words = F.embedding(ids, self.bits.view(torch.int64)).view(torch.uint64)
        rows = PackedWeights(words.reshape(-1, words.shape[-1]).numpy(), self.embedding_dim)
        q = torch.from_numpy(unpack(rows)).float().view(*ids.shape, self.embedding_dim)
        code = Code(q, F.embedding(ids, self.scale[:, None]), q.new_zeros(()))
        tap(self, "code", code)
        return code.decode()

    def extra_repr(self) -> str:
        return f"{self.num_embeddings}, {self.embedding_dim}"


def _scaled(
    rows: Tensor,
    codes: Operand,
    weights: PackedWeights,
    scale: NDArray[Any],
    row_scale: Tensor | None,
    bias: NDArray[Any] | None = None,
) -> Tensor:
    """Products of some columns of codes, rows (M, K), with bits, scaled; the bias is for codes that are no floats."""
    values = _array(rows)
    if codes.kind == "floats":
        y = torch.from_numpy(linear_weight_only(values, weights, scale))
        return y if row_scale is None else y.mul_(row_scale[:, None])
    operand = pack_planes(values, codes.planes) if codes.kind == "levels" else values
    by_row = None if row_scale is None else row_scale.numpy()
    return torch.from_numpy(linear(operand, weights, scale, bias, row_scale=by_row))


def _added(parts: Sequence[Tensor]) -> Tensor:
    """The sum over the bases of a weight, in their order, as `BinaryProduct` adds them."""
    return functools.reduce(operator.add, parts)


def _own(value: Tensor) -> Tensor:
    """A copy in float32 on the CPU."""
    return value.detach().to("cpu", torch.float32, copy=True)


def _array(x: Tensor) -> NDArray[Any]:
    """The tensor as NumPy has it, which knows no bfloat16."""
    return (x.float() if x.dtype == torch.bfloat16 else x).numpy()
