r"""What layers with binary weights share: sums of codes first, then the scales, one basis after the other.

With activations $x \approx q_x s_x + c$ and weights $W \approx \sum_p q_p s_p$, one scale a row of W:

$$y = \sum_p \big( \underbrace{(q_x q_p^\top)}_{\text{integers}} \odot (s_x s_p) + c\, s_p \textstyle\sum_k q_p \big)
+ b$$

Most weights have one basis. One with a scale for each group of K is a sum of as many, each of the columns of a group,
in their order. Where the activation stays float, several are added to one weight first, which takes one product. A
scale of each activation row is applied after the weight's: $((q_x q_p^\top) \odot s_p) \odot s_x$; one of each channel
is inside the sum, $((q_x \odot s_x) q_p^\top) \odot s_p$, a product of floats and signs. The product of small
integers is exact in float32, so a packed engine that computes it in integers and keeps this order of the float
operations gives the same numbers.
"""

from __future__ import annotations

from typing import Any, get_args

from torch import Tensor, nn

from binviz.binarizers import Binarizer, Code
from binviz.binarizers.base import ScaleKind
from binviz.errors import UserError
from binviz.layers.called import is_read
from binviz.layers.tap import tap


class BinaryLayer(nn.Module):
    """A layer whose weight is a sum of signs times scales, as its `weight_binarizer` says."""

    #: See `binviz.layers.called.watch`.
    place: str = ""
    weight: Tensor
    weight_binarizer: Binarizer
    #: Whether rows of the weight may have a scale for each group.
    grouped: bool = False

    def __getattr__(self, name: str) -> Any:
        if name == "weight":
            is_read(self.place)
        return super().__getattr__(name)

    def set_weight_binarizer(self, binarizer: Binarizer) -> None:
        """Take a binarizer for the weight.

        Raises:
            UserError: codes other than -1 and +1, a shift, or groups that are not of this weight.
        """
        name = type(binarizer).__name__
        if binarizer.levels != (-1, 1):
            raise UserError(
                f"{name} has the codes {binarizer.levels}; a weight is a sum of bases of -1 and +1: "
                "define `bases`, or use a binarizer of one bit with both signs"
            )
        if binarizer.shifted:
            raise UserError(
                f"{name} shifts what it binarizes, which a weight cannot be; a shift is a basis of ones, see `bases`"
            )
        if binarizer.group is not None and not (self.grouped and self.weight.shape[1] % binarizer.group == 0):
            raise UserError(
                f"a {type(self).__name__} with a weight of {tuple(self.weight.shape)} has no groups of "
                f"{binarizer.group}; only a linear's rows have, where they are whole"
            )
        self.weight_binarizer = binarizer


class BinaryProduct(BinaryLayer):
    """A layer that multiplies codes of activations with codes of its weight; a subclass says what a sum is.

    Attributes:
        activation_binarizer: None keeps the activation float.
        output_scale: learned factor per output channel, or None.
        summed: how many of the activation's last axes `sums` adds up.
    """

    bias: Any  # a parameter or None
    activation_binarizer: Binarizer | None
    output_scale: Tensor | None
    summed: int

    def set_binarizers(self, weight: Binarizer, activation: Binarizer | None, output_scale: bool) -> None:
        """Take binarizers for the weight and the activation, and make the scale of the output.

        Raises:
            UserError: as `set_weight_binarizer`, or an activation of several bases or another kind of scale.
        """
        self.set_weight_binarizer(weight)
        if activation is not None and activation.scale_kind not in get_args(ScaleKind):
            raise UserError(
                f"{type(activation).__name__} has the scale kind {activation.scale_kind!r}; a scale of an activation "
                f"is one of {', '.join(map(repr, get_args(ScaleKind)))}"
            )
        if activation is not None and activation.basis_count != 1:
            raise UserError(f"{type(activation).__name__} has several bases; an activation has one code")
        self.activation_binarizer = activation
        rows = self.weight.shape[0]
        self.output_scale = nn.Parameter(self.weight.new_ones(rows)) if output_scale else None

    def sums(self, x: Tensor, q: Tensor) -> Tensor:
        """Sums of products of codes x with codes q of the weight's shape."""
        raise NotImplementedError

    def sums_of_ones(self, x: Tensor, q: Tensor) -> Tensor:
        """What `sums` gives for an input of ones, broadcastable to it."""
        raise NotImplementedError

    def along(self, rows: Tensor) -> Tensor:
        """One number for each output channel (or one for all), viewed so that it broadcasts along y."""
        raise NotImplementedError

    def product(self, x: Tensor) -> Tensor:
        """The layer's output, in x's dtype."""
        code = self.encoded(x)
        binarizer = self.weight_binarizer
        if code is None and (binarizer.basis_count > 1 or binarizer.group is not None):
            y = self.sums(x, binarizer(self.weight))
        else:
            y = self.sum_of_bases(x, code)
        if self.output_scale is not None:
            y = y * self.along(self.output_scale)
        y = y if self.bias is None else y + self.along(self.bias)
        return y.to(x.dtype)

    def sum_of_bases(self, x: Tensor, code: Code | None) -> Tensor:
        """Products with each basis of the weight, scaled and added up; arguments as `scaled`."""
        q = x if code is None else code.q
        bases = self.weight_binarizer.bases(self.weight)
        first, *others = (
            self.scaled(self.sums(part, w.q), code, w)
            for basis in bases
            for part, w in self.in_groups(q, basis)
        )
        y = first
        for part in others:
            y = y + part
        return y

    def in_groups(self, q: Tensor, basis: Code) -> list[tuple[Tensor, Code]]:
        """Inputs and a basis; where it has a scale for each group, those of each."""
        size = self.weight_binarizer.group
        if size is None:
            return [(q, basis)]
        inputs, codes, scales = (
            q.split(size, -1),
            basis.q.split(size, -1),
            basis.scale[:, ::size].split(1, -1),
        )
        parts = (Code(*part, basis.shift) for part in zip(codes, scales, strict=True))
        return list(zip(inputs, parts, strict=True))

    def encoded(self, x: Tensor) -> Code | None:
        """The activation's codes, or None where it stays float; a scale of each channel is in them.

        Raises:
            UserError: its scale differs along what the product sums over.
        """
        if self.activation_binarizer is None:
            return None
        tap(self, "pre", x)
        code = self.activation_binarizer.encode(x)
        if self.activation_binarizer.scale_kind == "per_channel":
            tap(self, "code", code)
            return code._replace(q=(code.q * code.scale).to(code.q.dtype), scale=code.scale.new_ones(()))
        if any(size != 1 for size in code.scale.shape[-self.summed :]):
            raise UserError(
                f"{type(self.activation_binarizer).__name__} has a scale of shape {tuple(code.scale.shape)}, which "
                "differs along the axes that are summed; no product of codes is scaled so"
            )
        tap(self, "code", code)
        return code

    def scaled(self, sums: Tensor, code: Code | None, w: Code) -> Tensor:
        """The part of one basis of the weight, without bias.

        Args:
            sums: of products with the basis's codes.
            code: the activation's, or None where it stays float.
            w: the basis, see `Binarizer.bases`.
        """
        scale = self.along(w.scale)
        if code is None or self.activation_binarizer is None:
            return sums * scale
        per_row = self.activation_binarizer.scale_kind == "per_row"
        y = sums * scale * code.scale if per_row else sums * (scale * code.scale)
        if self.activation_binarizer.shifted:
            # sum of (q s + c) w over k = s (sum of q w) + c (sum of w)
            y = y + code.shift * (scale * self.sums_of_ones(code.q, w.q))
        return y
