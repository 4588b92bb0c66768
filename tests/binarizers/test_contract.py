"""check_binarizer: every binarizer of binviz passes, and each kind of defect is told by its name."""

import copy
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from binviz.binarizers import (
    Binarizer,
    Code,
    ConformanceError,
    Cut,
    Option,
    check_binarizer,
    get,
    names,
    sign,
    with_surrogate,
)
from binviz.binarizers.conformance import _CHECKS, sample
from binviz.errors import UserError

VARIANTS = [
    ("xnor-weight", {"centre": True}),
    ("bit-weight", {"per_row": True}),
    ("stored", {"per_row": False}),
    ("fda-weight", {"noise": False}),
    ("fda-activation", {"features": 130, "channel_axis": 1}),
    ("reactnet-activation", {"channel_axis": 1}),
    ("recu-activation", {"channel_axis": 1}),
    ("xnor-activation", {"channel_axis": 1}),
    ("bivit-weight", {"features": 1}),
    ("recu-weight", {"features": 1}),
    ("fdb-weight", {"features": 1}),
    ("rbonn-weight", {"which": "official"}),
    ("rbonn-weight", {"which": "none", "features": 1}),
    ("multi-basis-weight", {"bases": 1}),
    ("multi-basis-weight", {"features": 1}),
    ("bidense-activation", {"channel_axis": 1}),
    ("bidense-activation", {"channel_axis": 1, "scale": False}),
    ("fdb-weight", {"gradient": "identity"}),
    ("bivit-attention", {"scale": True}),
    ("bivit-attention", {"method": "descent"}),
    ("bivit-attention", {"method": "descent", "scale": True}),
    *[
        (f"elastic-{kind}", {"bits": bits, "learn_shift": shift})
        for kind in ("signed", "unsigned")
        for bits in (1, 2, 4, 8)
        for shift in (False, True)
    ],
    ("elastic-signed", {"init": "paper", "channel_axis": 1, "learn_shift": True}),
    ("elastic-unsigned", {"init": "paper", "grad_scale": False}),
]


@pytest.mark.parametrize("name", names())
def test_every_registered_binarizer(name):
    def make():
        return get(name, features=8)

    x, failed = sample(make().channel_axis, 8), []
    for check in _CHECKS.values():
        try:
            check(make, x)
        except ConformanceError as error:
            failed.append(str(error))
    assert failed == []


def test_what_passed_is_said_in_order():
    assert check_binarizer("bnn") == list(_CHECKS)


@pytest.mark.parametrize(("name", "options"), VARIANTS, ids=lambda value: str(value))
def test_every_variant(name, options):
    check_binarizer(name, **options)


