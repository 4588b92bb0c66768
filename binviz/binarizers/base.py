r"""What every binarizer is: a map from a float tensor to small integer codes, a scale and a shift.

    x  ~  q * scale + shift          q in `levels`

`encode` gives the three parts apart, because layers multiply codes and apply scales afterwards;
`forward` puts them together. Codes and scales are both differentiable: the surrogate gradient of the
code and the true gradient of a learned scale flow through the same expression in training and in use.

A nan fails every comparison: its code is the lower level (-1 or 0) and its surrogate gradient 0, though a
scale, mean or row maximum that it enters becomes nan. Only rounding to several bits keeps it a nan.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn

from binviz.binarizers.options import Option
from binviz.binarizers.processes import share_start

#: What a binarizer is made for: a layer's weight, its input of either sign or one that cannot be negative, an
#: attention map after the softmax or the scores before it, a picture. The words are those of recipes.
Takes = Literal["weight", "activation", "nonneg_activation", "probs", "scores", "input"]
ScaleKind = Literal["none", "static", "per_row", "per_channel", "per_group"]


class Code(NamedTuple):
    """Codes of a tensor `x` and what turns them back into floats.

    q: integer codes, same shape as x, in x's dtype. scale, shift: broadcastable to x, scale at least
    float32 where it is computed or learned.

    >>> code = Code(torch.tensor([-1.0, 1.0]), scale=torch.tensor(0.5), shift=torch.tensor(0.25))
    >>> code.decode().tolist()
    [-0.25, 0.75]
    """

    q: Tensor
    scale: Tensor
    shift: Tensor

    def decode(self) -> Tensor:
        """The binarized tensor q * scale + shift, same shape and dtype as q."""
        return (self.q * self.scale + self.shift).to(self.q.dtype)


class Cut(NamedTuple):
    """Where a code of two levels changes: it is the higher one where `position` is above `at`.

    position: what is compared, x's shape. at: with what. of: what the position is, in words.
    """

    position: Tensor
    at: float = 0.0
    of: str = "value"


def sign(x: Tensor) -> Tensor:
    """+1 where x >= 0, else -1, in x's dtype: zeros of either sign give +1, nan gives -1.

    >>> sign(torch.tensor([-2.0, -0.0, 0.0, 3.0])).tolist()
    [-1.0, 1.0, 1.0, 1.0]
    """
    return x.detach().clone().ge_(0).mul_(2).sub_(1)


def mean_abs(x: Tensor, axes: tuple[int, ...] | None = None) -> Tensor:
    """Mean of |x| over `axes` (kept, of size 1) or over everything, detached, at least float32.

    It is never below 1e-8, so that a row of zeros can be divided by its scale.

    >>> mean_abs(torch.tensor([[1.0, -3.0], [0.5, 0.5]]), (1,)).tolist()
    [[2.0], [0.5]]
    """
    dtype = torch.promote_types(x.dtype, torch.float32)
    size = x.detach().abs()
    mean = size.mean(dtype=dtype) if axes is None else size.mean(axes, keepdim=True, dtype=dtype)
    return mean.clamp_(min=1e-8)


class _Surrogate(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, q, derivative, inplace):
        if derivative is not None:
            ctx.save_for_backward(x)
        ctx.derivative, ctx.inplace = derivative, inplace
        return q

    @staticmethod
    def backward(ctx, grad):
        if ctx.derivative is not None:
            (x,) = ctx.saved_tensors
            slope = ctx.derivative(x)
            grad = slope.mul_(grad) if ctx.inplace else grad * slope
        return grad, None, None, None


def with_surrogate(
    x: Tensor, q: Tensor, derivative: Callable[[Tensor], Tensor] | None, *, inplace: bool = False
) -> Tensor:
    """The codes q, whose gradient to x is derivative(x) instead of the true one, which is zero.

    Args:
        x: the tensor that is binarized.
        q: its codes, same shape, made without gradient.
        derivative: x -> dq/dx, broadcastable to x; None is the identity, the plain straight-through
            estimator.
        inplace: the derivative's result has x's shape and belongs to nobody else, so it may be
            overwritten. Saves one pass over memory.

    >>> x = torch.tensor([-2.0, 0.5], requires_grad=True)
    >>> q = with_surrogate(x, sign(x), lambda x: (x.abs() <= 1).to(x.dtype))
    >>> q.sum().backward()
    >>> q.tolist(), x.grad.tolist()
    ([-1.0, 1.0], [0.0, 1.0])
    """
    return _Surrogate.apply(x, q, derivative, inplace)


class Binarizer(nn.Module):
    """Base of every binarizer; a subclass implements `encode`, or `bases`.

    Options are keyword-only. What it learns it names in `scales` and `shifts`: training gives scales a
    rate of their own, curves are drawn of both, and a new recipe keeps shifts. What serves training alone, and
    changes nothing in use, it names in `of_training`; that has the scales' rate. Parameters are made in
    `__init__`, never in a forward. A parameter whose first value comes from data (an elastic alpha, a
    learned scale) is set by `initialize`: the class registers a persistent buffer `initialized`
    (False), and its `encode` begins with `self._initialize_once(x)`. So the first batch sets it, a
    saved state keeps it, and nothing else ever depends on the other examples of a batch. Of several
    processes (DistributedDataParallel) all start as rank 0 does. Where each leaves out layers by chance, as layer
    drop does, run one forward before wrapping the model.

    Args:
        features: size of the channel axis; binarizers without per-channel parameters ignore it, and
            the default 1 makes such parameters per tensor.
        channel_axis: -1 for linear activations (..., features), 1 for images (B, C, H, W),
            0 for weights (out, in, ...). A *row* is the channel axis and everything behind it for
            activations, and one output channel for weights.
    """

    #: The codes that can occur, ascending.
    levels: tuple[int, ...] = (-1, 1)
    #: "none": the scale is 1. "static": one number for the tensor. "per_row": one for each row. "per_channel": one for
    #: each channel of each example of an activation, which stands inside the sum of a product. "per_group": one for
    #: each `group` neighbours in a row of a weight.
    scale_kind: ScaleKind = "none"
    group: int | None = None
    #: True where `shift` can differ from zero.
    shifted: bool = False
    #: True where that shift is the same for every input, so that a convolution can be packed.
    constant_shift: bool = False
    #: How many codes a weight is the sum of.
    basis_count: int = 1
    #: Whether the last of them is ones, of which a packed file keeps the scale alone.
    offset: bool = False
    #: What it is made for, the most usual first; nothing where nobody chooses it.
    takes: tuple[Takes, ...] = ("activation",)
    #: Bounds, labels and conditions of its options, see `binviz.binarizers.options`.
    options: ClassVar[Mapping[str, Option]] = {}
    #: Names of the parameters that are learned scales, and of those that are shifts or thresholds, (features,).
    scales: tuple[str, ...] = ()
    shifts: tuple[str, ...] = ()
    #: Names of the learned parameters that only training uses.
    of_training: tuple[str, ...] = ()

    initialized: Tensor

    def __init__(self, *, features: int = 1, channel_axis: int = -1) -> None:
        super().__init__()
        self.features = features
        self.channel_axis = channel_axis
        self._ready = False

    @property
    def bits(self) -> int:
        """Bits that one code takes.

        >>> from binviz import binarizers
        >>> binarizers.get("bnn").bits, binarizers.get("elastic-signed", bits=4).bits
        (1, 4)
        """
        return (len(self.levels) - 1).bit_length()

    @property
    def bit_count(self) -> int:
        """How many bits each number of a weight is stored as.

        >>> from binviz import binarizers
        >>> fdb = binarizers.get("fdb-weight")
        >>> fdb.basis_count, fdb.bit_count
        (3, 2)
        """
        return self.basis_count - self.offset

    def scale_count(self, shape: Sequence[int]) -> int:
        """How many scales all bases of a weight of that shape have.

        >>> from binviz import binarizers
        >>> binarizers.get("fdb-weight").scale_count((5, 128)), binarizers.get("bnn").scale_count((5, 128))
        (15, 1)
        """
        each = 1
        if self.scale_kind == "per_row":
            each = shape[0]
        elif self.group is not None:
            each = shape[0] * (math.prod(shape[1:]) // self.group)
        return self.basis_count * each

    @property
    def has_started(self) -> bool:
        """Whether all that starts from data has started; False on the meta device, where there are none."""
        mark = getattr(self, "initialized", None)
        return mark is None or not (mark.is_meta or not mark)

    @property
    def learned_shift(self) -> nn.Parameter | None:
        """The parameter (features,) that is added to x before its code, if there is one."""
        return next((shift for name in self.shifts if (shift := getattr(self, name)) is not None), None)

    def encode(self, x: Tensor) -> Code:
        """Codes, scale and shift of x. Differentiable by the surrogate.

        >>> from binviz import binarizers
        >>> code = binarizers.get("xnor-weight", channel_axis=0).encode(torch.tensor([[1.0, -3.0], [0.5, 0.5]]))
        >>> code.q.tolist(), code.scale.tolist()
        ([[1.0, -1.0], [1.0, 1.0]], [[2.0], [0.5]])
        """
        raise NotImplementedError

    def bases(self, w: Tensor) -> tuple[Code, ...]:
        r"""Codes whose decoded sum stands for a weight: one, unless the method has several.

        $$w \approx \sum_p q_p s_p, \qquad q_p \in \{-1, +1\}$$

        Each has a scale for each row, or for each group in it (`binviz.binarizers.groups`), or one, and no shift: a
        shift c is a basis of ones with the scale c, and codes {0, 1} times s are signs times s/2 and ones times s/2. A
        method with several defines this in place of `encode`, and says how many in `basis_count`; where the last one is
        always ones, it sets `offset`.
        """
        return (self.encode(w),)

    def forward(self, x: Tensor) -> Tensor:
        """The decoded sum of `bases`, same shape and dtype as x, the same in training and in use."""
        first, *others = (code.decode() for code in self.bases(x))
        y = first
        for other in others:
            y = y + other
        return y

    def cut(self, x: Tensor) -> Cut | None:
        """The one threshold of x's codes; None where there are more, or where a class does not say it.

        >>> from binviz import binarizers
        >>> cut = binarizers.get("row-threshold").cut(torch.tensor([[0.5, 0.25, 0.125]]))
        >>> cut.position.tolist(), cut.at, cut.of
        ([[1.0, 0.5, 0.25]], 0.5, "part of its row's maximum")
        """
        return None

    def set_progress(self, t: float) -> None:
        """Training progress t in [0, 1], called by the loop; what a schedule drives follows it."""

    def initialize(self, x: Tensor) -> None:
        """Set the parameters that start from data, from x; the others ignore it.

        `encode` calls it once. Calling it again starts anew.
        """

    def _check(self, **given: Any) -> None:
        """Refuse options that are out of their declared bounds."""
        for name, value in given.items():
            self.options[name].check(name, value)

    def _initialize_once(self, x: Tensor) -> None:
        # _ready mirrors the buffer, because reading a buffer in every forward makes a GPU wait.
        if not self._ready:
            if not self.initialized:
                self.initialize(x)
                share_start([*(getattr(self, name) for name in self.scales), self.initialized])
            self._ready = bool(self.initialized)

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self._ready = False
        super()._load_from_state_dict(*args, **kwargs)

    def _row_axes(self, x: Tensor) -> tuple[int, ...]:
        """The axes that share a row's scale."""
        if self.channel_axis == 0:
            return tuple(range(1, x.ndim))
        return tuple(range(self.channel_axis % x.ndim, x.ndim))

    def _above_row_mean(self, x: Tensor) -> Cut:
        return Cut(x - x.mean(self._row_axes(x), keepdim=True), of="value less its row's mean")

    def _mean_abs_per_feature(self, x: Tensor) -> Tensor:
        """Mean of |x| for each row of a weight, (features,); features = 1 is one for the tensor."""
        means = mean_abs(x, self._row_axes(x)).view(-1)
        return means.mean(0, keepdim=True) if self.features == 1 else means

    def _per_channel(self, parameter: Tensor, x: Tensor) -> Tensor:
        """A (features,) parameter viewed so that it broadcasts along x's channel axis."""
        shape = [1] * x.ndim
        shape[self.channel_axis] = -1
        return parameter.view(shape)
