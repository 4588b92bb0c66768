r"""Does a binarizer keep the contract? `check_binarizer` says so, or says why not and what to do.

Most of these checks would have caught a defect that was published: a sign that gives 0, a backward
that returns nothing, a parameter made after the optimizer, a threshold that moves only the surrogate,
a minimum over the batch, a mark that a saved model loses.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any, get_args

import torch
from torch import Tensor, nn

from binviz.binarizers.base import Binarizer, Code, Takes
from binviz.binarizers.registry import get
from binviz.errors import UserError

Make = Callable[[], Binarizer]


class ConformanceError(AssertionError):
    """A binarizer breaks the contract; the message says which part and what to do."""


def _require(holds: Any, check: str, message: str) -> None:
    if not holds:
        raise ConformanceError(f"{check}: {message}")


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


def _fits(part: Tensor, x: Tensor) -> bool:
    try:
        return torch.broadcast_shapes(part.shape, x.shape) == x.shape
    except RuntimeError:
        return False


def _on_levels(binarizer: Binarizer, q: Tensor, check: str) -> None:
    levels = torch.tensor(binarizer.levels, dtype=q.dtype)
    strange = q[~torch.isin(q, levels)]
    value = strange.flatten()[0].item() if strange.numel() else None
    hint = " torch.sign(0) is 0; use binviz.binarizers.sign, where sign(0) is +1." if value == 0 else ""
    _require(
        value is None, check, f"encode(x).q holds {value}, which is not in levels {binarizer.levels}.{hint}"
    )


def _shape(make: Make, x: Tensor) -> None:
    for dtype in (torch.float32, torch.float64, torch.bfloat16, torch.float16):
        binarizer, y = make(), x.to(dtype)
        for code in binarizer.bases(y):
            _require(
                isinstance(code, Code),
                "shape",
                f"encode returns a {type(code).__name__}; return Code(q, scale, shift)",
            )
            _require(code.q.shape == x.shape, "shape", f"q is {tuple(code.q.shape)} for x {tuple(x.shape)}")
            _require(code.q.dtype == dtype, "shape", f"q is {code.q.dtype} for x {dtype}; keep x's dtype")
            for name, part in (("scale", code.scale), ("shift", code.shift)):
                _require(
                    _fits(part, x),
                    "shape",
                    f"{name} {tuple(part.shape)} does not broadcast to x {tuple(x.shape)}",
                )
        out = binarizer(y)
        _require(out.shape == x.shape, "shape", f"forward gives {tuple(out.shape)} for x {tuple(x.shape)}")
        _require(out.dtype == dtype, "shape", f"forward gives {out.dtype} for x {dtype}; keep x's dtype")
        _require(out.isfinite().all(), "shape", f"forward({dtype}) is not finite")


def _levels(make: Make, x: Tensor) -> None:
    binarizer = make()
    _require(
        len(binarizer.levels) > 1 and list(binarizer.levels) == sorted(set(binarizer.levels)),
        "levels",
        f"levels {binarizer.levels} must be two or more integers, ascending",
    )
    for scale in (1.0, 1e-3, 100.0):
        for code in binarizer.bases(x * scale):
            _on_levels(binarizer, code.q.detach(), "levels")


def _zeros(make: Make, x: Tensor) -> None:
    zeros = torch.zeros_like(x).requires_grad_()
    binarizer = make()
    codes, negative = binarizer.bases(zeros), make().bases(-torch.zeros_like(x))
    for code, other in zip(codes, negative, strict=True):
        _on_levels(binarizer, code.q.detach(), "zeros")
        _require(torch.equal(code.q, other.q), "zeros", "-0.0 and 0.0 get different codes; compare with >= 0")
    if binarizer.levels == (-1, 1):
        _require(
            (codes[0].q == 1).all(),
            "zeros",
            "a tensor of zeros gets the code -1; sign(0) is +1 everywhere in binviz, as x >= 0 is packed as 1",
        )
    out = binarizer(zeros).sum()
    (grad,) = torch.autograd.grad(out, zeros, allow_unused=True) if out.requires_grad else (None,)
    _require(
        grad is None or grad.isfinite().all(),
        "zeros",
        "the gradient of a tensor of zeros is not finite; guard divisions by a mean or deviation",
    )


def _declared(make: Make, x: Tensor) -> None:
    binarizer = make()
    strange = set(binarizer.takes) - set(get_args(Takes))
    _require(
        not strange, "declared", f"takes names {sorted(strange)}; it may name {', '.join(get_args(Takes))}"
    )
    codes, kind = binarizer.bases(x), binarizer.scale_kind
    _require(
        len(codes) == binarizer.basis_count,
        "declared",
        f"`bases` returns {len(codes)} codes; set basis_count = {len(codes)} on the class",
    )
    _require(
        not binarizer.offset or (codes[-1].q == 1).all(),
        "declared",
        "offset is True, but the last code of `bases` is not ones",
    )
    for code in codes:
        scale = code.scale.detach().expand(x.shape)
        first = scale.flatten()[0]
        of_row = scale.amax(binarizer._row_axes(x), keepdim=True)
        of_channel = [axis for axis in range(1, x.ndim) if axis != binarizer.channel_axis % x.ndim]
        agrees = {
            "none": (scale == 1).all(),
            "static": (scale == first).all(),
            "per_row": (scale == of_row).all(),
            "per_channel": (scale == scale.amax(of_channel, keepdim=True)).all(),
        }
        if binarizer.group is not None:
            firsts = scale[:, :: binarizer.group].repeat_interleave(binarizer.group, 1)
            agrees["per_group"] = (scale == firsts).all()
        known = ", ".join(map(repr, agrees))
        _require(kind in agrees, "declared", f"scale_kind {kind!r} is none of {known}")
        _require(
            agrees[kind], "declared", f"scale_kind is {kind!r}, but the scale that encode returns is not"
        )
        _require(
            binarizer.shifted or not code.shift.detach().any(),
            "declared",
            "encode returns a shift; set shifted = True on the class",
        )


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
    _require(
        not unnamed,
        "named",
        f"{', '.join(unnamed)} is learned and named in none of `scales`, `shifts` and `of_training`; name it on the "
        "class, so that it is trained and drawn as what it is",
    )


def _weight(make: Make, x: Tensor) -> None:
    binarizer = make()
    if binarizer.channel_axis != 0:
        _require(
            binarizer.basis_count == 1,
            "weight",
            "an activation has one code; only a weight is a sum of bases",
        )
        return
    _require(
        binarizer.levels == (-1, 1),
        "weight",
        f"a weight has the codes {binarizer.levels}; it is a sum of bases of -1 and +1, define `bases`",
    )
    _require(
        not binarizer.shifted, "weight", "a weight has a shift, which no layer adds; make it a basis of ones"
    )
    total = torch.stack([(code.q * code.scale).double() for code in binarizer.bases(x)]).sum(0)
    _require(
        torch.allclose(binarizer(x).double(), total, rtol=1e-5, atol=1e-6),
        "weight",
        "forward(w) is not the decoded sum of `bases`; leave forward to the base class",
    )


def _forward(make: Make, x: Tensor) -> None:
    binarizer = make()
    training = binarizer.train()(x)
    _require(
        torch.equal(training, Binarizer.forward(binarizer, x)),
        "forward",
        "forward(x) differs from encode(x).decode(); leave forward to the base class",
    )
    _require(
        torch.equal(training, binarizer.eval()(x)),
        "forward",
        "training and eval mode give different values; a surrogate changes gradients only",
    )


def _gradient(make: Make, x: Tensor) -> None:
    for mode in (True, False):
        leaf = x.clone().requires_grad_()
        out = make().train(mode)(leaf)
        _require(
            out.requires_grad,
            "gradient",
            "no gradient flows from the output to x; make q with with_surrogate(x, q, derivative)",
        )
        (grad,) = torch.autograd.grad(out.sum(), leaf, allow_unused=True)
        _require(
            grad is not None,
            "gradient",
            "the gradient to x is None; a custom backward must return it, a bare return cuts it off",
        )
        _require(grad.isfinite().all(), "gradient", "the gradient to x is not finite")
        _require(grad.any(), "gradient", "the gradient to x is zero everywhere; nothing below would learn")


def _incoming(make: Make, x: Tensor) -> None:
    leaf = x.clone().requires_grad_()
    incoming = torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
    kept = incoming.clone()
    torch.autograd.grad(make().bases(leaf)[0].q, leaf, incoming, allow_unused=True)
    _require(
        torch.equal(incoming, kept),
        "incoming gradient",
        "the backward edits the gradient that it is given; it belongs to others too, so return a new tensor",
    )


def _trained(x: Tensor) -> Tensor:
    """The same as a parameter that has the gradient of a step before."""
    leaf = x.clone().requires_grad_()
    leaf.grad = torch.randn(x.shape, generator=torch.Generator().manual_seed(3))
    return leaf


def _parameters(make: Make, x: Tensor) -> None:
    binarizer = make().train()
    random = torch.randn(x.shape, generator=torch.Generator().manual_seed(2))
    (binarizer(_trained(x)) * random).sum().backward()
    for name, parameter in binarizer.named_parameters():
        grad = parameter.grad
        _require(
            not parameter.requires_grad or (grad is not None and grad.isfinite().all() and grad.any()),
            "parameters",
            f"no gradient reaches {name!r}; use it in encode's value, or in the surrogate of q as well",
        )


def _effect(make: Make, x: Tensor) -> None:
    for name, parameter in make().named_parameters():
        if not parameter.requires_grad or parameter.ndim > 1:
            continue
        binarizer, given = make().eval(), x
        if name in binarizer.of_training:
            binarizer, given = binarizer.train(), _trained(x)
        before = binarizer(given)
        with torch.no_grad():
            binarizer.get_parameter(name).add_(0.75)
        _require(
            not torch.equal(before, binarizer(given)),
            "effect",
            f"{name!r} learns but does not change the output; apply it in the forward, not in the surrogate alone",
        )


def _lazy(make: Make, x: Tensor) -> None:
    binarizer = make()
    before = {name: tensor.shape for name, tensor in binarizer.state_dict().items()}
    binarizer.train()(x)
    binarizer.eval()(x)
    after = {name: tensor.shape for name, tensor in binarizer.state_dict().items()}
    changed = sorted(name for name in before | after if before.get(name) != after.get(name))
    _require(
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
        _require(
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
    _require(
        torch.equal(whole.q[1:2], part.q)
        and torch.allclose(whole.decode()[1:2], alone, rtol=1e-5, atol=1e-6),
        "independent",
        "an example's result depends on the others of its batch; reduce over its own row only, or start from "
        "the first batch by _initialize_once",
    )


def _progress(make: Make, x: Tensor) -> None:
    binarizer = make()
    for t in (0.0, 0.5, 1.0):
        binarizer.set_progress(t)
        leaf = x.clone().requires_grad_()
        out = binarizer.train()(leaf)
        (grad,) = torch.autograd.grad(out.sum(), leaf, allow_unused=True)
        _require(
            grad is not None and grad.isfinite().all() and grad.any(),
            "progress",
            f"after set_progress({t}) the gradient to x is missing, not finite or zero everywhere",
        )
        for code in binarizer.bases(x):
            _on_levels(binarizer, code.q.detach(), "progress")
        _require(
            torch.equal(out, binarizer.eval()(x)),
            "progress",
            f"after set_progress({t}) training and eval mode give different values",
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
            _require(
                False,
                "bounds",
                f"{name}={value!r} is taken, but options allow {option.low} to {option.high}; call "
                f"self._check({name}={name}) in __init__",
            )
        for value in (option.low, option.high):
            cls(**{name: value})


def _cut(make: Make, x: Tensor) -> None:
    binarizer = make()
    with torch.no_grad():
        q, cut = binarizer.bases(x)[0].q, binarizer.cut(x)
    if cut is None:
        return
    _require(
        cut.position.shape == x.shape,
        "cut",
        f"position is {tuple(cut.position.shape)} for x {tuple(x.shape)}",
    )
    low, *_, high = binarizer.levels
    wrong = ((cut.position > cut.at) & (q != high)) | ((cut.position < cut.at) & (q != low))
    _require(
        not wrong.any(),
        "cut",
        f"{int(wrong.sum())} codes are not those of position against {cut.at:g}; say what encode compares, or None",
    )


def _derivative(make: Make, x: Tensor, derivative: Callable[[float], float]) -> None:
    leaf = x.clone().requires_grad_()
    (grad,) = torch.autograd.grad(make()(leaf).sum(), leaf)
    wanted = torch.tensor([derivative(value) for value in x.flatten().tolist()], dtype=grad.dtype).view(
        x.shape
    )
    wrong = ~torch.isclose(grad, wanted, rtol=1e-4, atol=1e-5)
    if wrong.any():
        at, got, want = (t[wrong][0].item() for t in (x, grad, wanted))
        raise ConformanceError(
            f"derivative: at x = {at:g} the gradient is {got:g}, the definition says {want:g}"
        )


_CHECKS: dict[str, Callable[[Make, Tensor], None]] = {
    "shape": _shape,
    "levels": _levels,
    "zeros": _zeros,
    "declared": _declared,
    "weight": _weight,
    "forward": _forward,
    "gradient": _gradient,
    "incoming gradient": _incoming,
    "parameters": _parameters,
    "effect": _effect,
    "lazy": _lazy,
    "saved": _saved,
    "independent": _independent,
    "progress": _progress,
    "bounds": _bounds,
    "cut": _cut,
    "named": _named,
}


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
    decode(encode), the same in training and in eval mode), *gradient* (reaches x, finite, not zero
    everywhere), *incoming gradient* (not edited), *parameters* (a gradient reaches every one), *effect*
    (every learned scalar or vector changes the output), *lazy* (no parameter or buffer appears in the
    first forward), *saved* (a fresh instance with the saved state gives the same), *independent* (an
    example does not depend on its batch), *progress* (any point of the schedule works), *bounds* (the
    constructor refuses what is out of the bounds in `options`), *cut* (codes change where `cut` says), *named*
    (what is learned stands in `scales`, `shifts` or `of_training`), and if you give its definition, *derivative*.

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
    _require(isinstance(first, Binarizer), "class", "derive it from binviz.binarizers.Binarizer")
    x = sample(first.channel_axis, max(first.features, 2)) if inputs is None else inputs.detach()
    for check in _CHECKS.values():
        check(make, x)
    if derivative is None:
        return list(_CHECKS)
    _derivative(make, x, derivative)
    return [*_CHECKS, "derivative"]