@pytest.mark.parametrize("name", names("*-weight"))
def test_convolution_weights(name):
    inputs = torch.randn(8, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    inputs.view(-1)[:2] = torch.tensor([0.0, -0.0])
    check_binarizer(name, inputs=inputs)


@pytest.mark.parametrize(
    ("name", "derivative"),
    [
        ("bnn", lambda x: float(abs(x) <= 1)),
        ("bibert-attention", lambda x: float(abs(x) < 1)),
        ("bivit-attention-scores", lambda x: float(abs(x) < 1)),
        ("bireal-activation", lambda x: max(2 - abs(2 * x), 0)),
        ("bit-weight", lambda x: 1.0),
    ],
)
def test_derivative(name, derivative):
    assert check_binarizer(name, derivative=derivative)[-1] == "derivative"


def test_an_instance_is_checked_and_not_changed():
    binarizer = get("elastic-signed", features=8, learn_shift=True)
    before = copy.deepcopy(binarizer.state_dict())
    check_binarizer(binarizer)
    assert str(before) == str(binarizer.state_dict())
    with pytest.raises(UserError, match="an instance has its own"):
        check_binarizer(binarizer, bits=2)


def window(x):
    return (x.abs() <= 1).to(x.dtype)


class Good(Binarizer):
    def codes(self, x):
        return with_surrogate(x, sign(x), window)

    def encode(self, x):
        return Code(self.codes(x), x.new_ones(()), x.new_zeros(()))


class SignOfZero(Good):
    def codes(self, x):
        return with_surrogate(x, x.detach().sign(), window)


class MinusAtZero(Good):
    def codes(self, x):
        return with_surrogate(x, (x.detach() > 0).to(x.dtype) * 2 - 1, window)


class NotACode(Good):
    def encode(self, x):
        return self.codes(x)


class Transposed(Good):
    def codes(self, x):
        return super().codes(x).flatten()


class Float32Only(Good):
    def codes(self, x):
        return super().codes(x.float())


class UnguardedScale(Good):
    scale_kind = "per_row"

    def encode(self, x):
        scale = x.detach().abs().mean(-1, keepdim=True)
        return Code(with_surrogate(x, sign(x), lambda _: 1 / scale), scale, x.new_zeros(()))


class UndeclaredScale(Good):
    def encode(self, x):
        return super().encode(x)._replace(scale=x.detach().abs().mean(-1, keepdim=True))


class UndeclaredShift(Good):
    def encode(self, x):
        return super().encode(x)._replace(shift=x.new_full((), 0.5))


class FlatScale(Good):
    scale_kind = "per_row"

    def encode(self, x):
        return super().encode(x)._replace(scale=x.new_ones(x.shape[0] + 1))


class WrongLevels(Good):
    levels = (1, -1)


class OwnForward(Good):
    def forward(self, x):
        return 2 * super().forward(x)


class NoisyInTraining(Good):
    scale_kind = "static"

    def encode(self, x):
        return super().encode(x)._replace(scale=x.new_full((), 1.0 + self.training))


class NoSurrogate(Good):
    def codes(self, x):
        return sign(x)


class _BareReturn(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return sign(x)

    @staticmethod
    def backward(ctx, grad):
        return


class BareReturn(Good):
    def codes(self, x):
        return _BareReturn.apply(x)


class ZeroGradient(Good):
    def codes(self, x):
        return with_surrogate(x, sign(x), torch.zeros_like)


class InfiniteGradient(Good):
    def codes(self, x):
        return with_surrogate(x, sign(x), lambda x: 1 / (x - 1))


class _InPlace(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return sign(x)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        grad[x.abs() > 1] = 0
        return grad


class EditsTheGradient(Good):
    def codes(self, x):
        return _InPlace.apply(x)


class DeadParameter(Good):
    def __init__(self, **options):
        super().__init__(**options)
        self.move = nn.Parameter(torch.zeros(self.features))


class ThresholdInTheSurrogateOnly(Good):
    def __init__(self, **options):
        super().__init__(**options)
        self.threshold = nn.Parameter(torch.zeros(self.features))

    def codes(self, x):
        return with_surrogate(x + self.threshold.to(x.dtype), sign(x), window)


class Lazy(Good):
    scale_kind = "static"

    def encode(self, x):
        if not hasattr(self, "factor"):
            self.factor = nn.Parameter(torch.ones(()))
        return super().encode(x)._replace(scale=self.factor)


class PythonFlag(Good):
    scale_kind = "static"

    def __init__(self, **options):
        super().__init__(**options)
        self.factor = nn.Parameter(torch.ones(()))
        self.started = False

    def encode(self, x):
        if not self.started:
            self.factor.data.copy_(x.detach().abs().mean() + 1)
            self.started = True
        return super().encode(x)._replace(scale=self.factor)


class BatchMinimum(Good):
    shifted = True

    def encode(self, x):
        return super().encode(x)._replace(shift=x.detach().min())


class DiesAtTheEnd(Good):
    t = 0.0

    def set_progress(self, t):
        self.t = t

    def codes(self, x):
        return with_surrogate(x, sign(x), lambda x: (1 - self.t) * window(x))


class OffsetThatIsNone(Good):
    offset = True


class LooseBounds(Good):
    options: ClassVar = {"steps": Option(low=1, high=5)}

    def __init__(self, *, steps=2, **options):
        super().__init__(**options)


class MeantForSomethingElse(Good):
    takes = ("sound",)


class CutAtTheWrongPlace(Good):
    def cut(self, x):
        return Cut(x, 0.5)


class Positional(Binarizer):
    def __init__(self, width):
        super().__init__(features=width)


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (SignOfZero, r"levels: .* holds 0\.0.*use binviz.binarizers.sign"),
        (MinusAtZero, r"zeros: .* gets the code -1"),
        (NotACode, r"shape: encode returns a Tensor; return Code"),
        (Transposed, r"shape: q is \(192,\)"),
        (Float32Only, r"shape: q is torch.float32 for x torch.float64; keep x's dtype"),
        (UnguardedScale, r"zeros: the gradient .* not finite; guard"),
        (UndeclaredScale, r"declared: scale_kind is 'none'"),
        (FlatScale, r"shape: scale \(7,\) does not broadcast to x \(6, 4, 8\)"),
        (UndeclaredShift, r"declared: .* set shifted = True"),
        (WrongLevels, r"levels: levels \(1, -1\) must be"),
        (OwnForward, r"forward: .* leave forward to the base class"),
        (NoisyInTraining, r"forward: training and eval mode"),
        (NoSurrogate, r"gradient: no gradient flows .* with_surrogate"),
        (BareReturn, r"gradient: .* None; .* a bare return"),
        (ZeroGradient, r"gradient: .* zero everywhere"),
        (InfiniteGradient, r"gradient: .* not finite"),
        (EditsTheGradient, r"incoming gradient: the backward edits"),
        (DeadParameter, r"parameters: no gradient reaches 'move'"),
        (ThresholdInTheSurrogateOnly, r"effect: 'threshold' learns but does not change the output"),
        (Lazy, r"lazy: factor appeared .* make it in __init__"),
        (PythonFlag, r"saved: .* parameters and buffers"),
        (BatchMinimum, r"independent: .* depends on the others"),
        (DiesAtTheEnd, r"progress: after set_progress\(1\.0\)"),
        (OffsetThatIsNone, r"declared: offset is True, but the last code of `bases` is not ones"),
        (LooseBounds, r"bounds: steps=0 is taken, .* 1 to 5; call self._check\(steps=steps\) in __init__"),
        (MeantForSomethingElse, r"declared: takes names \['sound'\]; it may name weight, activation"),
        (CutAtTheWrongPlace, r"cut: .* codes are not those of position against 0\.5"),
        (Positional, r"options: .* features and channel_axis, keyword-only"),
        (nn.ReLU, r"options: "),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_defects_are_named(cls, message):
    with pytest.raises(ConformanceError, match=message) as caught:
        check_binarizer(cls)
    assert "\n" not in str(caught.value)


def test_a_good_class_of_ones_own_needs_no_registration():
    assert "derivative" in check_binarizer(Good, derivative=lambda x: float(-1 <= x <= 1))
    assert "derivative" in check_binarizer(Good, derivative=lambda x: np.float64(-1 <= x <= 1))


def test_a_wrong_derivative_is_shown_with_numbers():
    with pytest.raises(
        ConformanceError, match=r"derivative: at x = .* the gradient is 0, the definition says 1"
    ):
        check_binarizer(Good, derivative=lambda x: 1.0)


def test_the_batch_minimum_of_bit_does_not_conform():
    with pytest.raises(ConformanceError, match="independent"):
        check_binarizer("elastic-unsigned", bits=2, subtract_min=True)


def test_something_that_is_no_binarizer():
    with pytest.raises(ConformanceError, match="derive it from"):
        check_binarizer(nn.Identity())
