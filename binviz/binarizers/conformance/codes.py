"""The checks of what a binarizer computes: codes, their scales and shifts, and the value that they stand for."""

from __future__ import annotations

from typing import get_args

import torch
from torch import Tensor

from binviz.binarizers.base import Binarizer, Code, Takes
from binviz.binarizers.conformance.rule import Check, Make, require


def on_levels(binarizer: Binarizer, q: Tensor, check: str) -> None:
    """Require that codes are levels of that binarizer."""
    levels = torch.tensor(binarizer.levels, dtype=q.dtype)
    strange = q[~torch.isin(q, levels)]
    value = strange.flatten()[0].item() if strange.numel() else None
    hint = " torch.sign(0) is 0; use binviz.binarizers.sign, where sign(0) is +1." if value == 0 else ""
    require(
        value is None, check, f"encode(x).q holds {value}, which is not in levels {binarizer.levels}.{hint}"
    )


def _fits(part: Tensor, x: Tensor) -> bool:
    try:
        return torch.broadcast_shapes(part.shape, x.shape) == x.shape
    except RuntimeError:
        return False


def _shape(make: Make, x: Tensor) -> None:
    for dtype in (torch.float32, torch.float64, torch.bfloat16, torch.float16):
        binarizer, y = make(), x.to(dtype)
        for code in binarizer.bases(y):
            require(
                isinstance(code, Code),
                "shape",
                f"encode returns a {type(code).__name__}; return Code(q, scale, shift)",
            )
            require(code.q.shape == x.shape, "shape", f"q is {tuple(code.q.shape)} for x {tuple(x.shape)}")
            require(code.q.dtype == dtype, "shape", f"q is {code.q.dtype} for x {dtype}; keep x's dtype")
            for name, part in (("scale", code.scale), ("shift", code.shift)):
                require(
                    _fits(part, x),
                    "shape",
                    f"{name} {tuple(part.shape)} does not broadcast to x {tuple(x.shape)}",
                )
        out = binarizer(y)
        require(out.shape == x.shape, "shape", f"forward gives {tuple(out.shape)} for x {tuple(x.shape)}")
        require(out.dtype == dtype, "shape", f"forward gives {out.dtype} for x {dtype}; keep x's dtype")
        require(out.isfinite().all(), "shape", f"forward({dtype}) is not finite")


def _levels(make: Make, x: Tensor) -> None:
    binarizer = make()
    require(
        len(binarizer.levels) > 1 and list(binarizer.levels) == sorted(set(binarizer.levels)),
        "levels",
        f"levels {binarizer.levels} must be two or more integers, ascending",
    )
    for scale in (1.0, 1e-3, 100.0):
        for code in binarizer.bases(x * scale):
            on_levels(binarizer, code.q.detach(), "levels")


def _zeros(make: Make, x: Tensor) -> None:
    zeros = torch.zeros_like(x).requires_grad_()
    binarizer = make()
    codes, negative = binarizer.bases(zeros), make().bases(-torch.zeros_like(x))
    for code, other in zip(codes, negative, strict=True):
        on_levels(binarizer, code.q.detach(), "zeros")
        require(torch.equal(code.q, other.q), "zeros", "-0.0 and 0.0 get different codes; compare with >= 0")
    if binarizer.levels == (-1, 1):
        require(
            (codes[0].q == 1).all(),
            "zeros",
            "a tensor of zeros gets the code -1; sign(0) is +1 everywhere in binviz, as x >= 0 is packed as 1",
        )
    out = binarizer(zeros).sum()
    (grad,) = torch.autograd.grad(out, zeros, allow_unused=True) if out.requires_grad else (None,)
    require(
        grad is None or grad.isfinite().all(),
        "zeros",
        "the gradient of a tensor of zeros is not finite; guard divisions by a mean or deviation",
    )


def _declared(make: Make, x: Tensor) -> None:
    binarizer = make()
    strange = set(binarizer.takes) - set(get_args(Takes))
    require(
        not strange, "declared", f"takes names {sorted(strange)}; it may name {', '.join(get_args(Takes))}"
    )
    codes, kind = binarizer.bases(x), binarizer.scale_kind
    require(
        len(codes) == binarizer.basis_count,
        "declared",
        f"`bases` returns {len(codes)} codes; set basis_count = {len(codes)} on the class",
    )
    require(
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
        require(kind in agrees, "declared", f"scale_kind {kind!r} is none of {known}")
        require(agrees[kind], "declared", f"scale_kind is {kind!r}, but the scale that encode returns is not")
        require(
            binarizer.shifted or not code.shift.detach().any(),
            "declared",
            "encode returns a shift; set shifted = True on the class",
        )


def _weight(make: Make, x: Tensor) -> None:
    binarizer = make()
    if binarizer.channel_axis != 0:
        require(
            binarizer.basis_count == 1,
            "weight",
            "an activation has one code; only a weight is a sum of bases",
        )
        return
    require(
        binarizer.levels == (-1, 1),
        "weight",
        f"a weight has the codes {binarizer.levels}; it is a sum of bases of -1 and +1, define `bases`",
    )
    require(
        not binarizer.shifted, "weight", "a weight has a shift, which no layer adds; make it a basis of ones"
    )
    total = torch.stack([(code.q * code.scale).double() for code in binarizer.bases(x)]).sum(0)
    require(
        torch.allclose(binarizer(x).double(), total, rtol=1e-5, atol=1e-6),
        "weight",
        "forward(w) is not the decoded sum of `bases`; leave forward to the base class",
    )


def _forward(make: Make, x: Tensor) -> None:
    binarizer = make()
    training = binarizer.train()(x)
    require(
        torch.equal(training, Binarizer.forward(binarizer, x)),
        "forward",
        "forward(x) differs from encode(x).decode(); leave forward to the base class",
    )
    require(
        torch.equal(training, binarizer.eval()(x)),
        "forward",
        "training and eval mode give different values; a surrogate changes gradients only",
    )


def _cut(make: Make, x: Tensor) -> None:
    binarizer = make()
    with torch.no_grad():
        q, cut = binarizer.bases(x)[0].q, binarizer.cut(x)
    if cut is None:
        return
    require(
        cut.position.shape == x.shape,
        "cut",
        f"position is {tuple(cut.position.shape)} for x {tuple(x.shape)}",
    )
    low, *_, high = binarizer.levels
    wrong = ((cut.position > cut.at) & (q != high)) | ((cut.position < cut.at) & (q != low))
    require(
        not wrong.any(),
        "cut",
        f"{int(wrong.sum())} codes are not those of position against {cut.at:g}; say what encode compares, or None",
    )


#: Name -> check, in order.
CHECKS: dict[str, Check] = {
    "shape": _shape,
    "levels": _levels,
    "zeros": _zeros,
    "declared": _declared,
    "weight": _weight,
    "forward": _forward,
    "cut": _cut,
}
