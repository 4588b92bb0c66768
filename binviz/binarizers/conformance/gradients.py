"""The checks of what training needs: gradients to the input and to every parameter, at any point of a schedule."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from binviz.binarizers.conformance.codes import on_levels
from binviz.binarizers.conformance.rule import Check, ConformanceError, Make, require


def _gradient(make: Make, x: Tensor) -> None:
    for mode in (True, False):
        leaf = x.clone().requires_grad_()
        out = make().train(mode)(leaf)
        require(
            out.requires_grad,
            "gradient",
            "no gradient flows from the output to x; make q with with_surrogate(x, q, derivative)",
        )
        (grad,) = torch.autograd.grad(out.sum(), leaf, allow_unused=True)
        require(
            grad is not None,
            "gradient",
            "the gradient to x is None; a custom backward must return it, a bare return cuts it off",
        )
        require(grad.isfinite().all(), "gradient", "the gradient to x is not finite")
        require(grad.any(), "gradient", "the gradient to x is zero everywhere; nothing below would learn")


def _incoming(make: Make, x: Tensor) -> None:
    leaf = x.clone().requires_grad_()
    incoming = torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
    kept = incoming.clone()
    torch.autograd.grad(make().bases(leaf)[0].q, leaf, incoming, allow_unused=True)
    require(
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
        require(
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
        require(
            not torch.equal(before, binarizer(given)),
            "effect",
            f"{name!r} learns but does not change the output; apply it in the forward, not in the surrogate alone",
        )


def _progress(make: Make, x: Tensor) -> None:
    binarizer = make()
    for t in (0.0, 0.5, 1.0):
        binarizer.set_progress(t)
        leaf = x.clone().requires_grad_()
        out = binarizer.train()(leaf)
        (grad,) = torch.autograd.grad(out.sum(), leaf, allow_unused=True)
        require(
            grad is not None and grad.isfinite().all() and grad.any(),
            "progress",
            f"after set_progress({t}) the gradient to x is missing, not finite or zero everywhere",
        )
        for code in binarizer.bases(x):
            on_levels(binarizer, code.q.detach(), "progress")
        require(
            torch.equal(out, binarizer.eval()(x)),
            "progress",
            f"after set_progress({t}) training and eval mode give different values",
        )


def derived(make: Make, x: Tensor, derivative: Callable[[float], float]) -> None:
    """The gradient is that derivative, number by number."""
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


#: Name -> check, in order.
CHECKS: dict[str, Check] = {
    "gradient": _gradient,
    "incoming gradient": _incoming,
    "parameters": _parameters,
    "effect": _effect,
    "progress": _progress,
}
